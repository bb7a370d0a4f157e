"""Whole spans as Python objects, for APIs whose answers are built span by span.

# Slow path: an answer holds some hundred traces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from swarmscope.api.traces.family import Oddity, to_family
from swarmscope.api.traces.value_text import value_text
from swarmscope.model.attributes import AttributeSets
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import Resources, Scopes, SpanDetails, SpanRows

SERVICE_NAME = "service.name"
Item = TypeVar("Item")


class Attribute(NamedTuple):
    """A name, and a value by kind (`ValueKind`) and bytes."""

    name: str
    kind: int
    text: bytes


class EventView(NamedTuple):
    """An event of a span."""

    ts_ns: int
    name: str
    attributes: list[Attribute]
    dropped_attributes: int


class LinkView(NamedTuple):
    """A link of a span."""

    trace_id: bytes
    span_id: bytes
    trace_state: str
    attributes: list[Attribute]
    dropped_attributes: int
    flags: int


@dataclass(frozen=True, slots=True)
class ScopeView:
    """An instrumentation scope."""

    name: str
    version: str
    schema_url: str
    attributes: list[Attribute]


@dataclass(frozen=True, slots=True)
class ResourceView:
    """What made a span: its service, "" for none, and all other attributes."""

    number: int
    service: str
    attributes: list[Attribute]


@dataclass(frozen=True, slots=True)
class SpanView:
    """One span with all that is known of it."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes  # zeros for a root
    name: str
    start_ns: int
    duration_ns: int
    kind: int
    status: int
    status_message: str
    trace_state: str
    flags: int
    dropped: tuple[int, int, int]  # attributes, events, links
    attributes: list[Attribute]
    events: list[EventView]
    links: list[LinkView]
    resource: ResourceView
    scope: ScopeView
    oddities: list[Oddity]


def to_traces(rows: SpanRows, resources: Resources, scopes: Scopes) -> list[list[SpanView]]:
    """The traces of whole spans, the newest first, each with its spans by start.

    `resources` and `scopes` are the reader's. Raises ValueError where the rows are not whole.
    """
    if not len(rows):
        return []
    views = _to_views(rows, resources, scopes)
    _, trace = np.unique(np.ascontiguousarray(rows.trace_id).view("V16").reshape(-1), return_inverse=True)
    order = np.lexsort((rows.start_ns, trace))
    borders = np.flatnonzero(np.diff(trace[order])) + 1
    traces = []
    for members in np.split(order, borders):
        family = to_family(_kin(rows, members))
        traces.append(
            [replace(views[row], oddities=oddities)
             for row, oddities in zip(members.tolist(), family.oddities, strict=True)]
        )  # fmt: skip
    return sorted(traces, key=lambda spans: (-spans[0].start_ns, spans[0].trace_id))


def _kin(rows: SpanRows, members: NDArray[np.int64]) -> SpanRows:
    """What `to_family` looks at of one trace's spans."""
    return replace(
        rows,
        start_ns=rows.start_ns[members],
        duration_ns=rows.duration_ns[members],
        span_id=rows.span_id[members],
        parent_id=rows.parent_id[members],
        kind=rows.kind[members],
    )


def _to_views(rows: SpanRows, resources: Resources, scopes: Scopes) -> list[SpanView]:
    details = rows.details
    if details is None:
        raise ValueError("the rows are not whole spans")
    known = {number: _resource(resources, number) for number in set(rows.resource.tolist())}
    known_scopes = {number: _scope(scopes, number) for number in set(rows.scope.tolist())}
    table: Iterable[tuple[Any, ...]] = zip(
        rows.resource.tolist(), rows.scope.tolist(), *_columns(rows, details), strict=True
    )
    return [SpanView(*(*columns, known[resource], known_scopes[scope], [])) for resource, scope, *columns in table]


def _columns(rows: SpanRows, details: SpanDetails) -> Iterator[Iterable[Any]]:
    """The columns of `SpanView`, but for resource, scope and oddities."""
    yield from (_ids(each) for each in (rows.trace_id, rows.span_id, rows.parent_id))
    yield texts(rows.name)
    yield from (each.tolist() for each in (rows.start_ns, rows.duration_ns, rows.kind, rows.status))
    yield from (texts(each) for each in (rows.status_message, details.trace_state))
    yield details.flags.tolist()
    dropped = (details.dropped_attributes, details.dropped_events, details.dropped_links)
    yield zip(*(each.tolist() for each in dropped), strict=True)
    yield iter(attribute_lists(details.attributes))
    yield iter(_events(rows))
    yield iter(_links(rows))


def _resource(resources: Resources, number: int) -> ResourceView:
    attributes = attribute_lists(resources.attributes.take(np.array([number])))[0]
    service = next((value_text(each.kind, each.text) for each in attributes if each.name == SERVICE_NAME), "")
    return ResourceView(number, service, [each for each in attributes if each.name != SERVICE_NAME])


def _scope(scopes: Scopes, number: int) -> ScopeView:
    one = np.array([number])
    name, version, url = (next(texts(each.take(one))) for each in (scopes.name, scopes.version, scopes.schema_url))
    return ScopeView(name, version, url, attribute_lists(scopes.attributes.take(one))[0])


def attribute_lists(sets: AttributeSets) -> list[list[Attribute]]:
    """The attributes of each set [n_sets]."""
    pairs = map(Attribute, texts(sets.names), sets.values.kind.tolist(), slices(sets.values.text))
    return _cut(list(pairs), sets.offsets)


def _events(rows: SpanRows) -> list[list[EventView]]:
    events = rows.events
    views = map(
        EventView, events.ts_ns.tolist(), texts(events.name), attribute_lists(events.attributes),
        events.dropped_attributes.tolist(),
    )  # fmt: skip
    return _cut(list(views), events.offsets)


def _links(rows: SpanRows) -> list[list[LinkView]]:
    links = rows.links
    views = map(
        LinkView, _ids(links.trace_id), _ids(links.span_id), texts(links.trace_state),
        attribute_lists(links.attributes), links.dropped_attributes.tolist(), links.flags.tolist(),
    )  # fmt: skip
    return _cut(list(views), links.offsets)


def _cut(items: list[Item], offsets: NDArray[np.int64]) -> list[list[Item]]:
    """The items of each row."""
    bounds = offsets.tolist()
    return [items[begin:end] for begin, end in zip(bounds, bounds[1:], strict=False)]


def _ids(ids: NDArray[np.uint8]) -> Iterator[bytes]:
    data, width = ids.tobytes(), ids.shape[1]
    return (data[at : at + width] for at in range(0, len(data), width))


def slices(column: Utf8Column) -> Iterator[bytes]:
    """The bytes of each value [n]."""
    data = np.ascontiguousarray(column.buffer).data
    for start, length in zip(column.start.tolist(), column.length.tolist(), strict=True):
        yield data[start : start + length].tobytes()


def texts(column: Utf8Column) -> Iterator[str]:
    """Each text [n]."""
    return (text.decode("utf-8", "replace") for text in slices(column))
