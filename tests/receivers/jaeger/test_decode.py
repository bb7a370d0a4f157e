from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from swarmscope.model.errors import LimitExceededError, MalformedInputError
from swarmscope.receivers.jaeger.decode import NO_SPAN_ID, NO_TRACE_ID, BatchDecoder
from swarmscope.receivers.wire.span_push import PushedSpans
from swarmscope.testing.plain_spans import PlainEvent, PlainLink, PlainScope, PlainSpan, from_batch
from tests.receivers.jaeger.batches import T_NS, T_US, Struct, Write, batch, log, reference, span, structs, tag
from tests.receivers.jaeger.thrift_writer import (
    BOOL,
    BYTE,
    DOUBLE,
    I16,
    I32,
    I64,
    LIST,
    MAP,
    SET,
    STRING,
    STRUCT,
    Field,
    binary,
    compact,
)  # fmt: skip

BOTH = pytest.mark.parametrize("write", [binary, compact])
TRACE = (0x0AF7651916CD43DD, -0x7BB714DEE37FCE64)  # 0af7651916cd43dd 8448eb211c80319c
TRACE_ID = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")


def decode_bytes(body: bytes, write: Write = binary) -> PushedSpans:
    return BatchDecoder(1).decode(np.frombuffer(body, np.uint8), "tenant", compact=write is compact)


def decode(struct: Struct, write: Write = binary) -> list[PlainSpan]:
    return from_batch(decode_bytes(write(struct), write).batch)


def decode_one(write: Write = binary, **fields: Any) -> PlainSpan:
    (found,) = decode(batch([span(**fields)]), write)
    return found


def test_a_batch_by_hand_in_the_binary_protocol() -> None:
    # Batch{1: Process{1: "a"}, 2: [Span{1: 2, 2: 1, 3: 3, 4: 0, 5: "w", 7: 1, 8: 10, 9: 4}]}
    body = bytes.fromhex(
        "0c0001" "0b0001" "00000001" "61" "00"
        "0f0002" "0c" "00000001"
        "0a0001" "0000000000000002" "0a0002" "0000000000000001" "0a0003" "0000000000000003"
        "0a0004" "0000000000000000" "0b0005" "00000001" "77" "080007" "00000001"
        "0a0008" "000000000000000a" "0a0009" "0000000000000004" "00" "00"
    )  # fmt: skip
    (found,) = from_batch(decode_bytes(body).batch)
    assert found == PlainSpan(
        trace_id=bytes(7) + b"\1" + bytes(7) + b"\2", span_id=bytes(7) + b"\3", name="w", start_ns=10_000,
        end_ns=14_000, kind=0, resource={"service.name": "a"}, flags=1,
    )  # fmt: skip


def test_a_batch_by_hand_in_the_compact_protocol() -> None:
    # The same; numbers are zigzag varints, field ids are steps.
    body = bytes.fromhex(
        "1c" "18" "01" "61" "00"
        "19" "1c"
        "16" "04" "16" "02" "16" "06" "16" "00" "18" "01" "77" "25" "02" "16" "14" "16" "08" "00" "00"
    )  # fmt: skip
    (found,) = from_batch(decode_bytes(body, compact).batch)
    assert found == PlainSpan(
        trace_id=bytes(7) + b"\1" + bytes(7) + b"\2", span_id=bytes(7) + b"\3", name="w", start_ns=10_000,
        end_ns=14_000, kind=0, resource={"service.name": "a"}, flags=1,
    )  # fmt: skip


@BOTH
def test_every_field(write: Write) -> None:
    fields = span(
        TRACE, 0x1112131415161718, 5, "GET /order ☃",
        references=[reference(0, TRACE, 5), reference(1, TRACE, 6), reference(0, (0, 9), 8)],
        flags=3, start_us=T_US, duration_us=1500,
        tags={"http.method": "GET", "code": -3, "ratio": 0.25, "retried": True, "off": False, "raw": b"\xff\0"},
        logs=[log(T_US + 1, {"event": "failed", "code": 7}), log(T_US + 2, {"message": "hello"}), log(T_US + 3, {})],
    )  # fmt: skip
    (found,) = decode(batch([fields], "shop", {"hostname": "h1", "cores": 8, "load": 0.5}), write)
    assert found == PlainSpan(
        trace_id=TRACE_ID, span_id=bytes.fromhex("1112131415161718"), parent_id=bytes(7) + b"\5",
        name="GET /order ☃", start_ns=T_NS, end_ns=T_NS + 1_500_000, kind=0,
        attributes={
            "http.method": "GET", "code": -3, "ratio": 0.25, "retried": True, "off": False, "raw": b"\xff\0",
            "jaeger.flags": 3,
        },
        resource={"service.name": "shop", "hostname": "h1", "cores": 8, "load": 0.5},
        events=(
            PlainEvent(T_NS + 1000, "failed", {"code": 7}), PlainEvent(T_NS + 2000, "hello", {"message": "hello"}),
            PlainEvent(T_NS + 3000, ""),
        ),
        links=(
            PlainLink(TRACE_ID, bytes(7) + b"\6", attributes={"opentracing.ref_type": "follows_from"}),
            PlainLink(bytes(15) + b"\x09", bytes(7) + b"\x08", attributes={"opentracing.ref_type": "child_of"}),
        ),
        flags=1,
    )  # fmt: skip


@BOTH
def test_many_spans(write: Write) -> None:
    many = [span((0, 1), number, tags={"i": number, "even": not number % 2}) for number in range(1, 501)]
    found = decode(batch(many), write)
    assert [one.attributes for one in found] == [{"i": number, "even": not number % 2} for number in range(1, 501)]
    assert [int.from_bytes(one.span_id, "big") for one in found] == list(range(1, 501))


@BOTH
def test_numbers_at_their_ends(write: Write) -> None:
    tags = {"most": (1 << 63) - 1, "least": -(1 << 63), "inf": float("inf")}
    assert decode_one(write, tags=tags).attributes == tags


def test_a_span_of_another_flag_has_no_flags_attribute() -> None:
    assert decode_one(flags=0).flags == 0
    assert decode_one(flags=1).attributes == {}
    assert decode_one(flags=9).attributes == {"jaeger.flags": 9}
    rows = decode(
        batch([span(number=1, flags=2, tags={"a": 1}), span(number=2, tags={"b": 2}), span(number=3, flags=2)])
    )
    assert [one.attributes for one in rows] == [{"a": 1, "jaeger.flags": 2}, {"b": 2}, {"jaeger.flags": 2}]


@pytest.mark.parametrize(
    ("told", "kind"), [("internal", 1), ("server", 2), ("client", 3), ("producer", 4), ("consumer", 5), ("CLIENT", 3)]
)
def test_kinds(told: str, kind: int) -> None:
    found = decode_one(tags={"span.kind": told, "a": "b"})
    assert (found.kind, found.attributes) == (kind, {"a": "b"})


def test_a_kind_that_is_none_stays_a_tag() -> None:
    found = decode_one(tags={"span.kind": "other"})
    assert (found.kind, found.attributes) == (0, {"span.kind": "other"})


@pytest.mark.parametrize(
    ("tags", "status", "message", "left"),
    [
        ({"error": True}, 2, "", {}),
        ({"error": False}, 0, "", {"error": False}),
        ({"error": "true"}, 2, "", {"error": "true"}),
        ({"error": "false"}, 0, "", {"error": "false"}),
        ({"otel.status_code": "OK"}, 1, "", {}),
        ({"otel.status_code": "ERROR", "otel.status_description": "why", "error": True}, 2, "why", {}),
        ({"error": True, "otel.status_description": "why"}, 2, "why", {}),
        ({"otel.status_description": "why"}, 0, "", {"otel.status_description": "why"}),
        ({"otel.status_code": "WHAT"}, 0, "", {"otel.status_code": "WHAT"}),
    ],
)
def test_status(tags: dict[str, Any], status: int, message: str, left: dict[str, Any]) -> None:
    found = decode_one(tags=tags)
    assert (found.status, found.status_message, found.attributes) == (status, message, left)


def test_scopes_and_the_rest_that_tags_tell() -> None:
    first = {"otel.scope.name": "s", "otel.scope.version": "1", "otel.library.name": "s", "w3c.tracestate": "v=1"}
    dropped: dict[str, Any] = {
        "otel.dropped_attributes_count": 3,
        "otel.dropped_events_count": "4",
        "otel.dropped_links_count": -1,
    }
    old = {"otel.library.name": "t", "otel.library.version": "2"}
    one, two, three = decode(
        batch([span(number=1, tags=first), span(number=2, tags=old | dropped), span(number=3, tags=first)])
    )
    assert (one.scope, one.trace_state, one.attributes) == (PlainScope("s", "1"), "v=1", {})
    assert (two.scope, two.trace_state) == (PlainScope("t", "2"), "")
    assert two.attributes == {"otel.dropped_links_count": -1}
    assert (two.dropped_attributes, two.dropped_events, two.dropped_links) == (3, 4, 0)
    assert three.scope == one.scope


def test_parents() -> None:
    # Without a parent of its own a span has the first CHILD_OF of its trace; FOLLOWS_FROM is always a link.
    found = decode_one(trace=(0, 7), references=[
        reference(0, (0, 8), 1), reference(1, (0, 7), 2), reference(0, (0, 7), 3), reference(0, (0, 7), 4),
    ])  # fmt: skip
    assert found.parent_id == bytes(7) + b"\3"
    assert [link.span_id[-1] for link in found.links] == [1, 2, 4]
    rows = decode(batch([span(number=1), span(number=2, references=[reference(1, (0, 7), 1)]), span(number=3)]))
    assert [len(row.links) for row in rows] == [0, 1, 0]
    assert [row.parent_id for row in rows] == [bytes(8)] * 3


def test_of_repeated_tags_the_last_counts() -> None:
    found = decode_one(tags=[tag("a", 1), tag("", 2), tag("b", 3), tag("a", "x")])
    assert found.attributes == {"b": 3, "a": "x"}


def test_a_process_tag_does_not_rename_the_service() -> None:
    (found,) = decode(batch([span()], "shop", {"service.name": "other"}))
    assert found.resource == {"service.name": "shop"}
    (found,) = decode(batch([span()], "", {"service.name": "other"}))
    assert found.resource == {"service.name": "other"}


def test_texts_that_are_not_utf8_are_mended() -> None:
    decoded = decode_bytes(binary(batch([span(name=b"a\xffb", tags=[
        tag(b"k\xff", 1), [Field(1, STRING, b"v"), Field(2, I32, 0), Field(3, STRING, b"\xfe")]])])))  # fmt: skip
    (found,) = from_batch(decoded.batch)
    assert (found.name, found.attributes, decoded.n_repaired) == ("a\ufffdb", {"k\ufffd": 1, "v": "\ufffd"}, 3)


@BOTH
def test_unknown_fields_and_other_types_are_skipped(write: Write) -> None:
    inner = [Field(1, STRUCT, [Field(9, LIST, (BOOL, [True, False]))]), Field(2, DOUBLE, 1.5)]
    odd = [
        Field(40, LIST, (STRUCT, [inner] * 20)), Field(41, MAP, (STRING, STRUCT, [(b"k", inner)])),
        Field(42, MAP, (I32, I64, [])), Field(43, SET, (BYTE, [1, -2])), Field(44, BOOL, True), Field(45, I16, -7),
        Field(300, STRUCT, inner),
    ]  # fmt: skip
    # Field 5 should be a string, 8 a number.
    fields = [part for part in span(tags={"a": 1}) if part.number not in (5, 8)]
    fields = sorted([*fields, Field(5, I32, 3), Field(8, STRING, b"x"), *odd], key=lambda part: part.number)
    (found,) = decode([*batch([fields]), Field(77, STRUCT, inner)], write)
    assert (found.name, found.start_ns, found.attributes) == ("", 0, {"a": 1})


def test_spans_without_ids_are_refused_by_name() -> None:
    decoded = decode_bytes(binary(batch([span((0, 0), 1), span((0, 1), 0), span((0, 0), 0), span((0, 1), 5)])))
    assert decoded.refused == {NO_TRACE_ID: 2, NO_SPAN_ID: 1}
    assert [one.span_id[-1] for one in from_batch(decoded.batch)] == [5]


def test_times_beyond_what_is_held_stop_at_the_ends() -> None:
    found = decode_one(start_us=(1 << 63) - 1, duration_us=(1 << 63) - 1)
    assert 0 < found.start_ns <= found.end_ns == (1 << 63) - 1


def test_an_empty_batch() -> None:
    assert decode(batch([])) == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "Batch at byte 0: the bytes end inside a value"),
        (b"\x0c\x00", "Batch at byte 0: the bytes end inside a value"),
        (b"\x0b\x00\x09\x7f\xff\xff\xff", "Batch at byte 0: a length or size reaches beyond the end"),
        (b"\x0b\x00\x09\xff\xff\xff\xff", "Batch at byte 0: a length or size reaches beyond the end"),
        (b"\x0f\x00\x02\x0c\x7f\xff\xff\xff", "Batch.spans at byte 0: a length or size reaches beyond the end"),
        (b"\x63\x00\x09", "Batch at byte 0: there is no such type"),
        (b"\x0c\x00\x09" * 40, "an unknown struct at byte 93: values are nested too deeply"),
        (b"\0", "Batch.process is missing"),
        (binary([*batch([]), Field(2, LIST, (STRUCT, [[Field(10, LIST, (STRUCT, [[Field(2, I32, 9)]]))]]))]),
         "Tag.vType at byte 39: there is no type 9"),
    ],
)  # fmt: skip
def test_malformed_batches_are_refused_by_name(body: bytes, text: str) -> None:
    with pytest.raises(MalformedInputError) as error:
        decode_bytes(body)
    assert text in str(error.value)


def test_too_many_spans() -> None:
    # A struct of one byte each: nothing but its end.
    body = binary([Field(1, STRUCT, []), Field(2, LIST, (STRUCT, [[]] * 1_000_001))])
    with pytest.raises(LimitExceededError, match="1000001 spans"):
        decode_bytes(body)


def test_memory_is_claimed_before_it_is_taken() -> None:
    claimed: list[int] = []
    body = np.frombuffer(binary(batch([span(tags={"a": 1})] * 1000)), np.uint8)
    decoded = BatchDecoder().decode(body, "tenant", claimed.append, compact=False)
    assert len(decoded.batch) == 1000
    assert max(claimed) > 500_000


def test_lists_that_stand_twice() -> None:
    fields = [*span(tags={"a": 1}), structs(10, [tag("b", 2)])]
    (found,) = decode(batch([fields]))
    assert found.attributes == {"a": 1, "b": 2}
