from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pool, message_factory

from swarmscope.model.errors import LimitExceededError, MalformedInputError
from swarmscope.receivers.wire.declared_messages import describe_messages
from swarmscope.receivers.wire.decode_room import DecodeRoom
from swarmscope.receivers.wire.span_push import PushedSpans
from swarmscope.receivers.zipkin.decode import Format, SpansDecoder
from swarmscope.receivers.zipkin.proto_spans import MESSAGES
from swarmscope.receivers.zipkin.settings import ZipkinSettings
from swarmscope.receivers.zipkin.zipkin_span import BAD_PARENT_ID, BAD_SPAN_ID, BAD_TRACE_ID
from swarmscope.testing.plain_spans import PlainEvent, PlainScope, PlainSpan, from_batch

T_US = 1_700_000_000_000_000
T_NS = T_US * 1000
NOW_NS = 42_000
TRACE = "0af7651916cd43dd8448eb211c80319c"
IDS = {"traceId": TRACE, "id": "0000000000000001"}
POOL = descriptor_pool.DescriptorPool()
describe_messages(POOL, "zipkin.proto3", MESSAGES)
ListOfSpans: Any = message_factory.GetMessageClass(POOL.FindMessageTypeByName("zipkin.proto3.ListOfSpans"))


def push(body: bytes, form: Format = Format.JSON_V2, **settings: Any) -> PushedSpans:
    decoder = SpansDecoder(ZipkinSettings(**settings), lambda: NOW_NS, 1)
    with DecodeRoom().taken() as share:
        return decoder.decode(form, np.frombuffer(body, np.uint8), "tenant", share)


def decode(*spans: dict[str, Any], form: Format = Format.JSON_V2) -> list[PlainSpan]:
    return from_batch(push(json.dumps(spans).encode(), form).batch)


def decode_one(form: Format = Format.JSON_V2, **fields: Any) -> PlainSpan:
    (found,) = decode(IDS | {"timestamp": T_US} | fields, form=form)
    return found


def span(**fields: Any) -> PlainSpan:
    known: dict[str, Any] = {"trace_id": bytes.fromhex(TRACE), "span_id": bytes(7) + b"\1", "name": "", "kind": 0}
    return PlainSpan(**known | {"start_ns": T_NS, "end_ns": T_NS} | fields)


EVERYTHING = {
    "traceId": TRACE, "id": "1112131415161718", "parentId": "05", "kind": "CLIENT", "name": "get /order ☃",
    "timestamp": T_US, "duration": 1500, "shared": True, "debug": True,
    "localEndpoint": {"serviceName": "shop", "ipv4": "10.0.0.1", "ipv6": "2001:db8::1", "port": 80},
    "remoteEndpoint": {"serviceName": "stock", "ipv6": "2001:db8::2", "port": 9000},
    "annotations": [
        {"timestamp": T_US + 1, "value": "ws"}, {"timestamp": T_US + 2, "value": '{"failed": {"code": 7}}'},
    ],
    "tags": {"http.method": "GET", "empty": ""},
}  # fmt: skip
EVERYTHING_PLAIN = PlainSpan(
    trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex("1112131415161718"), parent_id=bytes(7) + b"\5",
    name="get /order ☃", start_ns=T_NS, end_ns=T_NS + 1_500_000, kind=3, resource={"service.name": "shop"},
    attributes={
        "net.host.ip": "10.0.0.1", "zipkin.local.ipv6": "2001:db8::1", "net.host.port": 80, "peer.service": "stock",
        "net.peer.ip": "2001:db8::2", "net.peer.port": 9000, "zipkin.shared": True, "zipkin.debug": True,
        "http.method": "GET", "empty": "",
    },
    events=(PlainEvent(T_NS + 1000, "ws"), PlainEvent(T_NS + 2000, "failed", {"code": 7})),
)  # fmt: skip


def test_every_field_in_json() -> None:
    assert decode(EVERYTHING) == [EVERYTHING_PLAIN]


def test_every_field_in_protobuf() -> None:
    message = ListOfSpans()
    message.spans.add(
        trace_id=bytes.fromhex(TRACE), id=bytes.fromhex("1112131415161718"), parent_id=bytes(7) + b"\5", kind=1,
        name="get /order ☃", timestamp=T_US, duration=1500, shared=True, debug=True,
        local_endpoint={
            "service_name": "shop", "ipv4": b"\x0a\0\0\1", "ipv6": bytes.fromhex("20010db8" + 22 * "0" + "01"),
            "port": 80,
        },
        remote_endpoint={"service_name": "stock", "ipv6": bytes.fromhex("20010db8" + 22 * "0" + "02"), "port": 9000},
        annotations=[
            {"timestamp": T_US + 1, "value": "ws"}, {"timestamp": T_US + 2, "value": '{"failed": {"code": 7}}'}
        ],
        tags=[{"key": "http.method", "value": "GET"}, {"key": "empty", "value": ""}],
    )  # fmt: skip
    assert from_batch(push(message.SerializeToString(), Format.PROTOBUF).batch) == [EVERYTHING_PLAIN]


def test_protobuf_by_hand() -> None:
    # spans { trace_id: 8 bytes, id: 8 bytes, tags { key: "a", value: "b" } }
    one = b"\x0a\x08" + bytes(7) + b"\x02" + b"\x1a\x08" + bytes(7) + b"\x03" + b"\x5a\x06\x0a\x01a\x12\x01b"
    (found,) = from_batch(push(b"\x0a" + bytes([len(one)]) + one, Format.PROTOBUF).batch)
    assert found == PlainSpan(
        trace_id=bytes(15) + b"\2", span_id=bytes(7) + b"\3", name="", start_ns=NOW_NS, end_ns=NOW_NS, kind=0,
        attributes={"zipkin.no_timestamp": True, "a": "b"},
    )  # fmt: skip


@pytest.mark.parametrize(("told", "kind"), [(None, 0), ("CLIENT", 3), ("SERVER", 2), ("PRODUCER", 4), ("CONSUMER", 5)])
def test_kinds(told: str | None, kind: int) -> None:
    assert decode_one(kind=told) == span(kind=kind)


def test_the_kind_that_zipkin_does_not_have() -> None:
    assert decode_one(tags={"span.kind": "internal"}) == span(kind=1)
    assert decode_one(kind="SERVER", tags={"span.kind": "internal"}).attributes == {"span.kind": "internal"}
    assert decode_one(tags={"span.kind": "client"}) == span(attributes={"span.kind": "client"})


@pytest.mark.parametrize(
    ("tags", "status", "message", "left"),
    [
        ({"error": "true"}, 2, "", {"error": "true"}),
        ({"error": ""}, 2, "", {"error": ""}),
        ({"error": "no stock"}, 2, "no stock", {"error": "no stock"}),
        ({"error": "false"}, 0, "", {"error": "false"}),
        ({"otel.status_code": "OK"}, 1, "", {}),
        ({"otel.status_code": "OK", "error": "odd"}, 1, "", {"error": "odd"}),
        ({"otel.status_code": "ERROR", "error": "no stock"}, 2, "no stock", {}),
        ({"otel.status_code": "ERROR", "error": ""}, 2, "", {}),
        ({"otel.status_code": "ERROR", "otel.status_description": "a", "error": "b"}, 2, "a", {"error": "b"}),
    ],
)
def test_status(tags: dict[str, str], status: int, message: str, left: dict[str, str]) -> None:
    assert decode_one(tags=tags) == span(status=status, status_message=message, attributes=left)


def test_scopes() -> None:
    tags = {
        "otel.library.name": "lib",
        "otel.library.version": "2",
        "otel.scope.name": "lib",
        "otel.scope.version": "2",
    }
    assert decode_one(tags=tags) == span(scope=PlainScope("lib", "2"))


@pytest.mark.parametrize(
    ("value", "name", "attributes", "dropped"),
    [
        ("plain", "plain", {}, 0),
        ('{"name": {}}', "name", {}, 0),
        ('"my event": {"a": 1, "b": true, "c": 0.5, "d": "x"}', "my event", {"a": 1, "b": True, "c": 0.5, "d": "x"}, 0),
        ('my event: {"a": null}', "my event", {"a": None}, 0),
        ('{"e": {"list": ["a", "b"]}}', "e", {"list": b"\x0a\x03\x0a\x01a\x0a\x03\x0a\x01b"}, 0),
        ('{"e": {"map": {"k": 1}}}', "e", {"map": b"\x0a\x07\x0a\x01k\x12\x02\x18\x01"}, 0),
        ('e|{"a": 1}|3', "e", {"a": 1}, 3),
        ('{"two": {}, "names": {}}', '{"two": {}, "names": {}}', {}, 0),
        ('{"no": "object"}', '{"no": "object"}', {}, 0),
        ("{broken}", "{broken}", {}, 0),
        ("a|b|3", "a|b|3", {}, 0),
        ("", "", {}, 0),
    ],
)
def test_annotations(value: str, name: str, attributes: dict[str, Any], dropped: int) -> None:
    found = decode_one(annotations=[{"timestamp": T_US, "value": value}])
    assert found.events == (PlainEvent(T_NS, name, attributes, dropped),)


def test_times_that_are_missing() -> None:
    annotated = {"annotations": [{"timestamp": 9, "value": "b"}, {"timestamp": 7, "value": "a"}]}
    first, second = decode(IDS | annotated, IDS)
    assert (first.start_ns, first.end_ns, first.attributes) == (7000, 7000, {"zipkin.no_timestamp": True})
    assert (second.start_ns, second.attributes) == (NOW_NS, {"zipkin.no_timestamp": True})


def test_times_in_other_spellings() -> None:
    assert decode_one(timestamp=float(T_US), duration="7") == span(end_ns=T_NS + 7000)
    assert decode_one(timestamp=1 << 70).start_ns == (((1 << 63) // 1000) - 1) * 1000


def test_a_tag_counts_more_than_an_endpoint() -> None:
    found = decode_one(remoteEndpoint={"serviceName": "a"}, tags={"peer.service": "b"})
    assert found.attributes == {"peer.service": "b"}


def test_many_spans_of_two_services() -> None:
    spans = [
        IDS
        | {"id": f"{number:x}", "timestamp": T_US, "tags": {"n": str(number)}, "localEndpoint": {"serviceName": name}}
        for number, name in ((1, "a"), (2, "b"), (3, "a"))
    ]
    batch = push(json.dumps(spans).encode()).batch
    assert len(batch.resources) == 2
    assert [one.resource["service.name"] for one in from_batch(batch)] == ["a", "b", "a"]
    assert [one.attributes for one in from_batch(batch)] == [{"n": "1"}, {"n": "2"}, {"n": "3"}]


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        ({"traceId": "xyz"}, BAD_TRACE_ID),
        ({"traceId": "0" * 32}, BAD_TRACE_ID),
        ({"traceId": "1" * 33}, BAD_TRACE_ID),
        ({"traceId": 5}, BAD_TRACE_ID),
        ({"traceId": None}, BAD_TRACE_ID),
        ({"traceId": "1 23"}, BAD_TRACE_ID),
        ({"id": ""}, BAD_SPAN_ID),
        ({"id": "1" * 17}, BAD_SPAN_ID),
        ({"parentId": "g"}, BAD_PARENT_ID),
    ],
)
def test_bad_ids_are_refused_by_name(ids: dict[str, Any], reason: str) -> None:
    good = IDS | {"timestamp": T_US}
    pushed = push(json.dumps([good, good | ids, good]).encode())
    assert (len(pushed.batch), pushed.refused) == (2, {reason: 1})


def test_ids_in_other_spellings() -> None:
    found = decode_one(traceId="ABCDEF", id="1", parentId="1")
    assert found == span(trace_id=bytes(13) + b"\xab\xcd\xef")
    assert decode_one(parentId="0000000000000000") == span()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b"{}", "the body is no list of spans"),
        (b"[1]", "span 0 is no object"),
        (b'[{"traceId":"1","id":"1"},{"traceId":"1","id":"1","timestamp":"x"}]', "span 1: 'x' is no number"),
        (b'[{"traceId":"1","id":"1","tags":[1]}]', "span 0: tags is no object"),
        (b'[{"traceId":"1","id":"1","tags":{"a":{}}}]', "span 0: tags: a value is no string"),
        (b'[{"traceId":"1","id":"1","kind":"X"}]', "span 0: 'X' is none of CLIENT"),
        (b'[{"traceId":"1","id":"1","name":1}]', "span 0: name is no string"),
        (b'[{"traceId":"1","id":"1","localEndpoint":[1]}]', "span 0: an endpoint is no object"),
        (b'[{"traceId":"1","id":"1","localEndpoint":{"serviceName":{}}}]', "span 0: an endpoint has lists"),
        (b'[{"traceId":"1","id":"1","localEndpoint":{"port":70000}}]', "span 0: '70000' is no port"),
        (b'[{"traceId":"1","id":"1","localEndpoint":{"port":-1}}]', "span 0: '-1' is no port"),
        (b'[{"traceId":"1","id":"1","localEndpoint":{"ipv4":4}}]', "is no string"),
        (b'[{"traceId":"1","id":"1","annotations":[{"timestamp":1}],"tags":{}}]', "span 0: an annotation has no value"),
        (b'[{"traceId":"1","id":"1","annotations":{},"binaryAnnotations":[{"key":1}]}]', "has no key"),
        (b'[{"traceId":"1","id":"1","annotations":3,"binaryAnnotations":[]}]', "annotations is no list"),
    ],
)
def test_malformed_json_is_refused_by_name(body: bytes, text: str) -> None:
    with pytest.raises(MalformedInputError) as error:
        push(body)
    assert text in str(error.value)


@pytest.mark.parametrize("port", ["9" * 5000, "65536", -1, 1.5, "x"])
def test_what_is_no_port_is_refused(port: object) -> None:
    with pytest.raises(MalformedInputError, match="is no port"):
        decode_one(remoteEndpoint={"port": port})


def test_malformed_protobuf_is_refused_by_name() -> None:
    with pytest.raises(MalformedInputError, match=r"Span\.trace_id at byte 3"):
        push(b"\x0a\x02\x0a\x05", Format.PROTOBUF)
    body = ListOfSpans(spans=[{"local_endpoint": {"ipv4": b"abc"}}]).SerializeToString()
    with pytest.raises(MalformedInputError, match="Endpoint at byte 4: an address has 3 bytes, not 4"):
        push(body, Format.PROTOBUF)


def test_spans_without_ids_in_protobuf() -> None:
    ids = {"trace_id": b"\1" * 8, "id": b"\1" * 8}
    spans = [{}, ids | {"trace_id": b"\1" * 9}, ids | {"id": bytes(8)}, ids | {"parent_id": b"\1"}, ids]
    pushed = push(ListOfSpans(spans=spans).SerializeToString(), Format.PROTOBUF)
    assert len(pushed.batch) == 1
    assert pushed.refused == {BAD_TRACE_ID: 2, BAD_SPAN_ID: 1, BAD_PARENT_ID: 1}


def test_texts_that_are_not_utf8_are_mended() -> None:
    pushed = push(b'[{"traceId":"1","id":"1","name":"a\xffb"}]')
    assert from_batch(pushed.batch)[0].name == "a\ufffdb"
    body = ListOfSpans(
        spans=[{"trace_id": b"\1" * 8, "id": b"\1" * 8, "name": "~~", "tags": [{"key": "k", "value": "~~"}]}]
    )
    pushed = push(body.SerializeToString().replace(b"~~", b"a\xff"), Format.PROTOBUF)
    (found,) = from_batch(pushed.batch)
    assert (found.name, found.attributes["k"], pushed.n_repaired) == ("a\ufffd", "a\ufffd", 2)


def test_json_that_is_too_large() -> None:
    with pytest.raises(LimitExceededError, match="the JSON body has more than 10 bytes"):
        push(b"[" + b" " * 20 + b"]", max_json_bytes=10)


def test_nothing() -> None:
    assert decode() == []
    assert len(push(b"", Format.PROTOBUF).batch) == 0


# Version 1.

FRONT, BACK = (
    {"serviceName": name, "ipv4": address, "port": 80} for name, address in (("f", "1.1.1.1"), ("b", "2.2.2.2"))
)
FRONT_AT = {"net.host.ip": "1.1.1.1", "net.host.port": 80}
BACK_AT = {"net.host.ip": "2.2.2.2", "net.host.port": 80}


def v1(*annotations: tuple[int, str, Any], binary: list[tuple[str, Any, Any]] | None = None, **fields: Any) -> Any:
    return IDS | fields | {
        "annotations": [{"timestamp": at, "value": value, "endpoint": where} for at, value, where in annotations],
        "binaryAnnotations": [{"key": key, "value": value, "endpoint": where} for key, value, where in binary or []],
    }  # fmt: skip


def test_v1_client() -> None:
    told = v1(
        (T_US, "cs", FRONT), (T_US + 5, "retry", FRONT), (T_US + 9, "cr", FRONT), name="get", debug=True,
        timestamp=T_US, duration=9,
        binary=[("http.path", "/a", FRONT), ("n", 5, FRONT), ("ok", True, FRONT), ("sa", True, BACK)],
    )  # fmt: skip
    expected = span(
        name="get", kind=3, end_ns=T_NS + 9000, resource={"service.name": "f"},
        attributes=FRONT_AT | {
            "peer.service": "b", "net.peer.ip": "2.2.2.2", "net.peer.port": 80, "zipkin.debug": True,
            "http.path": "/a", "n": "5", "ok": "true",
        },
        events=(PlainEvent(T_NS + 5000, "retry"),),
    )  # fmt: skip
    assert decode(told) == [expected]
    assert decode(told, form=Format.JSON_V1) == [expected]


def test_v1_server_without_its_own_time_is_shared() -> None:
    told = v1((T_US, "sr", BACK), (T_US + 4, "ss", BACK), binary=[("ca", True, FRONT)])
    assert decode(told) == [
        span(
            kind=2, end_ns=T_NS + 4000, resource={"service.name": "b"},
            attributes=BACK_AT | {
                "peer.service": "f", "net.peer.ip": "1.1.1.1", "net.peer.port": 80, "zipkin.shared": True,
            },
        )
    ]  # fmt: skip
    assert decode(told | {"timestamp": T_US, "duration": 4})[0].attributes.get("zipkin.shared") is None


def test_v1_with_both_sides_becomes_two_spans() -> None:
    client, server = decode(
        v1(
            (T_US, "cs", FRONT), (T_US + 2, "sr", BACK), (T_US + 5, "work", BACK), (T_US + 6, "ss", BACK),
            (T_US + 9, "cr", FRONT), timestamp=T_US, duration=9, binary=[("a", "f", FRONT), ("a", "b", BACK)],
        )
    )  # fmt: skip
    assert client == span(kind=3, end_ns=T_NS + 9000, resource={"service.name": "f"}, attributes=FRONT_AT | {"a": "f"})
    assert server == span(
        kind=2, start_ns=T_NS + 2000, end_ns=T_NS + 6000, resource={"service.name": "b"},
        attributes=BACK_AT | {"zipkin.shared": True, "a": "b"}, events=(PlainEvent(T_NS + 5000, "work"),),
    )  # fmt: skip


def test_v1_messages() -> None:
    sent, received = decode(
        v1((T_US, "ms", FRONT), binary=[("ma", True, BACK)]), v1((T_US, "mr", FRONT), timestamp=T_US, duration=3)
    )
    assert (sent.kind, sent.attributes["peer.service"]) == (4, "b")
    assert (received.kind, received.end_ns) == (5, T_NS + 3000)


def test_v1_local() -> None:
    assert decode(v1(timestamp=T_US, duration=2, binary=[("lc", "", FRONT), ("k", "v", FRONT)])) == [
        span(end_ns=T_NS + 2000, resource={"service.name": "f"}, attributes=FRONT_AT | {"k": "v"})
    ]
    assert decode(v1(timestamp=T_US, binary=[("lc", "cache", FRONT)]))[0].attributes["lc"] == "cache"


def test_shape_tells_the_version_before_the_path_does() -> None:
    assert decode(EVERYTHING, form=Format.JSON_V1) == [EVERYTHING_PLAIN]
    bare = IDS | {"timestamp": T_US, "annotations": [{"timestamp": T_US, "value": "cs"}]}
    assert decode(bare, form=Format.JSON_V1)[0].kind == 3
    assert decode(bare)[0].events == (PlainEvent(T_NS, "cs"),)
    with_endpoint = IDS | {"annotations": [{"timestamp": T_US, "value": "cs", "endpoint": FRONT}]}
    assert decode(with_endpoint)[0].kind == 3


@pytest.mark.parametrize("form", [Format.JSON_V2, Format.PROTOBUF])
def test_whoever_owns_a_batch_may_change_it(form: Format) -> None:
    message = ListOfSpans(spans=[{"trace_id": b"\1" * 8, "id": b"\1" * 8, "name": "work"}])
    body = json.dumps([EVERYTHING]).encode() if form is Format.JSON_V2 else message.SerializeToString()
    batch = push(body, form).batch
    for column in (batch.trace_id, batch.span_id, batch.parent_id, batch.start_ns, batch.kind, batch.status):
        assert column.flags.writeable
