"""Shapes: which metadata names a line has, in which order. Lines of one program share a few, so each has a number."""

from __future__ import annotations

import secrets
import threading
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.byte_hash import hash_bytes, mix
from swarmscope.model.byte_ranges import bytes_equal
from swarmscope.model.labels import LabelSets
from swarmscope.model.logs import LENGTH_BYTES
from swarmscope.model.raw_memory import Int, address_of, copy_bytes, load_u32

Item = TypeVar("Item", bound=np.generic)
NO_SHAPE = -1
# 64 MiB of names: some half a million shapes. A sender that invents names for every line is refused beyond.
MAX_NAME_BYTES = 64 << 20


class _Names(NamedTuple):
    """Metadata names of rows: row i has the names `offsets[i] : offsets[i + 1]`."""

    buffer: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]


class _Tables(NamedTuple):
    """Shape s has its names, each behind its length, in `pool[begin[s] : begin[s + 1]]`."""

    slots: NDArray[np.int64]  # [power of two] shape + 1, 0 for free
    hashes: NDArray[np.uint64]  # [room]
    begin: NDArray[np.int64]  # [room + 1]
    pool: NDArray[np.uint8]
    counts: NDArray[np.int64]  # [1] how many shapes there are


class ShapeTable:
    """All shapes. Thread-safe; shape 0 has no name."""

    def __init__(self, max_name_bytes: int = MAX_NAME_BYTES) -> None:
        self._lock = threading.Lock()
        self._seed = np.uint64(secrets.randbits(64))
        self._max_name_bytes = max_name_bytes
        self._tables = _Tables(
            np.zeros(16, np.int64), np.zeros(4, np.uint64), np.zeros(5, np.int64), np.zeros(64, np.uint8),
            np.zeros(1, np.int64),
        )  # fmt: skip
        self._persisted = 1
        self._known: dict[int, tuple[str, ...]] = {}
        self._every: tuple[frozenset[str], int] = (frozenset(), 0)  # names of the shapes below the number
        self.intern(LabelSets.from_dicts([{}]))

    @property
    def next_shape(self) -> int:
        """One above the highest number given out."""
        return int(self._tables.counts[0])

    @property
    def memory_bytes(self) -> int:
        """Bytes that the tables take."""
        return sum(column.nbytes for column in self._tables)

    def intern(self, metadata: LabelSets) -> NDArray[np.int64]:
        """The shape of each row [n]; new ones are added. NO_SHAPE where there is no more room for names."""
        names = _Names(
            metadata.names.buffer,
            np.ascontiguousarray(metadata.offsets),
            np.ascontiguousarray(metadata.names.start),
            np.ascontiguousarray(metadata.names.length),
        )
        shapes = np.empty(len(metadata), np.int64)
        with self._lock:
            unknown, n_bytes = _find(names, self._tables, self._seed, shapes)
            if unknown:
                self._reserve(unknown, n_bytes)
                _add(names, self._tables, self._seed, shapes, self._max_name_bytes)
        return shapes

    def _reserve(self, rows: int, n_bytes: int) -> None:
        tables = self._tables
        n = int(tables.counts[0])
        needed, pool = n + rows, int(tables.begin[n]) + n_bytes
        if needed > len(tables.hashes):
            room = 2 * needed
            tables = tables._replace(hashes=_grown(tables.hashes, room), begin=_grown(tables.begin, room + 1))
        if pool > len(tables.pool):
            tables = tables._replace(pool=_grown(tables.pool, 2 * pool))
        if 2 * needed > len(tables.slots):
            tables = tables._replace(slots=_hashed(tables.hashes, n, 1 << (4 * needed).bit_length()))
        self._tables = tables

    def names(self, shape: int) -> tuple[str, ...]:
        """The names of a shape; raises IndexError for a number that was never given out."""
        found = self._known.get(shape)
        if found is None:
            tables = self._tables
            if not 0 <= shape < int(tables.counts[0]):
                raise IndexError(f"no shape has the number {shape}")
            packed = tables.pool[int(tables.begin[shape]) : int(tables.begin[shape + 1])].tobytes()
            found = self._known[shape] = tuple(_unpacked(packed))
        return found

    def every_name(self) -> frozenset[str]:
        """The names that any shape has."""
        with self._lock:
            tables, end = self._tables, self.next_shape
            known, begin = self._every
            if begin < end:
                packed = tables.pool[int(tables.begin[begin]) : int(tables.begin[end])].tobytes()
                known = known.union(_unpacked(packed))
                self._every = (known, end)
            return known

    def pending(self) -> tuple[pa.RecordBatch | None, int]:
        """Shapes that `mark_persisted` has not covered, as rows of table `log_shapes`, and what to pass to it."""
        end = self.next_shape
        if end == self._persisted:
            return None, end
        new = range(self._persisted, end)
        names = pa.array([list(self.names(shape)) for shape in new], pa.list_(pa.string()))
        return pa.record_batch({"shape": pa.array(new, pa.uint32()), "names": names}), end

    def mark_persisted(self, end: int) -> None:
        """Every shape below `end` is durable."""
        self._persisted = max(self._persisted, end)

    def load(self, rows: pa.Table) -> None:
        """Add shapes from table `log_shapes` [n] under their own numbers; before anything is interned.

        Numbers that are missing become shapes that no line has.
        """
        stored = dict(zip(rows.column("shape").to_pylist(), rows.column("names").to_pylist(), strict=True))
        with self._lock:
            for shape in range(1, max(stored, default=0) + 1):
                self._load_one(shape, [_text(name) for name in stored.get(shape, [f"lost shape {shape}"])])
            self._persisted = self.next_shape

    def _load_one(self, shape: int, texts: list[str]) -> None:
        if shape < self.next_shape:
            return
        metadata = LabelSets.from_dicts([dict.fromkeys(texts, "")])
        names = _Names(metadata.names.buffer, metadata.offsets, metadata.names.start, metadata.names.length)
        self._reserve(1, int(names.length.sum()) + LENGTH_BYTES * len(names.length))
        _add(names, self._tables, self._seed, np.full(1, NO_SHAPE, np.int64), 1 << 62)


def _text(name: str | bytes) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else name


def _grown(array: NDArray[Item], size: int) -> NDArray[Item]:
    grown = np.zeros(size, array.dtype)
    grown[: len(array)] = array
    return grown


def _unpacked(packed: bytes) -> list[str]:
    names = []
    at = 0
    while at < len(packed):
        end = at + LENGTH_BYTES + int.from_bytes(packed[at : at + LENGTH_BYTES], "little")
        names.append(packed[at + LENGTH_BYTES : end].decode(errors="replace"))
        at = end
    return names


@njit(nogil=True, cache=True, inline="always")
def _hash_names(names: _Names, base: Int, row: Int, seed: Int) -> Int:
    state = seed
    for entry in range(names.offsets[row], names.offsets[row + 1]):
        state = mix(state, hash_bytes(base + names.start[entry], names.length[entry], seed))
    return state


@njit(nogil=True, cache=True)
def _is_shape(names: _Names, base: Int, row: Int, tables: _Tables, shape: Int) -> bool:
    pool = address_of(tables.pool)
    at, end = tables.begin[shape], tables.begin[shape + 1]
    for entry in range(names.offsets[row], names.offsets[row + 1]):
        length = names.length[entry]
        if at >= end or np.int64(load_u32(pool, at)) != length:
            return False
        if not bytes_equal(pool + at + LENGTH_BYTES, base + names.start[entry], length):
            return False
        at += LENGTH_BYTES + length
    return bool(at == end)


@njit(nogil=True, cache=True)
def _slot_of(names: _Names, base: Int, row: Int, tables: _Tables, digest: Int) -> Int:
    """The slot that holds the row's shape, or ~slot of the free one where it belongs."""
    mask = np.uint64(len(tables.slots) - 1)
    slot = np.int64(digest & mask)
    while True:
        shape = tables.slots[slot] - 1
        if shape < 0:
            return ~slot
        if tables.hashes[shape] == digest and _is_shape(names, base, row, tables, shape):
            return slot
        slot = np.int64(np.uint64(slot + 1) & mask)


@njit(nogil=True, cache=True)
def _find(names: _Names, tables: _Tables, seed: Int, shapes: NDArray[np.int64]) -> tuple[int, int]:
    """Fill `shapes`; how many rows have none, and how many bytes their names take at most."""
    base = address_of(names.buffer)
    unknown, n_bytes = 0, np.int64(0)
    for row in range(len(shapes)):
        if row > 0 and shapes[row - 1] >= 0 and _is_shape(names, base, row, tables, shapes[row - 1]):
            shapes[row] = shapes[row - 1]
            continue
        slot = _slot_of(names, base, row, tables, _hash_names(names, base, row, seed))
        shapes[row] = tables.slots[slot] - 1 if slot >= 0 else NO_SHAPE
        if slot < 0:
            unknown += 1
            for entry in range(names.offsets[row], names.offsets[row + 1]):
                n_bytes += LENGTH_BYTES + names.length[entry]
    return unknown, int(n_bytes)


@njit(nogil=True, cache=True)
def _add(names: _Names, tables: _Tables, seed: Int, shapes: NDArray[np.int64], max_bytes: int) -> None:
    """Give rows without a shape one, while names take no more than `max_bytes`. Room MUST have been made."""
    base, pool = address_of(names.buffer), address_of(tables.pool)
    for row in range(len(shapes)):
        if shapes[row] >= 0:
            continue
        digest = _hash_names(names, base, row, seed)
        slot = _slot_of(names, base, row, tables, digest)
        if slot >= 0:
            shapes[row] = tables.slots[slot] - 1
            continue
        shape = tables.counts[0]
        at = tables.begin[shape]
        needed = np.int64(0)
        for entry in range(names.offsets[row], names.offsets[row + 1]):
            needed += LENGTH_BYTES + names.length[entry]
        if at + needed > max_bytes:
            continue
        for entry in range(names.offsets[row], names.offsets[row + 1]):
            length = names.length[entry]
            for k in range(LENGTH_BYTES):
                tables.pool[at + k] = np.uint8((length >> (8 * k)) & 0xFF)
            copy_bytes(pool + at + LENGTH_BYTES, base + names.start[entry], length)
            at += LENGTH_BYTES + length
        tables.begin[shape + 1] = at
        tables.hashes[shape] = digest
        tables.slots[~slot] = shape + 1
        tables.counts[0] = shape + 1
        shapes[row] = shape


@njit(nogil=True, cache=True)
def _hashed(hashes: NDArray[np.uint64], n: int, size: int) -> NDArray[np.int64]:
    slots = np.zeros(size, np.int64)
    mask = np.uint64(size - 1)
    for shape in range(n):
        slot = np.int64(hashes[shape] & mask)
        while slots[slot] != 0:
            slot = np.int64(np.uint64(slot + 1) & mask)
        slots[slot] = shape + 1
    return slots
