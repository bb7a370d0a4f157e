"""Attribute sets, events and links as bytes of one row each, and back; no Python object per entry.

Numbers are varints (7 bits a byte, the lowest first). A set of attributes is its count, then for each its name behind
its length, one byte of kind, and its value behind its length. An event is the time since the span's start (zigzag), the
count of dropped attributes, its name behind its length, its attributes. A link is its trace id, its span id, flags,
the count of dropped attributes, its trace state behind its length, its attributes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.attributes import AttributeSets, ValueColumn
from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES
from swarmscope.model.raw_memory import Int, address_of, copy_bytes, load_u8, put_u8
from swarmscope.model.spans import Events, Links

_VARINT = 10  # bytes at most


class Sets(NamedTuple):
    """`AttributeSets` for kernels."""

    offsets: NDArray[np.int64]
    names: NDArray[np.uint8]
    name_start: NDArray[np.int64]
    name_length: NDArray[np.int64]
    kind: NDArray[np.uint8]
    values: NDArray[np.uint8]
    value_start: NDArray[np.int64]
    value_length: NDArray[np.int64]


class Texts(NamedTuple):
    """`Utf8Column` for kernels."""

    buffer: NDArray[np.uint8]
    start: NDArray[np.int64]
    length: NDArray[np.int64]


def as_sets(attributes: AttributeSets) -> Sets:
    """The arrays of attribute sets."""
    texts = attributes.values.text
    return Sets(
        np.ascontiguousarray(attributes.offsets), *as_texts(attributes.names),
        np.ascontiguousarray(attributes.values.kind), *as_texts(texts),
    )  # fmt: skip


def as_texts(column: Utf8Column) -> Texts:
    """The arrays of strings; the bytes cannot be written to, so that kernels are compiled for that alone."""
    buffer = np.ascontiguousarray(column.buffer).view()
    buffer.flags.writeable = False
    return Texts(buffer, np.ascontiguousarray(column.start), np.ascontiguousarray(column.length))


def as_attributes(sets: Sets) -> AttributeSets:
    """Back from `as_sets`."""
    values = ValueColumn(sets.kind, Utf8Column(sets.values, sets.value_start, sets.value_length))
    return AttributeSets(sets.offsets, Utf8Column(sets.names, sets.name_start, sets.name_length), values)


@njit(nogil=True, cache=True, inline="always")
def put_varint(target: Int, at: Int, value: Int) -> Int:
    """Write a number at `target + at`; where it ends."""
    rest = np.uint64(value)
    while rest > np.uint64(0x7F):
        put_u8(target, at, np.int64(rest & np.uint64(0x7F)) | 0x80)
        rest >>= np.uint64(7)
        at += 1
    put_u8(target, at, np.int64(rest))
    return at + 1


@njit(nogil=True, cache=True, inline="always")
def take_varint(source: Int, at: Int) -> tuple[Int, Int]:
    """The number at `source + at`, and where it ends."""
    value, shift = np.uint64(0), np.uint64(0)
    byte = load_u8(source, at)
    while byte & np.uint64(0x80):
        value |= (byte & np.uint64(0x7F)) << shift
        shift += np.uint64(7)
        at += 1
        byte = load_u8(source, at)
    return np.int64(value | (byte << shift)), at + 1


@njit(nogil=True, cache=True, inline="always")
def put_bytes(target: Int, at: Int, source: Int, length: Int) -> Int:
    """Write bytes behind their length; where they end."""
    at = put_varint(target, at, length)
    copy_bytes(target + at, source, length)
    return at + length


@njit(nogil=True, cache=True)
def set_bytes(sets: Sets, index: Int) -> Int:
    """How many bytes set `index` takes at most."""
    total = np.int64(_VARINT)
    for pair in range(sets.offsets[index], sets.offsets[index + 1]):
        total += 2 * _VARINT + 1 + sets.name_length[pair] + sets.value_length[pair]
    return total


@njit(nogil=True, cache=True)
def put_set(target: Int, at: Int, sets: Sets, index: Int) -> Int:
    """Write set `index`; where it ends."""
    begin, end = sets.offsets[index], sets.offsets[index + 1]
    names, values = address_of(sets.names), address_of(sets.values)
    at = put_varint(target, at, end - begin)
    for pair in range(begin, end):
        at = put_bytes(target, at, names + sets.name_start[pair], sets.name_length[pair])
        put_u8(target, at, sets.kind[pair])
        at = put_bytes(target, at + 1, values + sets.value_start[pair], sets.value_length[pair])
    return at


@njit(nogil=True, cache=True)
def take_set(source: Int, at: Int, sets: Sets, index: Int) -> Int:
    """Read a set into room `index` of `sets`, whose texts lie in the buffer that begins at `source`; its end."""
    count, at = take_varint(source, at)
    pair = sets.offsets[index]
    sets.offsets[index + 1] = pair + count
    for _ in range(count):
        length, at = take_varint(source, at)
        sets.name_start[pair], sets.name_length[pair] = at, length
        at += length
        sets.kind[pair] = np.uint8(load_u8(source, at))
        length, at = take_varint(source, at + 1)
        sets.value_start[pair], sets.value_length[pair] = at, length
        at += length
        pair += 1
    return at


@njit(nogil=True, cache=True)
def skip_set(source: Int, at: Int) -> tuple[Int, Int]:
    """How many attributes the set at `at` has, and where it ends."""
    count, at = take_varint(source, at)
    for _ in range(count):
        length, at = take_varint(source, at)
        length, at = take_varint(source, at + length + 1)
        at += length
    return count, at


def _room(buffer: NDArray[np.uint8], n_sets: int, n_pairs: int) -> Sets:
    return Sets(
        np.zeros(n_sets + 1, np.int64), buffer, np.empty(n_pairs, np.int64), np.empty(n_pairs, np.int64),
        np.empty(n_pairs, np.uint8), buffer, np.empty(n_pairs, np.int64), np.empty(n_pairs, np.int64),
    )  # fmt: skip


# -- records: some texts, a number, a set ------------------------------------------------------------------------------


def pack_records(texts: tuple[Utf8Column, ...], numbers: NDArray[np.uint32], attributes: AttributeSets) -> list[bytes]:
    """For each row [n] its texts, its number and its attributes as bytes. # Slow path: a few a request"""
    sets, columns = as_sets(attributes), [as_texts(text) for text in texts]
    packed = []
    for row in range(len(numbers)):
        size = int(set_bytes(sets, row)) + sum(int(text.length[row]) + _VARINT for text in columns) + _VARINT
        target = np.empty(size, np.uint8)
        at = 0
        for text in columns:
            at = int(_pack_text(target, at, text, row))
        packed.append(target[: int(_pack_record(target, at, int(numbers[row]), sets, row))].tobytes())
    return packed


@njit(nogil=True, cache=True)
def _pack_text(target: NDArray[np.uint8], at: int, text: Texts, row: int) -> int:
    end = put_bytes(address_of(target), at, address_of(text.buffer) + text.start[row], text.length[row])
    return int(end)


@njit(nogil=True, cache=True)
def _pack_record(target: NDArray[np.uint8], at: int, number: int, sets: Sets, row: int) -> int:
    base = address_of(target)
    return int(put_set(base, put_varint(base, at, number), sets, row))


def unpack_records(packed: list[bytes], n_texts: int) -> tuple[list[Utf8Column], NDArray[np.uint32], AttributeSets]:
    """Back from `pack_records`."""
    buffer = np.frombuffer(b"".join(packed) + b"\0", np.uint8)
    ends = np.cumsum(np.fromiter(map(len, packed), np.int64, len(packed)))
    starts = np.concatenate([np.zeros(1, np.int64), ends])[: len(packed)]
    room = _room(buffer, len(packed), int(_count_record_pairs(buffer, starts, n_texts)))
    numbers = np.empty(len(packed), np.uint32)
    text_start, text_length = np.empty((n_texts, len(packed)), np.int64), np.empty((n_texts, len(packed)), np.int64)
    _unpack_records(buffer, starts, (text_start, text_length), numbers, room)
    texts = [Utf8Column(buffer, start, length) for start, length in zip(text_start, text_length, strict=True)]
    return texts, numbers, as_attributes(room)


@njit(nogil=True, cache=True)
def _count_record_pairs(buffer: NDArray[np.uint8], starts: NDArray[np.int64], n_texts: int) -> int:
    base, total = address_of(buffer), np.int64(0)
    for at in starts:
        for _ in range(n_texts):
            length, at = take_varint(base, at)
            at += length
        _, at = take_varint(base, at)
        total += skip_set(base, at)[0]
    return int(total)


@njit(nogil=True, cache=True)
def _unpack_records(
    buffer: NDArray[np.uint8],
    starts: NDArray[np.int64],
    texts: tuple[NDArray[np.int64], NDArray[np.int64]],
    numbers: NDArray[np.uint32],
    room: Sets,
) -> None:
    base = address_of(buffer)
    for row in range(len(starts)):
        at = starts[row]
        for index in range(len(texts[0])):
            length, at = take_varint(base, at)
            texts[0][index, row], texts[1][index, row] = at, length
            at += length
        number, at = take_varint(base, at)
        numbers[row] = number
        take_set(base, at, room, row)


# -- events ------------------------------------------------------------------------------------------------------------


class _Events(NamedTuple):
    offsets: NDArray[np.int64]
    ts_ns: NDArray[np.int64]
    name: Texts
    sets: Sets
    dropped: NDArray[np.uint32]


def pack_events(events: Events, start_ns: NDArray[np.int64], rows: NDArray[np.int64]) -> Texts:
    """The events of each of the spans `rows` [n] as bytes; none are no bytes."""
    if len(events.ts_ns) == 0:
        zeros = np.zeros(len(rows), np.int64)
        return Texts(np.zeros(1, np.uint8), zeros, zeros)
    source = _Events(
        np.ascontiguousarray(events.offsets), np.ascontiguousarray(events.ts_ns), as_texts(events.name),
        as_sets(events.attributes), np.ascontiguousarray(events.dropped_attributes),
    )  # fmt: skip
    return Texts(*_pack_events(source, np.ascontiguousarray(start_ns), rows))


@njit(nogil=True, cache=True)
def _pack_events(
    events: _Events, start_ns: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    total = np.int64(1)
    for row in rows:
        for event in range(events.offsets[row], events.offsets[row + 1]):
            total += 3 * _VARINT + events.name.length[event] + set_bytes(events.sets, event)
    buffer, starts, lengths = np.empty(total, np.uint8), np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    names = address_of(events.name.buffer)
    at = np.int64(0)
    for index in range(len(rows)):
        row = rows[index]
        starts[index] = at
        for event in range(events.offsets[row], events.offsets[row + 1]):
            base = address_of(buffer)
            since = events.ts_ns[event] - start_ns[row]
            at = put_varint(base, at, (since << 1) ^ (since >> 63))
            at = put_varint(base, at, events.dropped[event])
            at = put_bytes(base, at, names + events.name.start[event], events.name.length[event])
            at = put_set(base, at, events.sets, event)
        lengths[index] = at - starts[index]
    return buffer, starts, lengths


def unpack_events(packed: Utf8Column, start_ns: NDArray[np.int64]) -> Events:
    """Back from `pack_events`; texts are views on its buffer."""
    texts = as_texts(packed)
    n_events, n_pairs = _count_events(texts)
    if n_events == 0:
        return Events.empty(len(packed))
    room = _room(texts.buffer, n_events, n_pairs)
    offsets, ts_ns = np.zeros(len(packed) + 1, np.int64), np.empty(n_events, np.int64)
    name_start, name_length = np.empty(n_events, np.int64), np.empty(n_events, np.int64)
    dropped = np.empty(n_events, np.uint32)
    target = _Events(offsets, ts_ns, Texts(texts.buffer, name_start, name_length), room, dropped)
    _unpack_events(texts, np.ascontiguousarray(start_ns), target)
    return Events(offsets, ts_ns, Utf8Column(texts.buffer, name_start, name_length), as_attributes(room), dropped)


@njit(nogil=True, cache=True)
def _count_events(texts: Texts) -> tuple[int, int]:
    base = address_of(texts.buffer)
    n_events, n_pairs = 0, np.int64(0)
    for row in range(len(texts.start)):
        at, end = texts.start[row], texts.start[row] + texts.length[row]
        while at < end:
            _, at = take_varint(base, at)
            _, at = take_varint(base, at)
            length, at = take_varint(base, at)
            count, at = skip_set(base, at + length)
            n_events += 1
            n_pairs += count
    return n_events, int(n_pairs)


@njit(nogil=True, cache=True)
def _unpack_events(texts: Texts, start_ns: NDArray[np.int64], target: _Events) -> None:
    base = address_of(texts.buffer)
    event = 0
    for row in range(len(texts.start)):
        at, end = texts.start[row], texts.start[row] + texts.length[row]
        while at < end:
            since, at = take_varint(base, at)
            target.ts_ns[event] = start_ns[row] + (np.int64(np.uint64(since) >> np.uint64(1)) ^ -(since & 1))
            dropped, at = take_varint(base, at)
            target.dropped[event] = dropped
            length, at = take_varint(base, at)
            target.name.start[event], target.name.length[event] = at, length
            at = take_set(base, at + length, target.sets, event)
            event += 1
        target.offsets[row + 1] = event


# -- links -------------------------------------------------------------------------------------------------------------


class _Links(NamedTuple):
    offsets: NDArray[np.int64]
    trace_id: NDArray[np.uint8]
    span_id: NDArray[np.uint8]
    state: Texts
    sets: Sets
    dropped: NDArray[np.uint32]
    flags: NDArray[np.uint32]


def pack_links(links: Links, rows: NDArray[np.int64]) -> Texts:
    """The links of each of the spans `rows` [n] as bytes; none are no bytes."""
    if len(links.flags) == 0:
        zeros = np.zeros(len(rows), np.int64)
        return Texts(np.zeros(1, np.uint8), zeros, zeros)
    source = _Links(
        np.ascontiguousarray(links.offsets), np.ascontiguousarray(links.trace_id),
        np.ascontiguousarray(links.span_id), as_texts(links.trace_state), as_sets(links.attributes),
        np.ascontiguousarray(links.dropped_attributes), np.ascontiguousarray(links.flags),
    )  # fmt: skip
    return Texts(*_pack_links(source, rows))


@njit(nogil=True, cache=True)
def _pack_links(
    links: _Links, rows: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    total = np.int64(1)
    for row in rows:
        for link in range(links.offsets[row], links.offsets[row + 1]):
            total += TRACE_ID_BYTES + SPAN_ID_BYTES + 3 * _VARINT + links.state.length[link]
            total += set_bytes(links.sets, link)
    buffer, starts, lengths = np.empty(total, np.uint8), np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    traces, spans, states = address_of(links.trace_id), address_of(links.span_id), address_of(links.state.buffer)
    at = np.int64(0)
    for index in range(len(rows)):
        row = rows[index]
        starts[index] = at
        for link in range(links.offsets[row], links.offsets[row + 1]):
            base = address_of(buffer)
            copy_bytes(base + at, traces + link * TRACE_ID_BYTES, TRACE_ID_BYTES)
            copy_bytes(base + at + TRACE_ID_BYTES, spans + link * SPAN_ID_BYTES, SPAN_ID_BYTES)
            at = put_varint(base, at + TRACE_ID_BYTES + SPAN_ID_BYTES, links.flags[link])
            at = put_varint(base, at, links.dropped[link])
            at = put_bytes(base, at, states + links.state.start[link], links.state.length[link])
            at = put_set(base, at, links.sets, link)
        lengths[index] = at - starts[index]
    return buffer, starts, lengths


def unpack_links(packed: Utf8Column) -> Links:
    """Back from `pack_links`; texts are views on its buffer."""
    texts = as_texts(packed)
    n_links, n_pairs = _count_links(texts)
    if n_links == 0:
        return Links.empty(len(packed))
    room = _room(texts.buffer, n_links, n_pairs)
    state = Texts(texts.buffer, np.empty(n_links, np.int64), np.empty(n_links, np.int64))
    target = _Links(
        np.zeros(len(packed) + 1, np.int64), np.empty((n_links, TRACE_ID_BYTES), np.uint8),
        np.empty((n_links, SPAN_ID_BYTES), np.uint8), state, room, np.empty(n_links, np.uint32),
        np.empty(n_links, np.uint32),
    )  # fmt: skip
    _unpack_links(texts, target)
    return Links(
        target.offsets, target.trace_id, target.span_id, Utf8Column(*state), as_attributes(room), target.dropped,
        target.flags,
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _count_links(texts: Texts) -> tuple[int, int]:
    base = address_of(texts.buffer)
    n_links, n_pairs = 0, np.int64(0)
    for row in range(len(texts.start)):
        at, end = texts.start[row], texts.start[row] + texts.length[row]
        while at < end:
            _, at = take_varint(base, at + TRACE_ID_BYTES + SPAN_ID_BYTES)
            _, at = take_varint(base, at)
            length, at = take_varint(base, at)
            count, at = skip_set(base, at + length)
            n_links += 1
            n_pairs += count
    return n_links, int(n_pairs)


@njit(nogil=True, cache=True)
def _unpack_links(texts: Texts, target: _Links) -> None:
    base, traces, spans = address_of(texts.buffer), address_of(target.trace_id), address_of(target.span_id)
    link = 0
    for row in range(len(texts.start)):
        at, end = texts.start[row], texts.start[row] + texts.length[row]
        while at < end:
            copy_bytes(traces + link * TRACE_ID_BYTES, base + at, TRACE_ID_BYTES)
            copy_bytes(spans + link * SPAN_ID_BYTES, base + at + TRACE_ID_BYTES, SPAN_ID_BYTES)
            flags, at = take_varint(base, at + TRACE_ID_BYTES + SPAN_ID_BYTES)
            dropped, at = take_varint(base, at)
            target.flags[link], target.dropped[link] = flags, dropped
            length, at = take_varint(base, at)
            target.state.start[link], target.state.length[link] = at, length
            at = take_set(base, at + length, target.sets, link)
            link += 1
        target.offsets[row + 1] = link
