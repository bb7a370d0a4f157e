"""The pool of strings: every label name and value once, under a code that never changes.

Bytes are appended to one buffer; an open-addressing table finds a string's code. Writers hold the catalogue's lock.
Readers work on a `SymbolSnapshot`: whatever a writer appends later has codes beyond the snapshot's and is ignored.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.byte_ranges import bytes_equal
from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import load_u8
from swarmscope.model.series import ABSENT
from swarmscope.store.catalogue.siphash import siphash_bytes

# Decoded texts kept as Python strings; beyond it the cache starts anew, so that it stays below some 50 MB.
_MAX_CACHED_TEXTS = 300_000


Item = TypeVar("Item", bound=np.generic)


_CODE = np.uint64(0xFFFFFFFF)


class SymbolTables(NamedTuple):
    """The arrays behind the pool. String `code` is `pool[starts[code] : starts[code + 1]]`.

    A slot is 0 when empty, else 32 bits of hash above `code + 1`.
    """

    pool: NDArray[np.uint8]  # [capacity]
    starts: NDArray[np.int64]  # [capacity + 1]
    slots: NDArray[np.uint64]  # [power of two]
    counts: NDArray[np.int64]  # [1] how many symbols
    seed: NDArray[np.uint64]  # [2]


class SymbolSnapshot(NamedTuple):
    """A consistent view: codes 0 … n - 1 are readable without a lock."""

    tables: SymbolTables
    n: int


class TextGroups(NamedTuple):
    """Strings of a batch in groups (label sets); group g owns the strings `offsets[g] : offsets[g + 1]`.

    The buffer is given by address, so that read-only and writable ones compile to one kernel.
    """

    address: int
    start: NDArray[np.int64]  # [n_strings] relative to the address
    length: NDArray[np.int64]  # [n_strings]
    offsets: NDArray[np.int64]  # [n_groups + 1]


@njit(nogil=True, cache=True)
def find_symbol(tables: SymbolTables, address: int, length: int) -> int:
    """Code of the string at `address`, or -1."""
    tag = siphash_bytes(address, length, tables.seed[0], tables.seed[1]) >> np.uint64(32)
    mask = np.uint64(len(tables.slots) - 1)
    pool = tables.pool.ctypes.data
    slot = tag & mask
    while True:
        entry = tables.slots[slot]
        if entry == np.uint64(0):
            return -1
        if entry >> np.uint64(32) == tag:
            code = np.int64(entry & _CODE) - 1
            start = tables.starts[code]
            if tables.starts[code + 1] - start == length and bytes_equal(pool + start, address, length):
                return int(code)
        slot = (slot + np.uint64(1)) & mask


@njit(nogil=True, cache=True)
def intern_texts(tables: SymbolTables, texts: TextGroups, codes: NDArray[np.int32]) -> None:
    """Code of each string into `codes` [n_strings], adding unknown ones. Room MUST have been made before.

    One long function on local arrays: each array handed to a call costs Numba two atomic reference counts, and
    this loop runs twice per label.
    """
    slots, starts, pool_bytes, counts = tables.slots, tables.starts, tables.pool, tables.counts
    begins, lengths, offsets = texts.start, texts.length, texts.offsets
    key0, key1 = tables.seed[0], tables.seed[1]
    pool, mask = pool_bytes.ctypes.data, np.uint64(len(slots) - 1)
    first, before = offsets[0], offsets[0]
    for group in range(len(offsets) - 1):
        begin = offsets[group]
        for index in range(begin, offsets[group + 1]):
            address, length = texts.address + begins[index], lengths[index]
            # Fast path: neighbours share all names and many values, position by position.
            neighbour = before + index - begin
            if neighbour < begin:
                code = np.int64(codes[neighbour - first])
                start = starts[code]
                if starts[code + 1] - start == length and bytes_equal(pool + start, address, length):
                    codes[index - first] = code
                    continue
            tag = siphash_bytes(address, length, key0, key1) >> np.uint64(32)
            slot = tag & mask
            found = np.int64(-1)
            while slots[slot] != np.uint64(0):
                entry = slots[slot]
                if entry >> np.uint64(32) == tag:
                    code = np.int64(entry & _CODE) - 1
                    start = starts[code]
                    if starts[code + 1] - start == length and bytes_equal(pool + start, address, length):
                        found = code
                        break
                slot = (slot + np.uint64(1)) & mask
            if found < 0:
                found = counts[0]
                start = starts[found]
                for byte in range(length):
                    pool_bytes[start + byte] = load_u8(address, byte)
                starts[found + 1] = start + length
                slots[slot] = (tag << np.uint64(32)) | np.uint64(found + 1)
                counts[0] = found + 1
            codes[index - first] = found
        before = begin


@njit(nogil=True, cache=True)
def rehashed(slots: NDArray[np.uint64], size: int) -> NDArray[np.uint64]:
    """Entries of a table (32 bits of hash above a number + 1) in a table of `size` slots, a power of two."""
    grown = np.zeros(size, np.uint64)
    mask = np.uint64(size - 1)
    for index in range(len(slots)):
        entry = slots[index]
        if entry != np.uint64(0):
            slot = (entry >> np.uint64(32)) & mask
            while grown[slot] != np.uint64(0):
                slot = (slot + np.uint64(1)) & mask
            grown[slot] = entry
    return grown


@njit(nogil=True, cache=True)
def gather_bytes(
    tables: SymbolTables, codes: NDArray[np.int32], offsets: NDArray[np.int32], data: NDArray[np.uint8]
) -> None:
    """Copy the strings of `codes` [n] one after the other into `data`; `offsets` [n + 1] says where each goes."""
    for index in range(len(codes)):
        start = tables.starts[codes[index]]
        position = offsets[index]
        for byte in range(offsets[index + 1] - position):
            data[position + byte] = tables.pool[start + byte]


def table_size(entries: int) -> int:
    """The power of two that holds `entries` at a load of at most two thirds."""
    return 1 << max(4, (entries * 3 // 2).bit_length())


class SymbolPool:
    """Owns the tables; `intern_texts` on `tables` after `reserve`, then `publish`. Implements `SymbolTable`."""

    def __init__(self, seed: NDArray[np.uint64]) -> None:
        self.tables = SymbolTables(
            np.zeros(1 << 16, np.uint8),
            np.zeros(1 << 10, np.int64),
            np.zeros(1 << 11, np.uint64),
            np.zeros(1, np.int64),
            seed,
        )
        self._texts: dict[int, str] = {}
        self.snapshot = SymbolSnapshot(self.tables, 0)

    def reserve(self, n_symbols: int, n_bytes: int) -> None:
        """Make room for that many more symbols and bytes. The writer's lock MUST be held."""
        tables = self.tables
        needed = int(tables.counts[0]) + n_symbols
        used_bytes = int(tables.starts[tables.counts[0]])
        pool = resized(tables.pool, used_bytes + n_bytes)
        starts = resized(tables.starts, needed + 1)
        slots = tables.slots
        if 2 * len(slots) < 3 * needed:
            slots = rehashed(slots, table_size(needed))
        self.tables = tables._replace(pool=pool, starts=starts, slots=slots)

    def publish(self) -> None:
        """Let readers see what has been added. The writer's lock MUST be held."""
        self.snapshot = SymbolSnapshot(self.tables, int(self.tables.counts[0]))

    def add(self, text: str) -> int:
        """Code of `text`, added when new. The writer's lock MUST be held. # Slow path"""
        encoded = text.encode()
        buffer = np.frombuffer(encoded or b"\0", np.uint8)
        self.reserve(1, len(encoded))
        codes = np.zeros(1, np.int32)
        nowhere, length = np.zeros(1, np.int64), np.array([len(encoded)], np.int64)
        intern_texts(self.tables, TextGroups(address_of(buffer), nowhere, length, np.array([0, 1])), codes)
        return int(codes[0])

    def text(self, code: int) -> str:
        """The string of `code`; raises IndexError for a code that was never given out."""
        known = self._texts.get(code)
        if known is not None:
            return known
        tables, n = self.snapshot
        if not 0 <= code < n:
            raise IndexError(f"no symbol has the code {code}")
        text = tables.pool[tables.starts[code] : tables.starts[code + 1]].tobytes().decode(errors="replace")
        if len(self._texts) >= _MAX_CACHED_TEXTS:
            self._texts = {}
        self._texts[code] = text
        return text

    def code(self, text: str) -> int:
        """The code of `text`, or ABSENT where no series has it as a label's name or value."""
        tables, n = self.snapshot
        try:
            encoded = text.encode()
        except UnicodeEncodeError:  # a lone surrogate: no label can hold it
            return ABSENT
        buffer = np.frombuffer(encoded or b"\0", np.uint8)
        code = int(find_symbol(tables, address_of(buffer), len(encoded)))
        return code if 0 <= code < n else ABSENT

    @property
    def memory_bytes(self) -> int:
        """Bytes that the pool's arrays have in use (address space kept for growth is not counted)."""
        n = int(self.tables.counts[0])
        return int(self.tables.starts[n]) + 8 * n + self.tables.slots.nbytes


def resized(array: NDArray[Item], needed: int) -> NDArray[Item]:
    """`array` itself when it holds `needed` entries, else a copy at least twice as long (new part undefined)."""
    if needed <= len(array):
        return array
    grown = np.empty(max(needed, 2 * len(array)), array.dtype)
    grown[: len(array)] = array
    return grown


def address_of(array: NDArray[Any]) -> int:
    """Where the array's memory begins; the caller keeps the array alive."""
    return int(array.__array_interface__["data"][0])


def writable(array: NDArray[Item]) -> NDArray[Item]:
    """The array, copied where it is read-only or not contiguous: kernels are compiled for one layout only."""
    return np.require(array, array.dtype, ["C", "W"])


def text_groups(column: Utf8Column, offsets: NDArray[np.int64]) -> TextGroups:
    """A column of strings as `intern_texts` takes it; the column MUST outlive the result."""
    return TextGroups(address_of(column.buffer), writable(column.start), writable(column.length), offsets)
