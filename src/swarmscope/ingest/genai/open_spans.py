"""Announcements of spans that have begun and not ended: lines whose event is `agent.span.open`, as spans.

Our SDK sends them. A line has the span's context; its attributes are the span's own so far, and `span.parent_id` (hex,
"" for a root), `span.name`, `span.kind` and `span.start_ns`.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.genai.read_only import read_only
from swarmscope.model.attributes import AttributeSets, ValueColumn, ValueKind
from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, LogBatch
from swarmscope.model.raw_memory import Int, address_of, load_u8
from swarmscope.model.spans import Events, Links, Resources, Scopes, SpanBatch, SpanKind

OPEN_SPAN_EVENT = "agent.span.open"
_EVENT_NAME = "event_name"
_PARENT, _NAME, _KIND, _START = "span.parent_id", "span.name", "span.kind", "span.start_ns"
_MAX_DIGITS = 19
_ZERO, _NINE = ord("0"), ord("9")
_HEX = np.full(256, 255, np.uint8)
for _digit, _letter in enumerate("0123456789abcdef"):
    _HEX[[ord(_letter), ord(_letter.upper())]] = _digit
_KINDS = {kind.name: int(kind) for kind in SpanKind}


def announced_lines(batch: LogBatch) -> NDArray[np.int64]:
    """Which lines [k] announce a span: those that also have its context."""
    names = as_attributes(batch.metadata).column(_EVENT_NAME)
    candidates = np.flatnonzero(names.text.length == len(OPEN_SPAN_EVENT))
    told = [row for row in candidates.tolist() if names.scalar(row) == OPEN_SPAN_EVENT]
    rows = np.array(told, np.int64)
    return rows[batch.trace_id[rows].any(axis=1) & batch.span_id[rows].any(axis=1)]


def to_span_batch(batch: LogBatch, rows: NDArray[np.int64], services: list[str]) -> SpanBatch:
    """The announced spans [k] of the lines `rows` [k], with their services [k]; their end is 0."""
    n = len(rows)
    attributes = as_attributes(batch.metadata.take(rows))
    parent, start = attributes.column(_PARENT).text, attributes.column(_START).text
    distinct = list(dict.fromkeys(services))
    where = {service: at for at, service in enumerate(distinct)}
    nothing, zeros = Utf8Column.from_strings([""]), np.zeros(n, np.uint32)
    blank = Utf8Column(nothing.buffer, np.zeros(n, np.int64), np.zeros(n, np.int64))
    no_urls = Utf8Column.from_strings([""] * len(distinct))
    sets = AttributeSets.from_dicts([{"service.name": service} if service else {} for service in distinct])
    return SpanBatch(
        resources=Resources(sets, no_urls, np.zeros(len(distinct), np.uint32)),
        scopes=Scopes(
            Utf8Column.from_strings(["swarmscope"]), nothing, AttributeSets.empty(1), nothing, np.zeros(1, np.uint32)
        ),
        resource=np.array([where[service] for service in services], np.int64),
        scope=np.zeros(n, np.int64),
        trace_id=batch.trace_id[rows],
        span_id=batch.span_id[rows],
        parent_id=_hex_ids(parent.buffer, parent.start, parent.length),
        start_ns=_integers(start.buffer, start.start, start.length),
        end_ns=np.zeros(n, np.int64),
        kind=_kinds(attributes.column(_KIND)),
        status=np.zeros(n, np.uint8),
        flags=zeros,
        dropped_attributes=zeros,
        dropped_events=zeros,
        dropped_links=zeros,
        name=attributes.column(_NAME).text,
        status_message=blank,
        trace_state=blank,
        attributes=attributes,
        events=Events.empty(n),
        links=Links.empty(n),
        keep=np.zeros(n, np.uint8),
        share=np.ones(n, np.float32),
        tenant=batch.tenant,
    )


def as_attributes(sets: LabelSets) -> AttributeSets:
    """Metadata of lines as attributes that are texts all; no copy."""
    kinds = np.full(len(sets.values), ValueKind.STRING, np.uint8)
    names, values = (
        Utf8Column(read_only(column.buffer), column.start, column.length) for column in (sets.names, sets.values)
    )
    return AttributeSets(sets.offsets, names, ValueColumn(kinds, values))


def _kinds(column: ValueColumn) -> NDArray[np.uint8]:
    """By their names; few lines are announcements, and these are six words."""
    named = [_KINDS.get(str(column.scalar(row)), int(SpanKind.UNSPECIFIED)) for row in range(len(column))]
    return np.array(named, np.uint8)


@njit(nogil=True, cache=True)
def _hex_ids(buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Ids [n, SPAN_ID_BYTES] out of hex digits; zeros where they are none."""
    base = address_of(buffer)
    ids = np.zeros((len(start), SPAN_ID_BYTES), np.uint8)
    for row in range(len(start)):
        if length[row] != 2 * SPAN_ID_BYTES:
            continue
        for place in range(SPAN_ID_BYTES):
            high = _HEX[load_u8(base, start[row] + 2 * place)]
            low = _HEX[load_u8(base, start[row] + 2 * place + 1)]
            if high > 15 or low > 15:
                ids[row] = 0
                break
            ids[row, place] = high * 16 + low
    return ids


@njit(nogil=True, cache=True)
def _integers(buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers [n] out of digits; 0 where they are none."""
    base = address_of(buffer)
    found = np.zeros(len(start), np.int64)
    for row in range(len(start)):
        if length[row] <= _MAX_DIGITS:
            found[row] = _integer(base, start[row], length[row])
    return found


@njit(nogil=True, cache=True)
def _integer(base: Int, start: Int, length: Int) -> Int:
    value = np.int64(0)
    for place in range(length):
        byte = np.int64(load_u8(base, start + place))
        if byte < _ZERO or byte > _NINE:
            return np.int64(0)
        value = value * 10 + (byte - _ZERO)
    return value
