"""Is it UTF-8? Well-formed sequences: table 3-7 of the Unicode standard, no surrogates, no overlong forms."""

from __future__ import annotations

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.receivers.wire.memory import Int, address_of, load_u8, load_u64

_HIGH_BITS = 0x8080808080808080


@njit(nogil=True, cache=True)
def _sequence_length(base: Int, position: Int, left: Int) -> Int:
    """Bytes of the well-formed sequence at `position`, 0 where it is ill-formed. `left` bytes remain."""
    lead = load_u8(base, position)
    if lead < uint64(0x80):
        return 1
    if lead < uint64(0xC2) or lead > uint64(0xF4):
        return 0
    length = 2 if lead < uint64(0xE0) else (3 if lead < uint64(0xF0) else 4)
    if length > left:
        return 0
    for offset in range(1, length):
        if load_u8(base, position + offset) & uint64(0xC0) != uint64(0x80):
            return 0
    second = load_u8(base, position + 1)
    if lead == uint64(0xE0) and second < uint64(0xA0):
        return 0
    if lead == uint64(0xED) and second > uint64(0x9F):
        return 0
    if lead == uint64(0xF0) and second < uint64(0x90):
        return 0
    if lead == uint64(0xF4) and second > uint64(0x8F):
        return 0
    return length


@njit(nogil=True, cache=True)
def is_utf8(base: Int, start: Int, length: Int) -> bool:
    """Whether `length` bytes, `start` bytes behind address `base`, are UTF-8."""
    position = start
    end = start + length
    while position < end:
        # Fast path: eight ASCII characters at a time.
        while end - position >= 8 and load_u64(base, position) & uint64(_HIGH_BITS) == uint64(0):
            position += 8
        if position >= end:
            break
        step = _sequence_length(base, position, end - position)
        if step == 0:
            return False
        position += step
    return True


@njit(nogil=True, cache=True)
def find_invalid(buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of n byte ranges are not UTF-8 [n]."""
    base = address_of(buffer)
    invalid = np.zeros(len(start), np.bool_)
    for index in range(len(start)):
        invalid[index] = not is_utf8(base, start[index], length[index])
    return invalid


def invalid_utf8(column: Utf8Column) -> NDArray[np.bool_]:
    """Which strings of a column are not UTF-8 [n]."""
    invalid: NDArray[np.bool_] = find_invalid(
        column.buffer, np.ascontiguousarray(column.start), np.ascontiguousarray(column.length)
    )
    return invalid
