"""Whatever comes in, a decoder answers with spans or with one of the errors that it names."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.model.errors import SwarmscopeError
from swarmscope.receivers.zipkin.decode import Format
from tests.portion import portion
from tests.receivers.zipkin.test_decode import EVERYTHING, FRONT, T_US, ListOfSpans, push, v1

ROUNDS = 4000
GOOD = {
    Format.JSON_V2: json.dumps([EVERYTHING] * 3).encode(),
    Format.JSON_V1: json.dumps([v1((T_US, "cs", FRONT), (T_US, "sr", FRONT), binary=[("a", "b", FRONT)])] * 3).encode(),
    Format.PROTOBUF: ListOfSpans(
        spans=[
            {
                "trace_id": b"\1" * 16, "id": b"\1" * 8, "name": "work", "local_endpoint": {"service_name": "a"},
                "tags": [{"key": "k", "value": "v"}], "annotations": [{"timestamp": 1, "value": "e"}],
            }
        ]
        * 3
    ).SerializeToString(),
}  # fmt: skip


def mutated(body: bytes, source: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(source.randrange(1, 6)):
        at = source.randrange(len(changed) or 1)
        match source.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([source.randrange(256)])
            case 1:
                del changed[at : at + source.randrange(1, 9)]
            case 2:
                changed[at:at] = source.randbytes(source.randrange(1, 9))
            case _:
                changed[at:at] = changed[at : at + source.randrange(1, 40)]
    return bytes(changed)


@pytest.mark.parametrize("form", list(Format))
def test_mutated_bodies(form: Format) -> None:
    source = random.Random(4)
    taken = 0
    for _ in range(ROUNDS):
        try:
            pushed = push(mutated(GOOD[form], source), form)
        except SwarmscopeError:
            continue
        taken += len(pushed.batch)
        for text in (pushed.batch.name, pushed.batch.attributes.names, pushed.batch.events.name):
            text.to_strings()
    assert taken > 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (*EVERYTHING, "binaryAnnotations")


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=6), max_size=3))
@settings(max_examples=portion(500, 60), deadline=None)
def test_fields_of_any_type(spans: list[dict[str, Any]]) -> None:
    body = json.dumps([EVERYTHING | span for span in spans]).encode(errors="replace")
    for form in (Format.JSON_V1, Format.JSON_V2):
        try:
            pushed = push(body, form)
        except SwarmscopeError:
            continue
        assert len(pushed.batch) + sum(pushed.refused.values()) >= len(spans)
