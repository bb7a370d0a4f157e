"""OTLP's messages as JSON in protobuf's own mapping, as Tempo gives them: base64 for bytes, names for enumerations.

https://protobuf.dev/programming-guides/json/; fields that have their default value are left out.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

_KINDS = {number: name for name, number in trace_pb2.Span.SpanKind.items()}
_STATUSES = {number: name for name, number in trace_pb2.Status.StatusCode.items()}


def resource_spans_json(data: trace_pb2.TracesData) -> list[dict[str, Any]]:
    """All resources with their scopes and spans."""
    return [
        _set(
            {
                "resource": _resource(each.resource),
                "scopeSpans": [_scope_spans(scope_spans) for scope_spans in each.scope_spans],
            },
            schemaUrl=each.schema_url,
        )
        for each in data.resource_spans
    ]


def _resource(resource: resource_pb2.Resource) -> dict[str, Any]:
    return _set(
        {},
        attributes=attributes_json(resource.attributes),
        droppedAttributesCount=resource.dropped_attributes_count,
    )


def _scope_spans(scope_spans: trace_pb2.ScopeSpans) -> dict[str, Any]:
    scope = scope_spans.scope
    shown = _set(
        {},
        name=scope.name,
        version=scope.version,
        attributes=attributes_json(scope.attributes),
        droppedAttributesCount=scope.dropped_attributes_count,
    )
    return _set({"scope": shown, "spans": [span_json(span) for span in scope_spans.spans]},
                schemaUrl=scope_spans.schema_url)  # fmt: skip


def span_json(span: trace_pb2.Span) -> dict[str, Any]:
    """One span."""
    return _set(
        {"traceId": _base64(span.trace_id), "spanId": _base64(span.span_id)},
        traceState=span.trace_state,
        parentSpanId=_base64(span.parent_span_id),
        flags=span.flags,
        name=span.name,
        kind=_KINDS.get(span.kind, span.kind) if span.kind else None,
        startTimeUnixNano=_whole(span.start_time_unix_nano),
        endTimeUnixNano=_whole(span.end_time_unix_nano),
        attributes=attributes_json(span.attributes),
        droppedAttributesCount=span.dropped_attributes_count,
        events=[_event(event) for event in span.events],
        droppedEventsCount=span.dropped_events_count,
        links=[_link(link) for link in span.links],
        droppedLinksCount=span.dropped_links_count,
    ) | {"status": _status(span.status)}


def _status(status: trace_pb2.Status) -> dict[str, Any]:
    code = _STATUSES.get(status.code, status.code) if status.code else None
    return _set({}, message=status.message, code=code)


def _event(event: trace_pb2.Span.Event) -> dict[str, Any]:
    return _set(
        {},
        timeUnixNano=_whole(event.time_unix_nano),
        name=event.name,
        attributes=attributes_json(event.attributes),
        droppedAttributesCount=event.dropped_attributes_count,
    )


def _link(link: trace_pb2.Span.Link) -> dict[str, Any]:
    return _set(
        {"traceId": _base64(link.trace_id), "spanId": _base64(link.span_id)},
        traceState=link.trace_state,
        attributes=attributes_json(link.attributes),
        droppedAttributesCount=link.dropped_attributes_count,
        flags=link.flags,
    )


def attributes_json(attributes: Iterable[common_pb2.KeyValue]) -> list[dict[str, Any]]:
    """Attributes in their order."""
    return [{"key": each.key, "value": value_json(each.value)} for each in attributes]


def value_json(value: common_pb2.AnyValue) -> dict[str, Any]:
    """One value of any type; {} for none."""
    match value.WhichOneof("value"):
        case "string_value":
            return {"stringValue": value.string_value}
        case "bool_value":
            return {"boolValue": value.bool_value}
        case "int_value":
            return {"intValue": str(value.int_value)}
        case "double_value":
            return {"doubleValue": double_json(value.double_value)}
        case "array_value":
            return {"arrayValue": _set({}, values=[value_json(each) for each in value.array_value.values])}
        case "kvlist_value":
            return {"kvlistValue": _set({}, values=attributes_json(value.kvlist_value.values))}
        case "bytes_value":
            return {"bytesValue": _base64(value.bytes_value)}
    return {}


def double_json(value: float) -> float | str:
    """JSON has no word for what is no finite number; protobuf's mapping has."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _whole(number: int) -> str:
    """64-bit integers are texts in JSON."""
    return str(number) if number else ""


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode()


def _set(known: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """With the fields that are not their type's default."""
    known.update((name, value) for name, value in fields.items() if value)
    return known
