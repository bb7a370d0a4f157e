"""What may stand in a rule file: Prometheus' fields, and ours. Unknown ones are refused."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from swarmscope.alerting.placed_yaml import StrictModel
from swarmscope.alerting.rules.rules import CompositeOperator, RuleKind
from swarmscope.model.durations import parse_duration_ms

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def _to_ms(value: Any) -> Any:
    return parse_duration_ms(value) if isinstance(value, str) else value


def _label_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name == "__name__":
        raise ValueError(f"{name!r} is not a label's name")
    return name


def _annotation_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not an annotation's name")
    return name


def _metric_name(name: str) -> str:
    if not _METRIC_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a metric's name")
    return name


def _no_none(value: Any) -> Any:
    """A key without a value is an empty text, as in Go."""
    return (
        {key: "" if each is None else each for key, each in value.items()} if isinstance(value, dict) else value or {}
    )


Milliseconds = Annotated[int, BeforeValidator(_to_ms)]
Labels = Annotated[dict[Annotated[str, AfterValidator(_label_name)], str], BeforeValidator(_no_none)]
Annotations = Annotated[dict[Annotated[str, AfterValidator(_annotation_name)], str], BeforeValidator(_no_none)]


class CompositeModel(StrictModel):
    """`composite:` in place of `expr`."""

    operator: CompositeOperator
    alerts: list[str] = Field(min_length=1, max_length=64)
    at_least: int = Field(default=0, ge=0)
    within: Milliseconds = 0
    on: list[Annotated[str, AfterValidator(_label_name)]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits(self) -> CompositeModel:
        if self.operator == CompositeOperator.AT_LEAST:
            if not 1 <= self.at_least <= len(self.alerts):
                raise ValueError(f"at_least must be 1 to {len(self.alerts)}, the number of alerts")
        elif self.at_least:
            raise ValueError("at_least goes with the operator at_least alone")
        if self.operator == CompositeOperator.UNLESS and len(self.alerts) < 2:
            raise ValueError("unless needs two alerts or more")
        return self


class RuleModel(StrictModel):
    """One rule."""

    record: str | None = None
    alert: str | None = None
    expr: str | None = None
    for_: Milliseconds = Field(default=0, alias="for")
    keep_firing_for: Milliseconds = 0
    labels: Labels = Field(default_factory=dict)
    annotations: Annotations = Field(default_factory=dict)
    kind: RuleKind | None = None
    cooldown: Milliseconds | None = None
    composite: CompositeModel | None = None
    runbook: str = ""

    @model_validator(mode="after")
    def _is_one_kind(self) -> RuleModel:
        if self.record and self.alert:
            raise ValueError("only one of 'record' and 'alert' must be set")
        if not self.record and not self.alert:
            raise ValueError("one of 'record' or 'alert' must be set")
        if not self.expr and self.composite is None:
            raise ValueError("field 'expr' must be set in rule")
        if self.expr and self.composite is not None:
            raise ValueError("only one of 'expr' and 'composite' must be set")
        if self.record:
            _metric_name(self.record)
            for name in ("for_", "keep_firing_for", "annotations", "cooldown", "composite", "runbook"):
                if getattr(self, name):
                    raise ValueError(f"invalid field '{name.rstrip('_')}' in recording rule")
        return self


class GroupModel(StrictModel):
    """One group."""

    name: str = Field(min_length=1)
    interval: Milliseconds | None = None
    query_offset: Milliseconds | None = None
    limit: Annotated[int, AfterValidator(lambda limit: max(limit, 0))] = 0
    labels: Labels = Field(default_factory=dict)
    kind: RuleKind = RuleKind.PROMQL
    rules: list[RuleModel] = Field(default_factory=list)


class FileModel(StrictModel):
    """One file."""

    groups: list[GroupModel] = Field(default_factory=list)
    namespace: str = ""  # Grafana's and Mimir's; it says nothing here
