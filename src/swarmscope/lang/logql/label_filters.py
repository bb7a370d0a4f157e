"""Conditions on labels: `| status >= 400 and (duration > 1s or size > 20KiB)`.

https://grafana.com/docs/loki/latest/query/log_queries/#label-filter-expression
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from swarmscope.lang.logql.quoting import bytes_text, duration_text, quote
from swarmscope.lang.promql.go_numbers import json_number
from swarmscope.lang.promql.nodes import Span
from swarmscope.model.matchers import Matcher, MatchOperator


class Comparison(StrEnum):
    """How numbers, durations and sizes compare (`=` is read as `==`)."""

    EQUAL = "=="
    NOT_EQUAL = "!="
    GREATER = ">"
    GREATER_EQUAL = ">="
    LESS = "<"
    LESS_EQUAL = "<="


@dataclass(frozen=True, slots=True)
class StringFilter:
    """`level="error"`: as stream matchers, a missing label has the value ""."""

    matcher: Matcher
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.matcher.name}{self.matcher.operator}{quote(self.matcher.value)}"


@dataclass(frozen=True, slots=True)
class NumberFilter:
    """`status >= 400`: the label's text as a number; where it is none the line gets `__error__`."""

    label: str
    comparison: Comparison
    value: float
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.label}{self.comparison}{json_number(self.value)}"


@dataclass(frozen=True, slots=True)
class DurationFilter:
    """`took > 1s500ms`: the label's text as a Go duration."""

    label: str
    comparison: Comparison
    value_ns: int
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.label}{self.comparison}{duration_text(self.value_ns)}"


@dataclass(frozen=True, slots=True)
class BytesFilter:
    """`size > 20KiB`: the label's text as a number of bytes with a unit."""

    label: str
    comparison: Comparison
    value_bytes: int
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.label}{self.comparison}{bytes_text(self.value_bytes)}"


@dataclass(frozen=True, slots=True)
class IpFilter:
    """`addr=ip("192.168.0.0/16")`: one address, a network or a range `a-b`; `operator` is = or !=."""

    label: str
    operator: MatchOperator
    pattern: str
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.label}{self.operator}ip({quote(self.pattern)})"


@dataclass(frozen=True, slots=True)
class BothFilters:
    """`left and right`; a comma and a space mean the same."""

    left: LabelFilter
    right: LabelFilter
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        left = f"({self.left})" if isinstance(self.left, EitherFilter) else str(self.left)
        return f"{left} and {_right_text(self.right)}"


@dataclass(frozen=True, slots=True)
class EitherFilter:
    """`left or right`."""

    left: LabelFilter
    right: LabelFilter
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        right = str(self.right) if isinstance(self.right, BothFilters) else _right_text(self.right)
        return f"{self.left} or {right}"


LabelFilter: TypeAlias = (
    StringFilter | NumberFilter | DurationFilter | BytesFilter | IpFilter | BothFilters | EitherFilter
)


def _right_text(part: LabelFilter) -> str:
    return f"({part})" if isinstance(part, BothFilters | EitherFilter) else str(part)


# For isinstance: the members of LabelFilter.
LABEL_FILTERS = (StringFilter, NumberFilter, DurationFilter, BytesFilter, IpFilter, BothFilters, EitherFilter)
