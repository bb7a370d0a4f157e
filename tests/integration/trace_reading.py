"""What was sent, read back over the three trace APIs: Tempo's whole, and what Jaeger's and Zipkin's must make of it.

Jaeger's and Zipkin's expected forms are made here, from the plain span, as OpenTelemetry's pages about its exporters to
both say (https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/), not with the program's own conversion.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import httpx
from google.protobuf import json_format
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from swarmscope.model.attributes import Scalar
from swarmscope.testing.plain_spans import NO_SPAN, PlainEvent, PlainLink, PlainScope, PlainSpan
from tests.integration.log_reading import wait_until
from tests.integration.processes import SwarmscopeServer

Json = dict[str, Any]
LONG_AGO_S = 1_600_000_000
_KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
_STATUSES = {1: "OK", 2: "ERROR"}
_ERROR_TAG = {"key": "error", "type": "bool", "value": True}
_REF_TYPE = "opentracing.ref_type"
# What Zipkin has fields of its own for: endpoints and marks.
_ZIPKIN_PEER = "peer.service"
_LOCAL, _REMOTE = ("net.host.ip", "net.host.port"), ("net.peer.ip", "net.peer.port")
_MARKS = ("shared", "debug")
# Connections are kept, for less long than the server keeps them.
CLIENT = httpx.Client(timeout=60, limits=httpx.Limits(keepalive_expiry=2))
_IDS = ("traceId", "spanId", "parentSpanId")


def get(server: SwarmscopeServer, path: str, tenant: str | None = None, **parameters: Any) -> httpx.Response:
    """An answer, of whatever status."""
    headers = {} if tenant is None else {"x-scope-orgid": tenant}
    return CLIENT.get(f"{server.address}{path}", params=parameters, headers=headers)


def get_json(server: SwarmscopeServer, path: str, tenant: str | None = None, **parameters: Any) -> Any:
    """What an answer holds; fails unless it is a success."""
    answer = get(server, path, tenant, **parameters)
    assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
    return answer.json()


def trace_ids(server: SwarmscopeServer, query: str = "{}", tenant: str | None = None) -> set[str]:
    """The traces, of any age, that TraceQL finds."""
    asked = {"q": query, "start": LONG_AGO_S, "end": int(time.time()) + 3600, "limit": 10_000}
    return {found["traceID"] for found in get_json(server, "/tempo/api/search", tenant, **asked)["traces"]}


def read_trace(server: SwarmscopeServer, trace_id: str, tenant: str | None = None) -> list[PlainSpan]:
    """A trace by its id, by start: from Tempo's protobuf; its JSON, Jaeger's two and Zipkin's must tell the same."""
    headers = {"accept": "application/protobuf"} | ({} if tenant is None else {"x-scope-orgid": tenant})
    answer = CLIENT.get(f"{server.address}/tempo/api/traces/{trace_id}", headers=headers)
    assert answer.status_code == 200, (answer.status_code, answer.text[:500])
    data = TracesData.FromString(answer.content)
    told = get_json(server, f"/tempo/api/v2/traces/{trace_id}", tenant)
    assert json_format.ParseDict(told["trace"], TracesData()) == data
    spans = sorted(to_plain(data), key=lambda span: (span.start_ns, span.span_id))
    third = get_json(server, f"/jaeger/api/v3/traces/{trace_id}", tenant)["result"]
    assert sorted(to_plain(_of_otlp_json(third)), key=lambda span: (span.start_ns, span.span_id)) == spans
    (jaeger,) = get_json(server, f"/jaeger/api/traces/{trace_id}", tenant)["data"]
    assert jaeger_forms(jaeger) == _by_id((span.span_id.hex(), jaeger_form(span)) for span in spans)
    zipkin = get_json(server, f"/zipkin/api/v2/trace/{trace_id}", tenant)
    assert _by_id((span["id"], span) for span in zipkin) == _by_id(
        (span.span_id.hex(), zipkin_form(span)) for span in spans
    )
    return spans


class Arrived:
    """The spans of the default tenant that were not there when this was made."""

    def __init__(self, server: SwarmscopeServer) -> None:
        self._server = server
        self._known = set(self._every())

    def _every(self) -> dict[tuple[bytes, bytes, int], PlainSpan]:
        found = (span for trace_id in sorted(trace_ids(self._server)) for span in read_trace(self._server, trace_id))
        return {(span.trace_id, span.span_id, span.start_ns): span for span in found}

    def spans(self, count: int) -> list[PlainSpan]:
        """The new spans, by trace and start, once there are as many; fails where there are more, or too few in time."""
        found: list[PlainSpan] = []

        def are_there() -> bool:
            found[:] = (span for key, span in self._every().items() if key not in self._known)
            return len(found) >= count

        wait_until(are_there, f"{count} spans")
        assert len(found) == count, found
        return found


def _by_id(pairs: Iterable[tuple[str, Json]]) -> list[tuple[str, Json]]:
    return sorted(pairs, key=lambda pair: (pair[0], json.dumps(pair[1], sort_keys=True)))


def _of_otlp_json(told: Json) -> TracesData:
    """OTLP's JSON has ids in hexadecimal digits, where protobuf's has base64."""
    for of_scope in (each for of_resource in told["resourceSpans"] for each in of_resource["scopeSpans"]):
        for message in (each for span in of_scope["spans"] for each in (span, *span.get("links", ()))):
            message |= {name: _base64(message[name]) for name in _IDS if name in message}
    return json_format.ParseDict(told, TracesData())


def _base64(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


def _digits(trace_id: bytes) -> str:
    """Ids of 64 bits are short in Jaeger and Zipkin."""
    return trace_id.hex() if any(trace_id[:8]) else trace_id[8:].hex()


def to_plain(data: TracesData) -> list[PlainSpan]:
    """The spans of OTLP's message."""
    return [
        _plain_span(span, scoped, of_resource)
        for of_resource in data.resource_spans
        for scoped in of_resource.scope_spans
        for span in scoped.spans
    ]


def _plain_span(span: Span, scoped: Any, of_resource: Any) -> PlainSpan:
    scope, resource = scoped.scope, of_resource.resource
    return PlainSpan(
        trace_id=span.trace_id, span_id=span.span_id, name=span.name, start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano, parent_id=span.parent_span_id or NO_SPAN, kind=span.kind,
        status=span.status.code, status_message=span.status.message, attributes=_attributes(span.attributes),
        resource=_attributes(resource.attributes),
        scope=PlainScope(scope.name, scope.version, _attributes(scope.attributes), scoped.schema_url,
                         scope.dropped_attributes_count),
        events=tuple(PlainEvent(each.time_unix_nano, each.name, _attributes(each.attributes),
                                each.dropped_attributes_count) for each in span.events),
        links=tuple(PlainLink(each.trace_id, each.span_id, each.trace_state, _attributes(each.attributes),
                              each.dropped_attributes_count, each.flags) for each in span.links),
        trace_state=span.trace_state, flags=span.flags, dropped_attributes=span.dropped_attributes_count,
        dropped_events=span.dropped_events_count, dropped_links=span.dropped_links_count,
        resource_schema_url=of_resource.schema_url, resource_dropped_attributes=resource.dropped_attributes_count,
    )  # fmt: skip


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Scalar]:
    return {pair.key: _scalar(pair.value) for pair in pairs}


def _scalar(value: AnyValue) -> Scalar:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    found = getattr(value, kind)
    scalar: Scalar = found.SerializeToString() if kind in ("array_value", "kvlist_value") else found
    return scalar


def _text(value: Scalar) -> str:
    """As tags spell it; of messages, the senders here send arrays of texts alone."""
    if isinstance(value, bytes):
        return json.dumps([each.string_value for each in ArrayValue.FromString(value).values], separators=(",", ":"))
    return value if isinstance(value, str) else json.dumps(value)


# Jaeger


def _jaeger_tags(values: Mapping[str, Scalar]) -> dict[str, tuple[str, Any]]:
    types = {bool: "bool", int: "int64", float: "float64"}
    return {
        name: (types[type(value)], value) if type(value) in types else ("string", _text(value))
        for name, value in values.items()
    }


def jaeger_form(span: PlainSpan) -> Json:
    """What Jaeger's API must tell of a span."""
    told: dict[str, Scalar] = {
        "otel.scope.name": span.scope.name, "otel.scope.version": span.scope.version,
        "otel.scope.schema_url": span.scope.schema_url, "span.kind": _KINDS.get(span.kind, ""),
        "otel.status_code": _STATUSES.get(span.status, ""), "otel.status_description": span.status_message,
        "w3c.tracestate": span.trace_state, "otel.dropped_events_count": span.dropped_events,
    }  # fmt: skip
    scope = {f"otel.scope.{name}": value for name, value in span.scope.attributes.items()}
    parent = [("CHILD_OF", _digits(span.trace_id), span.parent_id.hex())] if span.parent_id != NO_SPAN else []
    links = [
        (str(each.attributes.get(_REF_TYPE, "follows_from")).upper(), _digits(each.trace_id), each.span_id.hex())
        for each in span.links
    ]
    if span.links and _REF_TYPE in span.links[0].attributes and span.links[0].span_id == span.parent_id:
        parent = []  # the link tells it
    return {
        "trace": _digits(span.trace_id), "name": span.name, "start": span.start_ns // 1000,
        "duration": (span.end_ns - span.start_ns) // 1000, "flags": span.flags & 1,
        "references": parent + links, "service": span.resource.get("service.name", ""),
        "process": _jaeger_tags({name: value for name, value in span.resource.items() if name != "service.name"}),
        "tags": _jaeger_tags({name: value for name, value in told.items() if value} | scope | dict(span.attributes)),
        # Beside a tag of the sender's that tells what the error was; readers look for this one.
        "error": span.status == 2,
        "logs": [(each.ts_ns // 1000, _jaeger_tags(_event_fields(each))) for each in span.events],
    }  # fmt: skip


def _event_fields(event: PlainEvent) -> dict[str, Scalar]:
    named: dict[str, Scalar] = {} if event.attributes.get("message") == event.name else {"event": event.name}
    dropped = {"otel.dropped_attributes_count": event.dropped_attributes} if event.dropped_attributes else {}
    return {**named, **event.attributes, **dropped}


def jaeger_forms(trace: Json) -> list[tuple[str, Json]]:
    """The spans of one trace of Jaeger's API, by id, in the form of `jaeger_form`."""

    def tags(given: list[Json]) -> dict[str, tuple[str, Any]]:
        given = [each for each in given if each != _ERROR_TAG]
        assert len({each["key"] for each in given}) == len(given), given
        return {each["key"]: (each["type"], each["value"]) for each in given}

    found = []
    for span in trace["spans"]:
        process = trace["processes"][span["processID"]]
        form = {
            "trace": span["traceID"], "name": span["operationName"], "start": span["startTime"],
            "duration": span["duration"], "flags": span["flags"],
            "references": [(each["refType"], each["traceID"], each["spanID"]) for each in span["references"]],
            "service": process["serviceName"], "process": tags(process["tags"]), "tags": tags(span["tags"]),
            "logs": [(each["timestamp"], tags(each["fields"])) for each in span["logs"]],
            "error": _ERROR_TAG in span["tags"],
        }  # fmt: skip
        found.append((span["spanID"], form))
    return _by_id(found)


# Zipkin


def zipkin_form(span: PlainSpan) -> Json:
    """What Zipkin's API must tell of a span."""
    values = dict(span.attributes)
    found: Json = {
        "traceId": _digits(span.trace_id), "id": span.span_id.hex(), "name": span.name,
        "timestamp": span.start_ns // 1000,
    }  # fmt: skip
    if span.end_ns > span.start_ns:
        found["duration"] = max((span.end_ns - span.start_ns) // 1000, 1)
    if span.parent_id != NO_SPAN:
        found["parentId"] = span.parent_id.hex()
    if span.kind > 1:
        found["kind"] = _KINDS[span.kind].upper()
    local = {"serviceName": span.resource["service.name"]} | _taken(values, _LOCAL)
    remote = ({"serviceName": values.pop(_ZIPKIN_PEER)} if _ZIPKIN_PEER in values else {}) | _taken(values, _REMOTE)
    found |= {"localEndpoint": local} | ({"remoteEndpoint": remote} if remote else {})
    found |= {mark: values.pop(f"zipkin.{mark}") for mark in _MARKS if f"zipkin.{mark}" in values}
    if span.events:
        found["annotations"] = [{"timestamp": each.ts_ns // 1000, "value": _annotation(each)} for each in span.events]
    resource = {name: _text(value) for name, value in span.resource.items() if name != "service.name"}
    tags = resource | _zipkin_told(span, values) | {name: _text(value) for name, value in values.items()}
    return found | ({"tags": tags} if tags else {})


def _taken(values: dict[str, Scalar], names: tuple[str, str]) -> Json:
    return {field: values.pop(name) for field, name in zip(("ipv4", "port"), names, strict=True) if name in values}


def _annotation(event: PlainEvent) -> str:
    dropped = {"otel.dropped_attributes_count": event.dropped_attributes} if event.dropped_attributes else {}
    if not event.attributes and not dropped:
        return event.name
    return json.dumps({event.name: {**event.attributes, **dropped}}, ensure_ascii=False, separators=(",", ":"))


def _zipkin_told(span: PlainSpan, values: Mapping[str, Scalar]) -> dict[str, str]:
    """Tags for what is no attribute; the tag `error` tells the status alone where it came by Zipkin's protocol."""
    told = {
        "otel.scope.name": span.scope.name, "otel.scope.version": span.scope.version,
        "otel.scope.schema_url": span.scope.schema_url, "w3c.tracestate": span.trace_state,
        "span.kind": "internal" if span.kind == 1 else "",
        "otel.dropped_events_count": str(span.dropped_events or ""),
    }  # fmt: skip
    if span.status == 2 and "error" not in values:
        told |= {"otel.status_code": "ERROR", "error": span.status_message}
    links = {
        f"otlp.link.{number}": "|".join([
            _digits(each.trace_id), each.span_id.hex(), each.trace_state,
            json.dumps(each.attributes, separators=(",", ":")), str(each.dropped_attributes),
        ])
        for number, each in enumerate(span.links)
    }  # fmt: skip
    scope = {f"otel.scope.{name}": _text(value) for name, value in span.scope.attributes.items()}
    return {name: text for name, text in told.items() if text or name == "error"} | scope | links
