"""Patterns against Python's own regular expressions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.lang.logql.patterns import parse_pattern
from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.pattern_matching import LinePattern, capture_pattern, matches_pattern
from tests.portion import portion


def _captured(line: str, pattern: str) -> dict[str, str]:
    ready = LinePattern.from_parts(parse_pattern(pattern))
    extracted = capture_pattern(Utf8Column.from_strings(["before", line, "after"]), ready)
    return {name: column.text(1) for name, column in extracted.columns.items() if column.length[1] >= 0}


def test_the_manuals_example() -> None:
    line = '0.191.12.2 - - [10/Jun/2021:09:14:29 +0000] "GET /api/plugins/versioncheck HTTP/1.1" 200 2 "-" "Go-http"'
    assert _captured(line, '<ip> - - <_> "<method> <uri> <_>" <status> <size> <_>') == {
        "ip": "0.191.12.2",
        "method": "GET",
        "uri": "/api/plugins/versioncheck",
        "status": "200",
        "size": "2",
    }


@pytest.mark.parametrize(
    ("line", "pattern", "expected"),
    [
        ("key=value;", "key=<v>;", {"v": "value"}),
        ("x key=value;", "key=<v>;", {}),
        ("a b", "<one> <two> <three>", {"one": "a", "two": "b"}),
        ("a b c d", "<one> <rest>", {"one": "a", "rest": "b c d"}),
        ("", "<one>", {}),
        ("only", "<one>", {"one": "only"}),
        (" a", "<one> <two>", {"one": "", "two": "a"}),
    ],
)
def test_captures(line: str, pattern: str, expected: dict[str, str]) -> None:
    assert _captured(line, pattern) == expected


_LITERALS = st.text(alphabet="ab-", min_size=1, max_size=3)


@settings(max_examples=portion(400, 133), deadline=None)
@given(st.lists(_LITERALS, min_size=1, max_size=3), st.booleans(), st.booleans(), st.text(alphabet="ab-", max_size=12))
def test_the_filter_is_a_regular_expression(literals: list[str], begins: bool, ends: bool, line: str) -> None:
    pattern = ("<_>" if begins else "") + "<_>".join(literals) + ("<_>" if ends else "")
    expression = ".*".join(re.escape(literal) for literal in literals)
    expression = (".*" if begins else "") + expression + (".*" if ends else "")
    found = matches_pattern(Utf8Column.from_strings([line]), LinePattern.from_parts(parse_pattern(pattern)))
    assert found.tolist() == [re.fullmatch(expression, line) is not None]
