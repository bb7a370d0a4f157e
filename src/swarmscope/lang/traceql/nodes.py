"""TraceQL's tree: inert nodes of data and position. `str(node)` is TraceQL text that parses to an equal node.

Two nodes are equal when they mean the same text; positions take no part in it. This module has queries, pipelines and
sets of spans; field expressions are in `fields`, and all are to be had from here.
Language reference: https://grafana.com/docs/tempo/latest/traceql/construct-traceql-queries/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from swarmscope.lang.promql.nodes import Span
from swarmscope.lang.traceql.fields import (
    Attribute,
    FieldNode,
    FieldOperation,
    Intrinsic,
    Literal,
    LogicalOperation,
    UnaryOperation,
)
from swarmscope.lang.traceql.registry import DEFAULT_TOP_VALUES, IntrinsicField, Relation, ValueType

__all__ = [
    "Aggregate", "Attribute", "Coalesce", "Compare", "FieldNode", "FieldOperation", "GroupBy", "HintValue",
    "Intrinsic", "IntrinsicField", "Literal", "LogicalOperation", "MetricsNode", "MetricsStage", "Node", "Pipeline",
    "Query", "Relation", "ScalarFilter", "ScalarNode", "ScalarOperation", "ScalarPipeline", "Select", "SeriesAggregate",
    "SeriesFilter", "SeriesSelection", "SpansetFilter", "SpansetNode", "SpansetOperation", "Stage", "UnaryOperation",
    "ValueType", "children", "walk",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class SpansetFilter:
    """`{ condition }`: the spans that fulfil it; `{ }` is all spans."""

    condition: FieldNode | None = None
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return "{ }" if self.condition is None else f"{{ {self.condition} }}"


@dataclass(frozen=True, slots=True)
class SpansetOperation:
    """`left op right`: registry.SPANSET_OPERATORS says which relation, and whether negated or a union."""

    op: str  # a name in registry.SPANSET_OPERATORS
    left: SpansetNode
    right: SpansetNode
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{_spanset_operand(self.left)} {self.op} {_spanset_operand(self.right)}"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`count()`, `avg(field)` …: a number for each set of spans."""

    op: str  # a name in registry.AGGREGATES
    operand: FieldNode | None = None  # None for count alone
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.op}({'' if self.operand is None else self.operand})"


@dataclass(frozen=True, slots=True)
class ScalarPipeline:
    """`(pipeline | aggregate)`: a number for each trace, of sets of spans of its own."""

    pipeline: Pipeline
    aggregate: Aggregate
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"({self.pipeline} | {self.aggregate})"


@dataclass(frozen=True, slots=True)
class ScalarOperation:
    """Arithmetic of numbers: `left op right`."""

    op: str  # + - * / % ^
    left: ScalarNode
    right: ScalarNode
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{_scalar_operand(self.left)} {self.op} {_scalar_operand(self.right)}"


@dataclass(frozen=True, slots=True)
class ScalarFilter:
    """`left op right`: keeps the sets of spans for which it holds. First in a pipeline it works on all spans."""

    op: str  # = != < <= > >=
    left: ScalarNode
    right: ScalarNode
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{_scalar_operand(self.left)} {self.op} {_scalar_operand(self.right)}"


@dataclass(frozen=True, slots=True)
class GroupBy:
    """`by(field)`: splits every set into one for each value."""

    key: FieldNode
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"by({self.key})"


@dataclass(frozen=True, slots=True)
class Coalesce:
    """`coalesce()`: the sets of a trace become one."""

    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return "coalesce()"


@dataclass(frozen=True, slots=True)
class Select:
    """`select(a, b)`: fields that the result shows beside those of the query."""

    fields: tuple[Attribute | Intrinsic, ...]
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"select({', '.join(map(str, self.fields))})"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Stages one behind the other. The first is a spanset, a scalar filter or a grouping (of all spans)."""

    stages: tuple[Stage, ...]
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return " | ".join(map(str, self.stages))


@dataclass(frozen=True, slots=True)
class SeriesAggregate:
    """`rate() by (…)`, `quantile_over_time(field, q, …) by (…)` …: series of the spans that come through."""

    op: str  # a name in registry.METRICS
    operand: Attribute | Intrinsic | None = None  # None for rate and count_over_time alone
    quantiles: tuple[float, ...] = ()
    by: tuple[Attribute | Intrinsic, ...] = ()
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        arguments = [] if self.operand is None else [str(self.operand)]
        arguments += [str(Literal(ValueType.FLOAT, each)) for each in self.quantiles]
        by = f" by ({', '.join(map(str, self.by))})" if self.by else ""
        return f"{self.op}({', '.join(arguments)}){by}"


@dataclass(frozen=True, slots=True)
class Compare:
    """`compare({ … }, top, start, end)`: counts of all attributes' values, in the selection and in the rest."""

    selection: SpansetFilter
    top: int = DEFAULT_TOP_VALUES
    start_ns: int | None = None  # Unix nanoseconds; either both or none
    end_ns: int | None = None
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        window = "" if self.start_ns is None else f", {self.start_ns}, {self.end_ns}"
        top = "" if self.top == DEFAULT_TOP_VALUES and not window else f", {self.top}"
        return f"compare({self.selection}{top}{window})"


@dataclass(frozen=True, slots=True)
class SeriesSelection:
    """`topk(n)` or `bottomk(n)`, at each step."""

    op: str  # a name in registry.SELECTING
    limit: int
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.op}({self.limit})"


@dataclass(frozen=True, slots=True)
class SeriesFilter:
    """`> value`: keeps the points for which it holds. A duration counts as its seconds."""

    op: str  # = != < <= > >=
    value: Literal  # a number or a duration
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.op} {self.value}"


@dataclass(frozen=True, slots=True)
class HintValue:
    """`name=value` in `with (…)`."""

    name: str
    value: Literal
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query. With `metrics` its result is series, without it is traces.

    `series_stages` follow the metrics function, in order; empty without one.
    """

    pipeline: Pipeline
    metrics: MetricsNode | None = None
    series_stages: tuple[MetricsStage, ...] = ()
    hints: tuple[HintValue, ...] = ()
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        text = str(self.pipeline)
        if self.metrics is not None:
            text += f" | {self.metrics}"
        for stage in self.series_stages:
            text += f" {stage}" if isinstance(stage, SeriesFilter) else f" | {stage}"
        return text + (f" with ({', '.join(map(str, self.hints))})" if self.hints else "")


SpansetNode: TypeAlias = SpansetFilter | SpansetOperation | Pipeline  # a pipeline stands in parentheses there
ScalarNode: TypeAlias = Literal | Aggregate | ScalarOperation | ScalarPipeline
Stage: TypeAlias = SpansetFilter | SpansetOperation | ScalarFilter | GroupBy | Coalesce | Select
MetricsNode: TypeAlias = SeriesAggregate | Compare
MetricsStage: TypeAlias = SeriesSelection | SeriesFilter
Node: TypeAlias = (
    Query | Pipeline | Stage | ScalarNode | FieldNode | MetricsNode | MetricsStage | HintValue
)  # everything there is


def children(node: Node) -> tuple[Node, ...]:
    """The direct children of a node, in the order of the text."""
    match node:
        case Query(pipeline=pipeline, metrics=metrics, series_stages=series_stages, hints=hints):
            return (pipeline, *(() if metrics is None else (metrics,)), *series_stages, *hints)
        case Pipeline(stages=stages):
            return stages
        case SpansetFilter(condition=condition):
            return () if condition is None else (condition,)
        case (
            SpansetOperation(left=left, right=right)
            | ScalarOperation(left=left, right=right)
            | ScalarFilter(left=left, right=right)
            | FieldOperation(left=left, right=right)
        ):
            return (left, right)
        case LogicalOperation(operands=operands):
            return operands
        case UnaryOperation(operand=operand):
            return (operand,)
        case ScalarPipeline(pipeline=pipeline, aggregate=aggregate):
            return (pipeline, aggregate)
        case Compare(selection=selection):
            return (selection,)
        case _:
            return _field_children(node)


def _field_children(node: Node) -> tuple[Node, ...]:
    match node:
        case Aggregate(operand=inner):
            return () if inner is None else (inner,)
        case GroupBy(key=inner):
            return (inner,)
        case Select(fields=fields):
            return fields
        case SeriesAggregate(operand=inner, by=by):
            return by if inner is None else (inner, *by)
        case SeriesFilter(value=value) | HintValue(value=value):
            return (value,)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, parents first."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(reversed(children(current)))


def _spanset_operand(node: SpansetNode) -> str:
    return str(node) if isinstance(node, SpansetFilter) else f"({node})"


def _scalar_operand(node: ScalarNode) -> str:
    text = str(node)
    return f"({text})" if isinstance(node, ScalarOperation) or text.startswith("-") else text
