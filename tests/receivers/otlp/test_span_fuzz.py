"""Damaged bodies of spans: only clean errors, and nothing that is not well-formed reaches the sink."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1 import common_pb2

from swarmscope.model.attributes import NUMBER_BYTES, AttributeSets, ValueKind
from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError, MalformedInputError
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import SpanBatch
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.otlp.span_export import OtlpTraces
from swarmscope.receivers.otlp.warm_up import to_span_request
from swarmscope.receivers.wire.utf8 import invalid_utf8
from tests.portion import portion
from tests.receivers.otlp.span_requests import to_json
from tests.receivers.otlp.test_fuzz import cut, flip, noise

N = portion(2000, 500)
WIDTHS = {ValueKind.BOOL: 1, ValueKind.INT: NUMBER_BYTES, ValueKind.DOUBLE: NUMBER_BYTES, ValueKind.EMPTY: 0}
NESTED = {ValueKind.ARRAY: common_pb2.ArrayValue, ValueKind.MAP: common_pb2.KeyValueList}


def check_column(column: Utf8Column) -> None:
    assert (column.start >= 0).all()
    assert (column.length >= 0).all()
    assert (column.start + column.length <= len(column.buffer)).all()
    assert not invalid_utf8(column).any()


def check_sets(sets: AttributeSets, n: int) -> None:
    assert len(sets) == n
    assert sets.offsets[0] == 0
    assert (np.diff(sets.offsets) >= 0).all()
    assert sets.offsets[-1] == len(sets.names) == len(sets.values) == len(sets.values.text)
    assert (sets.names.length > 0).all()
    check_column(sets.names)
    kind, text = sets.values.kind, sets.values.text
    assert ((kind >= ValueKind.STRING) & (kind <= ValueKind.EMPTY)).all()
    check_column(text.take(np.flatnonzero(kind == ValueKind.STRING)))
    for one, width in WIDTHS.items():
        assert (text.length[kind == one] == width).all()
    for one, message in NESTED.items():
        for row in np.flatnonzero(kind == one).tolist():
            begin = int(text.start[row])
            message.FromString(text.buffer[begin : begin + int(text.length[row])].tobytes())
    for names in sets.to_dicts():
        assert "" not in names
    assert sum(map(len, sets.to_dicts())) == len(sets.names)


def check_batch(batch: SpanBatch, earliest_ns: int = 0) -> None:
    n = len(batch)
    assert n > 0
    assert batch.trace_id.any(axis=1).all()
    assert batch.span_id.any(axis=1).all()
    assert ((batch.start_ns >= earliest_ns) & (batch.end_ns >= earliest_ns)).all()
    assert ((batch.kind <= 5) & (batch.status <= 2)).all()
    for column in (batch.name, batch.status_message, batch.trace_state):
        assert len(column) == n
        check_column(column)
    check_sets(batch.attributes, n)
    for entries, texts in ((batch.events, batch.events.name), (batch.links, batch.links.trace_state)):
        assert len(entries.offsets) == n + 1
        assert entries.offsets[-1] == len(texts)
        check_column(texts)
        check_sets(entries.attributes, len(texts))
    assert ((batch.resource >= 0) & (batch.resource < len(batch.resources))).all()
    assert ((batch.scope >= 0) & (batch.scope < len(batch.scopes))).all()
    check_sets(batch.resources.attributes, len(batch.resources.schema_url))
    check_sets(batch.scopes.attributes, len(batch.scopes))
    for column in (batch.resources.schema_url, batch.scopes.schema_url, batch.scopes.name, batch.scopes.version):
        check_column(column)


class CheckingSink:
    n_batches = 0

    def write_spans(self, batch: SpanBatch) -> Receipt:
        check_batch(batch)
        self.n_batches += 1
        return Receipt(spans=len(batch))


def test_the_check_can_fail() -> None:
    sink = CheckingSink()
    traces, body = OtlpTraces(OtlpSettings(), sink), np.frombuffer(to_span_request(), np.uint8)
    traces.export(body, "default")
    assert sink.n_batches == 1
    column = Utf8Column(np.frombuffer(b"\xff", np.uint8), np.zeros(1, np.int64), np.ones(1, np.int64))
    with pytest.raises(AssertionError):
        check_column(column)


@pytest.mark.parametrize("damage", [flip, cut, noise])
def test_protobuf(damage: Callable[[bytes, random.Random], bytes]) -> None:
    chance, sink = random.Random(7), CheckingSink()
    traces, body = OtlpTraces(OtlpSettings(), sink), to_span_request()
    messages = set()
    for _ in range(N):
        try:
            traces.export(np.frombuffer(damage(body, chance), np.uint8), "default")
        except (MalformedInputError, LimitExceededError) as error:
            messages.add(str(error))
    assert messages
    assert all(" at byte " in message or "the message holds more" in message for message in messages), messages
    assert damage is not flip or sink.n_batches > N // 20
    assert traces.room.held_bytes == 0


def test_bytes_in_the_middle_of_texts() -> None:
    # Only texts are damaged, so every body is taken, and every text comes out as UTF-8.
    chance, sink = random.Random(9), CheckingSink()
    traces, body = OtlpTraces(OtlpSettings(), sink), to_span_request()
    texts = (b"warm-up", b"a span", b"key of text", b"text value", b"nested key", b"nested text", b"an event")
    places = [body.index(text) + k for text in texts for k in range(6)]
    for _ in range(N):
        damaged = bytearray(body)
        for place in chance.choices(places, k=3):
            damaged[place] = chance.randrange(256)
        assert traces.export(np.frombuffer(bytes(damaged), np.uint8), "default").rejected == 0
    assert sink.n_batches == N


def test_json() -> None:
    chance, sink = random.Random(8), CheckingSink()
    traces = OtlpTraces(OtlpSettings(), sink)
    request: Any = ExportTraceServiceRequest.FromString(to_span_request().replace(b"\xff\xfe", b"ok"))
    body = json.dumps(to_json(request)).encode()
    messages = set()
    for number in range(N):
        try:
            traces.export_json(np.frombuffer((flip if number % 2 else cut)(body, chance), np.uint8), "default")
        except (MalformedInputError, LimitExceededError) as error:
            messages.add(str(error))
    assert messages
    assert all(messages)
    assert sink.n_batches > 0
