"""The compiled walk over a request's series: keys and float samples, which is nearly all that a request holds.

Labels are hashed as they stand and not looked into; everything else (exemplars, histograms, metadata of version 1)
is counted here and scanned by the general scanner when there is any. Counting never stops at a full array, so the
second attempt, with arrays of the counted size, always succeeds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from swarmscope.model.raw_memory import Int, address_of, get_cell, load_u64, put_cell
from swarmscope.receivers.wire.field_walk import skip_value, take_length, varint_fault
from swarmscope.receivers.wire.key_hash import HashSecrets, combine_hashes, hash_span, to_tuple
from swarmscope.receivers.wire.scan_kernel import TRUNCATED, WRONG_WIRE_TYPE
from swarmscope.receivers.wire.varint import read_varint

# Places of a fault, in the order of `series_scan.PLACES`.
IN_REQUEST, IN_SERIES, IN_SAMPLE, IN_METADATA = range(4)


class SampleArrays(NamedTuple):
    """Float samples in wire order [room for n]."""

    series: NDArray[np.int64]
    ts_ms: NDArray[np.int64]
    start_ms: NDArray[np.int64]  # version 2's start timestamp, 0 where there is none
    value: NDArray[np.float64]


class SeriesArrays(NamedTuple):
    """Series in wire order [room for n]: the key, and where the message stands in the body."""

    key: NDArray[np.uint64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]


class Notes(NamedTuple):
    """What a walk leaves besides columns."""

    counts: NDArray[np.int64]  # [5] series, samples, exemplars, histograms, metadata
    fault: NDArray[np.int64]  # [4] fault, place, field number, byte offset


N_SERIES, N_SAMPLES, N_EXEMPLARS, N_HISTOGRAMS, N_METADATA = range(5)


class Walk(NamedTuple):
    """Addresses of the body and of everything that both versions' walks fill, see `model.raw_memory`."""

    base: Int
    counts: Int
    fault: Int
    sample_series: Int
    ts_ms: Int
    start_ms: Int
    value: Int
    room: Int  # samples there is room for


@njit(nogil=True, cache=True, forceinline=True)
def to_walk(buffer: NDArray[np.uint8], samples: SampleArrays, notes: Notes) -> Walk:
    """The addresses; the arrays must outlive the walk."""
    return Walk(
        address_of(buffer),
        address_of(notes.counts),
        address_of(notes.fault),
        address_of(samples.series),
        address_of(samples.ts_ms),
        address_of(samples.start_ms),
        address_of(samples.value),
        len(samples.value),
    )


@njit(nogil=True, cache=True)
def note_fault(notes: Int, fault: Int, place: Int, number: Int, offset: Int) -> Int:
    """Remember what is wrong and where, at the address of `Notes.fault`; -1, the position that stops a walk."""
    put_cell(notes, 0, fault)
    put_cell(notes, 1, place)
    put_cell(notes, 2, number)
    put_cell(notes, 3, offset)
    return -1


@njit(nogil=True, cache=True, forceinline=True)
def count_one(walk: Walk, which: Int) -> Int:
    """Add one to a count; what it was before."""
    before = get_cell(walk.counts, which)
    put_cell(walk.counts, which, before + 1)
    return before


@njit(nogil=True, cache=True, forceinline=True)
def take_sample(base: Int, start: Int, end: Int) -> tuple[Int, Int, Int, Int, Int]:
    """Bits of the value, time stamp, start time stamp, fault (0: none), and the offset of the fault."""
    bits = uint64(0)
    ts_ms = uint64(0)
    start_ms = uint64(0)
    position = start
    while position < end:
        at = position
        tag, position = read_varint(base, position, end)
        if position < 0:
            return bits, ts_ms, start_ms, varint_fault(position), at
        if tag == uint64(0x09):
            if end - position < 8:
                return bits, ts_ms, start_ms, TRUNCATED, at
            bits = load_u64(base, position)
            position += 8
        elif tag == uint64(0x10) or tag == uint64(0x18):
            number, position = read_varint(base, position, end)
            if position < 0:
                return bits, ts_ms, start_ms, varint_fault(position), at
            if tag == uint64(0x10):
                ts_ms = number
            else:
                start_ms = number
        else:
            field = tag >> uint64(3)
            if (
                field > uint64(0)
                and field < uint64(4)
                and tag & uint64(7) != uint64(3)
                and tag & uint64(7) != uint64(4)
            ):
                return bits, ts_ms, start_ms, WRONG_WIRE_TYPE, at
            position, fault = skip_value(base, np.int64(tag), position, end)
            if fault != 0:
                return bits, ts_ms, start_ms, fault, at
    return bits, ts_ms, start_ms, 0, 0


@njit(nogil=True, cache=True, forceinline=True)
def store_sample(walk: Walk, span: tuple[Int, Int], series: Int) -> bool:
    """Take one Sample message; false where it is malformed."""
    bits, ts_ms, start_ms, fault, at = take_sample(walk.base, span[0], span[1])
    if fault != 0:
        note_fault(walk.fault, fault, IN_SAMPLE, 0, at)
        return False
    row = count_one(walk, N_SAMPLES)
    if row < walk.room:
        put_cell(walk.sample_series, row, series)
        put_cell(walk.ts_ms, row, np.int64(ts_ms))
        put_cell(walk.start_ms, row, np.int64(start_ms))
        put_cell(walk.value, row, np.int64(bits))
    return True


@njit(nogil=True, cache=True, forceinline=True)
def _walk_series(walk: Walk, span: tuple[Int, Int], series: Int, secrets: HashSecrets) -> tuple[Int, bool]:
    """One TimeSeries of version 1: its key, and whether it is well-formed."""
    base = walk.base
    position, end = span
    key = uint64(0)
    run_start = -1  # labels stand together, as a rule: one range of bytes, hashed in one go
    run_end = -1
    while position < end:
        at = position
        tag, position = read_varint(base, position, end)
        if position < 0:
            note_fault(walk.fault, varint_fault(position), IN_SERIES, 0, at)
            return key, False
        field = np.int64(tag >> uint64(3))
        if field < 1 or field > 4:
            position, fault = skip_value(base, np.int64(tag), position, end)
            if fault != 0:
                note_fault(walk.fault, fault, IN_SERIES, field, at)
                return key, False
            continue
        start, after, fault = take_length(base, position, end)
        if tag & uint64(7) != uint64(2):
            fault = WRONG_WIRE_TYPE
        if fault != 0:
            note_fault(walk.fault, fault, IN_SERIES, field, at)
            return key, False
        position = after
        if field == 1:
            if at != run_end:
                if run_start >= 0:
                    key = combine_hashes(key, hash_span(base, run_start, run_end - run_start, secrets), secrets)
                run_start = at
            run_end = after
        elif field == 2:
            if not store_sample(walk, (start, after), series):
                return key, False
        else:
            count_one(walk, field - 1)
    if run_start >= 0:
        key = combine_hashes(key, hash_span(base, run_start, run_end - run_start, secrets), secrets)
    return key, True


@njit(nogil=True, cache=True)
def walk_write_request(
    buffer: NDArray[np.uint8], words: NDArray[np.uint64], series: SeriesArrays, samples: SampleArrays, notes: Notes
) -> bool:
    """A whole `prometheus.WriteRequest`; false (and `notes.fault`) where it is malformed."""
    walk = to_walk(buffer, samples, notes)
    base = walk.base
    secrets = to_tuple(words)
    position = 0
    end = len(buffer)
    while position < end:
        at = position
        tag, position = read_varint(base, position, end)
        if position < 0:
            note_fault(walk.fault, varint_fault(position), IN_REQUEST, 0, at)
            return False
        field = np.int64(tag >> uint64(3))
        if field != 1 and field != 3:
            position, fault = skip_value(base, np.int64(tag), position, end)
            if fault != 0:
                note_fault(walk.fault, fault, IN_REQUEST, field, at)
                return False
            continue
        start, after, fault = take_length(base, position, end)
        if tag & uint64(7) != uint64(2):
            fault = WRONG_WIRE_TYPE
        if fault != 0:
            note_fault(walk.fault, fault, IN_REQUEST, field, at)
            return False
        position = after
        if field == 3:
            count_one(walk, N_METADATA)
            continue
        row = count_one(walk, N_SERIES)
        key, good = _walk_series(walk, (start, after), row, secrets)
        if not good:
            return False
        if row < len(series.key):
            series.key[row] = key
            series.start[row] = start
            series.end[row] = after
    return True
