"""Text to tree."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

from lark import Lark, Token, Tree, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError

from swarmscope.lang.traceql import registry
from swarmscope.lang.traceql.checks import check_query
from swarmscope.lang.traceql.fields import NAME_ENDS
from swarmscope.lang.traceql.nodes import Node, Query, SpansetFilter, children
from swarmscope.lang.traceql.tree_builder import QueryBuilder
from swarmscope.model.errors import QuerySyntaxError, UnsupportedQueryError
from swarmscope.model.spans import AttributeScope

MAX_QUERY_LENGTH = 131_072  # characters
# Nodes above one another: far above any query a person writes, far below Python's stack. `a || b || c` counts once.
MAX_HEIGHT = 200
# How words end: `bytes` is no `by`.
_END = "(?![A-Za-z0-9_:.])"
_SHOWN = {
    "$END": "$end", "ATTRIBUTE": "attribute", "INTRINSIC": "intrinsic", "WORD": "constant", "AGGREGATE": "aggregate",
    "COUNTING": "metrics function", "MEASURING": "metrics function", "QUANTILES": "metrics function",
    "SELECTING": "topk or bottomk", "SIGN": "+ or -", "PRODUCT": "operator", "COUNT": "aggregate",
    "COMPARE": "metrics function",
}  # fmt: skip
_MAX_EXPECTED = 6  # more than that tell nothing


def parse_traceql(text: str) -> Query:
    """The tree of a query.

    Raises QuerySyntaxError with a position, also where types do not go together, and UnsupportedQueryError for what
    languages of this family have and this one does not.
    """
    if len(text) > MAX_QUERY_LENGTH:
        message = f"parse error: query is longer than {MAX_QUERY_LENGTH} characters"
        raise QuerySyntaxError(message, MAX_QUERY_LENGTH)
    try:
        tree = _grammar().parse(text)
    except UnexpectedInput as error:
        raise _refusal(text, error) from None
    _refuse_high_tree(tree)
    try:
        query: Query = QueryBuilder().transform(tree)
    except VisitError as error:
        raise error.orig_exc from None
    _refuse_high(query)
    check_query(query, text)
    return query


def parse_spanset_filter(text: str) -> SpansetFilter:
    """`{ … }` alone, as tag endpoints and sampling rules take it. Raises as `parse_traceql`."""
    query = parse_traceql(text)
    first = query.pipeline.stages[0]
    if (
        query.metrics is not None
        or query.hints
        or len(query.pipeline.stages) > 1
        or not isinstance(first, SpansetFilter)
    ):
        raise QuerySyntaxError("parse error: only one spanset filter { … } is supported here", 0)
    return first


@cache
def _grammar() -> Lark:
    text = resources.files("swarmscope.lang.traceql").joinpath("grammar.lark").read_text("utf-8")
    metrics = registry.METRICS.values()
    marks = {
        "RELATIONS": " | ".join(f'"{each.name}"' for each in registry.SPANSET_OPERATORS.values() if each.relation),
        "AGGREGATES": _any_of(each.name for each in registry.AGGREGATES.values() if each.field),
        "COUNTING": _any_of(each.name for each in metrics if not each.field),
        "MEASURING": _any_of(each.name for each in metrics if each.field and not each.quantiles),
        "QUANTILES": _any_of(each.name for each in metrics if each.quantiles),
        "SELECTING": _any_of(registry.SELECTING),
        "INTRINSICS": _any_of(registry.INTRINSIC_SPELLINGS),
        "WORDS": _any_of((*registry.STATUSES, *registry.KINDS, *registry.INTEGER_NAMES, "true", "false", "nil")),
        "SCOPES": _any_of(AttributeScope),
        "NAME_ENDS": NAME_ENDS,
        "END": _END,
    }
    for mark, replacement in marks.items():
        text = text.replace(f"%{mark}%", replacement)
    return Lark(text, start="query", parser="lalr", propagate_positions=True, maybe_placeholders=True)


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _refuse_high_tree(tree: Tree[Token]) -> None:
    heights: dict[int, int] = {}
    for subtree in tree.iter_subtrees():  # children before their parents
        below = max((heights[id(child)] for child in subtree.children if isinstance(child, Tree)), default=0)
        heights[id(subtree)] = below + 1
        if below >= MAX_HEIGHT:
            raise _too_high()


def _refuse_high(query: Query) -> None:
    """Chains of operators are lists in the grammar's tree, and nodes inside one another in ours."""
    level: list[Node] = [query]
    height = 0
    while level:
        height += 1
        if height > MAX_HEIGHT:
            raise _too_high()
        level = [child for node in level for child in children(node)]


def _too_high() -> QuerySyntaxError:
    return QuerySyntaxError(f"parse error: query is nested deeper than {MAX_HEIGHT} levels", 0)


def _refusal(text: str, error: UnexpectedInput) -> QuerySyntaxError | UnsupportedQueryError:
    place = f"parse error at line {error.line}, col {error.column}"
    position = error.pos_in_stream
    if isinstance(error, UnexpectedCharacters):
        character = text[position or 0]
        reason = "literal not terminated" if character in '"`' else f"unexpected {character!r}"
        return QuerySyntaxError(f"{place}: syntax error: {reason}", position)
    if not isinstance(error, UnexpectedToken):  # lark raises no other
        return QuerySyntaxError(f"{place}: syntax error", position)
    token = error.token
    if token.type == "$END":
        line, column = text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1
        place, position = f"parse error at line {line}, col {column}", len(text)
    expected = set(error.accepts or error.expected)
    if token.type == "IDENTIFIER":
        if "COUNTING" in expected and str(token) in registry.UNSUPPORTED:
            return UnsupportedQueryError(f"{registry.UNSUPPORTED[str(token)]} is not supported")
        return QuerySyntaxError(f"{place}: syntax error: unknown name {token}", position)
    reason = f"syntax error: unexpected {_shown(token.type) if token.type == '$END' else token}"
    shown = sorted({_shown(each) for each in expected})
    if len(shown) <= _MAX_EXPECTED:
        reason += f", expecting {' or '.join(shown)}"
    return QuerySyntaxError(f"{place}: {reason}", position)


def _shown(terminal: str) -> str:
    if terminal in _SHOWN:
        return _SHOWN[terminal]
    pattern = next((each.pattern for each in _grammar().terminals if each.name == terminal), None)
    if pattern is not None and pattern.type == "str":
        return str(pattern.value)
    return terminal.lower()
