"""The JSON walk against a real parser, and its words for what is wrong."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmscope.model.errors import MalformedInputError
from tests.portion import portion
from tests.receivers.loki.conftest import Pushes

TEXTS = st.text(max_size=40)
METADATA = st.dictionaries(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8), max_size=3)


@settings(max_examples=portion(300, 100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entries=st.lists(st.tuples(st.integers(-(1 << 62), (1 << 62)), TEXTS, METADATA), max_size=5),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 0, 2]),
    values_first=st.booleans(),
)
def test_what_json_writes_is_read_back(
    entries: list[tuple[int, str, dict[str, str]]], ascii_only: bool, indent: int | None, values_first: bool
) -> None:
    pushes = Pushes()
    labels, values = ("stream", {"a": "b"}), ("values", [[str(ts), line, metadata] for ts, line, metadata in entries])
    extra = ("unknown", {"deep": [1, {"x": [None, True, -1.5e3, "}]\\"]}]})
    members = [values, extra, labels] if values_first else [labels, extra, values]
    text = json.dumps({"other": [], "streams": [dict(members)], "more": 1}, ensure_ascii=ascii_only, indent=indent)
    pushes.send(text.encode("utf-8", "surrogatepass"), as_json=True)
    typed = {"trace_id", "span_id", "severity_number", "observed_timestamp", "detected_level"}
    wanted = [(ts, line, {k: v for k, v in metadata.items() if k not in typed}) for ts, line, metadata in entries]
    assert [(line.ts_ns, line.line, line.metadata) for line in pushes.lines()] == wanted


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (rb"\u0041\u00e9\u20ac", "Aé€"),
        (rb"\ud83d\ude00!", "\U0001f600!"),
        (rb"\ud83d", "\ufffd"),
        (rb"\ude00x", "\ufffdx"),
        (rb"\ud83d\u0041", "\ufffdA"),
        (rb"\"\\\/\b\f\n\r\t", '"\\/\b\f\n\r\t'),
        (rb"plain text before \n and after it, long enough", "plain text before \n and after it, long enough"),
        (rb"\u0000", "\x00"),
    ],
)
def test_escapes(pushes: Pushes, escaped: bytes, text: str) -> None:
    pushes.send(b'{"streams":[{"stream":{"a":"b"},"values":[["1","' + escaped + b'"]]}]}', as_json=True)
    assert pushes.lines()[0].line == text


def test_times_may_be_bare_numbers(pushes: Pushes) -> None:
    pushes.send(b'{"streams":[{"stream":{"a":"b"},"values":[[17, "x"],["-5","y"]]}]}', as_json=True)
    assert [line.ts_ns for line in pushes.lines()] == [17, -5]


@pytest.mark.parametrize(
    "body", [b"{}", b'{"streams":[]}', b' {"streams" : null} ', b'{"streams":[{"stream":{"a":"b"}}]}']
)
def test_requests_without_lines(pushes: Pushes, body: bytes) -> None:
    assert len(pushes.send(body, as_json=True).batch) == 0


def test_null_values_are_no_values(pushes: Pushes) -> None:
    assert pushes.send(b'{"streams":[{"stream":{"a":"b"},"values":null}]}', as_json=True).n_streams == 1


def inside(values: bytes) -> bytes:
    return b'{"streams":[{"stream":{"a":"b"},"values":' + values + b"}]}"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "at byte 0: an object is expected"),
        (b"[]", "at byte 0: an object is expected"),
        (b"{", "at byte 1: this is not JSON"),
        (b'{"streams":{}}', "at byte 11: an array is expected"),
        (b'{"streams":[1]}', "at byte 12: an object is expected"),
        (b'{"streams":[{"stream":[]}]}', "an object is expected"),
        (b'{"streams":[{"stream":{"a":1}}]}', "a string is expected, not '1}}]}'"),
        (b'{"streams":[]} x', "at byte 15: something stands behind the request"),
        (b'{"streams":[],}', "this is not JSON"),
        (b'{"streams" []}', "this is not JSON"),
        (inside(b"{}"), "an array is expected"),
        (inside(b"[1]"), "an array is expected"),
        (inside(b"[[]]"), "an entry has a time and a line"),
        (inside(b'[["1"]]'), "an entry has a time and a line"),
        (inside(b'[["1",2]]'), "a string is expected"),
        (inside(b'[["x","line"]]'), "a time in nanoseconds, in a string, is expected"),
        (inside(b'[["1.5","line"]]'), "a time in nanoseconds"),
        (inside(b'[["","line"]]'), "a time in nanoseconds"),
        (inside(b'[["99999999999999999999","line"]]'), "a time in nanoseconds"),
        (inside(b'[["1","line",[]]]'), "an object is expected"),
        (inside(b'[["1","line",{"k":2}]]'), "a string is expected"),
        (inside(b'[["1","line",{"k":null}]]'), "a string is expected"),
        (inside(b'[["1","li\nne"]]'), "this is not JSON"),
        (inside(b'[["1","\\x"]]'), "this is not JSON"),
        (inside(b'[["1","\\u12"]]'), "this is not JSON"),
        (inside(b'[["1","x"] ["2","y"]]'), "this is not JSON"),
        (inside(b'[["1","x",{},]]'), "this is not JSON"),
        (b'{"other":' + b"[" * 100 + b"]" * 100 + b"}", "this is not JSON"),
        (b'{"other":[1}', "this is not JSON"),
        (b'{"other":\x01}', "this is not JSON"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(pushes: Pushes, body: bytes, told: str) -> None:
    with pytest.raises(MalformedInputError) as caught:
        pushes.send(body, as_json=True)
    assert told in str(caught.value)


def test_every_cut_of_a_request_is_refused(pushes: Pushes) -> None:
    body = b'{"streams":[{"x":[{}],"stream":{"a":"b\\u00e9"},"values":[["1","x\\ny",{"k":"v"}]]}]}'
    pushes.send(body, as_json=True)
    for end in range(len(body)):
        with pytest.raises(MalformedInputError):
            pushes.send(body[:end], as_json=True)


def test_what_is_taken_after_damage_is_what_json_reads() -> None:
    chance = random.Random(5)
    body = b'{"streams":[{"stream":{"a":"b"},"values":[["12","x\\ny\\u00e9",{"k":"v"}],["3","z"]]}]}'
    taken = 0
    for _ in range(4000):
        damaged = bytearray(body)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(damaged))] = chance.choice(b'{}[]",:\\ 019abxn\x00\xff\x80')
        pushes = Pushes()
        try:
            pushes.send(bytes(damaged), as_json=True)
        except MalformedInputError:
            continue
        taken += 1
        try:
            wanted = _lines_of(bytes(damaged))
        except json.JSONDecodeError:
            # Of members that mean nothing here only brackets and strings are looked at.
            assert not all(key in damaged for key in (b'"streams":', b'"stream":', b'"values":'))
            continue
        assert [line.line for line in pushes.lines()] == wanted
    assert taken > 100


def _lines_of(body: bytes) -> list[str]:
    """Lines of streams that have a label with a name and a value, as Python reads them."""
    document: Any = json.loads(body.decode(errors="replace"), strict=True)
    found = []
    for stream in document.get("streams") or []:
        labels = stream.get("stream", {})
        good = all(name.isascii() and name.isidentifier() for name in labels) and any(labels.values())
        for entry in (stream.get("values") or []) if good else []:
            found.append(entry[1])
    return found
