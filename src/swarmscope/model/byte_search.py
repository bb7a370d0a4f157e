"""Finding bytes in texts, in compiled code. Texts are given by address: see `model.raw_memory`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import LANES, Int, address_of, equal_lanes, load_u8, load_u64, trailing_zeros

NOT_FOUND = -1
_LOW_BITS = np.uint64(0x0101010101010101)
_HIGH_BITS = np.uint64(0x8080808080808080)
_WORD_BYTES = 8
_BYTE_SHIFT = np.uint64(3)


def contains(texts: Utf8Column, needle: bytes) -> NDArray[np.bool_]:
    """Which texts [n] have the bytes anywhere; every one has the empty needle."""
    return _contains(texts.buffer, texts.start, texts.length, np.frombuffer(needle, np.uint8))


@njit(nogil=True, cache=True)
def _contains(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], needle: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    found = np.zeros(len(start), np.bool_)
    base, sought, size = address_of(buffer), address_of(needle), len(needle)
    for row in range(len(start)):
        at, end = start[row], start[row] + max(length[row], 0)
        found[row] = find_bytes(base, at, end, sought, size) >= 0
    return found


@njit(nogil=True, cache=True)
def find_bytes(base: Int, at: Int, end: Int, needle: Int, size: Int) -> Int:
    """Where the `size` bytes at `needle` stand first in `at … end`; NOT_FOUND."""
    if size == 0:
        return at
    last = end - size
    if last - at < LANES - 1:
        return _find_in_few(base, at, end, needle, size)
    first_byte, last_byte = load_u8(needle, 0), load_u8(needle, size - 1)
    while at <= last:
        # Many places at once are ruled out by the needle's first and last byte. The last ones are looked at again
        # with some of those before them, so that nothing behind the end is read.
        begin = min(at, last - (LANES - 1))
        place = base + begin
        candidates = equal_lanes(place, first_byte, place + (size - 1), last_byte)
        while candidates != 0:
            found = begin + np.int64(trailing_zeros(candidates))
            if found >= at and _is_at(base + found, needle, size):
                return found
            candidates &= candidates - np.uint64(1)
        at = begin + LANES
    return np.int64(NOT_FOUND)


@njit(nogil=True, cache=True)
def _find_in_few(base: Int, at: Int, end: Int, needle: Int, size: Int) -> Int:
    """As `find_bytes`, eight places at once."""
    last = end - size
    first = _LOW_BITS * load_u8(needle, 0)
    while at <= last:
        if at + _WORD_BYTES <= end:
            word = load_u64(base, at) ^ first
            candidates = (word - _LOW_BITS) & ~word & _HIGH_BITS
            if candidates == 0:
                at += _WORD_BYTES
                continue
            at += np.int64(trailing_zeros(candidates) >> _BYTE_SHIFT)
            if at > last:
                break
        if _is_at(base + at, needle, size):
            return at
        at += 1
    return np.int64(NOT_FOUND)


@njit(nogil=True, cache=True)
def _is_at(place: Int, needle: Int, size: Int) -> bool:
    at = np.int64(0)
    while at + _WORD_BYTES <= size:
        if load_u64(place, at) != load_u64(needle, at):
            return False
        at += _WORD_BYTES
    while at < size:
        if load_u8(place, at) != load_u8(needle, at):
            return False
        at += 1
    return True
