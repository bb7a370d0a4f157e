"""Sets of labels as numbers: every set that batches of lines bring is one series, numbered once in a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.errors import LimitExceededError
from swarmscope.model.raw_memory import Int, fold_multiply
from swarmscope.model.series import ABSENT, LabelFrame

_FIRST_CAPACITY = 64
_MIX = np.uint64(0x9E3779B97F4A7C15)
_OTHER_MIX = np.uint64(0xC2B2AE3D27D4EB4F)


class _Sets(NamedTuple):
    """Sets by number, and open addressing from hashes to numbers."""

    codes: NDArray[np.int32]  # [capacity, n_names]
    hashes: NDArray[np.uint64]  # [capacity]
    slots: NDArray[np.int64]  # number or ABSENT


@njit(nogil=True, cache=True)
def _hash_of(codes: NDArray[np.int32]) -> np.uint64:
    """Labels that a set does not have take no part, so the hash stays when new names come."""
    mixed = np.uint64(0)
    for k in range(len(codes)):
        if codes[k] >= 0:
            mixed += fold_multiply(np.uint64(codes[k] + 1) * _MIX, (np.uint64(k) + _MIX) * _OTHER_MIX)
    return np.uint64(fold_multiply(mixed ^ _MIX, _OTHER_MIX))


@njit(nogil=True, cache=True)
def _more_slots(hashes: NDArray[np.uint64], n: Int, size: Int) -> NDArray[np.int64]:
    slots = np.full(size, np.int64(ABSENT))
    for number in range(n):
        slot = np.int64(hashes[number] & np.uint64(size - 1))
        while slots[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        slots[slot] = number
    return slots


@njit(nogil=True, cache=True)
def _resolve(sets: _Sets, known: Int, rows: NDArray[np.int32], numbers: NDArray[np.int64]) -> Int:
    """Fill `numbers` [n] for rows [n, n_names]; how many sets are known now. There must be room for all of them."""
    codes, hashes, slots = sets
    last = len(slots) - 1
    for row in range(len(rows)):
        hashed = _hash_of(rows[row])
        slot = np.int64(hashed & np.uint64(last))
        while True:
            number = slots[slot]
            if number < 0:
                codes[known], hashes[known], slots[slot] = rows[row], hashed, known
                number = known
                known += 1
                break
            if hashes[number] == hashed and np.all(codes[number] == rows[row]):
                break
            slot = (slot + 1) & last
        numbers[row] = number
    return known


class SeriesTable:
    """The series of one range aggregation so far. Not thread-safe."""

    def __init__(self, max_series: int | None = None, message: str = "") -> None:
        """`message`: what to say where there are more than `max_series`."""
        self._max_series = max_series
        self._message = message
        self._names: list[str] = []
        self._count = 0
        self._sets = _Sets(
            np.full((_FIRST_CAPACITY, 0), ABSENT, np.int32),
            np.zeros(_FIRST_CAPACITY, np.uint64),
            np.full(2 * _FIRST_CAPACITY, ABSENT, np.int64),
        )

    def __len__(self) -> int:
        return self._count

    @property
    def labels(self) -> LabelFrame:
        """The labels of all series in the order of their numbers."""
        return LabelFrame(tuple(self._names), np.ascontiguousarray(self._sets.codes[: self._count].T))

    def resolve(self, names: Sequence[str], codes: NDArray[np.int32]) -> NDArray[np.int64]:
        """Numbers [n] of label sets [n_names, n], given out where they are new. Raises LimitExceededError."""
        n = codes.shape[1]
        self._learn(names)
        self._make_room(n)
        rows = np.full((n, len(self._names)), ABSENT, np.int32)
        for name, column in zip(names, codes, strict=True):
            rows[:, self._names.index(name)] = column
        numbers = np.empty(n, np.int64)
        self._count = int(_resolve(self._sets, self._count, rows, numbers))
        if self._max_series is not None and self._count > self._max_series:
            raise LimitExceededError(self._message, limit="query.max_log_series")
        return numbers

    def _learn(self, names: Sequence[str]) -> None:
        new = [name for name in names if name not in self._names]
        if new:
            self._names.extend(new)
            absent = np.full((len(self._sets.hashes), len(new)), ABSENT, np.int32)
            self._sets = self._sets._replace(codes=np.concatenate((self._sets.codes, absent), axis=1))

    def _make_room(self, n: int) -> None:
        codes, hashes, slots = self._sets
        needed = self._count + n
        if needed > len(hashes):
            more = needed + n
            codes = np.concatenate((codes[: self._count], np.full((more, len(self._names)), ABSENT, np.int32)))
            hashes = np.concatenate((hashes[: self._count], np.zeros(more, np.uint64)))
        size = len(slots)
        while size < 2 * needed:
            size *= 2
        if size > len(slots):
            slots = _more_slots(hashes, self._count, size)
        self._sets = _Sets(np.ascontiguousarray(codes), hashes, slots)
