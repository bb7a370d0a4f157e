"""Redaction of spans: every text that a span brings, nested ones too."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from opentelemetry.proto.common.v1 import common_pb2

from swarmscope.ingest.redacting_spans import RedactingSpanSink
from swarmscope.ingest.redaction.actions import Action
from swarmscope.ingest.redaction.choosing import chosen_detectors
from swarmscope.ingest.redaction.redactor import Redactor
from swarmscope.instrument.metrics import REGISTRY
from swarmscope.model.attributes import AttributeSets, ValueColumn, ValueKind, bytes_column
from swarmscope.model.contracts import Receipt
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import SpanBatch
from swarmscope.testing.plain_spans import (
    PlainEvent,
    PlainLink,
    PlainScope,
    PlainSpan,
    from_batch,
    span_id,
    to_batch,
    trace_id,
)

MAIL, MASK = "ada@example.org", "[REDACTED:email]"
PLAIN = PlainSpan(trace_id(1), span_id(1))


@dataclass
class _Store:
    batches: list[SpanBatch] = field(default_factory=list)

    def write_spans(self, batch: SpanBatch) -> Receipt:
        """Keep the batch."""
        self.batches.append(batch)
        return Receipt(spans=len(batch))


def _redact(batch: SpanBatch, *, detectors: tuple[str, ...] = ("email",), action: Action = Action.MASK) -> SpanBatch:
    store = _Store()
    chosen = chosen_detectors(detectors, [], {})
    redactor = Redactor(chosen, {one.name: action for one in chosen}, b"k" * 32)
    RedactingSpanSink(store, redactor).write_spans(batch)
    return store.batches[0]


def _count() -> float:
    return REGISTRY.get_sample_value("swarmscope_redactions_total", {"detector": "email", "action": "mask"}) or 0.0


def _span(mail: str) -> PlainSpan:
    return PlainSpan(
        trace_id(1), span_id(1), f"GET /users/{mail}", status_message=f"no {mail}", trace_state=f"by={mail}",
        attributes={"gen_ai.prompt": f"write to {mail}", "n": 1, "ok": True}, resource={"owner": mail, "pid": 7},
        scope=PlainScope("lib", attributes={"by": mail}),
        events=(PlainEvent(1, f"sent {mail}", {"to": mail, "size": 2.5}),),
        links=(PlainLink(trace_id(2), span_id(2), f"by={mail}", attributes={"why": mail}),),
    )  # fmt: skip


def test_every_text_is_redacted_and_counted() -> None:
    before = _count()
    assert from_batch(_redact(to_batch([_span(MAIL), PLAIN]))) == [_span(MASK), PLAIN]
    assert _count() - before == 10


def test_what_is_clean_stays_as_it_is() -> None:
    batch = to_batch([_span("nobody"), PLAIN])
    assert from_batch(_redact(batch)) == [_span("nobody"), PLAIN]


def test_nothing_of_a_find_is_left_in_the_buffers() -> None:
    batch = _redact(to_batch([_span(MAIL)]))
    texts = (batch.name, batch.status_message, batch.attributes.values.text, batch.resources.attributes.values.text,
             batch.scopes.attributes.values.text, batch.events.name, batch.events.attributes.values.text,
             batch.links.attributes.values.text)  # fmt: skip
    assert [column.buffer.tobytes().count(b"ada@") for column in texts] == [0] * 8


def test_attributes_are_dropped_and_names_masked_where_that_is_the_action() -> None:
    (span,) = from_batch(_redact(to_batch([_span(MAIL)]), action=Action.DROP))
    assert span.attributes == {"n": 1, "ok": True}
    assert (span.resource, span.scope.attributes) == ({"pid": 7}, {})
    assert [event.attributes for event in span.events] == [{"size": 2.5}]
    assert (span.name, span.status_message) == (f"GET /users/{MASK}", f"no {MASK}")


def test_names_of_attributes_tell_secrets() -> None:
    spans = [replace(PLAIN, attributes={"db.password": "two words", "max_tokens": 5})]
    (span,) = from_batch(_redact(to_batch(spans), detectors=("secrets",)))
    assert span.attributes == {"db.password": "[REDACTED:password]", "max_tokens": 5}


def _with_message(message: common_pb2.ArrayValue | common_pb2.KeyValueList, kind: ValueKind) -> SpanBatch:
    batch = to_batch([PLAIN, PLAIN])
    values = ValueColumn(
        np.array([kind, ValueKind.INT], np.uint8), bytes_column([message.SerializeToString(), b"1" * 8])
    )
    batch.attributes = AttributeSets(np.array([0, 1, 2]), Utf8Column.from_strings(["messages", "n"]), values)
    return batch


def test_texts_inside_arrays_and_maps_are_redacted() -> None:
    message = common_pb2.ArrayValue()
    inner = message.values.add().kvlist_value.values.add(key="content")
    inner.value.array_value.values.add(string_value=f"to {MAIL}")
    message.values.add(int_value=5)
    message.values.add(string_value="clean")
    before = _count()
    batch = _redact(_with_message(message, ValueKind.ARRAY))
    found = common_pb2.ArrayValue.FromString(batch.attributes.values.scalar(0))
    expected = common_pb2.ArrayValue()
    expected.CopyFrom(message)
    expected.values[0].kvlist_value.values[0].value.array_value.values[0].string_value = f"to {MASK}"
    assert found == expected
    assert _count() - before == 1
    assert batch.attributes.values.scalar(1) == int.from_bytes(b"1" * 8, "little")


def test_a_map_in_an_array_is_opened() -> None:
    message = common_pb2.ArrayValue()
    message.values.add().kvlist_value.values.add(key="password").value.string_value = "two words"
    batch = _redact(_with_message(message, ValueKind.ARRAY), detectors=("secrets",))
    assert b"two words" not in batch.attributes.values.text.buffer.tobytes()


def test_names_inside_maps_tell_secrets() -> None:
    message = common_pb2.KeyValueList()
    message.values.add(key="password").value.string_value = "hunter2 rabbit"
    batch = _redact(_with_message(message, ValueKind.MAP), detectors=("secrets",))
    found = common_pb2.KeyValueList.FromString(batch.attributes.values.scalar(0))
    assert found.values[0].value.string_value == "[REDACTED:password]"
