"""`| json` on columns, against Python's own json and a plain reading of the manual."""

from __future__ import annotations

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.json_parser import parse_json
from tests.portion import portion


def _flat(value: object, prefix: str = "") -> dict[str, str]:
    """The manual in plain Python."""
    found: dict[str, str] = {}
    assert isinstance(value, dict)
    for name, held in value.items():
        clean = re.sub(rb"[^a-zA-Z0-9_]", b"_", name.encode()).decode()
        if not prefix and clean[:1].isdigit():
            clean = "_" + clean
        path = f"{prefix}_{clean}" if prefix else clean
        if isinstance(held, dict):
            found |= _flat(held, path)
        elif isinstance(held, bool):
            found[path] = "true" if held else "false"
        elif isinstance(held, str):
            found[path] = held
        elif isinstance(held, int | float):
            found[path] = json.dumps(held)
    return {name: text for name, text in found.items() if name}


def _parsed(lines: list[str], wanted: tuple[str, ...] | None = None) -> tuple[list[dict[str, str]], list[bool]]:
    extracted = parse_json(Utf8Column.from_strings(lines), wanted)
    rows: list[dict[str, str]] = [{} for _ in lines]
    for name, column in extracted.columns.items():
        for row in range(len(lines)):
            if column.length[row] >= 0:
                rows[row][name] = column.text(row)
    return rows, extracted.failed.tolist()


def test_the_manuals_example() -> None:
    line = (
        '{"protocol": "HTTP/2.0", "servers": ["129.0.1.1","10.2.1.3"], "request": {"time": "6.032", "method": "GET", '
        '"host": "foo.grafana.net", "size": "55", "headers": {"Accept": "*/*", "User-Agent": "curl/7.68.0"}}, '
        '"response": {"status": 401, "size": "228", "latency_seconds": "6.031"}}'
    )
    rows, failed = _parsed([line])
    assert failed == [False]
    assert rows[0] == {
        "protocol": "HTTP/2.0",
        "request_time": "6.032",
        "request_method": "GET",
        "request_host": "foo.grafana.net",
        "request_size": "55",
        "request_headers_Accept": "*/*",
        "request_headers_User_Agent": "curl/7.68.0",
        "response_status": "401",
        "response_size": "228",
        "response_latency_seconds": "6.031",
    }


def test_only_wanted_names_are_taken() -> None:
    lines = ['{"a": 1, "b": {"c": "x", "d": 2}}', '{"b": {"c": "y"}}', "{}"]
    rows, failed = _parsed(lines, ("b_c",))
    assert rows == [{"b_c": "x"}, {"b_c": "y"}, {}]
    assert failed == [False] * 3


def test_wanted_names_of_every_size() -> None:
    keys = ["a", "ab", "abc", "1a", "12", "é", "x" * 62, "x" * 63, "x" * 64, "y" * 70, "9" + "z" * 63, ""]
    told = {key: {"in": {"er": str(n)}} if n % 4 == 3 else str(n) for n, key in enumerate(keys)}
    line = json.dumps(told, ensure_ascii=False)
    for name, text in _flat(told).items():
        assert _parsed([line], (name,))[0] == [{name: text}]
    assert _parsed([line, '{"abcd": tru}'], ("nope",)) == ([{}, {}], [False, True])


def test_what_is_no_object_fails_alone() -> None:
    lines = [
        "",
        "plain",
        '["a"]',
        '{"a": 1',
        '{"a": tru}',
        '{"a" 1}',
        '{"a": 1} x',
        '{"a": "b}',
        '{"ok": 1}',
        '{"a": 1,}',
    ]
    rows, failed = _parsed(lines)
    assert failed == [True] * 8 + [False, True]
    assert rows[8] == {"ok": "1"}


def test_escapes() -> None:
    rows, _ = _parsed([r'{"a": "x\n\"y\" \u00e9 \ud83d\ude00 \ud800 \/"}', '{"a\\u002eb": 1}', '{"1a": null, "2a": 2}'])
    assert rows[0] == {"a": 'x\n"y" é 😀 \ufffd /'}
    assert rows[1] == {"a_b": "1"}
    assert rows[2] == {"_2a": "2"}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_OBJECTS = st.dictionaries(st.text(max_size=8), _VALUES, max_size=5)


@settings(max_examples=portion(300, 100), deadline=None)
@given(st.lists(_OBJECTS, min_size=1, max_size=5), st.booleans())
def test_any_object_is_flattened_as_the_manual_says(objects: list[dict[str, object]], ascii_only: bool) -> None:
    rows, failed = _parsed([json.dumps(held, ensure_ascii=ascii_only) for held in objects])
    assert not any(failed)
    assert rows == [_flat(held) for held in objects]


@settings(max_examples=portion(300, 100), deadline=None)
@given(st.text(alphabet='{}[]":,\\ut01ae nl', max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    rows, failed = _parsed([text, '{"last": 1}'])
    assert rows[1] == {"last": "1"}
    try:
        loaded = json.loads(text)
    except ValueError:
        return
    assert failed[0] == (not isinstance(loaded, dict))
