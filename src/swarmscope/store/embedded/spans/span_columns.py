"""Spans in columns as the store holds them: what commits make of batches, what the journal keeps, what parts are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.attributes import ValueColumn
from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import LENGTH_BYTES, SPAN_ID_BYTES, TRACE_ID_BYTES
from swarmscope.model.raw_memory import Int, address_of, copy_bytes, load_u32, put_u8
from swarmscope.model.spans import SpanBatch
from swarmscope.schema.span_tables import N_SLOTS
from swarmscope.store.embedded.spans.packing import Sets, Texts, as_sets, as_texts, pack_events, pack_links


class Spans(NamedTuple):
    """Rows in order of arrival. Row i's texts stand one behind the other in `text` from `text_start` on, in the order
    of their lengths: the name, the status message, the trace state, the values of its shape's slots (each behind its
    length), the events and the links (see `packing`).
    """

    shape: NDArray[np.uint32]  # [n]
    resource: NDArray[np.uint32]  # [n]
    scope: NDArray[np.uint32]  # [n]
    ts_ns: NDArray[np.int64]  # [n] start
    duration_ns: NDArray[np.int64]  # [n]
    kind: NDArray[np.uint8]  # [n]
    status: NDArray[np.uint8]  # [n]
    keep: NDArray[np.uint8]  # [n]
    share: NDArray[np.float32]  # [n]
    trace_id: NDArray[np.uint8]  # [n, TRACE_ID_BYTES]
    span_id: NDArray[np.uint8]  # [n, SPAN_ID_BYTES]
    parent_id: NDArray[np.uint8]  # [n, SPAN_ID_BYTES]
    flags: NDArray[np.uint32]  # [n]
    dropped_attributes: NDArray[np.uint32]  # [n]
    dropped_events: NDArray[np.uint32]  # [n]
    dropped_links: NDArray[np.uint32]  # [n]
    name_length: NDArray[np.uint32]  # [n]
    message_length: NDArray[np.uint32]  # [n]
    state_length: NDArray[np.uint32]  # [n]
    values_length: NDArray[np.uint32]  # [n]
    events_length: NDArray[np.uint32]  # [n]
    links_length: NDArray[np.uint32]  # [n]
    text_start: NDArray[np.int64]  # [n]
    text: NDArray[np.uint8]  # [n_bytes]


ROW_COLUMNS = Spans._fields[:-1]
LENGTH_COLUMNS = tuple(name for name in ROW_COLUMNS if name.endswith("_length"))
_WIDE = {"trace_id": TRACE_ID_BYTES, "span_id": SPAN_ID_BYTES, "parent_id": SPAN_ID_BYTES}
_DTYPES: dict[str, type[np.generic]] = {
    "ts_ns": np.int64, "duration_ns": np.int64, "text_start": np.int64, "share": np.float32,
    **dict.fromkeys(("kind", "status", "keep", *_WIDE), np.uint8),
}  # fmt: skip


def column_width(name: str) -> int:
    """How many bytes wide an id is, 0 for a column of numbers."""
    return _WIDE.get(name, 0)


def empty_spans(n_rows: int, n_bytes: int) -> Spans:
    """Room for so many rows; memory that is never written to costs nothing."""
    columns = {
        name: np.empty((n_rows, _WIDE[name]) if name in _WIDE else n_rows, _DTYPES.get(name, np.uint32))
        for name in ROW_COLUMNS
    }
    return Spans(**columns, text=np.empty(n_bytes, np.uint8))


def rows_of(spans: Spans, which: slice | NDArray[np.bool_] | NDArray[np.int64]) -> Spans:
    """Some of the rows; the text stays whole."""
    return spans._replace(**{name: getattr(spans, name)[which] for name in ROW_COLUMNS})


def row_lengths(spans: Spans) -> NDArray[np.int64]:
    """Bytes [n] of each row's texts together."""
    total = np.zeros(len(spans.ts_ns), np.int64)
    for name in LENGTH_COLUMNS:
        total += getattr(spans, name)
    return total


def compacted(spans: Spans) -> Spans:
    """The rows with a text of their own, one row's behind the other's."""
    length = row_lengths(spans)
    text, start = _gathered(spans.text, np.ascontiguousarray(spans.text_start), length)
    return spans._replace(text=text, text_start=start)


@njit(nogil=True, cache=True)
def _gathered(
    text: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    gathered, starts = np.empty(length.sum(), np.uint8), np.empty(len(start), np.int64)
    at = np.int64(0)
    for row in range(len(start)):
        copy_bytes(address_of(gathered) + at, address_of(text) + start[row], length[row])
        starts[row] = at
        at += length[row]
    return gathered, starts


def compacted_texts(column: Utf8Column) -> Utf8Column:
    """The strings in a buffer of their own, one behind the other, so that the old buffer can go."""
    length = np.ascontiguousarray(column.length)
    buffer, start = _gathered(np.ascontiguousarray(column.buffer), np.ascontiguousarray(column.start), length)
    return Utf8Column(buffer, start, length)


def text_column(spans: Spans, name: str, rows: NDArray[np.int64]) -> Utf8Column:
    """One of the texts (`name` as of its length: `name`, `message`, `state`, `values`, `events`, `links`) of `rows`."""
    start = spans.text_start[rows]
    for column in LENGTH_COLUMNS:
        length = getattr(spans, column)[rows].astype(np.int64)
        if column == f"{name}_length":
            return Utf8Column(spans.text, start, length)
        start = start + length
    raise KeyError(name)


class Numbers(NamedTuple):
    """What a batch's rows refer to, by the store's numbers: shapes [n_spans], the pairs of their slots [n_pairs] (see
    `AttributeShapes.intern`), resources and scopes by their position in the batch.
    """

    shapes: NDArray[np.int64]
    entries: NDArray[np.int64]
    resources: NDArray[np.int64]
    scopes: NDArray[np.int64]


class _Source(NamedTuple):
    """What of a `SpanBatch` is copied into texts; `row` says which of its rows, in order."""

    row: NDArray[np.int64]
    name: Texts
    message: Texts
    state: Texts
    sets: Sets
    entries: NDArray[np.int64]
    events: Texts  # by position in `row`
    links: Texts  # by position in `row`


def packed_spans(batch: SpanBatch, numbers: Numbers, rows: NDArray[np.int64]) -> Spans:
    """The batch's `rows` [n] as the store holds them, with a text of their own."""
    source = _Source(
        rows, as_texts(batch.name), as_texts(batch.status_message), as_texts(batch.trace_state),
        as_sets(batch.attributes), numbers.entries, pack_events(batch.events, batch.start_ns, rows),
        pack_links(batch.links, rows),
    )  # fmt: skip
    spans = empty_spans(len(rows), int(_count_bytes(source)))
    _copy_texts(source, spans)
    spans.shape[:] = numbers.shapes[rows]
    spans.resource[:] = numbers.resources[batch.resource[rows]]
    spans.scope[:] = numbers.scopes[batch.scope[rows]]
    spans.ts_ns[:] = batch.start_ns[rows]
    # Wraps round where the two are further apart than a number can tell; the end comes out right all the same.
    spans.duration_ns[:] = (batch.end_ns[rows].view(np.uint64) - spans.ts_ns.view(np.uint64)).view(np.int64)
    for name in (
        "kind", "status", "keep", "share", "trace_id", "span_id", "parent_id", "flags", "dropped_attributes",
        "dropped_events", "dropped_links",
    ):  # fmt: skip
        getattr(spans, name)[:] = getattr(batch, name)[rows]
    return spans


@njit(nogil=True, cache=True)
def _count_bytes(source: _Source) -> int:
    total = np.int64(0)
    for index in range(len(source.row)):
        row = source.row[index]
        total += source.name.length[row] + source.message.length[row] + source.state.length[row]
        total += source.events.length[index] + source.links.length[index]
        for pair in range(source.sets.offsets[row], source.sets.offsets[row + 1]):
            total += LENGTH_BYTES + source.sets.value_length[pair]
    return int(total)


@njit(nogil=True, cache=True, inline="always")
def _append(target: Int, at: Int, texts: Texts, row: Int) -> Int:
    copy_bytes(target + at, address_of(texts.buffer) + texts.start[row], texts.length[row])
    return at + texts.length[row]


@njit(nogil=True, cache=True)
def _copy_texts(source: _Source, spans: Spans) -> None:
    target, values = address_of(spans.text), address_of(source.sets.values)
    at = np.int64(0)
    for index in range(len(source.row)):
        row = source.row[index]
        spans.text_start[index] = at
        spans.name_length[index] = source.name.length[row]
        spans.message_length[index] = source.message.length[row]
        spans.state_length[index] = source.state.length[row]
        at = _append(target, at, source.name, row)
        at = _append(target, at, source.message, row)
        at = _append(target, at, source.state, row)
        begin, first = at, source.sets.offsets[row]
        for slot in range(source.sets.offsets[row + 1] - first):
            pair = first + source.entries[first + slot]
            size = source.sets.value_length[pair]
            for k in range(LENGTH_BYTES):
                put_u8(target, at + k, size >> (8 * k))
            copy_bytes(target + at + LENGTH_BYTES, values + source.sets.value_start[pair], size)
            at += LENGTH_BYTES + size
        spans.values_length[index] = at - begin
        spans.events_length[index] = source.events.length[index]
        spans.links_length[index] = source.links.length[index]
        at = _append(target, at, source.events, index)
        at = _append(target, at, source.links, index)


class Slots(NamedTuple):
    """Where the values of rows [n] lie in their text: slot s of row i at `start[s, i]`, what is beyond in `rest`."""

    start: NDArray[np.int64]  # [N_SLOTS, n]
    length: NDArray[np.int64]  # [N_SLOTS, n]
    rest_start: NDArray[np.int64]  # [n] packed as in `Spans`
    rest_length: NDArray[np.int64]  # [n]


def split_values(values: Utf8Column) -> Slots:
    """Packed values [n], one column a slot."""
    n = len(values)
    slots = Slots(
        np.zeros((N_SLOTS, n), np.int64), np.zeros((N_SLOTS, n), np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    )
    _split(as_texts(values), slots)
    return slots


@njit(nogil=True, cache=True)
def _split(values: Texts, slots: Slots) -> None:
    base = address_of(values.buffer)
    for row in range(len(values.start)):
        at, end = values.start[row], values.start[row] + values.length[row]
        slot = 0
        while at < end and slot < N_SLOTS:
            size = np.int64(load_u32(base, at))
            slots.start[slot, row], slots.length[slot, row] = at + LENGTH_BYTES, size
            at += LENGTH_BYTES + size
            slot += 1
        slots.rest_start[row], slots.rest_length[row] = at, end - at


def value_at(values: Utf8Column, slot: NDArray[np.int64], kind: NDArray[np.uint8]) -> ValueColumn:
    """The value [n] in slot `slot` [n] (-1: none) of packed values [n]; its kind is `kind` [n]."""
    start, length = np.zeros(len(values), np.int64), np.zeros(len(values), np.int64)
    _find_slot(as_texts(values), slot, start, length)
    return ValueColumn(np.where(slot >= 0, kind, 0).astype(np.uint8), Utf8Column(values.buffer, start, length))


@njit(nogil=True, cache=True)
def _find_slot(values: Texts, slot: NDArray[np.int64], start: NDArray[np.int64], length: NDArray[np.int64]) -> None:
    base = address_of(values.buffer)
    for row in range(len(slot)):
        if slot[row] < 0:
            continue
        at = values.start[row]
        for _ in range(slot[row]):
            at += LENGTH_BYTES + np.int64(load_u32(base, at))
        start[row], length[row] = at + LENGTH_BYTES, np.int64(load_u32(base, at))


class LiveSpans:
    """Spans in order of arrival. One thread writes, any thread reads a prefix.

    Rows are first written behind the published ones (`stage`), where the journal takes them from, and seen by readers
    only once they are published.
    """

    def __init__(self, n_rows: int = 1 << 12, n_bytes: int = 1 << 20) -> None:
        """Room for so many rows and bytes to begin with; memory that is never touched costs nothing."""
        self._room = empty_spans(n_rows, n_bytes)
        self._published = self._staged = (0, 0)

    def __len__(self) -> int:
        return self._published[0]

    @property
    def n_bytes(self) -> int:
        """Bytes of published texts."""
        return self._published[1]

    def stage(self, spans: Spans) -> None:
        """Write rows, whose text is theirs alone and in their order, behind what is there."""
        begin, at = self._staged
        end, stop = begin + len(spans.ts_ns), at + len(spans.text)
        self._make_room(end, stop)
        for name in ROW_COLUMNS:
            getattr(self._room, name)[begin:end] = getattr(spans, name)
        self._room.text_start[begin:end] += at
        self._room.text[at:stop] = spans.text
        self._staged = (end, stop)

    def staged(self) -> Spans:
        """What is written and not yet published; the text is that of these rows alone, and their starts count in the
        room."""
        (begin, at), (end, stop) = self._published, self._staged
        return rows_of(self._room, slice(begin, end))._replace(text=self._room.text[at:stop])

    def publish(self) -> None:
        """Let readers see what was staged."""
        self._published = self._staged

    def withdraw(self) -> None:
        """Forget what was staged."""
        self._staged = self._published

    def snapshot(self) -> Spans:
        """Views on everything published so far."""
        # The length first: room is replaced before a longer length is published.
        length = self._published[0]
        return rows_of(self._room, slice(0, length))

    def _make_room(self, n_rows: int, n_bytes: int) -> None:
        room = self._room
        if n_rows <= len(room.ts_ns) and n_bytes <= len(room.text):
            return
        larger = empty_spans(max(n_rows, 2 * len(room.ts_ns)), max(n_bytes, 2 * len(room.text)))
        end, stop = self._staged
        for name in ROW_COLUMNS:
            getattr(larger, name)[:end] = getattr(room, name)[:end]
        larger.text[:stop] = room.text[:stop]
        self._room = larger
