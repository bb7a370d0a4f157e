"""Text to tree. The grammar is the library `promql-parser`'s; nodes, places and messages are ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any

import promql_parser as library

from swarmscope.lang.promql.nodes import (
    SET_OPERATORS,
    Aggregate,
    Anchor,
    Binary,
    Call,
    Cardinality,
    MatrixSelector,
    Node,
    NumberLiteral,
    Paren,
    Span,
    StringLiteral,
    Subquery,
    Unary,
    ValueType,
    VectorMatching,
    VectorSelector,
    walk,
    without_parens,
)
from swarmscope.lang.promql.size_limits import refuse_deep, refuse_long
from swarmscope.lang.promql.syntax_errors import explain_refusal
from swarmscope.lang.promql.tokens import Cursor, line_column, scan_tokens
from swarmscope.lang.promql.value_types import value_type
from swarmscope.model.errors import QuerySyntaxError, UnsupportedQueryError
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.matchers import Matcher, MatchOperator

_MATCH_OPERATORS = {
    "MatchOp.Equal": MatchOperator.EQUAL,
    "MatchOp.NotEqual": MatchOperator.NOT_EQUAL,
    "MatchOp.Re": MatchOperator.REGEX,
    "MatchOp.NotRe": MatchOperator.NOT_REGEX,
}
_CARDINALITIES = {
    "VectorMatchCardinality.OneToOne": Cardinality.ONE_TO_ONE,
    "VectorMatchCardinality.ManyToOne": Cardinality.MANY_TO_ONE,
    "VectorMatchCardinality.OneToMany": Cardinality.ONE_TO_MANY,
    "VectorMatchCardinality.ManyToMany": Cardinality.MANY_TO_MANY,
}
_MATCH_KEYWORDS = ("bool", "on", "ignoring", "group_left", "group_right", "fill", "fill_left", "fill_right")
# Rust's and Go's regex differ in a few spellings; the catalogue's engine judges the pattern, not the library.


_MAX_REMEMBERED_LENGTH = 4096  # characters; 2048 trees of the longest texts would fill the memory


def parse_promql(text: str) -> Node:
    """The tree of a query.

    Raises QuerySyntaxError with Prometheus' wording and the place (line:column and offset), and
    UnsupportedQueryError for what the grammar knows and the engine does not.
    """
    return _parse_remembered(text) if len(text) <= _MAX_REMEMBERED_LENGTH else _parse(text)


@lru_cache(maxsize=2048)
def _parse_remembered(text: str) -> Node:
    return _parse(text)


def _parse(text: str) -> Node:
    refuse_long(text)
    tokens = scan_tokens(text)
    refuse_deep(tokens)
    try:
        tree = library.parse(text)
    except Exception as refusal:
        message, position = explain_refusal(text, str(refusal))
        raise QuerySyntaxError(message, position) from None
    node = _convert(tree, Cursor(tokens))
    _check_info_arguments(node, text)
    return node


def parse_selector(text: str) -> VectorSelector:
    """A bare selector, as `match[]` takes it. Raises QuerySyntaxError for anything else."""
    node = without_parens(parse_promql(text))
    if not isinstance(node, VectorSelector) or node.offset_ms or node.at is not None:
        raise QuerySyntaxError(f'1:1: parse error: expected a series selector, got "{text}"', 0)
    return node


def _check_info_arguments(node: Node, text: str) -> None:
    for call in walk(node):
        if isinstance(call, Call) and call.function == "info" and len(call.args) > 1:
            selector = without_parens(call.args[1])
            if not isinstance(selector, VectorSelector):
                place = selector.span.start if selector.span is not None else 0
                raise QuerySyntaxError(
                    f"{line_column(text, place)}: parse error: expected label selectors as the second argument "
                    f"to info function, got {type(selector).__name__}",
                    place,
                )


def _convert(tree: Any, cursor: Cursor) -> Node:
    if not isinstance(tree, library.NumberLiteral):
        cursor.skip_if("+")
    return _CONVERTERS[type(tree).__name__](tree, cursor, cursor.start)


def _span(start: int, cursor: Cursor) -> Span | None:
    return None if cursor.lost or start < 0 else Span(start, cursor.end)


def _milliseconds(delta: timedelta | None) -> int:
    return 0 if delta is None else round(delta / timedelta(microseconds=1)) // 1000


def _convert_number(tree: Any, cursor: Cursor, start: int) -> Node:
    while cursor.skip_if("+", "-"):
        pass
    cursor.take()
    return NumberLiteral(float(tree.val), _span(start, cursor))


def _convert_string(tree: Any, cursor: Cursor, start: int) -> Node:
    cursor.take_kind("string")
    return StringLiteral(tree.val, _span(start, cursor))


def _pass_time_modifiers(cursor: Cursor) -> float | None:
    """Pass `offset` and `@`; returns the `@` time in seconds, which the library may not be able to hold."""
    at_s = None
    while cursor.peek_text() in ("offset", "@"):
        word = cursor.take()
        sign = -1.0 if cursor.peek_text() == "-" else 1.0
        cursor.skip_if("-", "+")
        value = cursor.take()
        if word is None or value is None or word.text == "@":
            if cursor.peek_text() == "(":
                cursor.skip_group("(", ")")
            elif value is not None:
                at_s = sign * float(value.text) if _is_float(value.text) else None
    return at_s


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _at_ms(at_s: float) -> int:
    if not abs(at_s) * 1000 < 2.0**63:  # NaN too
        raise QuerySyntaxError(f"1:1: parse error: timestamp out of bounds for @ modifier: {at_s:f}")
    return round(at_s * 1000)


def _time_modifiers(tree: Any, cursor: Cursor) -> tuple[int, int | Anchor | None]:
    """(offset_ms, at) of a selector or subquery, and the cursor past them."""
    at_s = _pass_time_modifiers(cursor)
    at: int | Anchor | None = None
    if tree.at is not None:
        kind = str(tree.at.type)
        if kind.endswith("Start"):
            at = Anchor.START
        elif kind.endswith("End"):
            at = Anchor.END
        else:
            at = _at_ms(at_s if at_s is not None else tree.at.at.timestamp())
    return _milliseconds(tree.offset), at


def _matchers(tree: Any) -> tuple[Matcher, ...]:
    if tree.matchers.or_matchers:
        raise UnsupportedQueryError('"or" between label matchers is not part of PromQL and is not supported')
    found = [Matcher(m.name, _MATCH_OPERATORS[str(m.op)], m.value) for m in tree.matchers.matchers]
    if tree.name:
        found.insert(0, Matcher(METRIC_NAME, MatchOperator.EQUAL, tree.name))
    # The name first and the rest sorted, as they print: the same selector is the same node.
    found.sort(key=lambda m: (m.name != METRIC_NAME, str(m)))
    return tuple(dict.fromkeys(found))


def _convert_selector(tree: Any, cursor: Cursor, start: int) -> Node:
    token = cursor.peek()
    if token is not None and token.kind == "name":
        cursor.take()
    if cursor.peek_text() == "{":
        cursor.skip_group("{", "}")
    offset_ms, at = _time_modifiers(tree, cursor)
    return VectorSelector(_matchers(tree), offset_ms, at, _span(start, cursor))


def _convert_matrix(tree: Any, cursor: Cursor, start: int) -> Node:
    vector = tree.vector_selector
    token = cursor.peek()
    if token is not None and token.kind == "name":
        cursor.take()
    if cursor.peek_text() == "{":
        cursor.skip_group("{", "}")
    cursor.take_kind("range")
    offset_ms, at = _time_modifiers(vector, cursor)
    span = _span(start, cursor)
    return MatrixSelector(VectorSelector(_matchers(vector), offset_ms, at, span), _milliseconds(tree.range), span)


def _convert_subquery(tree: Any, cursor: Cursor, start: int) -> Node:
    expr = _convert(tree.expr, cursor)
    cursor.take_kind("range")
    offset_ms, at = _time_modifiers(tree, cursor)
    step_ms = _milliseconds(tree.step) if tree.step is not None else None
    return Subquery(expr, _milliseconds(tree.range), step_ms or None, offset_ms, at, _span(start, cursor))


def _convert_unary(tree: Any, cursor: Cursor, start: int) -> Node:
    cursor.take("-")
    expr = _convert(tree.expr, cursor)
    return Unary(expr, _span(start, cursor))


def _convert_paren(tree: Any, cursor: Cursor, start: int) -> Node:
    cursor.take("(")
    expr = _convert(tree.expr, cursor)
    cursor.take(")")
    return Paren(expr, _span(start, cursor))


def _convert_call(tree: Any, cursor: Cursor, start: int) -> Node:
    cursor.take(tree.func.name)
    cursor.take("(")
    args = []
    for index, arg in enumerate(tree.args):
        if index:
            cursor.take(",")
        args.append(_convert(arg, cursor))
    cursor.skip_if(",")
    cursor.take(")")
    return Call(tree.func.name, tuple(args), _span(start, cursor))


def _convert_aggregate(tree: Any, cursor: Cursor, start: int) -> Node:
    op = str(tree.op)
    cursor.take(op)
    if cursor.skip_if("by", "without"):
        cursor.skip_group("(", ")")
    cursor.take("(")
    param: Node | None = None
    if tree.param is not None:
        param = _convert(tree.param, cursor)
        cursor.take(",")
    expr = _convert(tree.expr, cursor)
    cursor.skip_if(",")
    cursor.take(")")
    if cursor.skip_if("by", "without"):
        cursor.skip_group("(", ")")
    grouping: tuple[str, ...] = ()
    without = False
    if tree.modifier is not None:
        grouping = tuple(tree.modifier.labels)
        without = str(tree.modifier.type).endswith("Without")
    return Aggregate(op, expr, param, grouping, without, _span(start, cursor))


def _convert_binary(tree: Any, cursor: Cursor, start: int) -> Node:
    lhs = _convert(tree.lhs, cursor)
    op = str(tree.op)
    cursor.take(op)
    while cursor.peek_text() in _MATCH_KEYWORDS:
        word = cursor.take()
        if word is not None and word.text.lower() != "bool" and cursor.peek_text() == "(":
            cursor.skip_group("(", ")")
    rhs = _convert(tree.rhs, cursor)
    both_vectors = value_type(lhs) is ValueType.VECTOR and value_type(rhs) is ValueType.VECTOR
    modifier = tree.modifier
    matching = _matching(op, modifier) if both_vectors else None
    return_bool = modifier is not None and bool(modifier.return_bool)
    return Binary(op, lhs, rhs, return_bool, matching, _span(start, cursor))


def _matching(op: str, modifier: Any) -> VectorMatching:
    if modifier is None:
        many = Cardinality.MANY_TO_MANY if op in SET_OPERATORS else Cardinality.ONE_TO_ONE
        return VectorMatching(many)
    labels: tuple[str, ...] = ()
    on = False
    if modifier.matching is not None:
        labels = tuple(modifier.matching.labels)
        on = str(modifier.matching.type).endswith("Include")
    cardinality = Cardinality.MANY_TO_MANY if op in SET_OPERATORS else _CARDINALITIES[str(modifier.card)]
    fill = modifier.fill_values
    return VectorMatching(
        cardinality,
        labels,
        on,
        tuple(modifier.group_labels or ()),
        fill.lhs if fill is not None else None,
        fill.rhs if fill is not None else None,
    )


_CONVERTERS: dict[str, Callable[[Any, Cursor, int], Node]] = {
    "NumberLiteral": _convert_number,
    "StringLiteral": _convert_string,
    "VectorSelector": _convert_selector,
    "MatrixSelector": _convert_matrix,
    "SubqueryExpr": _convert_subquery,
    "UnaryExpr": _convert_unary,
    "ParenExpr": _convert_paren,
    "Call": _convert_call,
    "AggregateExpr": _convert_aggregate,
    "BinaryExpr": _convert_binary,
}
