"""`|= != |~ !~ |> !>`: which lines a filter lets through."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.logql.nodes import IpPattern, LineFilter, LineFilterOperator
from swarmscope.lang.logql.patterns import parse_pattern
from swarmscope.model.byte_search import contains
from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.addresses import AddressRange, lines_with_address
from swarmscope.query.logql.pattern_matching import LinePattern, matches_pattern
from swarmscope.query.logql.regexes import finds_regex

LineTest = Callable[[Utf8Column], NDArray[np.bool_]]
_SPECIAL = re.compile(r"[.+*?()\[\]{}|^$\\]")


def line_test(stage: LineFilter) -> LineTest:
    """The filter as a function of lines [n]. Raises QueryFailedError for what RE2 or `ip` refuses."""
    tests = [_alternative(stage.operator, each) for each in stage.alternatives]

    def test(line: Utf8Column) -> NDArray[np.bool_]:
        found = tests[0](line)
        for other in tests[1:]:
            found = found | other(line)
        return ~found if stage.operator.negative else found

    return test


def _alternative(operator: LineFilterOperator, wanted: str | IpPattern) -> LineTest:
    if isinstance(wanted, IpPattern):
        addresses = AddressRange.from_text(wanted.pattern)
        return lambda line: lines_with_address(line, addresses)
    if operator in (LineFilterOperator.CONTAINS, LineFilterOperator.NOT_CONTAINS):
        needle = wanted.encode()
        return lambda line: contains(line, needle)
    if operator in (LineFilterOperator.PATTERN, LineFilterOperator.NOT_PATTERN):
        pattern = LinePattern.from_parts(parse_pattern(wanted))
        return lambda line: matches_pattern(line, pattern)
    texts = literal_alternatives(wanted)
    if texts is None:
        return lambda line: finds_regex(line, wanted)
    needles = [text.encode() for text in texts]
    return lambda line: np.logical_or.reduce([contains(line, needle) for needle in needles])


@lru_cache(1024)
def literal_alternatives(regex: str) -> tuple[str, ...] | None:
    """The texts of a regex that is found where one of them is (`.*a.*`, `a|b`), None for any other regex."""
    inner = regex
    while inner.startswith(".*"):
        inner = inner[2:]
    while inner.endswith(".*") and not inner.endswith("\\.*"):
        inner = inner[:-2]
    parts = inner.split("|")
    if "(" in inner or not all(part and _SPECIAL.search(part) is None for part in parts):
        return None
    return tuple(parts) if len(parts) == 1 or inner == regex else None
