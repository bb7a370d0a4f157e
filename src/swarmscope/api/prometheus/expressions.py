"""Selectors in request parameters."""

from __future__ import annotations

import re
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from swarmscope.lang.promql import parse_promql, parse_selector
from swarmscope.lang.promql.nodes import VectorSelector, walk
from swarmscope.model.errors import QuerySyntaxError
from swarmscope.model.matchers import Matcher, MatchOperator

_EMPTY_SELECTOR = "match[] must contain at least one non-empty matcher"


def series_matchers(selector: str) -> tuple[Matcher, ...]:
    """The matchers of a series selector. Raises QuerySyntaxError."""
    try:
        return parse_selector(selector).matchers
    except QuerySyntaxError as error:
        if "at least one non-empty matcher" in str(error):
            raise QuerySyntaxError(_EMPTY_SELECTOR, error.position) from None
        raise


def selector_matchers(query: str) -> list[tuple[Matcher, ...]]:
    """The matchers of every selector in a query. Raises QuerySyntaxError."""
    return [node.matchers for node in walk(parse_promql(query)) if isinstance(node, VectorSelector)]


def matches(matcher: Matcher, value: str) -> bool:
    """Whether one value passes; regexes are RE2's and match the whole value. Raises QuerySyntaxError on a bad one."""
    match matcher.operator:
        case MatchOperator.EQUAL:
            return value == matcher.value
        case MatchOperator.NOT_EQUAL:
            return value != matcher.value
        case MatchOperator.REGEX:
            return _matches_whole(matcher.value, value)
        case MatchOperator.NOT_REGEX:
            return not _matches_whole(matcher.value, value)


@lru_cache(maxsize=4096)
def _matches_whole(pattern: str, value: str) -> bool:
    # Fast path: no pattern at all.
    if pattern == re.escape(pattern):
        return pattern == value
    try:
        found = pc.match_substring_regex(pa.array([value], pa.string()), f"^(?s:{pattern})$")
    except pa.ArrowInvalid as error:
        raise QuerySyntaxError(str(error)) from None
    return bool(found[0].as_py())
