"""LogQL's tree: inert nodes of data and position. `str(node)` is LogQL text that parses to an equal node.

Two nodes are equal when they mean the same text; positions take no part in it. This module has the metric queries;
a pipeline's stages are in `stages`, conditions on labels in `label_filters`, and all are to be had from here.
Language reference: https://grafana.com/docs/loki/latest/query/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from swarmscope.lang.logql.label_filters import (
    BothFilters,
    BytesFilter,
    Comparison,
    DurationFilter,
    EitherFilter,
    IpFilter,
    LabelFilter,
    NumberFilter,
    StringFilter,
)
from swarmscope.lang.logql.quoting import duration_text, quote
from swarmscope.lang.logql.stages import (
    Decolorize,
    DropLabels,
    Extraction,
    FormatLabel,
    IpPattern,
    JsonParser,
    KeepLabels,
    LabelFormat,
    LineFilter,
    LineFilterOperator,
    LineFormat,
    LogfmtParser,
    PatternParser,
    RegexpParser,
    RenameLabel,
    Stage,
    UnpackParser,
    stages_text,
)
from swarmscope.lang.promql.go_numbers import json_number
from swarmscope.lang.promql.nodes import Cardinality, Span, VectorMatching
from swarmscope.model.matchers import Matcher

__all__ = [
    "BinaryOperation", "BothFilters", "BytesFilter", "Cardinality", "Comparison", "Decolorize", "DropLabels",
    "DurationFilter", "EitherFilter", "Extraction", "FormatLabel", "Grouping", "IpFilter", "IpPattern", "JsonParser",
    "KeepLabels", "LabelFilter", "LabelFormat", "LabelReplace", "LineFilter", "LineFilterOperator", "LineFormat",
    "LogPipeline", "LogfmtParser", "MetricNode", "Node", "NumberFilter", "NumberLiteral", "PatternParser",
    "RangeAggregation", "RegexpParser", "RenameLabel", "Span", "Stage", "StringFilter", "UnpackParser", "Unwrap",
    "VectorAggregation", "VectorLiteral", "VectorMatching", "children", "walk",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogPipeline:
    """Lines of the streams that the matchers choose, led through the stages in order."""

    matchers: tuple[Matcher, ...]
    stages: tuple[Stage, ...] = ()
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return selector_text(self.matchers) + stages_text(self.stages)


@dataclass(frozen=True, slots=True)
class Grouping:
    """`by (labels)` or `without (labels)`; `by ()` is one group."""

    labels: tuple[str, ...]
    without: bool = False

    def __str__(self) -> str:
        return f"{'without' if self.without else 'by'} ({', '.join(self.labels)})"


@dataclass(frozen=True, slots=True)
class Unwrap:
    """`| unwrap label`: the label's value is the sample. Filters behind it see the outcome (`__error__`)."""

    label: str
    conversion: str = ""  # a name in registry.CONVERSIONS: how text becomes a number; "" for a plain number
    filters: tuple[LabelFilter, ...] = ()
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        what = f"{self.conversion}({self.label})" if self.conversion else self.label
        return f"| unwrap {what}" + "".join(f" | {each}" for each in self.filters)


@dataclass(frozen=True, slots=True)
class RangeAggregation:
    """`op(parameter, pipeline | unwrap … [range] offset …) by (…)` over the lines in (t - range, t]."""

    op: str  # a name in registry.RANGE_AGGREGATIONS
    pipeline: LogPipeline
    range_ns: int
    offset_ns: int = 0
    unwrap: Unwrap | None = None
    grouping: Grouping | None = None
    parameter: float | None = None  # quantile_over_time's
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        head = "" if self.parameter is None else json_number(self.parameter) + ", "
        unwrap = "" if self.unwrap is None else f" {self.unwrap}"
        offset = f" offset {duration_text(self.offset_ns)}" if self.offset_ns else ""
        inner = f"{head}{self.pipeline}{unwrap} [{duration_text(self.range_ns)}]{offset}"
        return f"{self.op}({inner})" + ("" if self.grouping is None else f" {self.grouping}")


@dataclass(frozen=True, slots=True)
class VectorAggregation:
    """`op by (…) (parameter, expression)`."""

    op: str  # a name in registry.VECTOR_AGGREGATIONS
    expression: MetricNode
    grouping: Grouping | None = None
    parameter: int | None = None  # how many topk, bottomk and approx_topk keep
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        grouping = "" if self.grouping is None else f" {self.grouping} "
        head = "" if self.parameter is None else f"{self.parameter}, "
        return f"{self.op}{grouping}({head}{self.expression})"


@dataclass(frozen=True, slots=True)
class BinaryOperation:
    """`left op right`. `matching` is set where both sides are vectors, and None where one is a number."""

    op: str  # a name in registry.BINARY_OPERATORS
    left: MetricNode
    right: MetricNode
    return_bool: bool = False
    matching: VectorMatching | None = None
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{operand_text(self.left)} {operator_text(self)} {operand_text(self.right)}"


@dataclass(frozen=True, slots=True)
class LabelReplace:
    """`label_replace(expression, target, replacement, source, regex)`; the regex matches the whole value."""

    expression: MetricNode
    target: str
    replacement: str
    source: str
    regex: str
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        texts = ", ".join(map(quote, (self.target, self.replacement, self.source, self.regex)))
        return f"label_replace({self.expression}, {texts})"


@dataclass(frozen=True, slots=True)
class VectorLiteral:
    """`vector(n)`: one series without labels that always has the value."""

    value: float
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"vector({json_number(self.value)})"


@dataclass(frozen=True, slots=True)
class NumberLiteral:
    """A number."""

    value: float
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return json_number(self.value)


MetricNode: TypeAlias = (
    RangeAggregation | VectorAggregation | BinaryOperation | LabelReplace | VectorLiteral | NumberLiteral
)
Node: TypeAlias = LogPipeline | MetricNode


def children(node: Node) -> tuple[Node, ...]:
    """The direct children of a node, in the order of the text."""
    match node:
        case RangeAggregation(pipeline=pipeline):
            return (pipeline,)
        case VectorAggregation(expression=expression) | LabelReplace(expression=expression):
            return (expression,)
        case BinaryOperation(left=left, right=right):
            return (left, right)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)


def selector_text(matchers: tuple[Matcher, ...]) -> str:
    """`{app="x", env=~"a|b"}`."""
    return "{" + ", ".join(f"{each.name}{each.operator}{quote(each.value)}" for each in matchers) + "}"


def operand_text(node: MetricNode) -> str:
    """A side of a binary operation, in parentheses where it is one itself."""
    return f"({node})" if isinstance(node, BinaryOperation) else str(node)


def operator_text(node: BinaryOperation) -> str:
    """The operator with `bool`, `on (…)` and `group_left (…)`."""
    text = node.op + (" bool" if node.return_bool else "")
    matching = node.matching
    if matching is None:
        return text
    grouped = matching.cardinality in (Cardinality.MANY_TO_ONE, Cardinality.ONE_TO_MANY)
    if matching.labels or matching.on or grouped:
        text += f" {'on' if matching.on else 'ignoring'} ({', '.join(matching.labels)})"
    if grouped:
        side = "left" if matching.cardinality is Cardinality.MANY_TO_ONE else "right"
        text += f" group_{side} ({', '.join(matching.include)})"
    return text
