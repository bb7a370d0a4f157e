"""Text to matchers, in the newer form and in the classic one.

Where both forms accept a text and mean different things by it, the classic one holds, as in Alertmanager: existing
files and scripts keep their meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from swarmscope.lang.matchers.classic_form import parse_classic, parse_classic_list
from swarmscope.lang.matchers.match import value_test
from swarmscope.lang.matchers.quoted_form import parse_quoted, parse_quoted_list
from swarmscope.model.errors import QuerySyntaxError
from swarmscope.model.matchers import Matcher

Parsed = TypeVar("Parsed", Matcher, tuple[Matcher, ...])


def parse_matcher(text: str) -> Matcher:
    """One matcher, such as `team=~"a|b"`. Raises QuerySyntaxError, also for a regular expression that is none."""
    found = read_matcher(text)
    value_test(found)
    return found


def read_matcher(text: str) -> Matcher:
    """As `parse_matcher`, but whether a regular expression is one is left to whoever uses it."""
    if text.startswith("{") or text.endswith("}"):
        raise QuerySyntaxError(f"unexpected open or close brace: {text}")
    return _parsed(text, parse_quoted, parse_classic)


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Matchers with commas between them, with braces around them or without. Raises QuerySyntaxError."""
    found = _parsed(text, parse_quoted_list, parse_classic_list)
    for matcher in found:
        value_test(matcher)
    return found


def _parsed(text: str, newer: Callable[[str], Parsed], classic: Callable[[str], Parsed]) -> Parsed:
    try:
        found = newer(text)
    except QuerySyntaxError:
        return classic(text)
    try:
        return classic(text)
    except QuerySyntaxError:
        return found
