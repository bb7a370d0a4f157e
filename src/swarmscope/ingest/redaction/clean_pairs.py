"""Pairs of a name and a value in which no detector saw anything: they come again with nearly every line.

A pair is known by a 64-bit hash under a random key, so nobody outside can make one that passes for another.
"""

from __future__ import annotations

import secrets

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import Int, address_of, fold_multiply, load_u8, load_u64

# 512 KiB, which stays in the second-level cache; a pair that comes once pushes out one other.
_SLOTS = 1 << 16
# Long values are hardly ever the same again.
_LONGEST = 256
_NOT_REMEMBERED = np.uint64(0)


class CleanPairs:
    """Thread-safe without a lock: a slot is one word, and holds one pair's hash or another's."""

    def __init__(self) -> None:
        self._slots = np.zeros(_SLOTS, np.uint64)
        self._secrets = np.frombuffer(secrets.token_bytes(32), np.uint64) | np.uint64(1)

    def unknown(self, names: Utf8Column, values: Utf8Column) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Which pairs [n] are not known to be clean, ascending, and the hashes [n] of all."""
        hashes = np.empty(len(names), np.uint64)
        _hash_column(names.buffer, names.start, names.length, self._secrets, hashes, is_first=True)
        _hash_column(values.buffer, values.start, values.length, self._secrets, hashes, is_first=False)
        return _unknown(hashes, self._slots), hashes

    def remember(self, hashes: NDArray[np.uint64]) -> None:
        """Pairs with these hashes [n] are clean."""
        _remember(hashes, self._slots)


@njit(nogil=True, cache=True)
def _hash_text(base: Int, start: Int, length: Int, state: Int, keys: tuple[Int, Int, Int, Int]) -> Int:
    """Fold a text and its length into a hash."""
    end = start + length
    while end - start >= 8:
        state = fold_multiply(load_u64(base, start) ^ keys[1], state ^ keys[2])
        start += 8
    last = np.uint64(0)
    while end > start:
        end -= 1
        last = (last << np.uint64(8)) | load_u8(base, end)
    state = fold_multiply(last ^ keys[3], state ^ keys[1])
    return fold_multiply(np.uint64(length) ^ keys[0], state ^ keys[3])


@njit(nogil=True, cache=True)
def _hash_column(
    buffer: NDArray[np.uint8],
    start: NDArray[np.int64],
    length: NDArray[np.int64],
    secret: NDArray[np.uint64],
    hashes: NDArray[np.uint64],
    is_first: bool,
) -> None:
    """Fold a column into `hashes` [n]; 0 where a text is too long to be remembered."""
    base = address_of(buffer)
    keys = (secret[0], secret[1], secret[2], secret[3])
    for row in range(len(hashes)):
        state = keys[0] if is_first else hashes[row]
        if state == _NOT_REMEMBERED or length[row] > _LONGEST:
            hashes[row] = _NOT_REMEMBERED
        else:
            hashes[row] = _hash_text(base, start[row], length[row], state, keys)


@njit(nogil=True, cache=True)
def _unknown(hashes: NDArray[np.uint64], slots: NDArray[np.uint64]) -> NDArray[np.int64]:
    rows = np.empty(len(hashes), np.int64)
    count = 0
    mask = np.uint64(len(slots) - 1)
    for row in range(len(hashes)):
        rows[count] = row
        count += hashes[row] == _NOT_REMEMBERED or slots[hashes[row] & mask] != hashes[row]
    return rows[:count].copy()


@njit(nogil=True, cache=True)
def _remember(hashes: NDArray[np.uint64], slots: NDArray[np.uint64]) -> None:
    mask = np.uint64(len(slots) - 1)
    for word in hashes:
        if word != _NOT_REMEMBERED:
            slots[word & mask] = word
