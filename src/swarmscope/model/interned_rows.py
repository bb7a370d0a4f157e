"""Numbers for things that are named by a hash on the hot path, and by their value once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.raw_memory import Int

OVERFLOW_ROW = 0  # what everything shares that finds no room
_SMALLEST = 1024
# Two hashes may name one thing (a label's text is the same for 1 and "1"); so many hashes a row are remembered.
_KEYS_PER_ROW = 2

T = TypeVar("T", bound=Hashable)


class _Keys(NamedTuple):
    """Open addressing; a free place has the key 0."""

    key: NDArray[np.uint64]  # [power of two]
    row: NDArray[np.int64]


class InternedRows(Generic[T]):
    """Rows by hash and by value. Bounded; not thread-safe."""

    def __init__(self, max_rows: int, overflow: T) -> None:
        self._max_rows = max_rows
        self.values: list[T | None] = [overflow]  # by row; None where a row is free
        self._rows: dict[T, int] = {overflow: OVERFLOW_ROW}
        self._free: list[int] = []
        self._keys = _Keys(np.zeros(_SMALLEST, np.uint64), np.zeros(_SMALLEST, np.int64))
        self._n_keys = 0

    def __len__(self) -> int:
        """One more than the highest row."""
        return len(self.values)

    def rows_of(self, keys: NDArray[np.uint64], value_of: Callable[[int], T]) -> NDArray[np.int64]:
        """The row [n] of each hash [n]; `value_of(position)` is asked once for a hash that was never seen."""
        keys = np.maximum(keys, np.uint64(1))
        rows = np.empty(len(keys), np.int64)
        begin = 0
        while True:
            begin = int(_find(self._keys, keys, rows, begin))
            if begin == len(keys):
                return rows
            if self._n_keys >= _KEYS_PER_ROW * self._max_rows:
                # Fast path once the table is full: what is not known is not remembered either.
                _find_known(self._keys, keys, rows, begin)
                return rows
            self._learn(int(keys[begin]), self.row_of(value_of(begin)))

    def row_of(self, value: T) -> int:
        """The row of a value, which it gets if there is room."""
        row = self._rows.get(value)
        if row is not None:
            return row
        if len(self._rows) > self._max_rows:
            return OVERFLOW_ROW
        if self._free:
            row = self._free.pop()
            self.values[row] = value
        else:
            row = len(self.values)
            self.values.append(value)
        self._rows[value] = row
        return row

    def forget(self, rows: NDArray[np.int64]) -> None:
        """Free some rows (not the overflow's); what found no room before is looked at anew."""
        for row in rows.tolist():
            value = self.values[row]
            if value is not None:
                del self._rows[value]
                self.values[row] = None
                self._free.append(row)
        gone = np.append(rows, OVERFLOW_ROW)
        used = (self._keys.key != 0) & ~np.isin(self._keys.row, gone)
        self._rebuild(self._keys.key[used], self._keys.row[used], len(self._keys.key))

    def forget_keys(self) -> None:
        """Values keep their rows, and hashes are learnt anew."""
        self._rebuild(self._keys.key[:0], self._keys.row[:0], len(self._keys.key))

    @property
    def is_full(self) -> bool:
        """Whether some new things find no room."""
        return len(self._rows) > self._max_rows or self._n_keys >= _KEYS_PER_ROW * self._max_rows

    def _learn(self, key: int, row: int) -> None:
        if 2 * (self._n_keys + 1) > len(self._keys.key):
            used = self._keys.key != 0
            self._rebuild(self._keys.key[used], self._keys.row[used], 2 * len(self._keys.key))
        _put(self._keys, np.uint64(key), row)
        self._n_keys += 1

    def _rebuild(self, keys: NDArray[np.uint64], rows: NDArray[np.int64], size: int) -> None:
        self._keys = _Keys(np.zeros(size, np.uint64), np.zeros(size, np.int64))
        _put_all(self._keys, keys, rows)
        self._n_keys = len(keys)


@njit(nogil=True, cache=True)
def _place(table: _Keys, key: Int) -> Int:
    mask = np.uint64(len(table.key) - 1)
    at = np.uint64(key) & mask
    while table.key[at] != 0 and table.key[at] != key:
        at = (at + np.uint64(1)) & mask
    return at


@njit(nogil=True, cache=True)
def _put(table: _Keys, key: Int, row: int) -> None:
    at = _place(table, key)
    table.key[at] = key
    table.row[at] = row


@njit(nogil=True, cache=True)
def _put_all(table: _Keys, keys: NDArray[np.uint64], rows: NDArray[np.int64]) -> None:
    for i in range(len(keys)):
        _put(table, keys[i], rows[i])


@njit(nogil=True, cache=True)
def _find(table: _Keys, keys: NDArray[np.uint64], rows: NDArray[np.int64], begin: int) -> int:
    """Fill `rows` up to the first unknown key; its position, or how many there are."""
    for i in range(begin, len(keys)):
        at = _place(table, keys[i])
        if table.key[at] == 0:
            return i
        rows[i] = table.row[at]
    return len(keys)


@njit(nogil=True, cache=True)
def _find_known(table: _Keys, keys: NDArray[np.uint64], rows: NDArray[np.int64], begin: int) -> None:
    for i in range(begin, len(keys)):
        at = _place(table, keys[i])
        rows[i] = table.row[at] if table.key[at] != 0 else OVERFLOW_ROW
