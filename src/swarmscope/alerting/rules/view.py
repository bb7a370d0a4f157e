"""What can be asked of the rules, for APIs. Times are Unix milliseconds, 0 for never."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from swarmscope.alerting.placed_yaml import FileProblem
from swarmscope.alerting.rules.rules import Rule, RuleGroup
from swarmscope.model.alerts import AlertPhase


class RuleHealth(StrEnum):
    """How a rule's last evaluation went."""

    UNKNOWN = "unknown"
    OK = "ok"
    ERROR = "err"


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert of a rule, as it is now."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    phase: AlertPhase
    active_ms: int
    fired_ms: int
    keep_firing_since_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class RuleView:
    """One rule and how it goes."""

    rule: Rule
    health: RuleHealth
    last_error: str
    evaluated_ms: int
    evaluation_s: float
    phase: AlertPhase  # the worst of its alerts
    alerts: tuple[AlertView, ...]  # pending and firing ones


@dataclass(frozen=True, slots=True)
class GroupView:
    """One group and how it goes."""

    group: RuleGroup
    interval_ms: int
    evaluated_ms: int
    evaluation_s: float
    rules: tuple[RuleView, ...]


class RulesView(Protocol):
    """The rules of the program. Thread-safe."""

    def groups(self) -> Sequence[GroupView]:
        """All groups, by file and name."""
        ...

    def problems(self) -> Sequence[FileProblem]:
        """What was wrong with files at the last reload; what they said before goes on."""
        ...

    def reload(self) -> None:
        """Read the files again. Raises BadFileError: what is wrong, while the old rules go on."""
        ...
