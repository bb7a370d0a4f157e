"""Bodies of spans that no good sender would send, from a seed; the ways to spoil them are `damaged_bodies`'."""

from __future__ import annotations

import json
import random
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.integration.damaged_bodies import INT64_MAX, INT64_MIN, LONG, MANY, T_MS
from tests.integration.damaged_log_bodies import EXTREME_TIMES_NS, TEXTS, fill_value, nested_field, nested_list, retyped
from tests.receivers.jaeger import batches as jaeger
from tests.receivers.jaeger.thrift_writer import binary, compact
from tests.receivers.otlp.span_requests import to_json
from tests.receivers.zipkin.test_decode import ListOfSpans

T_NS = T_MS * 1_000_000
T_US = T_MS * 1000
# Zipkin and Jaeger count in microseconds.
EXTREME_TIMES_US = (0, 1, T_US, 1 << 53, INT64_MAX // 1000, INT64_MAX, INT64_MIN, -1)
TRACE_IDS = (b"\1" * 16, bytes(range(16)), b"\1" * 16, bytes(16), b"\1" * 15, b"", b"\1" * 300)
SPAN_IDS = (b"\2" * 8, bytes(range(8)), b"\2" * 8, bytes(8), b"\2" * 9, b"")
NAMES = ("work", "GET /order/{id}", "", "über 🚀", "a\x00b", "x" * 3000)


# ── well-formed, or nearly ──


def otlp_message(chance: random.Random) -> Any:
    request = ExportTraceServiceRequest()
    for _ in range(chance.choice((0, 1, 1, 1, 2))):
        group = request.resource_spans.add(schema_url="https://example.org/schema")
        group.resource.attributes.add(key="service.name").value.string_value = chance.choice(TEXTS)
        group.resource.dropped_attributes_count = chance.choice((0, (1 << 32) - 1))
        scope = group.scope_spans.add()
        scope.scope.name, scope.scope.version = chance.choice(TEXTS), "1"
        for _ in range(chance.choice((1, 2, 3))):
            _fill_span(scope.spans.add(), chance)
    return request


def _fill_span(span: Any, chance: random.Random) -> None:
    span.trace_id, span.span_id, span.parent_span_id = (
        chance.choice(TRACE_IDS), chance.choice(SPAN_IDS), chance.choice(SPAN_IDS),
    )  # fmt: skip
    span.name, span.trace_state = chance.choice(NAMES), chance.choice(("", "a=b", "é"))
    span.kind = chance.choice((0, 1, 2, 3, 4, 5, 6, (1 << 31) - 1))
    span.start_time_unix_nano, span.end_time_unix_nano = chance.choices(EXTREME_TIMES_NS, k=2)
    span.flags = chance.choice((0, 1, 0x101, (1 << 32) - 1))
    span.status.code, span.status.message = chance.choice((0, 1, 2, 3)), chance.choice(TEXTS)
    for _ in range(chance.choice((0, 2, 5))):
        fill_value(span.attributes.add(key=chance.choice(("", "a", "http.method", "é"))).value, chance)
    for _ in range(chance.choice((0, 0, 2))):
        event = span.events.add(time_unix_nano=chance.choice(EXTREME_TIMES_NS), name=chance.choice(NAMES))
        fill_value(event.attributes.add(key="e").value, chance)
    for _ in range(chance.choice((0, 0, 1))):
        link = span.links.add(trace_id=chance.choice(TRACE_IDS), span_id=chance.choice(SPAN_IDS), flags=1)
        fill_value(link.attributes.add(key="l").value, chance)
    span.dropped_events_count = chance.choice((0, (1 << 32) - 1))


def otlp(chance: random.Random) -> bytes:
    body: bytes = otlp_message(chance).SerializeToString()
    return body


def otlp_json(chance: random.Random) -> bytes:
    body = json.dumps(to_json(otlp_message(chance))).encode()
    return retyped(body, chance) if chance.random() < 0.3 else body


def _usually(chance: random.Random, good: Any, *bad: Any) -> Any:
    """So that of a body's many fields seldom more than one is bad."""
    return good if chance.random() < 0.95 else chance.choice(bad)


def _hex(ids: tuple[bytes, ...], chance: random.Random) -> str:
    return str(_usually(chance, ids[0].hex(), *(each.hex() for each in ids), "x", "0x1", "G" * 16, " 1"))


def _time_us(chance: random.Random) -> int:
    return int(_usually(chance, T_US, *EXTREME_TIMES_US))


def _endpoint(chance: random.Random) -> dict[str, Any]:
    return {"serviceName": chance.choice(NAMES), "ipv4": _usually(chance, "10.0.0.1", "300.1.1.1", ""),
            "port": _usually(chance, 80, 0, -1, 1 << 40)}  # fmt: skip


def zipkin_v2(chance: random.Random) -> bytes:
    spans = [
        {
            "traceId": _hex(TRACE_IDS, chance), "id": _hex(SPAN_IDS, chance), "parentId": _hex(SPAN_IDS, chance),
            "kind": _usually(chance, chance.choice(("CLIENT", "SERVER", "PRODUCER", "CONSUMER")), "nonsense", None),
            "name": chance.choice(NAMES), "timestamp": _time_us(chance),
            "duration": _usually(chance, 1500, 0, INT64_MAX, -1), "shared": chance.random() < 0.5,
            "localEndpoint": _endpoint(chance), "remoteEndpoint": _endpoint(chance),
            "annotations": [{"timestamp": _time_us(chance), "value": chance.choice(TEXTS)}],
            "tags": {chance.choice(("a", "", "é", "error")): chance.choice(TEXTS)},
        }
        for _ in range(chance.choice((0, 1, 1, 3)))
    ]  # fmt: skip
    body = json.dumps(spans).encode()
    return retyped(body, chance) if chance.random() < 0.3 else body


def zipkin_v1(chance: random.Random) -> bytes:
    def annotation(value: str) -> dict[str, Any]:
        return {"timestamp": _time_us(chance), "value": value, "endpoint": _endpoint(chance)}

    spans = [
        {
            "traceId": _hex(TRACE_IDS, chance), "id": _hex(SPAN_IDS, chance), "name": chance.choice(NAMES),
            "timestamp": _time_us(chance), "duration": _usually(chance, 7, 0, INT64_MAX),
            "annotations": [annotation(value) for value in chance.choices(("cs", "cr", "sr", "ss", "other"), k=2)],
            "binaryAnnotations": [
                {"key": chance.choice(("a", "ca", "sa", "")), "endpoint": _endpoint(chance),
                 "value": chance.choice((True, "x", 7, 0.5, None))},
            ],
        }
        for _ in range(chance.choice((0, 1, 2)))
    ]  # fmt: skip
    body = json.dumps(spans).encode()
    return retyped(body, chance) if chance.random() < 0.3 else body


def zipkin_protobuf(chance: random.Random) -> bytes:
    request = ListOfSpans()
    for _ in range(chance.choice((0, 1, 3))):
        span = request.spans.add(
            trace_id=_usually(chance, *TRACE_IDS), id=_usually(chance, *SPAN_IDS),
            parent_id=_usually(chance, *SPAN_IDS), kind=chance.choice((0, 1, 2, 3, 4)), shared=True,
            name=chance.choice(NAMES),
            timestamp=_usually(chance, T_US, 0, 1, (1 << 64) - 1), duration=_usually(chance, 1500, 0, (1 << 64) - 1),
            local_endpoint={"service_name": "a", "ipv4": _usually(chance, b"\1\2\3\4", b"\1", b"")},
        )  # fmt: skip
        span.tags.add(key=chance.choice(("a", "")), value=chance.choice(TEXTS))
        span.annotations.add(timestamp=1, value=chance.choice(TEXTS))
    body: bytes = request.SerializeToString()
    return body


def _jaeger_batch(chance: random.Random) -> jaeger.Struct:
    spans = [
        jaeger.span(
            _usually(chance, (1, 2), (0, 7), (0, 0), (-1, INT64_MIN)), _usually(chance, 3, 0, -1),
            chance.choice((0, 4)), chance.choice(NAMES), flags=chance.choice((0, 1, 2, -1)),
            references=[jaeger.reference(chance.choice((0, 1, 9)), (1, 2), 4)] if chance.random() < 0.5 else None,
            start_us=_time_us(chance), duration_us=_usually(chance, 5, 0, -1, INT64_MAX),
            tags={"error": True, "span.kind": chance.choice(("server", "x")), "n": 7, "f": 0.5, "raw": b"\1\xff",
                  "w": chance.choice(TEXTS)},
            logs=[jaeger.log(_time_us(chance), {"event": "e", "n": 1})],
        )
        for _ in range(chance.choice((0, 1, 1, 3)))
    ]  # fmt: skip
    return jaeger.batch(spans, chance.choice(TEXTS), {"host": "h", "cores": 8})


def jaeger_binary(chance: random.Random) -> bytes:
    return binary(_jaeger_batch(chance))


def jaeger_compact(chance: random.Random) -> bytes:
    return compact(_jaeger_batch(chance))


# ── large ones ──


def deep_attribute(depth: int) -> bytes:
    """A span with an attribute that is a list in a list in a list …"""
    value = nested_list(depth)
    attribute = b"\x0a\x01k" + nested_field(2, value)
    span = b"\x0a\x10" + b"\1" * 16 + b"\x12\x08" + b"\2" * 8 + nested_field(9, attribute)
    return nested_field(1, nested_field(2, nested_field(2, span)))


def deep_json(depth: int) -> bytes:
    """The same in JSON."""
    value = '{"arrayValue":{"values":[' * depth + '{"stringValue":"x"}' + "]}}" * depth
    span = f'{{"traceId":"{"01" * 16}","spanId":"{"02" * 8}","attributes":[{{"key":"k","value":{value}}}]}}'
    return f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}'.encode()


def large_exports() -> list[bytes]:
    """One very long or broad thing each, beside a good span."""
    bodies = []
    for number in range(6):
        request = ExportTraceServiceRequest()
        scope = request.resource_spans.add().scope_spans.add()
        for span_id in (b"\1" * 8, b"\2" * 8):
            span = scope.spans.add(trace_id=b"\1" * 16, span_id=span_id, name="good", start_time_unix_nano=T_NS)
        if number == 0:
            span.name = "n" * LONG
        elif number == 1:
            span.attributes.add(key="long").value.string_value = "v" * LONG
        elif number == 2:
            span.attributes.add(key="n" * LONG).value.int_value = 1
        elif number == 3:
            for place in range(MANY):
                span.attributes.add(key=f"a{place}").value.int_value = place
        elif number == 4:
            for place in range(MANY):
                span.events.add(time_unix_nano=T_NS, name=f"e{place}")
        else:
            for _ in range(MANY):
                span.links.add(trace_id=b"\1" * 16, span_id=b"\1" * 8)
        bodies.append(request.SerializeToString())
    return bodies
