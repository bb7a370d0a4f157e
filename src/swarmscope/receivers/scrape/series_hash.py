"""The seeded 64-bit hash of a series' bytes as exposed: two folded multiplications for each 16 bytes.

The construction is that of wyhash (https://github.com/wangyi-fudan/wyhash, public domain): xor with secrets and the
running state, multiply 64 × 64 → 128 bits, xor the halves.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FIRST = np.uint64(0xA0761D6478BD642F)
_SECOND = np.uint64(0xE7037ED1A0B428DB)
_LOW_HALF = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


@njit(nogil=True, cache=True, inline="always")
def fold_multiply(left: np.uint64, right: np.uint64) -> np.uint64:
    """The 128-bit product of two words, its halves combined by exclusive or."""
    left_low, left_high = left & _LOW_HALF, left >> _HALF
    right_low, right_high = right & _LOW_HALF, right >> _HALF
    low = left_low * right_low
    middle = left_high * right_low + (low >> _HALF)
    cross = left_low * right_high + (middle & _LOW_HALF)
    high = left_high * right_high + (middle >> _HALF) + (cross >> _HALF)
    return high ^ ((cross << _HALF) | (low & _LOW_HALF))


@njit(nogil=True, cache=True, inline="always")
def load_u64(buffer: NDArray[np.uint8], position: int) -> np.uint64:
    """Eight bytes as a little-endian word; LLVM joins the loads into one."""
    word = np.uint64(0)
    for index in range(8):
        word |= np.uint64(buffer[position + index]) << np.uint64(8 * index)
    return word


@njit(nogil=True, cache=True)
def _tail_word(buffer: NDArray[np.uint8], start: int, end: int) -> np.uint64:
    """Up to eight bytes as a little-endian word, never reading past `end`."""
    word = np.uint64(0)
    for index in range(end - 1, start - 1, -1):
        word = (word << np.uint64(8)) | np.uint64(buffer[index])
    return word


@njit(nogil=True, cache=True)
def hash_bytes(buffer: NDArray[np.uint8], start: int, end: int, seed: np.uint64) -> np.uint64:
    """Hash of bytes [start, end) under `seed`."""
    state = seed ^ _FIRST
    position = start
    while position + 16 <= end:
        state = fold_multiply(load_u64(buffer, position) ^ _SECOND, load_u64(buffer, position + 8) ^ state)
        position += 16
    low, high = np.uint64(0), np.uint64(0)
    if position + 8 <= end:
        low = load_u64(buffer, position)
        high = _tail_word(buffer, position + 8, end)
    else:
        low = _tail_word(buffer, position, end)
    state = fold_multiply(low ^ _SECOND, high ^ state)
    return fold_multiply(state ^ _FIRST, np.uint64(end - start) ^ _SECOND)


def hash_text(data: bytes, seed: int) -> int:
    """`hash_bytes` of Python bytes. # Slow path"""
    return int(hash_bytes(np.frombuffer(data, np.uint8), 0, len(data), np.uint64(seed)))
