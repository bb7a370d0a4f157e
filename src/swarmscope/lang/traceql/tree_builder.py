"""From lark's tree to ours: one method a grammar rule."""
# ruff: noqa: D102  # A method bears its grammar rule's name, and makes what the rule stands for.

from __future__ import annotations

import math
import re
from typing import Any

from lark import Token, Transformer_NonRecursive, v_args
from lark.tree import Meta

from swarmscope.lang.logql.quoting import read_duration_ns
from swarmscope.lang.promql.nodes import Span
from swarmscope.lang.templates.go_strings import unquote
from swarmscope.lang.traceql.fields import (
    Attribute,
    FieldNode,
    FieldOperation,
    Intrinsic,
    Literal,
    LogicalOperation,
    UnaryOperation,
)
from swarmscope.lang.traceql.nodes import (
    Aggregate,
    Coalesce,
    Compare,
    GroupBy,
    HintValue,
    Pipeline,
    Query,
    ScalarFilter,
    ScalarOperation,
    ScalarPipeline,
    Select,
    SeriesAggregate,
    SeriesFilter,
    SeriesSelection,
    SpansetFilter,
    SpansetNode,
    SpansetOperation,
)
from swarmscope.lang.traceql.registry import (
    DEFAULT_TOP_VALUES,
    INTEGER_NAMES,
    INTRINSIC_SPELLINGS,
    KINDS,
    STATUSES,
    ValueType,
)
from swarmscope.model.errors import QuerySyntaxError
from swarmscope.model.spans import AttributeScope

_SCOPES = tuple((f"{scope}.", scope) for scope in AttributeScope)
_QUOTED_PART = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_MAX_DIGITS = 40  # more than 64 bits need; Python reads no more than 4,300
_ESCAPE = re.compile(r'\\(["\\])')


def error_at(message: str, place: Token | Meta) -> QuerySyntaxError:
    """An error with line, column and position."""
    return QuerySyntaxError(f"parse error at line {place.line}, col {place.column}: {message}", place.start_pos)


def span_of(meta: Meta) -> Span | None:
    """Where a rule's text stands; None for a rule without text."""
    return None if meta.empty else Span(meta.start_pos, meta.end_pos)


def _around(left: Any, right: Any) -> Span | None:
    return Span(left.span.start, right.span.end) if left.span and right.span else None


def _minus(node: Literal, span: Span | None) -> Literal:
    return Literal(node.type, -(node.value or 0), span)  # type: ignore[operator]


def _is_number(node: object) -> bool:
    return isinstance(node, Literal) and node.type.is_number


@v_args(meta=True)
class QueryBuilder(Transformer_NonRecursive[Token, Any]):
    """Makes the nodes. Raises QuerySyntaxError for literals that cannot be read."""

    # Values and names

    def literal(self, meta: Meta, parts: list[Any]) -> Literal:
        token = parts[0]
        span = span_of(meta)
        try:
            match token.type:
                case "STRING":
                    return Literal(ValueType.STRING, unquote(token), span)
                case "INTEGER":
                    return Literal(ValueType.INTEGER, int(token), span)
                case "FLOAT":
                    return Literal(ValueType.FLOAT, _finite(token), span)
                case "DURATION":
                    return Literal(ValueType.DURATION, read_duration_ns(token), span)
                case _:
                    return _word(str(token), span)
        except ValueError as error:
            raise error_at(str(error), token) from None

    def attribute(self, meta: Meta, parts: list[Any]) -> Attribute:
        text, scope = str(parts[0]), None
        of_parent = text.startswith("parent.")
        text = text.removeprefix("parent.")
        for prefix, each in _SCOPES:
            if text.startswith(prefix) and (not of_parent or each in (AttributeScope.SPAN, AttributeScope.RESOURCE)):
                text, scope = text.removeprefix(prefix), each
                break
        else:
            text = text if of_parent else text.removeprefix(".")
        name = _QUOTED_PART.sub(lambda part: _ESCAPE.sub(r"\1", part[1]), text)
        if not name:
            raise error_at("syntax error: attribute without a name", meta)
        return Attribute(scope, name, of_parent, span_of(meta))

    def intrinsic(self, meta: Meta, parts: list[Any]) -> Intrinsic:
        return Intrinsic(INTRINSIC_SPELLINGS[str(parts[0])], span_of(meta))

    # Field expressions

    def logical(self, meta: Meta, parts: list[Any]) -> FieldNode:
        op, run = str(parts[1]), [parts[0]]
        for next_op, operand in zip(parts[1::2], parts[2::2], strict=True):
            if next_op != op:
                run, op = [_joined(op, run)], str(next_op)
            run.append(operand)
        return _joined(op, run)

    def field_operator(self, meta: Meta, parts: list[Any]) -> str:
        return str(parts[0])

    def _operations(self, meta: Meta, parts: list[Any]) -> FieldNode:
        left: FieldNode = parts[0]
        for op, right in zip(parts[1::2], parts[2::2], strict=True):
            left = FieldOperation(str(op), left, right, _around(left, right))
        return left

    compared = sum = product = _operations

    def power(self, meta: Meta, parts: list[Any]) -> FieldNode:
        left, right = parts
        return left if right is None else FieldOperation("^", left, right, span_of(meta))

    def signed(self, meta: Meta, parts: list[Any]) -> Any:
        sign, operand = parts
        if sign == "+":
            raise error_at("syntax error: unexpected +", sign)
        return _minus(operand, span_of(meta)) if _is_number(operand) else UnaryOperation("-", operand, span_of(meta))

    def negated(self, meta: Meta, parts: list[Any]) -> FieldNode:
        return UnaryOperation("!", parts[0], span_of(meta))

    # Numbers of sets of spans

    def aggregate(self, meta: Meta, parts: list[Any]) -> Aggregate:
        return Aggregate(str(parts[0]), parts[1] if len(parts) > 1 else None, span_of(meta))

    def scalar_pipeline(self, meta: Meta, parts: list[Any]) -> ScalarPipeline:
        return ScalarPipeline(parts[0], parts[1], span_of(meta))

    def _scalar_operations(self, meta: Meta, parts: list[Any]) -> Any:
        left = parts[0]
        for op, right in zip(parts[1::2], parts[2::2], strict=True):
            left = ScalarOperation(str(op), left, right, _around(left, right))
        return left

    scalar_sum = scalar_product = _scalar_operations

    def scalar_power(self, meta: Meta, parts: list[Any]) -> Any:
        left, right = parts
        return left if right is None else ScalarOperation("^", left, right, span_of(meta))

    def compare_operator(self, meta: Meta, parts: list[Any]) -> str:
        return str(parts[0])

    def scalar_filter(self, meta: Meta, parts: list[Any]) -> ScalarFilter:
        return ScalarFilter(parts[1], parts[0], parts[2], span_of(meta))

    # Sets of spans

    def spanset_filter(self, meta: Meta, parts: list[Any]) -> SpansetFilter:
        return SpansetFilter(parts[0], span_of(meta))

    def relation(self, meta: Meta, parts: list[Any]) -> str:
        return str(parts[0])

    def _spansets(self, meta: Meta, parts: list[Any]) -> SpansetNode:
        left = _unwrapped(parts[0])
        for op, operand in zip(parts[1::2], parts[2::2], strict=True):
            right = _unwrapped(operand)
            left = SpansetOperation(str(op), left, right, _around(left, right))
        return left

    spanset = related = _spansets

    def group_by(self, meta: Meta, parts: list[Any]) -> GroupBy:
        return GroupBy(parts[1], span_of(meta))

    def coalesce(self, meta: Meta, parts: list[Any]) -> Coalesce:
        return Coalesce(span_of(meta))

    def select(self, meta: Meta, parts: list[Any]) -> Select:
        return Select(tuple(parts[1:]), span_of(meta))

    def pipeline(self, meta: Meta, parts: list[Any]) -> Pipeline:
        # `({a} | b) | c` is `{a} | b | c`.
        stages = [stage for part in parts for stage in (part.stages if isinstance(part, Pipeline) else (part,))]
        return Pipeline(tuple(stages), span_of(meta))

    # Series

    def by(self, meta: Meta, parts: list[Any]) -> tuple[Any, ...]:
        return tuple(parts[1:])

    def quantile(self, meta: Meta, parts: list[Any]) -> float:
        return _finite(parts[0])

    def series_aggregate(self, meta: Meta, parts: list[Any]) -> SeriesAggregate:
        op, *arguments, by = parts
        operand = arguments[0] if arguments else None
        return SeriesAggregate(str(op), operand, tuple(arguments[1:]), by or (), span_of(meta))

    def compare(self, meta: Meta, parts: list[Any]) -> Compare:
        selection, numbers = parts[1], [_whole(part) for part in parts[2:]]
        if len(numbers) not in (0, 1, 3):
            raise error_at("compare() takes a filter, the number of values, and both a start and an end or none", meta)
        top = numbers[0] if numbers else DEFAULT_TOP_VALUES
        start, end = numbers[1:] or (None, None)
        return Compare(selection, top, start, end, span_of(meta))

    def series_selection(self, meta: Meta, parts: list[Any]) -> SeriesSelection:
        return SeriesSelection(str(parts[0]), _whole(parts[1]), span_of(meta))

    def _signed_literal(self, sign: Token | None, literal: Literal) -> Literal:
        if sign is None:
            return literal
        if sign == "+" or not literal.type.is_number:
            raise error_at(f"syntax error: unexpected {sign}", sign)
        return _minus(literal, literal.span)

    def series_filter(self, meta: Meta, parts: list[Any]) -> SeriesFilter:
        return SeriesFilter(parts[0], self._signed_literal(parts[1], parts[2]), span_of(meta))

    def hint(self, meta: Meta, parts: list[Any]) -> HintValue:
        return HintValue(str(parts[0]), self._signed_literal(parts[1], parts[2]), span_of(meta))

    def hints(self, meta: Meta, parts: list[Any]) -> tuple[HintValue, ...]:
        return tuple(parts[1:])

    def query(self, meta: Meta, parts: list[Any]) -> Query:
        pipeline, *rest, hints = parts
        metrics = rest[0] if rest else None
        return Query(
            pipeline, metrics, tuple(part for part in rest[1:] if part is not None), hints or (), span_of(meta)
        )


def _finite(token: Token) -> float:
    value = float(token)
    if math.isinf(value):
        raise error_at(f"number out of range: {token}", token)
    return value


def _whole(token: Token) -> int:
    if len(token) > _MAX_DIGITS:
        raise error_at(f"number out of range: {token[:_MAX_DIGITS]}…", token)
    return int(token)


def _word(text: str, span: Span | None) -> Literal:
    if text in STATUSES:
        return Literal(ValueType.STATUS, STATUSES[text], span)
    if text in KINDS:
        return Literal(ValueType.KIND, KINDS[text], span)
    if text in INTEGER_NAMES:
        return Literal(ValueType.INTEGER, INTEGER_NAMES[text], span)
    if text == "nil":
        return Literal(ValueType.NIL, None, span)
    return Literal(ValueType.BOOLEAN, text == "true", span)


def _joined(op: str, operands: list[Any]) -> FieldNode:
    flat: list[FieldNode] = []
    for each in operands:
        flat += each.operands if isinstance(each, LogicalOperation) and each.op == op else (each,)
    return LogicalOperation(op, tuple(flat), _around(flat[0], flat[-1]))


def _unwrapped(part: Any) -> SpansetNode:
    """`({a})` is `{a}`: a pipeline of one set of spans needs no parentheses."""
    if isinstance(part, Pipeline) and len(part.stages) == 1:
        stage = part.stages[0]
        if isinstance(stage, (SpansetFilter, SpansetOperation)):
            return stage
    return part  # type: ignore[no-any-return]
