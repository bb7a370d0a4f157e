"""Text to tree."""

from __future__ import annotations

from functools import cache
from importlib import resources

from lark import Lark, Token, Tree, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError

from swarmscope.lang.logql.metric_builder import QueryBuilder
from swarmscope.lang.logql.nodes import LogPipeline, MetricNode, Node
from swarmscope.lang.logql.registry import RANGE_AGGREGATIONS, UNSUPPORTED, VECTOR_AGGREGATIONS
from swarmscope.model.errors import QuerySyntaxError, UnsupportedQueryError
from swarmscope.model.matchers import Matcher

MAX_QUERY_LENGTH = 131_072  # characters; Loki's own bound
# Nodes above one another: far above any query a person writes, far below Python's stack. Lists of stages count once.
MAX_HEIGHT = 200
# How names end: `orders` is no `or`.
_END = "(?![A-Za-z0-9_:])"
_SHOWN = {
    "$END": "$end",
    "RANGE_OP": "range aggregation",
    "VECTOR_OP": "vector aggregation",
    "LESSTHAN": "<",
    "SIGN": "+ or -",
}
_MAX_EXPECTED = 4  # more than that tell nothing; Loki's parser stops there too


def parse_logql(text: str) -> Node:
    """The tree of a query.

    Raises QuerySyntaxError with Loki's wording and a position, and UnsupportedQueryError for what other versions of
    the language have and this one does not.
    """
    if len(text) > MAX_QUERY_LENGTH:
        message = f"parse error : input size too long ({len(text)} > {MAX_QUERY_LENGTH})"
        raise QuerySyntaxError(message, MAX_QUERY_LENGTH)
    try:
        tree = _grammar().parse(text)
    except UnexpectedInput as error:
        raise _refusal(text, error) from None
    _refuse_high(tree)
    try:
        node: Node = QueryBuilder().transform(tree)
    except VisitError as error:
        raise error.orig_exc from None
    return node


def parse_log_query(text: str) -> LogPipeline:
    """The tree of a query that must be one of lines (tail, series, delete). Raises as `parse_logql`."""
    node = parse_logql(text)
    if not isinstance(node, LogPipeline):
        raise QuerySyntaxError("parse error : only log selector is supported", 0)
    return node


def parse_metric_query(text: str) -> MetricNode:
    """The tree of a query that must be one of numbers. Raises as `parse_logql`."""
    node = parse_logql(text)
    if isinstance(node, LogPipeline):
        raise QuerySyntaxError("parse error : a metric query is wanted, not a log query", 0)
    return node


def parse_selector(text: str) -> tuple[Matcher, ...]:
    """`{app="x"}` alone, as the endpoints for labels and series take it. `{}` and "" choose all streams."""
    if text.strip().replace(" ", "") in ("", "{}"):
        return ()
    node = parse_log_query(text)
    if node.stages:
        raise QuerySyntaxError("parse error : only label matchers are supported here, no pipeline", 0)
    return node.matchers


@cache
def _grammar() -> Lark:
    text = resources.files("swarmscope.lang.logql").joinpath("grammar.lark").read_text("utf-8")
    for mark, words in (("%RANGE_WORDS%", RANGE_AGGREGATIONS), ("%VECTOR_WORDS%", VECTOR_AGGREGATIONS)):
        text = text.replace(mark, "|".join(sorted(words, key=len, reverse=True)))
    return Lark(text.replace("%END%", _END), parser="lalr", propagate_positions=True, maybe_placeholders=True)


def _refuse_high(tree: Tree[Token]) -> None:
    heights: dict[int, int] = {}
    for subtree in tree.iter_subtrees():  # children before their parents
        below = max((heights[id(child)] for child in subtree.children if isinstance(child, Tree)), default=0)
        heights[id(subtree)] = below + 1
        if below >= MAX_HEIGHT:
            raise QuerySyntaxError(f"parse error : query is nested deeper than {MAX_HEIGHT} levels", 0)


def _refusal(text: str, error: UnexpectedInput) -> QuerySyntaxError | UnsupportedQueryError:
    place = f"parse error at line {error.line}, col {error.column}"
    position = error.pos_in_stream
    if isinstance(error, UnexpectedCharacters):
        character = text[position or 0]
        reason = "literal not terminated" if character in '"`' else f"syntax error: unexpected {character!r}"
        return QuerySyntaxError(f"{place}: {reason}", position)
    if not isinstance(error, UnexpectedToken):  # lark raises no other
        return QuerySyntaxError(f"{place}: syntax error", position)
    token = error.token
    if token.type == "$END":
        line, column = text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1
        place, position = f"parse error at line {line}, col {column}", len(text)
    expected = set(error.accepts or error.expected)
    if "RANGE_OP" in expected and token.type == "IDENTIFIER":
        if token.lower() in UNSUPPORTED:
            return UnsupportedQueryError(f"{UNSUPPORTED[token.lower()]} is not supported")
        return QuerySyntaxError(f"{place}: syntax error: unknown function or aggregation {token}", position)
    reason = f"syntax error: unexpected {_shown(token.type)}"
    if len(expected) <= _MAX_EXPECTED:
        reason += f", expecting {' or '.join(sorted(map(_shown, expected)))}"
    return QuerySyntaxError(f"{place}: {reason}", position)


def _shown(terminal: str) -> str:
    if terminal in _SHOWN:
        return _SHOWN[terminal]
    pattern = next((each.pattern for each in _grammar().terminals if each.name == terminal), None)
    if pattern is not None and pattern.type == "str":
        return str(pattern.value)
    if terminal in ("IDENTIFIER", "STRING", "NUMBER", "DURATION", "BYTES"):
        return terminal
    return terminal.lower()
