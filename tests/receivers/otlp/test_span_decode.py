from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from swarmscope.model.attributes import ValueKind
from swarmscope.model.errors import LimitExceededError, MalformedInputError
from swarmscope.receivers.otlp import span_columns, span_decode
from swarmscope.receivers.otlp.json_request import encode_json_request
from swarmscope.receivers.otlp.span_decode import BAD_SPAN_ID, BAD_TRACE_ID, DecodedSpans, TracesDecoder
from swarmscope.receivers.wire.decode_room import array_bytes
from swarmscope.testing.plain_spans import NO_SPAN, PlainSpan, from_batch
from tests.portion import portion
from tests.receivers.otlp.span_requests import Pairs, requests, set_attributes, to_json, to_plain, to_texts
from tests.receivers.otlp.test_log_decode import encode_varint

IDS: dict[str, Any] = {"trace_id": b"\x01" * 16, "span_id": b"\x02" * 8}
RAW_IDS = b"\x0a\x10" + b"\x01" * 16 + b"\x12\x08" + b"\x02" * 8
MANY = settings(deadline=None, max_examples=portion(150, 50), suppress_health_check=[HealthCheck.too_slow])


def decode(body: bytes, claim: Any = lambda n_bytes: None) -> DecodedSpans:
    return TracesDecoder(1).decode(np.frombuffer(body, np.uint8), "team", claim)


def wrap(*spans: bytes) -> bytes:
    """Spans' bytes as a request."""
    inside = b"".join(b"\x12" + encode_varint(len(span)) + span for span in spans)
    scope = b"\x12" + encode_varint(len(inside)) + inside
    return b"\x0a" + encode_varint(len(scope)) + scope


def only(fields: bytes) -> PlainSpan:
    """The span that these fields make beside its ids."""
    (span,) = from_batch(decode(wrap(RAW_IDS + fields)).batch)
    return span


def field(number: int, inside: bytes) -> bytes:
    return encode_varint(number << 3 | 2) + encode_varint(len(inside)) + inside


@pytest.fixture
def request_message() -> Any:
    return ExportTraceServiceRequest()


@MANY
@given(requests())
def test_every_field_is_what_protobufs_own_parser_finds(request_message: Any) -> None:
    body = request_message.SerializeToString()
    decoded = decode(body)
    wanted = to_plain(body)
    assert (decoded.n_spans, decoded.n_repaired, decoded.refused) == (len(wanted), 0, {})
    assert decoded.batch.tenant == "team"
    assert to_texts(from_batch(decoded.batch)) == to_texts(wanted)


@MANY
@given(requests())
def test_json_says_the_same(request_message: Any) -> None:
    document = json.dumps(to_json(request_message)).encode()
    encoded = encode_json_request(ExportTraceServiceRequest.DESCRIPTOR, document)
    wanted = decode(request_message.SerializeToString())
    assert to_texts(from_batch(decode(encoded).batch)) == to_texts(from_batch(wanted.batch))


def test_kinds_of_values(request_message: Any) -> None:
    span = request_message.resource_spans.add().scope_spans.add().spans.add(**IDS)
    values = {
        "text": "ü", "yes": True, "no": False, "least": -(1 << 63), "most": (1 << 63) - 1, "half": 0.5, "raw": b"\xff",
        "list": [1], "map": {"k": "v"}, "nothing": None,
    }  # fmt: skip
    set_attributes(span.attributes, values)
    found = decode(request_message.SerializeToString()).batch.attributes
    kinds = ["STRING", "BOOL", "BOOL", "INT", "INT", "DOUBLE", "BYTES", "ARRAY", "MAP", "EMPTY"]
    assert [ValueKind(kind).name for kind in found.values.kind.tolist()] == kinds
    # By hand: ArrayValue{values: AnyValue{int_value: 1}}, KeyValueList{values: KeyValue{key: "k", value: …"v"}}.
    wanted = values | {"list": b"\x0a\x02\x18\x01", "map": b"\x0a\x08\x0a\x01k\x12\x03\x0a\x01v"}
    assert found.to_dicts() == [wanted]


def test_the_last_of_a_name_counts_and_nameless_ones_are_dropped(request_message: Any) -> None:
    spans = request_message.resource_spans.add().scope_spans.add().spans
    for _ in range(3):
        span = spans.add(**IDS)
        set_attributes(span.attributes, Pairs([("a", 1), ("", "nameless"), ("b", 2), ("a", "last")]))
        set_attributes(span.events.add().attributes, Pairs([("a", 1), ("a", None)]))
        set_attributes(span.links.add(**IDS).attributes, Pairs([("a", 1), ("b", 2)]))
    for found in from_batch(decode(request_message.SerializeToString()).batch):
        assert list(found.attributes.items()) == [("b", 2), ("a", "last")]
        assert found.events[0].attributes == {"a": None}
        assert found.links[0].attributes == {"a": 1, "b": 2}


def test_many_names_in_one_span(request_message: Any) -> None:
    span = request_message.resource_spans.add().scope_spans.add().spans.add(**IDS)
    wanted = {f"{n % 3000:x}": n for n in range(5000)}  # a second walk: fewer bytes each than the guess
    set_attributes(span.attributes, Pairs((f"{n % 3000:x}", n) for n in range(5000)))
    assert from_batch(decode(request_message.SerializeToString()).batch)[0].attributes == wanted


def test_spans_without_a_valid_id_are_refused_one_by_one(request_message: Any) -> None:
    scope = request_message.resource_spans.add().scope_spans.add()
    ids = [
        (b"\x01" * 16, b"\x02" * 8), (b"", b"\x02" * 8), (b"\x01" * 15, b"\x02" * 8), (b"\x00" * 16, b""),
        (b"\x01" * 16, b"\x02" * 7), (b"\x01" * 16, b"\x00" * 8), (b"\x00" * 15 + b"\x01", b"\x00" * 7 + b"\x01"),
    ]  # fmt: skip
    for number, (trace_id, span_id) in enumerate(ids):
        span = scope.spans.add(trace_id=trace_id, span_id=span_id, name=str(number))
        span.events.add(name=f"e{number}")
        set_attributes(span.attributes, {"n": number})
    decoded = decode(request_message.SerializeToString())
    assert (decoded.n_spans, decoded.refused) == (7, {BAD_TRACE_ID: 3, BAD_SPAN_ID: 2})
    found = [(span.name, span.attributes, span.events[0].name) for span in from_batch(decoded.batch)]
    assert found == [("0", {"n": 0}, "e0"), ("6", {"n": 6}, "e6")]


def test_parents_and_links_of_a_wrong_length_are_none(request_message: Any) -> None:
    span = request_message.resource_spans.add().scope_spans.add().spans.add(**IDS, parent_span_id=b"\x01" * 7)
    span.links.add(trace_id=b"\x01", span_id=b"\x01" * 9, trace_state="kept")
    (found,) = from_batch(decode(request_message.SerializeToString()).batch)
    assert found.parent_id == NO_SPAN
    (link,) = found.links
    assert (link.trace_id, link.span_id, link.trace_state) == (bytes(16), bytes(8), "kept")


@pytest.mark.parametrize(("number", "wanted"), [(5, 5), (6, 0), ((1 << 64) - 1, 0), (1 << 31, 0)])
def test_kinds_that_do_not_exist(number: int, wanted: int) -> None:
    assert only(b"\x30" + encode_varint(number)).kind == wanted


@pytest.mark.parametrize(("number", "wanted"), [(2, 2), (3, 0), ((1 << 64) - 1, 0)])
def test_statuses_that_do_not_exist(number: int, wanted: int) -> None:
    assert only(field(15, b"\x18" + encode_varint(number))).status == wanted


def test_a_status_in_two_pieces_is_one() -> None:
    found = only(field(15, b"\x18\x02") + field(15, b"\x12\x03bad"))
    assert (found.status, found.status_message) == (2, "bad")


def test_times_beyond_what_is_stored() -> None:
    found = only(b"\x39" + b"\xff" * 8 + b"\x41" + (5).to_bytes(8, "little") + field(11, b"\x09" + b"\xff" * 8))
    assert (found.start_ns, found.end_ns, found.events[0].ts_ns) == ((1 << 63) - 1, 5, (1 << 63) - 1)


def test_a_truth_value_of_several_bytes_is_one() -> None:
    value = field(2, b"\x10\x80\x80\x01")
    assert only(field(9, field(1, b"k") + value)).attributes == {"k": True}


def test_of_several_members_the_last_counts() -> None:
    value = field(2, b"\x18\x05" + field(1, b"text") + b"\x10\x00")
    assert only(field(9, field(1, b"k") + value)).attributes == {"k": False}


def test_fields_from_the_future_are_passed_over() -> None:
    unknown = b"\x98\x06\x01" + field(100, b"x") + b"\xa5\x06" + b"\x00" * 4 + b"\xa1\x06" + b"\x00" * 8
    pair = field(1, b"k") + unknown + field(2, unknown + field(5, unknown + field(1, unknown)))
    found = only(unknown + field(9, pair) + field(11, unknown) + field(13, unknown) + field(15, unknown))
    assert list(found.attributes) == ["k"]
    assert (len(found.events), len(found.links)) == (1, 1)


def test_text_that_is_not_utf8_is_repaired() -> None:
    text = field(9, field(1, b"k\xff") + field(2, field(1, b"\xc3(\xfe")))
    inside = field(1, field(1, b"n\xff") + field(2, field(1, b"v\xff")))
    nested = field(9, field(1, b"m") + field(2, field(6, inside)))
    raw = field(9, field(1, b"b") + field(2, field(7, b"\xff")))
    event = field(11, field(2, b"e\xff") + field(3, field(1, b"a") + field(2, field(1, b"\xff"))))
    link = field(13, field(1, b"\x01" * 16) + field(2, b"\x01" * 8) + field(3, b"\xff"))
    body = wrap(RAW_IDS + field(5, b"n\xff") + text + nested + raw + event + link + field(15, field(2, b"\xff")))
    decoded = decode(body)
    (found,) = from_batch(decoded.batch)
    assert decoded.n_repaired == 8
    assert (found.name, found.status_message, found.links[0].trace_state) == ("n\ufffd", "\ufffd", "\ufffd")
    mark = "\ufffd".encode()
    mended = field(1, field(1, b"n" + mark) + field(2, field(1, b"v" + mark)))
    assert found.attributes == {"k\ufffd": "\ufffd(\ufffd", "m": mended, "b": b"\xff"}
    assert (found.events[0].name, found.events[0].attributes) == ("e\ufffd", {"a": "\ufffd"})


def test_names_that_are_equal_once_repaired_are_one() -> None:
    pairs = b"".join(
        field(9, field(1, b"k" + bad) + field(2, field(1, bytes([bad[0] & 0x7F])))) for bad in (b"\xff", b"\xe1")
    )
    assert only(pairs).attributes == {"k\ufffd": "a"}


def test_resources_and_scopes_stand_once(request_message: Any) -> None:
    for service in ("a", "b", "a"):
        group = request_message.resource_spans.add(schema_url="u" if service == "a" else "w")
        set_attributes(group.resource.attributes, {"service.name": service})
        for name in ("x", "y", "x"):
            scope = group.scope_spans.add()
            scope.scope.name = name
            scope.spans.add(**IDS, name=service + name)
    batch = decode(request_message.SerializeToString()).batch
    assert (len(batch.resources), len(batch.scopes)) == (2, 2)
    for span in from_batch(batch):
        assert span.resource == {"service.name": span.name[0]}
        assert span.scope.name == span.name[1]
        assert span.resource_schema_url == ("u" if span.name[0] == "a" else "w")


def test_a_scopes_urls_and_texts_are_repaired_too() -> None:
    scope = field(1, field(1, b"n\xff")) + field(2, RAW_IDS) + field(3, b"u\xff")
    resource = field(1, field(1, field(1, b"k\xff") + field(2, field(1, b"v"))))
    (found,) = from_batch(decode(field(1, resource + field(2, scope) + field(3, b"w\xff"))).batch)
    assert (found.scope.name, found.scope.schema_url) == ("n\ufffd", "u\ufffd")
    assert (found.resource, found.resource_schema_url) == ({"k\ufffd": "v"}, "w\ufffd")


def test_an_empty_request() -> None:
    assert len(decode(b"").batch) == 0
    assert len(decode(b"\x0a\x00").batch) == 0


def nested(levels: int) -> bytes:
    """An attribute whose value is an array in an array in …"""
    value = b""
    for _ in range(levels):
        value = field(5, field(1, value))
    return field(9, field(1, b"k") + field(2, value))


def test_depth_is_bounded() -> None:
    assert list(only(nested(40)).attributes) == ["k"]
    for levels in (60, 20_000):
        with pytest.raises(MalformedInputError, match=r"Span\.attributes at byte \d+: messages are nested too deeply"):
            only(nested(levels))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (b"\x39\x00", r"Span\.start_time_unix_nano at byte 34: the bytes end inside a field"),
        (b"\x08\x00", r"Span\.trace_id at byte 34: the field has another wire type"),
        (b"\x2a\x05a", r"Span\.name at byte 34: a length reaches beyond"),
        (b"\x85\x01\x00", r"Span\.flags at byte 34: the bytes end"),
        (field(9, b"\x12\x02\x08\x01"), r"Span\.attributes at byte 34: the field has another wire type"),
        (field(9, b"\x0a"), r"Span\.attributes at byte 34: the bytes end"),
        (field(9, field(2, field(5, b"\x0a\x7f"))), r"Span\.attributes at byte 34: a length reaches beyond"),
        (field(9, field(2, field(6, field(1, b"\x08\x01")))), "another wire type"),
        (field(9, field(2, field(6, field(1, b"\x13")))), "another wire type"),
        (field(9, field(2, field(5, b"\x7b"))), "groups are not supported"),
        (field(11, b"\x2a\x01"), r"Span\.Event at byte 36"),
        (field(11, b"\x10\x01"), r"Span\.Event\.name at byte 36"),
        (field(13, b"\x35\x00"), r"Span\.Link\.flags at byte 36"),
        (field(15, b"\x10\x00"), r"Span\.status at byte 34"),
        (b"\x23", "another wire type|groups are not supported"),
        (b"\x30" + b"\xff" * 10 + b"\x01", "longer than 64 bits"),
        (b"\xff" * 9 + b"\x01", "a field tag is not valid"),
    ],
)
def test_malformed_spans_are_named(fields: bytes, told: str) -> None:
    with pytest.raises(MalformedInputError, match=told):
        only(fields)


@pytest.mark.parametrize("body", [field(1, field(1, b"\x0a\x05")), field(1, field(2, field(1, b"\x0a\x05")))])
def test_malformed_resources_and_scopes_are_named(body: bytes) -> None:
    with pytest.raises(MalformedInputError, match=r"(Resource|InstrumentationScope) at byte \d"):
        decode(body)


def test_requests_are_bounded(request_message: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = request_message.resource_spans.add().scope_spans.add()
    for _ in range(6):
        span = scope.spans.add(**IDS)
        span.events.add()
        span.links.add()
        set_attributes(span.attributes, {"a": 1, "b": 2})
    body = request_message.SerializeToString()
    for module, name, bound, told in (
        (span_decode, "MAX_SPANS", 5, "6 spans"),
        (span_columns, "MAX_PAIRS", 11, "12 attributes"),
        (span_columns, "MAX_ENTRIES", 11, "12 events and links"),
        (span_decode, "MAX_PARTS", 0, "1 different resources or scopes"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, bound)
            with pytest.raises(LimitExceededError, match=told) as caught:
                decode(body)
            assert caught.value.too_large
            patched.setattr(module, name, bound + 1)
            assert len(decode(body).batch) == 6


def test_memory_is_claimed_before_it_is_taken(request_message: Any) -> None:
    span = request_message.resource_spans.add().scope_spans.add().spans.add(**IDS)
    set_attributes(span.attributes, {"k": "v"})
    body = request_message.SerializeToString()
    claims: list[int] = []
    decode(body, claims.append)
    assert claims[0] > len(body)
    assert claims == sorted(claims)
    assert claims[-1] > claims[0]


SMALLEST = {
    "attributes": RAW_IDS + b"\x4a\x00" * 50_000,
    "events": RAW_IDS + b"\x5a\x00" * 50_000,
    "links": RAW_IDS + b"\x6a\x00" * 50_000,
}


@pytest.mark.parametrize("kind", SMALLEST)
def test_claims_cover_the_smallest_messages(kind: str) -> None:
    claims: list[int] = []
    body = wrap(SMALLEST[kind])
    batch = decode(body, claims.append).batch
    assert array_bytes(batch) < claims[-1] < 250 * len(body)
