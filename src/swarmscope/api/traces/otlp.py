"""Whole spans as the messages of OTLP: https://github.com/open-telemetry/opentelemetry-proto (trace.proto)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from swarmscope.model.attributes import AttributeSets, ValueColumn, ValueKind, to_scalar
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import Resources, Scopes, SpanRows

_MAX_NS = (1 << 64) - 1
Item = TypeVar("Item")


def to_traces_data(rows: SpanRows, resources: Resources, scopes: Scopes) -> trace_pb2.TracesData:
    """Whole spans (`SpanColumns.whole`) by resource and scope, each span at the place of its start.

    `resources` and `scopes` are the reader's. Raises ValueError where the rows are not whole.
    """
    data = trace_pb2.TracesData()
    order = np.lexsort((rows.start_ns, rows.scope, rows.resource))
    spans = to_spans(rows)
    group: tuple[int, int] | None = None
    for row in order.tolist():
        resource, scope = int(rows.resource[row]), int(rows.scope[row])
        if group is None or group[0] != resource:
            of_resource = data.resource_spans.add()
            _fill_resource(of_resource, resources, resource)
            group = None
        if group is None or group[1] != scope:
            of_scope = of_resource.scope_spans.add()
            _fill_scope(of_scope, scopes, scope)
        group = (resource, scope)
        of_scope.spans.append(spans[row])
    return data


def to_spans(rows: SpanRows) -> list[trace_pb2.Span]:
    """The message of each row. Raises ValueError where the rows are not whole."""
    details = rows.details
    if details is None:
        raise ValueError("the rows are not whole spans")
    texts = [list(_texts(column)) for column in (rows.name, rows.status_message, details.trace_state)]
    attributes, events, links = key_values(details.attributes), _to_events(rows), _to_links(rows)
    end_ns = rows.start_ns + rows.duration_ns
    spans = []
    for row in range(len(rows)):
        span = trace_pb2.Span(
            trace_id=rows.trace_id[row].tobytes(),
            span_id=rows.span_id[row].tobytes(),
            trace_state=texts[2][row],
            flags=int(details.flags[row]),
            name=texts[0][row],
            kind=int(rows.kind[row]),  # type: ignore[arg-type]
            start_time_unix_nano=int(rows.start_ns[row]) & _MAX_NS,
            end_time_unix_nano=int(end_ns[row]) & _MAX_NS,
            attributes=attributes[row],
            dropped_attributes_count=int(details.dropped_attributes[row]),
            events=events[row],
            dropped_events_count=int(details.dropped_events[row]),
            links=links[row],
            dropped_links_count=int(details.dropped_links[row]),
            status=trace_pb2.Status(message=texts[1][row], code=int(rows.status[row])),  # type: ignore[arg-type]
        )
        if rows.parent_id[row].any():
            span.parent_span_id = rows.parent_id[row].tobytes()
        spans.append(span)
    return spans


def key_values(sets: AttributeSets) -> list[list[common_pb2.KeyValue]]:
    """The attributes of each set [n_sets]."""
    names = list(_texts(sets.names))
    pairs = [
        common_pb2.KeyValue(key=name, value=value) for name, value in zip(names, any_values(sets.values), strict=True)
    ]
    return _cut(pairs, sets.offsets)


def any_values(values: ValueColumn) -> list[common_pb2.AnyValue]:
    """The message of each value [n]."""
    return [any_value(kind, text) for kind, text in zip(values.kind.tolist(), _slices(values.text), strict=True)]


def any_value(kind: int, text: bytes) -> common_pb2.AnyValue:
    """The message of one value, by kind (`ValueKind`) and bytes."""
    match kind:
        case ValueKind.STRING:
            return common_pb2.AnyValue(string_value=text.decode("utf-8", "replace"))
        case ValueKind.BOOL:
            return common_pb2.AnyValue(bool_value=text != b"\0")
        case ValueKind.INT:
            return common_pb2.AnyValue(int_value=int.from_bytes(text, "little", signed=True))
        case ValueKind.DOUBLE:
            number = to_scalar(kind, text)
            return common_pb2.AnyValue(double_value=number if isinstance(number, float) else 0.0)
        case ValueKind.BYTES:
            return common_pb2.AnyValue(bytes_value=text)
        case ValueKind.ARRAY:
            return common_pb2.AnyValue(array_value=common_pb2.ArrayValue.FromString(text))
        case ValueKind.MAP:
            return common_pb2.AnyValue(kvlist_value=common_pb2.KeyValueList.FromString(text))
    return common_pb2.AnyValue()


def _fill_resource(message: trace_pb2.ResourceSpans, resources: Resources, number: int) -> None:
    one = np.array([number], np.int64)
    message.resource.CopyFrom(
        resource_pb2.Resource(
            attributes=key_values(resources.attributes.take(one))[0],
            dropped_attributes_count=int(resources.dropped_attributes[number]),
        )
    )
    message.schema_url = next(_texts(resources.schema_url.take(one)))


def _fill_scope(message: trace_pb2.ScopeSpans, scopes: Scopes, number: int) -> None:
    one = np.array([number], np.int64)
    message.scope.CopyFrom(
        common_pb2.InstrumentationScope(
            name=next(_texts(scopes.name.take(one))),
            version=next(_texts(scopes.version.take(one))),
            attributes=key_values(scopes.attributes.take(one))[0],
            dropped_attributes_count=int(scopes.dropped_attributes[number]),
        )
    )
    message.schema_url = next(_texts(scopes.schema_url.take(one)))


def _to_events(rows: SpanRows) -> list[list[trace_pb2.Span.Event]]:
    events = rows.events
    columns = (
        events.ts_ns.tolist(), _texts(events.name), key_values(events.attributes), events.dropped_attributes.tolist(),
    )  # fmt: skip
    messages = [
        trace_pb2.Span.Event(
            time_unix_nano=ts_ns & _MAX_NS, name=name, attributes=attributes, dropped_attributes_count=dropped
        )
        for ts_ns, name, attributes, dropped in zip(*columns, strict=True)
    ]
    return _cut(messages, events.offsets)


def _to_links(rows: SpanRows) -> list[list[trace_pb2.Span.Link]]:
    links = rows.links
    columns = (
        links.trace_id, links.span_id, _texts(links.trace_state), key_values(links.attributes),
        links.dropped_attributes.tolist(), links.flags.tolist(),
    )  # fmt: skip
    messages = [
        trace_pb2.Span.Link(
            trace_id=trace_id.tobytes(),
            span_id=span_id.tobytes(),
            trace_state=state,
            attributes=attributes,
            dropped_attributes_count=dropped,
            flags=flags,
        )
        for trace_id, span_id, state, attributes, dropped, flags in zip(*columns, strict=True)
    ]
    return _cut(messages, links.offsets)


def _cut(items: list[Item], offsets: NDArray[np.int64]) -> list[list[Item]]:
    """The items of each row."""
    bounds = offsets.tolist()
    return [items[begin:end] for begin, end in zip(bounds, bounds[1:], strict=False)]


def _slices(column: Utf8Column) -> Iterator[bytes]:
    data = column.buffer
    for start, length in zip(column.start.tolist(), column.length.tolist(), strict=True):
        yield data[start : start + length].tobytes()


def _texts(column: Utf8Column) -> Iterator[str]:
    for text in _slices(column):
        yield text.decode("utf-8", "replace")
