"""`| logfmt` on columns."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.logfmt_parser import parse_logfmt
from tests.portion import portion


def _parsed(
    lines: list[str], wanted: tuple[str, ...] | None = None, *, strict: bool = False, keep_empty: bool = False
) -> tuple[list[dict[str, str]], list[bool]]:
    extracted = parse_logfmt(Utf8Column.from_strings(lines), wanted, strict=strict, keep_empty=keep_empty)
    rows: list[dict[str, str]] = [{} for _ in lines]
    for name, column in extracted.columns.items():
        for row in range(len(lines)):
            if column.length[row] >= 0:
                rows[row][name] = column.text(row)
    return rows, extracted.failed.tolist()


def test_the_manuals_example() -> None:
    line = (
        'at=info method=GET path=/ host=grafana.net fwd="124.133.124.161" service=8ms status=200 '
        'msg="said \\"hello\\" to\\tyou"'
    )
    rows, failed = _parsed([line])
    assert rows == [
        {
            "at": "info",
            "method": "GET",
            "path": "/",
            "host": "grafana.net",
            "fwd": "124.133.124.161",
            "service": "8ms",
            "status": "200",
            "msg": 'said "hello" to\tyou',
        }
    ]
    assert failed == [False]


@pytest.mark.parametrize(
    ("line", "expected", "fails_strictly"),
    [
        ("a=1 b= c=3", {"a": "1", "c": "3"}, False),
        ("a b=2", {"b": "2"}, False),
        ("foo.bar-x=1 2x=2", {"foo_bar_x": "1", "_2x": "2"}, False),
        ("a=1 =2 b=3", {"a": "1", "b": "3"}, True),
        ('a=1 b="open c=3', {"a": "1"}, True),
        ('a="x"y b=2', {"a": "x", "b": "2"}, False),
        ("a=1=2 b=3", {"b": "3"}, True),
        ("", {}, False),
        ("   ", {}, False),
    ],
)
def test_odd_lines(line: str, expected: dict[str, str], fails_strictly: bool) -> None:
    rows, failed = _parsed([line])
    assert rows == [expected]
    assert failed == [False]
    assert _parsed([line], strict=True)[1] == [fails_strictly]


def test_empty_values_are_kept_when_asked_for() -> None:
    rows, _ = _parsed(["a= b c=1"], keep_empty=True)
    assert rows == [{"a": "", "b": "", "c": "1"}]


def test_strict_keeps_what_came_before() -> None:
    rows, failed = _parsed(["a=1 =2 b=3"], strict=True)
    assert rows == [{"a": "1"}]
    assert failed == [True]


def test_only_wanted_names_are_taken() -> None:
    assert _parsed(["a=1 b=2", "b=3"], ("b",))[0] == [{"b": "2"}, {"b": "3"}]


_KEYS = st.text(alphabet="abcXYZ_", min_size=1, max_size=6)
_VALUES = st.text(max_size=12).filter(bool)


@settings(max_examples=portion(300, 100), deadline=None)
@given(st.dictionaries(_KEYS, _VALUES, max_size=6))
def test_quoted_pairs_come_back(pairs: dict[str, str]) -> None:
    line = " ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in pairs.items())
    rows, failed = _parsed([line], strict=True)
    assert rows == [pairs]
    assert failed == [False]


@settings(max_examples=portion(300, 100), deadline=None)
@given(st.text(alphabet='ab="\\ 1', max_size=30))
def test_no_text_breaks_it(text: str) -> None:
    rows, _ = _parsed([text, "last=1"])
    assert rows[1] == {"last": "1"}
