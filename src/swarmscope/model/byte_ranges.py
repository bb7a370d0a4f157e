"""Comparing ranges of bytes in compiled walks; by address, see `raw_memory`."""

from __future__ import annotations

from numba import njit

from swarmscope.model.raw_memory import Int, load_u8, load_u64


@njit(nogil=True, cache=True)
def bytes_equal(left: Int, right: Int, length: Int) -> bool:
    """Whether the `length` bytes at two addresses are the same."""
    index = 0
    while index + 8 <= length:
        if load_u64(left, index) != load_u64(right, index):
            return False
        index += 8
    while index < length:
        if load_u8(left, index) != load_u8(right, index):
            return False
        index += 1
    return True


@njit(nogil=True, cache=True)
def bytes_less(left: Int, left_length: Int, right: Int, right_length: Int) -> bool:
    """Whether the bytes at `left` sort before those at `right` (bytewise, which is code point order in UTF-8)."""
    for index in range(min(left_length, right_length)):
        a, b = load_u8(left, index), load_u8(right, index)
        if a != b:
            return bool(a < b)
    return bool(left_length < right_length)
