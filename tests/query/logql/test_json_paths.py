"""`| json name="path"` on columns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.json_paths import JsonPath, parse_json_paths
from tests.portion import portion

_LINE = (
    '{"protocol": "HTTP/2.0", "servers": ["129.0.1.1", "10.2.1.3"], "request": {"method": "GET", "headers": '
    '{"Accept": "*/*", "User-Agent": "curl/7.68.0"}}, "response": {"status": 401, "ok": false, "body": null}}'
)


def _value(line: str, path: JsonPath) -> tuple[str, bool]:
    extracted = parse_json_paths(Utf8Column.from_strings([line]), [("x", path)])
    column = extracted.columns["x"]
    return (column.text(0) if column.length[0] >= 0 else ""), bool(extracted.failed[0])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("servers", 0), "129.0.1.1"),
        (("servers", 1), "10.2.1.3"),
        (("servers", 2), ""),
        (("servers",), '["129.0.1.1", "10.2.1.3"]'),
        (("request", "headers", "User-Agent"), "curl/7.68.0"),
        (("request", "headers"), '{"Accept": "*/*", "User-Agent": "curl/7.68.0"}'),
        (("response", "status"), "401"),
        (("response", "ok"), "false"),
        (("response", "body"), ""),
        (("response", "none", "deeper"), ""),
        (("protocol", "deeper"), ""),
    ],
)
def test_the_manuals_example(path: JsonPath, expected: str) -> None:
    assert _value(_LINE, path) == (expected, False)


@pytest.mark.parametrize("line", ["", "plain", '["x"]', '{"b" 1}', '{"b": "open'])
def test_what_is_no_object_fails(line: str) -> None:
    assert _value(line, ("x",)) == ("", True)


def _at(value: Any, path: JsonPath) -> Any:
    for step in path:
        is_there = step in value if isinstance(value, dict) else isinstance(value, list) and step in range(len(value))
        if not is_there:
            return None
        value = value[step]
    return value


_STEPS = st.sampled_from(["a", "b", 'q"', "é"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_STEPS, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=portion(400, 133), deadline=None)
@given(
    st.dictionaries(_STEPS, _VALUES, max_size=3),
    st.lists(_STEPS | st.integers(0, 2), min_size=1, max_size=4).map(tuple),
    st.booleans(),
)
def test_the_value_is_the_one_that_python_finds(held: dict[str, Any], path: JsonPath, ascii_only: bool) -> None:
    found = _at(held, path)
    expected = found if isinstance(found, str) else "" if found is None else json.dumps(found, ensure_ascii=ascii_only)
    assert _value(json.dumps(held, ensure_ascii=ascii_only), path) == (expected, False)
