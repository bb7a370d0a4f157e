"""Label values as numbers: equal texts get equal codes, found by a hash over their bytes."""

from __future__ import annotations

import secrets
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.byte_ranges import bytes_equal
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import Int, address_of, fold_multiply, load_u8, load_u64
from swarmscope.model.series import ABSENT
from swarmscope.query.settings import EngineSettings

_FIRST_SLOTS = 1 << 10
_MIX = np.uint64(0x9E3779B97F4A7C15)
# Against forged collisions: another one in every process.
_SEED = np.uint64(secrets.randbits(64))


class _Texts(NamedTuple):
    """Texts by code, and open addressing from hashes to codes."""

    buffer: NDArray[np.uint8]
    start: NDArray[np.int64]  # [capacity]
    length: NDArray[np.int64]  # [capacity]
    hashes: NDArray[np.uint64]  # [capacity]
    slots: NDArray[np.int32]  # code or ABSENT
    counts: NDArray[np.int64]  # [2] texts, bytes of text


@njit(nogil=True, cache=True)
def _hash_of(base: Int, at: Int, size: Int, seed: np.uint64) -> np.uint64:
    mixed = seed ^ np.uint64(size)
    end = at + size
    while at + 8 <= end:
        mixed = fold_multiply(mixed ^ load_u64(base, at), _MIX)
        at += 8
    tail = np.uint64(0)
    while at < end:
        tail = (tail << np.uint64(8)) | load_u8(base, at)
        at += 1
    return np.uint64(fold_multiply(mixed ^ tail, _MIX))


@njit(nogil=True, cache=True)
def _more_slots(hashes: NDArray[np.uint64], n: Int, size: Int) -> NDArray[np.int32]:
    slots = np.full(size, np.int32(ABSENT))
    for code in range(n):
        slot = np.int64(hashes[code] & np.uint64(size - 1))
        while slots[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        slots[slot] = code
    return slots


@njit(nogil=True, cache=True)
def _distinct(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], seed: np.uint64
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    n = len(start)
    base = address_of(buffer)
    codes = np.empty(n, np.int32)
    first, hashes = np.empty(n, np.int64), np.empty(n, np.uint64)
    slots = np.full(_FIRST_SLOTS, np.int32(ABSENT))
    known = np.int64(0)
    for row in range(n):
        at, size = start[row], length[row]
        if size <= 0:
            codes[row] = ABSENT
            continue
        if row > 0 and at == start[row - 1] and size == length[row - 1]:
            codes[row] = codes[row - 1]  # lines of one stream stand together, and share the labels' places
            continue
        hashed = _hash_of(base, at, size, seed)
        slot = np.int64(hashed & np.uint64(len(slots) - 1))
        code = slots[slot]
        while code >= 0:
            other = first[code]
            if hashes[code] == hashed and length[other] == size and bytes_equal(base + start[other], base + at, size):
                break
            slot = (slot + 1) & (len(slots) - 1)
            code = slots[slot]
        if code < 0:
            code = np.int32(known)
            first[known], hashes[known], slots[slot] = row, hashed, code
            known += 1
            if 2 * known > len(slots):
                slots = _more_slots(hashes, known, 4 * len(slots))
        codes[row] = code
    return codes, first[:known].copy()


def distinct_texts(column: Utf8Column) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(code of each value [n], first row of each code [n_distinct]); ABSENT for what is absent or empty."""
    return _distinct(column.buffer, column.start, column.length, _SEED)


@njit(nogil=True, cache=True)
def _slot_of(texts: _Texts, base: Int, at: Int, size: Int, hashed: np.uint64) -> Int:
    """The slot of a text; a free one where it is new."""
    own, last = address_of(texts.buffer), len(texts.slots) - 1
    slot = np.int64(hashed & np.uint64(last))
    while True:
        code = texts.slots[slot]
        if code < 0:
            return slot
        same = texts.hashes[code] == hashed and texts.length[code] == size
        if same and bytes_equal(own + texts.start[code], base + at, size):
            return slot
        slot = (slot + 1) & last


@njit(nogil=True, cache=True)
def _resolve(
    texts: _Texts, column: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]], seed: np.uint64, adds: bool
) -> NDArray[np.int32]:
    """Codes [n] of texts; new ones are added (there must be room for all) or ABSENT."""
    buffer, start, length = column
    codes = np.full(len(start), np.int32(ABSENT))
    base = address_of(buffer)
    for row in range(len(start)):
        at, size = start[row], length[row]
        if size <= 0:
            continue
        hashed = _hash_of(base, at, size, seed)
        slot = _slot_of(texts, base, at, size, hashed)
        if texts.slots[slot] < 0 and adds:
            code, used = texts.counts[0], texts.counts[1]
            texts.start[code], texts.length[code], texts.hashes[code] = used, size, hashed
            texts.buffer[used : used + size] = buffer[at : at + size]
            texts.counts[0] += 1
            texts.counts[1] += size
            texts.slots[slot] = np.int32(code)
        codes[row] = texts.slots[slot]
    return codes


class TextTable:
    """The texts that a query's series are made of, each with one code. A `SymbolTable`; not thread-safe."""

    def __init__(self, max_characters: int = EngineSettings.max_label_characters) -> None:
        """`max_characters`: what all texts together may take, in bytes."""
        self._max_characters = max_characters
        self._texts = _Texts(
            np.zeros(1 << 12, np.uint8),
            np.zeros(_FIRST_SLOTS // 2, np.int64),
            np.zeros(_FIRST_SLOTS // 2, np.int64),
            np.zeros(_FIRST_SLOTS // 2, np.uint64),
            np.full(_FIRST_SLOTS, ABSENT, np.int32),
            np.zeros(2, np.int64),
        )

    def __len__(self) -> int:
        return int(self._texts.counts[0])

    def add(self, column: Utf8Column) -> NDArray[np.int32]:
        """Codes of the texts [n], ABSENT for absent and empty ones. Raises LimitExceededError."""
        self._make_room(len(column), int(np.maximum(column.length, 0).sum()))
        codes = _resolve(self._texts, (column.buffer, column.start, column.length), _SEED, True)
        if self._texts.counts[1] > self._max_characters:
            raise LimitExceededError(
                f"the query makes labels of more than {self._max_characters} characters",
                limit="query.max_label_characters",
            )
        return codes

    def text(self, code: int) -> str:
        """The string of a code. Raises IndexError for one that was never given out."""
        if not 0 <= code < len(self):
            raise IndexError(code)
        start = int(self._texts.start[code])
        return self._texts.buffer[start : start + int(self._texts.length[code])].tobytes().decode(errors="replace")

    def code(self, text: str) -> int:
        """The code of a string, ABSENT where no series has it."""
        column = Utf8Column.from_strings([text])
        return int(_resolve(self._texts, (column.buffer, column.start, column.length), _SEED, False)[0])

    def _make_room(self, n: int, n_bytes: int) -> None:
        texts, known, used = self._texts, int(self._texts.counts[0]), int(self._texts.counts[1])
        buffer, start, length, hashes, slots = texts[:5]
        if used + n_bytes > len(buffer):
            buffer = np.concatenate((buffer[:used], np.zeros(used + 2 * n_bytes, np.uint8)))
        if known + n > len(start):
            more = known + 2 * n
            start, length = (np.concatenate((old[:known], np.zeros(more, np.int64))) for old in (start, length))
            hashes = np.concatenate((hashes[:known], np.zeros(more, np.uint64)))
        size = len(slots)
        while size < 2 * (known + n):
            size *= 2
        if size > len(slots):
            slots = _more_slots(hashes, known, size)
        self._texts = _Texts(buffer, start, length, hashes, slots, texts.counts)
