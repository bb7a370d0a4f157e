"""Whether labels fulfil matchers that stand in a runbook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import re2  # type: ignore[import-untyped]

from swarmscope.lang.promql import parse_selector
from swarmscope.model.errors import QueryFailedError
from swarmscope.model.matchers import Matcher, MatchOperator


def parse_matchers(texts: Iterable[str]) -> tuple[Matcher, ...]:
    """Matchers as PromQL has them between braces, each text one or several. Raises QuerySyntaxError."""
    return tuple(matcher for text in texts for matcher in parse_selector("{" + text + "}").matchers)


def fulfils(labels: Mapping[str, str], matchers: Iterable[Matcher]) -> bool:
    """Whether all of them hold; a label that is not there is empty. Raises QueryFailedError on a bad regex."""
    return all(_holds(labels.get(each.name, ""), each) for each in matchers)


def _holds(value: str, matcher: Matcher) -> bool:
    if matcher.operator is MatchOperator.EQUAL:
        return value == matcher.value
    if matcher.operator is MatchOperator.NOT_EQUAL:
        return value != matcher.value
    is_match = _compiled(matcher.value).fullmatch(value) is not None
    return is_match == (matcher.operator is MatchOperator.REGEX)


@lru_cache(1000)
def _compiled(text: str) -> re2.Pattern:
    try:
        return re2.compile(text)
    except re2.error as error:
        raise QueryFailedError(f"bad regex {text!r}: {error}") from None
