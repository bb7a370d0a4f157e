"""Whole traces as Jaeger's JSON.

Shape: https://github.com/jaegertracing/jaeger/blob/main/internal/uimodel/model.go. What is where: `jaeger_conventions`.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence
from typing import Any

from swarmscope.api.traces.span_views import Attribute, EventView, LinkView, ResourceView, SpanView
from swarmscope.api.traces.trace_ids import trace_id_text
from swarmscope.api.traces.value_text import value_text
from swarmscope.model.attributes import ValueKind, to_scalar
from swarmscope.model.jaeger_conventions import (
    CHILD_OF,
    DROPPED_ATTRIBUTES,
    DROPPED_EVENTS,
    DROPPED_LINKS,
    ERROR,
    EVENT_MESSAGE,
    EVENT_NAME,
    FLAGS,
    REF_TYPE,
    SAMPLED,
    SCOPE_NAME,
    SCOPE_VERSION,
    SPAN_KIND,
    SPAN_KINDS,
    STATUS_CODE,
    STATUS_DESCRIPTION,
    TRACE_STATE,
)
from swarmscope.model.spans import SpanStatus

_NS_PER_US = 1_000
# JavaScript reads greater numbers wrong, so Jaeger sends them as texts.
_MAX_SAFE_INTEGER = (1 << 53) - 1
_KIND_TEXTS = {int(kind): text for text, kind in SPAN_KINDS.items()}
_STATUS_TEXTS = {int(SpanStatus.OK): "OK", int(SpanStatus.ERROR): "ERROR"}
_SCOPE_SCHEMA_URL = "otel.scope.schema_url"
_SCOPE_PREFIX = "otel.scope."
Json = dict[str, Any]


def trace_json(spans: Sequence[SpanView]) -> Json:
    """One trace; each resource is a process, p1 and so on in order of appearance."""
    processes: dict[int, str] = {}
    for span in spans:
        processes.setdefault(span.resource.number, f"p{len(processes) + 1}")
    resources = {span.resource.number: span.resource for span in spans}
    return {
        "traceID": trace_id_text(spans[0].trace_id),
        "spans": [_span_json(span, processes[span.resource.number]) for span in spans],
        "processes": {name: _process_json(resources[number]) for number, name in processes.items()},
        "warnings": None,
    }


def _process_json(resource: ResourceView) -> Json:
    return {"serviceName": resource.service, "tags": [_tag(each) for each in resource.attributes]}


def _span_json(span: SpanView, process: str) -> Json:
    return {
        "traceID": trace_id_text(span.trace_id),
        "spanID": span.span_id.hex(),
        "flags": _flags(span),
        "operationName": span.name,
        "references": list(_references(span)),
        "startTime": span.start_ns // _NS_PER_US,
        # The shape has no room for a span that ends before it begins: the warning tells.
        "duration": max(span.duration_ns, 0) // _NS_PER_US,
        "tags": list(_tags(span)),
        "logs": [_log_json(event) for event in span.events],
        "processID": process,
        "warnings": [oddity.value for oddity in span.oddities] or None,
    }


def _flags(span: SpanView) -> int:
    whole = next((to_scalar(*each[1:]) for each in span.attributes if each.name == FLAGS), None)
    return whole if isinstance(whole, int) else span.flags & SAMPLED


def _references(span: SpanView) -> Iterator[Json]:
    links = [(link, _ref_type(link)) for link in span.links]
    typed = {(link.trace_id, link.span_id) for link, kind in links if kind}
    if span.parent_id.strip(b"\0") and (span.trace_id, span.parent_id) not in typed:
        yield _reference(CHILD_OF, span.trace_id, span.parent_id)
    for link, kind in links:
        yield _reference(kind or "follows_from", link.trace_id, link.span_id)


def _ref_type(link: LinkView) -> str:
    return next((value_text(*each[1:]) for each in link.attributes if each.name == REF_TYPE), "")


def _reference(kind: str, trace_id: bytes, span_id: bytes) -> Json:
    return {"refType": kind.upper(), "traceID": trace_id_text(trace_id), "spanID": span_id.hex()}


def _tags(span: SpanView) -> Iterator[Json]:
    scope = span.scope
    yield from _given_texts(
        (SCOPE_NAME, scope.name), (SCOPE_VERSION, scope.version), (_SCOPE_SCHEMA_URL, scope.schema_url)
    )
    for each in scope.attributes:
        yield _tag(each._replace(name=_SCOPE_PREFIX + each.name))
    if span.status == SpanStatus.ERROR and not any(_says_error(each) for each in span.attributes):
        yield {"key": ERROR, "type": "bool", "value": True}
    yield from (_tag(each) for each in span.attributes if each.name != FLAGS)
    yield from _given_texts(
        (SPAN_KIND, _KIND_TEXTS.get(span.kind, "")),
        (STATUS_CODE, _STATUS_TEXTS.get(span.status, "")),
        (STATUS_DESCRIPTION, span.status_message),
        (TRACE_STATE, span.trace_state),
    )
    for name, count in zip((DROPPED_ATTRIBUTES, DROPPED_EVENTS, DROPPED_LINKS), span.dropped, strict=True):
        if count:
            yield _count(name, count)


def _says_error(attribute: Attribute) -> bool:
    """Whether readers of Jaeger's tags take it for an error: of another text than "true" they do not."""
    return attribute.name == ERROR and value_text(attribute.kind, attribute.text) == "true"


def _log_json(event: EventView) -> Json:
    fields = [_tag(each) for each in event.attributes]
    told = any(each["key"] == EVENT_MESSAGE and each["value"] == event.name for each in fields)
    if event.name and not told:
        fields.insert(0, {"key": EVENT_NAME, "type": "string", "value": event.name})
    if event.dropped_attributes:
        fields.append(_count(DROPPED_ATTRIBUTES, event.dropped_attributes))
    return {"timestamp": event.ts_ns // _NS_PER_US, "fields": fields}


def _given_texts(*pairs: tuple[str, str]) -> Iterator[Json]:
    return ({"key": name, "type": "string", "value": text} for name, text in pairs if text)


def _count(name: str, count: int) -> Json:
    return {"key": name, "type": "int64", "value": count}


def _tag(attribute: Attribute) -> Json:
    name, kind, text = attribute
    match kind:
        case ValueKind.BOOL | ValueKind.INT | ValueKind.DOUBLE:
            return {"key": name, **_number(to_scalar(kind, text))}
        case ValueKind.BYTES:
            return {"key": name, "type": "binary", "value": base64.b64encode(text).decode()}
    return {"key": name, "type": "string", "value": value_text(kind, text)}


def _number(value: object) -> Json:
    if isinstance(value, bool):
        return {"type": "bool", "value": value}
    if isinstance(value, int):
        return {"type": "int64", "value": value if abs(value) <= _MAX_SAFE_INTEGER else str(value)}
    finite = isinstance(value, float) and math.isfinite(value)
    return {"type": "float64", "value": value if finite else str(value)}
