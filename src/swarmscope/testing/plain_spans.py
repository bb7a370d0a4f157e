"""Spans as plain Python objects, to batches and back. # Slow path: tests alone"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.attributes import AttributeSets, Scalar
from swarmscope.model.labels import DEFAULT_TENANT, Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES
from swarmscope.model.spans import Events, Links, Resources, Scopes, SpanBatch, SpanRows

Attributes = Mapping[str, Scalar]
NO_SPAN = bytes(SPAN_ID_BYTES)


@dataclass(frozen=True, slots=True)
class PlainScope:
    """An instrumentation scope."""

    name: str = ""
    version: str = ""
    attributes: Attributes = field(default_factory=dict)
    schema_url: str = ""
    dropped_attributes: int = 0


@dataclass(frozen=True, slots=True)
class PlainEvent:
    """An event of a span."""

    ts_ns: int
    name: str
    attributes: Attributes = field(default_factory=dict)
    dropped_attributes: int = 0


@dataclass(frozen=True, slots=True)
class PlainLink:
    """A link of a span."""

    trace_id: bytes
    span_id: bytes
    trace_state: str = ""
    attributes: Attributes = field(default_factory=dict)
    dropped_attributes: int = 0
    flags: int = 0


@dataclass(frozen=True, slots=True)
class PlainSpan:
    """One span with all that is known of it."""

    trace_id: bytes
    span_id: bytes
    name: str = "work"
    start_ns: int = 0
    end_ns: int = 0
    parent_id: bytes = NO_SPAN
    kind: int = 1
    status: int = 0
    status_message: str = ""
    attributes: Attributes = field(default_factory=dict)
    resource: Attributes = field(default_factory=dict)
    scope: PlainScope = field(default_factory=PlainScope)
    events: Sequence[PlainEvent] = ()
    links: Sequence[PlainLink] = ()
    trace_state: str = ""
    flags: int = 0
    dropped_attributes: int = 0
    dropped_events: int = 0
    dropped_links: int = 0
    resource_schema_url: str = ""
    resource_dropped_attributes: int = 0
    keep: int = 0
    share: float = 1.0


def trace_id(number: int) -> bytes:
    """The id of a trace by number, 1 or above."""
    return number.to_bytes(TRACE_ID_BYTES, "big")


def span_id(number: int) -> bytes:
    """The id of a span by number, 1 or above."""
    return number.to_bytes(SPAN_ID_BYTES, "big")


def to_batch(spans: Sequence[PlainSpan], tenant: str = DEFAULT_TENANT) -> SpanBatch:
    """One batch of the spans, in that order; equal resources and scopes are shared."""
    resources, resource = _shared((span.resource, span.resource_schema_url, span.resource_dropped_attributes)
                                  for span in spans)  # fmt: skip
    scopes, scope = _shared(span.scope for span in spans)
    return SpanBatch(
        resources=_to_resources(resources),
        scopes=_to_scopes(scopes),
        resource=resource,
        scope=scope,
        trace_id=ids_of([span.trace_id for span in spans], TRACE_ID_BYTES),
        span_id=ids_of([span.span_id for span in spans], SPAN_ID_BYTES),
        parent_id=ids_of([span.parent_id for span in spans], SPAN_ID_BYTES),
        start_ns=np.array([span.start_ns for span in spans], np.int64),
        end_ns=np.array([span.end_ns for span in spans], np.int64),
        kind=np.array([span.kind for span in spans], np.uint8),
        status=np.array([span.status for span in spans], np.uint8),
        flags=np.array([span.flags for span in spans], np.uint32),
        dropped_attributes=np.array([span.dropped_attributes for span in spans], np.uint32),
        dropped_events=np.array([span.dropped_events for span in spans], np.uint32),
        dropped_links=np.array([span.dropped_links for span in spans], np.uint32),
        name=Utf8Column.from_strings([span.name for span in spans]),
        status_message=Utf8Column.from_strings([span.status_message for span in spans]),
        trace_state=Utf8Column.from_strings([span.trace_state for span in spans]),
        attributes=AttributeSets.from_dicts([span.attributes for span in spans]),
        events=_to_events([span.events for span in spans]),
        links=_to_links([span.links for span in spans]),
        keep=np.array([span.keep for span in spans], np.uint8),
        share=np.array([span.share for span in spans], np.float32),
        tenant=tenant,
    )


def ids_of(ids: Sequence[bytes], width: int) -> NDArray[np.uint8]:
    """Ids as rows [n, width]."""
    return np.frombuffer(b"".join(ids), np.uint8).reshape(len(ids), width).copy()


def _shared(things: Iterable[object]) -> tuple[list[object], NDArray[np.int64]]:
    """The distinct things, in order of appearance, and which one each is."""
    distinct: list[object] = []
    positions = []
    for thing in things:
        if thing not in distinct:
            distinct.append(thing)
        positions.append(distinct.index(thing))
    return distinct, np.array(positions, np.int64)


def _to_resources(things: Sequence[object]) -> Resources:
    known = [thing for thing in things if isinstance(thing, tuple)]
    return Resources(
        AttributeSets.from_dicts([attributes for attributes, _, _ in known]),
        Utf8Column.from_strings([url for _, url, _ in known]),
        np.array([dropped for _, _, dropped in known], np.uint32),
    )


def _to_scopes(things: Sequence[object]) -> Scopes:
    scopes = [thing for thing in things if isinstance(thing, PlainScope)]
    return Scopes(
        Utf8Column.from_strings([scope.name for scope in scopes]),
        Utf8Column.from_strings([scope.version for scope in scopes]),
        AttributeSets.from_dicts([scope.attributes for scope in scopes]),
        Utf8Column.from_strings([scope.schema_url for scope in scopes]),
        np.array([scope.dropped_attributes for scope in scopes], np.uint32),
    )


def _offsets(lists: Sequence[Sequence[object]]) -> NDArray[np.int64]:
    return np.cumsum([0, *map(len, lists)], dtype=np.int64)


def _to_events(lists: Sequence[Sequence[PlainEvent]]) -> Events:
    events = [event for one in lists for event in one]
    return Events(
        _offsets(lists),
        np.array([event.ts_ns for event in events], np.int64),
        Utf8Column.from_strings([event.name for event in events]),
        AttributeSets.from_dicts([event.attributes for event in events]),
        np.array([event.dropped_attributes for event in events], np.uint32),
    )


def _to_links(lists: Sequence[Sequence[PlainLink]]) -> Links:
    links = [link for one in lists for link in one]
    return Links(
        _offsets(lists),
        ids_of([link.trace_id for link in links], TRACE_ID_BYTES),
        ids_of([link.span_id for link in links], SPAN_ID_BYTES),
        Utf8Column.from_strings([link.trace_state for link in links]),
        AttributeSets.from_dicts([link.attributes for link in links]),
        np.array([link.dropped_attributes for link in links], np.uint32),
        np.array([link.flags for link in links], np.uint32),
    )


def from_batch(batch: SpanBatch) -> list[PlainSpan]:
    """The spans of a batch, in its order."""
    resources, scopes = _resources(batch.resources), _scopes(batch.scopes)
    sets, events, links = batch.attributes.to_dicts(), _events(batch.events), _links(batch.links)
    texts = [column.to_strings() for column in (batch.name, batch.status_message, batch.trace_state)]
    return [
        PlainSpan(
            batch.trace_id[i].tobytes(), batch.span_id[i].tobytes(), texts[0][i],
            int(batch.start_ns[i]), int(batch.end_ns[i]), batch.parent_id[i].tobytes(), int(batch.kind[i]),
            int(batch.status[i]), texts[1][i], sets[i], resources[int(batch.resource[i])][0],
            scopes[int(batch.scope[i])], events[i], links[i], texts[2][i], int(batch.flags[i]),
            int(batch.dropped_attributes[i]), int(batch.dropped_events[i]), int(batch.dropped_links[i]),
            *resources[int(batch.resource[i])][1:], int(batch.keep[i]), float(batch.share[i]),
        )
        for i in range(len(batch))
    ]  # fmt: skip


def from_rows(rows: SpanRows, resources: Resources, scopes: Scopes) -> list[PlainSpan]:
    """Whole spans (`SpanColumns.whole`) as a reader gave them; shares are not known any more.

    `resources` and `scopes` are the reader's.
    """
    details = rows.details
    if details is None:
        raise ValueError("the rows are not whole spans")
    known, known_scopes = _resources(resources), _scopes(scopes)
    sets, events, links = details.attributes.to_dicts(), _events(rows.events), _links(rows.links)
    texts = [column.to_strings() for column in (rows.name, rows.status_message, details.trace_state)]
    return [
        PlainSpan(
            rows.trace_id[i].tobytes(), rows.span_id[i].tobytes(), texts[0][i], int(rows.start_ns[i]),
            int(rows.start_ns[i] + rows.duration_ns[i]), rows.parent_id[i].tobytes(), int(rows.kind[i]),
            int(rows.status[i]), texts[1][i], sets[i], known[int(rows.resource[i])][0],
            known_scopes[int(rows.scope[i])], events[i], links[i], texts[2][i], int(details.flags[i]),
            int(details.dropped_attributes[i]), int(details.dropped_events[i]), int(details.dropped_links[i]),
            *known[int(rows.resource[i])][1:], int(details.keep[i]),
        )
        for i in range(len(rows))
    ]  # fmt: skip


def _resources(resources: Resources) -> list[tuple[dict[str, Scalar], str, int]]:
    columns = (
        resources.attributes.to_dicts(),
        resources.schema_url.to_strings(),
        resources.dropped_attributes.tolist(),
    )
    return list(zip(*columns, strict=True))


def _scopes(scopes: Scopes) -> list[PlainScope]:
    columns = (
        scopes.name.to_strings(), scopes.version.to_strings(), scopes.attributes.to_dicts(),
        scopes.schema_url.to_strings(), scopes.dropped_attributes.tolist(),
    )  # fmt: skip
    return [PlainScope(*scope) for scope in zip(*columns, strict=True)]


def _events(events: Events) -> list[tuple[PlainEvent, ...]]:
    columns = (events.ts_ns.tolist(), events.name.to_strings(), events.attributes.to_dicts(),
               events.dropped_attributes.tolist())  # fmt: skip
    every = [PlainEvent(*event) for event in zip(*columns, strict=True)]
    bounds = events.offsets.tolist()
    return [tuple(every[a:b]) for a, b in zip(bounds, bounds[1:], strict=False)]


def _links(links: Links) -> list[tuple[PlainLink, ...]]:
    columns = (
        [row.tobytes() for row in links.trace_id], [row.tobytes() for row in links.span_id],
        links.trace_state.to_strings(), links.attributes.to_dicts(), links.dropped_attributes.tolist(),
        links.flags.tolist(),
    )  # fmt: skip
    every = [PlainLink(*link) for link in zip(*columns, strict=True)]
    bounds = links.offsets.tolist()
    return [tuple(every[a:b]) for a, b in zip(bounds, bounds[1:], strict=False)]
