"""The compiled walk over entries of a protobuf push: one row an entry, structured metadata as pairs.

Wire format: see `schema`.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from swarmscope.model.raw_memory import Int, address_of
from swarmscope.receivers.loki.push_columns import EntryArrays, PairArrays
from swarmscope.receivers.wire.field_walk import skip_value, take_length, varint_fault
from swarmscope.receivers.wire.scan_kernel import WRONG_WIRE_TYPE
from swarmscope.receivers.wire.varint import read_varint

_NS_PER_S = 1_000_000_000
_MAX_S = 9_000_000_000  # later times are as wrong as this one, and do not fit


@njit(nogil=True, cache=True, forceinline=True)
def _take_time(base: Int, start: Int, end: Int) -> tuple[Int, Int]:
    """Nanoseconds of a Timestamp message, and a fault (0: none)."""
    seconds, nanos = np.int64(0), np.int64(0)
    position = start
    while position < end:
        tag, position = read_varint(base, position, end)
        if position < 0:
            return 0, varint_fault(position)
        if tag == uint64(0x08) or tag == uint64(0x10):
            number, position = read_varint(base, position, end)
            if position < 0:
                return 0, varint_fault(position)
            if tag == uint64(0x08):
                seconds = np.int64(number)
            else:
                nanos = np.int64(np.int32(number & uint64(0xFFFFFFFF)))
            continue
        position, fault = skip_value(base, np.int64(tag), position, end)
        if fault != 0:
            return 0, fault
    if abs(seconds) > _MAX_S:
        return (_MAX_S if seconds > 0 else -_MAX_S) * _NS_PER_S, 0
    return seconds * _NS_PER_S + nanos, 0


@njit(nogil=True, cache=True, forceinline=True)
def _take_pair(base: Int, start: Int, end: Int) -> tuple[Int, Int, Int, Int, Int]:
    """Start and length of a pair's name and value, and a fault (0: none)."""
    name, name_length, value, value_length = start, 0, start, 0
    position = start
    while position < end:
        tag, position = read_varint(base, position, end)
        if position < 0:
            return 0, 0, 0, 0, varint_fault(position)
        if tag == uint64(0x0A) or tag == uint64(0x12):
            at, after, fault = take_length(base, position, end)
            if fault != 0:
                return 0, 0, 0, 0, fault
            position = after
            if tag == uint64(0x0A):
                name, name_length = at, after - at
            else:
                value, value_length = at, after - at
            continue
        position, fault = skip_value(base, np.int64(tag), position, end)
        if fault != 0:
            return 0, 0, 0, 0, fault
    return name, name_length, value, value_length, 0


@njit(nogil=True, cache=True)
def walk_entries(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64], entries: EntryArrays,
    pairs: PairArrays, fault_at: NDArray[np.int64],
) -> Int:  # fmt: skip
    """All entries [n] into arrays of zeros. Returns how many pairs there are, also where there is no room for all.

    -1 after a fault, which is then in `fault_at` [3]: fault, field number, byte offset.
    """
    base, room = address_of(buffer), len(pairs.name_start)
    n_pairs = 0
    for row in range(len(start)):
        entries.pairs_begin[row] = n_pairs
        position, stop = start[row], end[row]
        while position < stop:
            at = position
            tag, position = read_varint(base, position, stop)
            fault = varint_fault(position) if position < 0 else 0
            number = np.int64(tag >> uint64(3))
            if fault == 0 and number >= 1 and number <= 3:
                begin, after, fault = take_length(base, position, stop)
                if tag & uint64(7) != uint64(2):
                    fault = WRONG_WIRE_TYPE
                position = after
                if fault == 0 and number == 1:
                    entries.ts_ns[row], fault = _take_time(base, begin, after)
                elif fault == 0 and number == 2:
                    entries.line_start[row], entries.line_length[row] = begin, after - begin
                elif fault == 0:
                    name, name_length, value, value_length, fault = _take_pair(base, begin, after)
                    if n_pairs < room:
                        pairs.name_start[n_pairs], pairs.name_length[n_pairs] = name, name_length
                        pairs.value_start[n_pairs], pairs.value_length[n_pairs] = value, value_length
                    n_pairs += 1
            elif fault == 0:
                position, fault = skip_value(base, np.int64(tag), position, stop)
            if fault != 0:
                fault_at[0], fault_at[1], fault_at[2] = fault, number, at
                return -1
    return n_pairs
