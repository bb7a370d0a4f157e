"""Requests of spans: generated ones, and what protobuf's own parser says that they hold."""

from __future__ import annotations

import base64
import math
from typing import Any

from google.protobuf import json_format
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from swarmscope.model.attributes import Scalar
from swarmscope.testing.plain_spans import NO_SPAN, PlainEvent, PlainLink, PlainScope, PlainSpan

LATEST_NS = (1 << 63) - 1
_IDS = ("traceId", "spanId", "parentSpanId")


class Pairs(list[tuple[str, Any]]):
    """Attributes in order, names repeated; a list of its own type, because a plain one is an array."""


def pairs_of(inner: Any) -> Any:
    return st.lists(st.tuples(names, inner), max_size=4).map(Pairs)


names = st.sampled_from(["", "a", "http.request.method", "http.request.Method", "x" * 40, "y" * 40]) | st.text()
times = st.integers(0, (1 << 64) - 1)
# JSON has one NaN, doubles have many.
floats = st.floats(allow_nan=False) | st.just(math.nan)
counts = st.sampled_from([0, 1, (1 << 32) - 1])
scalars = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | floats | st.text() | st.binary()
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | pairs_of(inner), max_leaves=6)
attributes = st.deferred(lambda: pairs_of(values))
span_ids = st.binary(min_size=8, max_size=8).filter(any)
trace_ids = st.binary(min_size=16, max_size=16).filter(any)


def set_attributes(target: Any, pairs: Pairs | dict[str, Any]) -> None:
    for name, value in pairs.items() if isinstance(pairs, dict) else pairs:
        set_value(target.add(key=name), value)


def set_value(pair: Any, value: Any) -> None:
    """Set `pair.value`; None leaves it out."""
    if value is not None:
        set_any(pair.value, value)


def set_any(target: Any, value: Any) -> None:
    if isinstance(value, Pairs | dict):
        target.kvlist_value.SetInParent()
        set_attributes(target.kvlist_value.values, value)
    elif isinstance(value, list):
        target.array_value.SetInParent()
        for item in value:
            element = target.array_value.values.add()
            if item is not None:
                set_any(element, item)
    else:
        kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value", bytes: "bytes_value"}
        setattr(target, kind[type(value)], value)


def _fill_span(draw: Any, span: Any) -> None:
    span.trace_id, span.span_id = draw(trace_ids), draw(span_ids)
    span.parent_span_id = draw(st.sampled_from([b"", NO_SPAN]) | span_ids)
    span.name, span.trace_state = draw(st.text()), draw(st.text())
    span.kind, span.flags = draw(st.integers(0, 5)), draw(counts)
    span.start_time_unix_nano, span.end_time_unix_nano = draw(times), draw(times)
    span.dropped_attributes_count, span.dropped_events_count = draw(counts), draw(counts)
    span.dropped_links_count = draw(counts)
    set_attributes(span.attributes, draw(attributes))
    if draw(st.booleans()):
        span.status.code, span.status.message = draw(st.integers(0, 2)), draw(st.text())
    for _ in range(draw(st.integers(0, 2))):
        event = span.events.add(time_unix_nano=draw(times), name=draw(st.text()), dropped_attributes_count=draw(counts))
        set_attributes(event.attributes, draw(attributes))
    for _ in range(draw(st.integers(0, 2))):
        link = span.links.add(
            trace_id=draw(trace_ids), span_id=draw(span_ids), trace_state=draw(st.text()), flags=draw(counts),
            dropped_attributes_count=draw(counts),
        )  # fmt: skip
        set_attributes(link.attributes, draw(attributes))


@st.composite
def requests(draw: Any) -> Any:
    """Requests with every field, and few spans."""
    request: Any = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        group = request.resource_spans.add(schema_url=draw(st.sampled_from(["", "https://e.org/1", "ü"])))
        set_attributes(group.resource.attributes, draw(attributes))
        group.resource.dropped_attributes_count = draw(counts)
        for _ in range(draw(st.integers(0, 2))):
            scope = group.scope_spans.add(schema_url=draw(st.sampled_from(["", "https://e.org/2"])))
            if draw(st.booleans()):
                scope.scope.name, scope.scope.version = draw(st.text()), draw(st.text())
                scope.scope.dropped_attributes_count = draw(counts)
                set_attributes(scope.scope.attributes, draw(attributes))
            for _ in range(draw(st.integers(0, 3))):
                _fill_span(draw, scope.spans.add())
    return request


def to_scalar(value: Any) -> Scalar:
    """An AnyValue as `AttributeSets.to_dicts` gives it."""
    member = value.WhichOneof("value")
    if member in ("array_value", "kvlist_value"):
        message: bytes = getattr(value, member).SerializeToString()
        return message
    found: Scalar = None if member is None else getattr(value, member)
    return found


def to_dict(pairs: Any) -> dict[str, Scalar]:
    """The last of each name, in the order of these."""
    found: dict[str, Scalar] = {}
    for pair in pairs:
        if pair.key:
            found.pop(pair.key, None)
            found[pair.key] = to_scalar(pair.value)
    return found


def to_plain(body: bytes) -> list[PlainSpan]:
    """What protobuf's own parser finds; for requests without spans that are refused."""
    request: Any = ExportTraceServiceRequest.FromString(body)
    return [
        _to_span(span, group, scope)
        for group in request.resource_spans for scope in group.scope_spans for span in scope.spans
    ]  # fmt: skip


def _to_span(span: Any, group: Any, inside: Any) -> PlainSpan:
    scope = inside.scope
    return PlainSpan(
        trace_id=span.trace_id, span_id=span.span_id, parent_id=span.parent_span_id or NO_SPAN, name=span.name,
        start_ns=min(span.start_time_unix_nano, LATEST_NS), end_ns=min(span.end_time_unix_nano, LATEST_NS),
        kind=span.kind, status=span.status.code, status_message=span.status.message,
        attributes=to_dict(span.attributes), resource=to_dict(group.resource.attributes),
        scope=PlainScope(
            scope.name, scope.version, to_dict(scope.attributes), inside.schema_url, scope.dropped_attributes_count
        ),
        events=tuple(
            PlainEvent(min(event.time_unix_nano, LATEST_NS), event.name, to_dict(event.attributes),
                       event.dropped_attributes_count)
            for event in span.events
        ),
        links=tuple(
            PlainLink(link.trace_id, link.span_id, link.trace_state, to_dict(link.attributes),
                      link.dropped_attributes_count, link.flags)
            for link in span.links
        ),
        trace_state=span.trace_state, flags=span.flags, dropped_attributes=span.dropped_attributes_count,
        dropped_events=span.dropped_events_count, dropped_links=span.dropped_links_count,
        resource_schema_url=group.schema_url, resource_dropped_attributes=group.resource.dropped_attributes_count,
    )  # fmt: skip


def to_texts(spans: list[PlainSpan]) -> list[str]:
    """Spans as texts that are equal where every field is: NaN too, and 1 is not true. Lists and tuples are one."""
    return [repr(span).replace("events=[", "events=(").replace("links=[", "links=(") for span in spans]


def to_json(request: Any) -> dict[str, Any]:
    """OTLP/JSON by protobuf's own writer, with ids in hex as OTLP wants them."""
    document: dict[str, Any] = json_format.MessageToDict(request, use_integers_for_enums=True)
    _to_hex(document)
    return document


def _to_hex(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _to_hex(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in _IDS and isinstance(value, str):
                node[key] = base64.b64decode(value).hex()
            else:
                _to_hex(value)
