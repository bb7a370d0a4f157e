"""From lark's tree to ours: one method a grammar rule, for metric queries."""
# ruff: noqa: D102  # A method bears its grammar rule's name, and makes what the rule stands for.

from __future__ import annotations

from typing import Any, NamedTuple

from lark import Token, v_args
from lark.tree import Meta

from swarmscope.lang.logql import checks
from swarmscope.lang.logql.label_filters import LABEL_FILTERS, LabelFilter
from swarmscope.lang.logql.nodes import (
    BinaryOperation,
    Grouping,
    LabelReplace,
    LogPipeline,
    MetricNode,
    Node,
    NumberLiteral,
    RangeAggregation,
    Unwrap,
    VectorAggregation,
    VectorLiteral,
)
from swarmscope.lang.logql.registry import COMPARISON_OPERATORS, SET_OPERATORS
from swarmscope.lang.logql.stages import Stage
from swarmscope.lang.logql.tree_builder import PipelineBuilder, Selected, duration_at, span_of, string_at, to_pipeline
from swarmscope.lang.promql.nodes import Cardinality, Span, VectorMatching


class Ranged(NamedTuple):
    """What a range aggregation reads."""

    pipeline: LogPipeline
    unwrap: Unwrap | None
    range_ns: int
    offset_ns: int


class Modifier(NamedTuple):
    """What stands between an operator and its right side."""

    return_bool: bool
    matching: VectorMatching | None


@v_args(meta=True)
class QueryBuilder(PipelineBuilder):
    """All of LogQL."""

    def start(self, meta: Meta, parts: list[Any]) -> Node:
        found: Selected | MetricNode = parts[0]
        return to_pipeline(found) if isinstance(found, Selected) else found

    def range(self, meta: Meta, parts: list[Any]) -> int:
        range_ns = duration_at(parts[0])
        if range_ns <= 0:
            raise checks.error_at("the range must be longer than 0", parts[0])
        return range_ns

    def offset(self, meta: Meta, parts: list[Any]) -> int:
        return int(parts[1])

    def ranged(self, meta: Meta, parts: list[Any]) -> Ranged:
        if len(parts) == 1:
            return Ranged(*parts[0])
        selected, range_ns, offset_ns, *after = parts
        if after and selected.stages:
            raise checks.error_at("syntax error: stages stand before the range or behind it, not both", meta)
        stages, unwrap = _split_unwrap([*selected.stages, *after])
        pipeline = to_pipeline(Selected(selected.matchers, stages, selected.span))
        return Ranged(pipeline, unwrap, range_ns, offset_ns or 0)

    def grouping(self, meta: Meta, parts: list[Any]) -> Grouping:
        return Grouping(parts[1], parts[0].type == "WITHOUT")

    def labels(self, meta: Meta, parts: list[Any]) -> tuple[str, ...]:
        return tuple(str(part) for part in parts if part is not None)

    def range_aggregation(self, meta: Meta, parts: list[Any]) -> RangeAggregation:
        op, parameter, (pipeline, unwrap, range_ns, offset_ns), grouping = parts
        return checks.checked_range(
            RangeAggregation(str(op).lower(), pipeline, range_ns, offset_ns, unwrap, grouping, parameter, span_of(meta))
        )

    def vector_aggregation(self, meta: Meta, parts: list[Any]) -> VectorAggregation:
        op, grouping, parameter, expression = parts
        name = str(op).lower()
        whole = checks.series_to_keep(name, parameter)
        return checks.checked_vector(VectorAggregation(name, expression, grouping, whole, span_of(meta)))

    def vector_aggregation_after(self, meta: Meta, parts: list[Any]) -> VectorAggregation:
        op, parameter, expression, grouping = parts
        return self.vector_aggregation(meta, [op, grouping, parameter, expression])

    def vector(self, meta: Meta, parts: list[Any]) -> VectorLiteral:
        return VectorLiteral(parts[1], span_of(meta))

    def literal(self, meta: Meta, parts: list[Any]) -> NumberLiteral:
        return NumberLiteral(parts[0], span_of(meta))

    def parenthesized(self, meta: Meta, parts: list[Any]) -> MetricNode:
        found: MetricNode = parts[0]
        return found

    def label_replace(self, meta: Meta, parts: list[Any]) -> LabelReplace:
        _, expression, *texts = parts
        target, replacement, source, regex = map(string_at, texts)
        checks.check_regex(regex, texts[3])
        return LabelReplace(expression, target, replacement, source, regex, span_of(meta))

    def matching(self, meta: Meta, parts: list[Any]) -> VectorMatching:
        kind, labels, side, include = parts
        cardinality = Cardinality.ONE_TO_ONE
        if side is not None:
            cardinality = Cardinality.MANY_TO_ONE if side.type == "GROUP_LEFT" else Cardinality.ONE_TO_MANY
        return VectorMatching(cardinality, labels, kind.type == "ON", include or ())

    def modifier(self, meta: Meta, parts: list[Any]) -> Modifier:
        return Modifier(parts[0] is not None, parts[1])

    def binary(self, meta: Meta, parts: list[Any]) -> BinaryOperation:
        left, op, modifier, right = parts
        name = str(op).lower()
        # Loki takes `bool` with every operator; it means something with comparisons alone.
        return_bool = modifier.return_bool and name in COMPARISON_OPERATORS
        matching = None
        if not checks.is_scalar(left) and not checks.is_scalar(right):
            matching = modifier.matching or VectorMatching()
            if name in SET_OPERATORS:
                matching = checks.set_matching(matching, name)
        node = BinaryOperation(name, left, right, return_bool, matching, span_of(meta))
        checks.check_binary(node)
        return node

    def power(self, meta: Meta, parts: list[Any]) -> BinaryOperation:
        left, modifier, right = parts
        return self.binary(meta, [left, Token("POWER", "^"), modifier, right])


def _split_unwrap(stages: list[Stage | Unwrap]) -> tuple[tuple[Stage | Unwrap, ...], Unwrap | None]:
    """The stages before an unwrap, and the unwrap with the filters behind it."""
    for position, stage in enumerate(stages):
        if not isinstance(stage, Unwrap):
            continue
        filters: list[LabelFilter] = []
        for later in stages[position + 1 :]:
            if not isinstance(later, LABEL_FILTERS):
                start = later.span.start if later.span else None
                raise checks.refusal("only label filters may stand behind unwrap", start)
            filters.append(later)
        end = filters[-1].span if filters else stage.span
        span = Span(stage.span.start, end.end) if stage.span and end else None
        return tuple(stages[:position]), Unwrap(stage.label, stage.conversion, tuple(filters), span)
    return tuple(stages), None
