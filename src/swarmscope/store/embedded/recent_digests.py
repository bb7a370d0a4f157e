"""What was committed lately, by 64-bit hash: a sender that tries again after a lost answer does not double it."""

from __future__ import annotations

import secrets
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.raw_memory import Int

_FIRST_SLOTS = 1 << 12
# A million rows twice over: 10 s of generations at 200,000 rows a second, for 32 MiB.
MAX_ENTRIES = 1 << 20


class RecentDigests:
    """Two tables, of which the older is dropped when the newer is full. For the commit thread alone.

    Hashes are made with `seed`, so that nobody outside can choose rows that collide, and are never 0.
    """

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._max_entries = max_entries
        self.seed = np.uint64(secrets.randbits(64))
        self.forget()

    def save(self, path: Path) -> None:
        """Write down what is known, for the next process. Raises OSError."""
        draft = path.with_suffix(".new")
        with draft.open("wb") as file:
            np.savez(file, seed=self.seed, older=self._older, newer=self._newer, count=np.int64(self._count))
        draft.rename(path)

    def load(self, path: Path) -> None:
        """Know what an earlier process wrote down, if it did. Raises OSError, and ValueError for a damaged file."""
        if not path.exists():
            return
        try:
            with np.load(path, allow_pickle=False) as held:
                older, newer = held["older"].astype(np.uint64), held["newer"].astype(np.uint64)
                seed, count = np.uint64(held["seed"]), int(held["count"])
        except (EOFError, KeyError, BadZipFile) as error:
            raise ValueError(f"{path.name} is damaged: {error}") from error
        # A full table, or one whose length is no power of two, would let a look-up go on for ever.
        for table in (older, newer):
            if table.ndim != 1 or len(table) & (len(table) - 1) or len(table) == 0 or table.all():
                raise ValueError(f"{path.name} is damaged: not a table")
        self.seed, self._older, self._newer, self._count = seed, older, newer, count

    def forget(self) -> None:
        """Know of nothing."""
        self._older = np.zeros(1, np.uint64)
        self._newer = np.zeros(_FIRST_SLOTS, np.uint64)
        self._count = 0

    def reserve(self, n: int) -> None:
        """Make room for `n` rows; `admit` them afterwards, in one call or more. Tokens of before are void."""
        if self._count + n > self._max_entries and self._count:
            self._older, self._newer, self._count = self._newer, np.zeros(_FIRST_SLOTS, np.uint64), 0
        if 2 * (self._count + n) > len(self._newer):
            self._newer = _resized(self._newer, 1 << (2 * (self._count + n)).bit_length())

    def admit(self, digests: NDArray[np.uint64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which of the rows [n] are new, and a token for `withdraw`; those are known from now on."""
        is_new, slots = _admit(digests, self._newer, self._older)
        self._count += len(slots)
        return is_new, slots

    def withdraw(self, token: NDArray[np.int64]) -> None:
        """Forget the rows that an `admit` added, the last one first: they did not become durable."""
        self._newer[token] = 0
        self._count -= len(token)


@njit(nogil=True, cache=True, inline="always")
def _slot_of(table: NDArray[np.uint64], digest: Int) -> Int:
    """The slot that holds the digest, or ~slot of the free one where it belongs; ~0 in a table of one free slot."""
    mask = np.uint64(len(table) - 1)
    slot = np.int64(digest & mask)
    while table[slot] != np.uint64(0):
        if table[slot] == digest:
            return slot
        slot = np.int64(np.uint64(slot + 1) & mask)
    return ~slot


@njit(nogil=True, cache=True)
def _admit(
    digests: NDArray[np.uint64], newer: NDArray[np.uint64], older: NDArray[np.uint64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    is_new, slots = np.zeros(len(digests), np.bool_), np.empty(len(digests), np.int64)
    count = 0
    for row in range(len(digests)):
        digest = digests[row]
        if _slot_of(older, digest) >= 0:
            continue
        slot = _slot_of(newer, digest)
        if slot < 0:
            newer[~slot] = digest
            slots[count] = ~slot
            count += 1
            is_new[row] = True
    return is_new, slots[:count]


@njit(nogil=True, cache=True)
def _resized(table: NDArray[np.uint64], size: int) -> NDArray[np.uint64]:
    resized = np.zeros(size, np.uint64)
    for digest in table:
        if digest != np.uint64(0):
            resized[~_slot_of(resized, digest)] = digest
    return resized
