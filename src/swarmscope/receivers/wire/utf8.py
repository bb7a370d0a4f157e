"""Is it UTF-8, and what to put in place of what is not.

Well-formed sequences: table 3-7 of the Unicode standard, no surrogates, no overlong forms.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import Int, address_of, load_u8, load_u64

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
        # Fast path: ASCII, 32 characters at a time, then eight.
        while end - position >= 32:
            low = load_u64(base, position) | load_u64(base, position + 8)
            high = load_u64(base, position + 16) | load_u64(base, position + 24)
            if (low | high) & uint64(_HIGH_BITS) != uint64(0):
                break
            position += 32
        while end - position >= 8 and load_u64(base, position) & uint64(_HIGH_BITS) == uint64(0):
            position += 8
        if end - start >= 8 and load_u64(base, end - 8) & uint64(_HIGH_BITS) == uint64(0) and end - position < 8:
            break
        while position < end and load_u8(base, position) < uint64(0x80):
            position += 1
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


@njit(nogil=True, cache=True)
def _repaired_into(base: Int, span: tuple[Int, Int], target: NDArray[np.uint8], at: Int) -> Int:
    """Write the repaired text from `target[at]` on; the position behind it. Only measures where `target` is empty."""
    position = span[0]
    end = position + span[1]
    writes = len(target) > 0
    while position < end:
        step = _sequence_length(base, position, end - position)
        if step > 0:
            if writes:
                for k in range(step):
                    target[at + k] = load_u8(base, position + k)
            at += step
            position += step
            continue
        if writes:
            target[at], target[at + 1], target[at + 2] = 0xEF, 0xBF, 0xBD
        at += 3
        position += 1
        while position < end and _sequence_length(base, position, end - position) == 0:
            position += 1
    return at


@njit(nogil=True, cache=True)
def repair_spans(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Copies of n byte ranges in which each run of bytes that are not UTF-8 is one U+FFFD: buffer, starts, lengths."""
    base = address_of(buffer)
    starts, lengths = np.empty(len(start), np.int64), np.empty(len(start), np.int64)
    total = 0
    nothing = np.empty(0, np.uint8)
    for index in range(len(start)):
        starts[index] = total
        total = _repaired_into(base, (start[index], length[index]), nothing, total)
        lengths[index] = total - starts[index]
    repaired = np.empty(total, np.uint8)
    for index in range(len(start)):
        _repaired_into(base, (start[index], length[index]), repaired, starts[index])
    return repaired, starts, lengths
