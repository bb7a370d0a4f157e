"""Rules as they are evaluated. Source: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from swarmscope.alerting.placed_yaml import FileProblem
from swarmscope.model.matchers import Matcher


class RuleKind(StrEnum):
    """The language of a rule's expression."""

    PROMQL = "promql"
    LOGQL = "logql"
    TRACEQL = "traceql"


class CompositeOperator(StrEnum):
    """How the parts of a composite alert come together."""

    AND = "and"
    OR = "or"
    UNLESS = "unless"
    AT_LEAST = "at_least"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule stands in its file; lines and columns count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Composite:
    """An alert over other rules' alerts.

    Each part holds where an alert fires, or fired within `within_ms`, that fulfils its matchers. Alerts that agree in
    the labels `on` are looked at together: one alert for each such set.
    """

    operator: CompositeOperator
    parts: tuple[tuple[Matcher, ...], ...]
    at_least: int  # of the parts
    within_ms: int
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """A query whose answer is written back as series of the name `record`."""

    record: str
    expr: str
    labels: Mapping[str, str]
    kind: RuleKind
    place: Place = field(compare=False)

    @property
    def name(self) -> str:
        """What it is called in lists."""
        return self.record


@dataclass(frozen=True, slots=True)
class AlertingRule:
    """A query each of whose results is an alert; or a composite one, whose `expr` is empty."""

    name: str
    expr: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    kind: RuleKind
    for_ms: int
    keep_firing_for_ms: int
    cooldown_ms: int | None  # None: the setting
    runbook: str
    composite: Composite | None
    place: Place = field(compare=False)


Rule: TypeAlias = RecordingRule | AlertingRule


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules that are evaluated one after the other at one time."""

    name: str
    file: str
    interval_ms: int | None  # None: the setting
    limit: int  # results of a rule; 0 is none
    query_offset_ms: int | None
    rules: tuple[Rule, ...]
    place: Place = field(compare=False)

    @property
    def key(self) -> str:
        """Unique among all groups, as Prometheus spells it."""
        return f"{self.file};{self.name}"


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """All groups of the files that are right, and what is wrong with the others.

    `doubtful` are those of files in which single rules are wrong: such a rule fails whenever it is evaluated.
    """

    groups: tuple[RuleGroup, ...]
    problems: tuple[FileProblem, ...] = ()
    files: tuple[str, ...] = ()
    doubtful: tuple[RuleGroup, ...] = ()
