"""Open-addressing map from 64-bit keys to small numbers, and the wire-key map built on it.

A table is uint64[2 * slots]: key, then value + 1 (0 while empty). An entry never changes once written and tables are
replaced, not rearranged, so that readers need no lock: a reader that races with an insertion sees either the entry or
nothing, whatever the order in which the two words arrive.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.metrics import UNKNOWN_SERIES
from swarmscope.store.catalogue.symbols import table_size

_BLOCK = 64
_TOUCHED = np.uint64(1 << 62)
_VALUE = np.uint64((1 << 62) - 1)
# Below this many keys nothing is ever forgotten: 1 MiB of table is not worth a sweep.
_MIN_KEY_LIMIT = 1 << 16
# One series may arrive under several keys (protocols, label orders); more than four on average is a sender whose
# keys change all the time.
_KEYS_PER_SERIES = 4


@njit(nogil=True, cache=True, inline="always")
def _mixed(key: np.uint64) -> np.uint64:
    """Spread a key over the table; the finaliser of MurmurHash3 (public domain)."""
    key = key ^ (key >> np.uint64(33))
    key = key * np.uint64(0xFF51AFD7ED558CCD)
    key = key ^ (key >> np.uint64(33))
    key = key * np.uint64(0xC4CEB9FE1A85EC53)
    return key ^ (key >> np.uint64(33))


@njit(nogil=True, cache=True, inline="always")
def find_key(table: NDArray[np.uint64], key: np.uint64) -> int:
    """Value of a key, or -1; marks the entry as touched."""
    mask = np.uint64(len(table) // 2 - 1)
    slot = _mixed(key) & mask
    while True:
        value = table[slot + slot + np.uint64(1)]
        if value == np.uint64(0):
            return -1
        if table[slot + slot] == key:
            if not value & _TOUCHED:
                table[slot + slot + np.uint64(1)] = value | _TOUCHED
            return int(np.int64(value & _VALUE) - 1)
        slot = (slot + np.uint64(1)) & mask


@njit(nogil=True, cache=True, inline="always")
def put_key(table: NDArray[np.uint64], key: np.uint64, value: int) -> bool:
    """Add a key unless it is there; whether it was added. Room MUST be there."""
    mask = np.uint64(len(table) // 2 - 1)
    slot = _mixed(key) & mask
    while True:
        if table[slot + slot + np.uint64(1)] == np.uint64(0):
            table[slot + slot] = key
            table[slot + slot + np.uint64(1)] = np.uint64(value + 1) | _TOUCHED
            return True
        if table[slot + slot] == key:
            return False
        slot = (slot + np.uint64(1)) & mask


@njit(nogil=True, cache=True)
def _find_keys(
    table: NDArray[np.uint64], keys: NDArray[np.uint64], salt: np.uint64, refs: NDArray[np.int64]
) -> np.uint64:
    """Fill `refs` [n]. The result means nothing: it keeps the loads that only fetch from being optimised away."""
    mask = np.uint64(len(table) // 2 - 1)
    fetched = np.uint64(0)
    for begin in range(0, len(keys), _BLOCK):
        end = min(begin + _BLOCK, len(keys))
        # A million keys do not fit the caches: ask for a block's lines at once, then wait for them together.
        for index in range(begin, end):
            slot = _mixed(keys[index] ^ salt) & mask
            fetched ^= table[slot + slot]
        for index in range(begin, end):
            refs[index] = find_key(table, keys[index] ^ salt)
    return fetched


@njit(nogil=True, cache=True)
def _put_keys(table: NDArray[np.uint64], keys: NDArray[np.uint64], salt: np.uint64, refs: NDArray[np.int64]) -> int:
    added = 0
    for index in range(len(keys)):
        if refs[index] >= 0 and put_key(table, keys[index] ^ salt, refs[index]):
            added += 1
    return added


@njit(nogil=True, cache=True)
def copied_table(
    table: NDArray[np.uint64], size: int, state: NDArray[np.uint8], required: int, only_touched: bool
) -> tuple[NDArray[np.uint64], int]:
    """The entries whose value v has all bits of `required` in `state[v]`, in a new table, and how many there are."""
    grown = np.zeros(2 * size, np.uint64)
    kept = 0
    for slot in range(len(table) // 2):
        value = table[2 * slot + 1]
        if value == np.uint64(0) or (only_touched and not value & _TOUCHED):
            continue
        number = np.int64(value & _VALUE) - 1
        if required != 0 and state[number] & required != required:
            continue
        put_key(grown, table[2 * slot], int(number))
        if only_touched:
            _untouch(grown, table[2 * slot])
        kept += 1
    return grown, kept


@njit(nogil=True, cache=True)
def _untouch(table: NDArray[np.uint64], key: np.uint64) -> None:
    mask = np.uint64(len(table) // 2 - 1)
    slot = _mixed(key) & mask
    while table[slot + slot] != key or table[slot + slot + np.uint64(1)] == np.uint64(0):
        slot = (slot + np.uint64(1)) & mask
    table[slot + slot + np.uint64(1)] &= _VALUE


class WireKeys:
    """Wire key and tenant to series. Bounded: when full, keys that no request has used since the last sweep go."""

    def __init__(self) -> None:
        self._table = np.zeros(1 << 12, np.uint64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def find(self, keys: NDArray[np.uint64], salt: np.uint64) -> NDArray[np.int64]:
        """Series of `keys` [n], UNKNOWN_SERIES where unknown. Takes no lock."""
        refs = np.full(len(keys), UNKNOWN_SERIES, np.int64)
        _find_keys(self._table, keys, salt, refs)
        return refs

    def put(
        self, keys: NDArray[np.uint64], salt: np.uint64, refs: NDArray[np.int64], state: NDArray[np.uint8], live: int
    ) -> None:
        """Remember `keys` [n] of `refs` [n]. The writer's lock MUST be held. `live`: series alive now."""
        needed = self._count + len(keys)
        if needed > max(_MIN_KEY_LIMIT, _KEYS_PER_SERIES * live) + len(keys):
            self._sweep(state, max(_MIN_KEY_LIMIT, _KEYS_PER_SERIES * live) // 2)
            needed = self._count + len(keys)
        if len(self._table) < 3 * needed:
            self._table, self._count = copied_table(self._table, table_size(needed), state, 0, False)
        self._count += int(_put_keys(self._table, keys, salt, refs))

    def drop_dead(self, state: NDArray[np.uint8], alive_bit: int) -> None:
        """Forget the keys of series that are not alive. The writer's lock MUST be held."""
        self._table, self._count = copied_table(self._table, table_size(self._count), state, alive_bit, False)

    def _sweep(self, state: NDArray[np.uint8], limit: int) -> None:
        self._table, self._count = copied_table(self._table, table_size(self._count), state, 0, True)
        if self._count > limit:  # all in use: start anew, senders' next requests bring their labels again
            self._table, self._count = np.zeros(1 << 12, np.uint64), 0

    @property
    def memory_bytes(self) -> int:
        """Bytes of the table."""
        return self._table.nbytes
