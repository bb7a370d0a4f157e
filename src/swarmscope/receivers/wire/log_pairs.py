"""Structured metadata of lines, from the pairs that a request brought to what a `LogBatch` holds.

What a group of lines shares (resource and scope) is repeated by row without copying a byte; of a name that stands
twice the last one counts, so a line's own pairs win; empty names and values are dropped; and what has a typed column
(trace and span id, severity number, observed time, detected level) goes there where the text is valid and the column
still empty. Lines of one program have the same names in the same order, so a verdict on a list of names is remembered
by its hash.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from swarmscope.model.errors import LimitExceededError
from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES, Level
from swarmscope.model.raw_memory import Int, address_of, get_cell, load_u8, put_cell
from swarmscope.receivers.wire.key_hash import (
    HashSecrets,
    combine_hashes,
    derive_secrets,
    hash_span,
    hash_spans,
    to_tuple,
)

_PURPOSE = 5  # of the hash of names
_TRACE, _SPAN, _SEVERITY, _OBSERVED, _LEVEL = range(5)
TYPED_NAMES = ("trace_id", "span_id", "severity_number", "observed_timestamp", "detected_level")
_MAX_SEVERITY = 24
_MAX_DIGITS = 18  # always within int64
_CLEAN, _TYPED, _REPEATED = 1, 2, 3  # verdicts on a list of names; 0: not known yet
_REMEMBERED = 256
# Above what honest senders fit into the largest body that is taken; what a resource says is repeated by line, so the
# size of a body bounds neither.
MAX_LINES = 1_000_000
MAX_PAIRS = 10_000_000


class Pairs(NamedTuple):
    """Pairs of n rows: row i owns `offsets[i] : offsets[i + 1]`; all are slices of one buffer."""

    offsets: NDArray[np.int64]  # [n + 1]
    name_start: NDArray[np.int64]  # [n_pairs]
    name_length: NDArray[np.int64]  # [n_pairs]
    value_start: NDArray[np.int64]  # [n_pairs]
    value_length: NDArray[np.int64]  # [n_pairs]

    def to_label_sets(self, buffer: NDArray[np.uint8]) -> LabelSets:
        """The same as label sets."""
        names = Utf8Column(buffer, self.name_start, self.name_length)
        return LabelSets(self.offsets, names, Utf8Column(buffer, self.value_start, self.value_length))


class TypedColumns(NamedTuple):
    """What `LogBatch` holds in columns of their own; filled in place."""

    level: NDArray[np.uint8]  # [n]
    severity: NDArray[np.uint8]  # [n]
    observed_ns: NDArray[np.int64]  # [n]
    trace_id: NDArray[np.uint8]  # [n, 16]
    span_id: NDArray[np.uint8]  # [n, 8]

    @classmethod
    def empty(cls, n: int) -> TypedColumns:
        """Columns of n lines that say nothing."""
        ids = (np.zeros((n, TRACE_ID_BYTES), np.uint8), np.zeros((n, SPAN_ID_BYTES), np.uint8))
        return cls(np.zeros(n, np.uint8), np.zeros(n, np.uint8), np.zeros(n, np.int64), *ids)


class _Known(NamedTuple):
    """Hashes of the words that mean something here, and the secrets they are made with."""

    names: NDArray[np.uint64]  # [5] TYPED_NAMES
    levels: NDArray[np.uint64]  # [n_levels] by Level
    words: NDArray[np.uint64]  # [4]


class _Cells(NamedTuple):
    """Addresses of `Pairs`, see `raw_memory`: a tuple of arrays that is handed on costs more than the copying."""

    offsets: Int
    name_start: Int
    name_length: Int
    value_start: Int
    value_length: Int


@njit(nogil=True, cache=True)
def _hex_into(base: Int, span: tuple[Int, Int], target: NDArray[np.uint8]) -> bool:
    """Hexadecimal digits to bytes; false, and nothing written, where they are no id or the id is there already."""
    if span[1] != 2 * len(target):
        return False
    for k in range(span[1]):
        digit = load_u8(base, span[0] + k) | uint64(0x20)
        if not ((digit >= uint64(0x30) and digit <= uint64(0x39)) or (digit >= uint64(0x61) and digit <= uint64(0x66))):
            return False
    for k in range(len(target)):
        byte = uint64(0)
        for half in range(2):
            digit = load_u8(base, span[0] + 2 * k + half) | uint64(0x20)
            byte = (byte << uint64(4)) | (digit - uint64(0x30 if digit <= uint64(0x39) else 0x57))
        target[k] = byte
    return bool(target.any())


@njit(nogil=True, cache=True)
def _parse_digits(base: Int, span: tuple[Int, Int]) -> Int:
    """A decimal number, or -1."""
    if span[1] < 1 or span[1] > _MAX_DIGITS + 1:
        return np.int64(-1)
    number = np.int64(0)
    for k in range(span[1]):
        digit = np.int64(load_u8(base, span[0] + k)) - 0x30
        if digit < 0 or digit > 9 or number > (np.int64(0x7FFFFFFFFFFFFFFF) - digit) // 10:
            return np.int64(-1)
        number = 10 * number + digit
    return number


@njit(nogil=True, cache=True)
def _take_typed(base: Int, which: Int, span: tuple[Int, Int], row: Int, typed: TypedColumns, known: _Known) -> bool:
    """Whether the value of a name that has a typed column need not be kept as metadata."""
    if which == _TRACE:
        return bool(typed.trace_id[row].any()) or _hex_into(base, span, typed.trace_id[row])
    if which == _SPAN:
        return bool(typed.span_id[row].any()) or _hex_into(base, span, typed.span_id[row])
    if which == _LEVEL:
        word = hash_span(base, span[0], span[1], to_tuple(known.words))
        for level in range(len(known.levels)):
            if known.levels[level] == word:
                typed.level[row] = level
                return True
        return False
    number = _parse_digits(base, span)
    if which == _SEVERITY:
        if typed.severity[row] == 0 and number >= 1 and number <= _MAX_SEVERITY:
            typed.severity[row] = number
        return bool(typed.severity[row] != 0)
    if typed.observed_ns[row] == 0 and number > 0:
        typed.observed_ns[row] = number
    return bool(typed.observed_ns[row] != 0)


@njit(nogil=True, cache=True)
def _mark_repeated(hashes: NDArray[np.uint64], n: Int, keep: NDArray[np.bool_]) -> bool:
    """Keep the last pair of each name; whether any name stands twice."""
    size = 8
    while size < 2 * n:
        size *= 2
    slots = np.full(size, -1, np.int64)
    mask = uint64(size - 1)
    repeated = False
    for index in range(n - 1, -1, -1):
        at = hashes[index] & mask
        while slots[at] >= 0 and hashes[slots[at]] != hashes[index]:
            at = (at + uint64(1)) & mask
        keep[index] = slots[at] < 0
        if slots[at] < 0:
            slots[at] = index
        else:
            repeated = True
    return repeated


@njit(nogil=True, cache=True)
def _judge_names(hashes: NDArray[np.uint64], n: Int, keep: NDArray[np.bool_], known: _Known) -> Int:
    if _mark_repeated(hashes, n, keep):
        return _REPEATED
    for index in range(n):
        for word in known.names:
            if hashes[index] == word:
                return _TYPED
    return _CLEAN


@njit(nogil=True, cache=True, forceinline=True)
def _to_cells(pairs: Pairs) -> _Cells:
    return _Cells(
        address_of(pairs.offsets),
        address_of(pairs.name_start),
        address_of(pairs.name_length),
        address_of(pairs.value_start),
        address_of(pairs.value_length),
    )


@njit(nogil=True, cache=True, forceinline=True)
def _put_pair(output: _Cells, at: Int, source: _Cells, pair: Int) -> Int:
    name_length, value_length = get_cell(source.name_length, pair), get_cell(source.value_length, pair)
    if name_length == 0 or value_length == 0:
        return at
    put_cell(output.name_start, at, get_cell(source.name_start, pair))
    put_cell(output.name_length, at, name_length)
    put_cell(output.value_start, at, get_cell(source.value_start, pair))
    put_cell(output.value_length, at, value_length)
    return at + 1


@njit(nogil=True, cache=True)
def _hash_names(base: Int, pairs: Pairs, secrets: HashSecrets) -> NDArray[np.uint64]:
    hashes = np.empty(len(pairs.name_start), np.uint64)
    for pair in range(len(hashes)):
        hashes[pair] = hash_span(base, pairs.name_start[pair], pairs.name_length[pair], secrets)
    return hashes


@njit(nogil=True, cache=True)
def _measure(own: Pairs, shared: Pairs, group: NDArray[np.int64]) -> tuple[Int, Int]:
    """Pairs of all lines, and the most that one line has."""
    total, most = len(own.name_start), 0
    for row in range(len(group)):
        n_shared = shared.offsets[group[row] + 1] - shared.offsets[group[row]]
        total += n_shared
        most = max(most, n_shared + own.offsets[row + 1] - own.offsets[row])
    return total, most


@njit(nogil=True, cache=True)
def _settle(
    buffer: NDArray[np.uint8], own: Pairs, shared: Pairs, group: NDArray[np.int64], typed: TypedColumns, known: _Known
) -> Pairs:
    base, secrets = address_of(buffer), to_tuple(known.words)
    room, most = _measure(own, shared, group)
    settled = Pairs(np.zeros(len(group) + 1, np.int64), np.empty(room, np.int64), np.empty(room, np.int64),
                    np.empty(room, np.int64), np.empty(room, np.int64))  # fmt: skip
    output, mine, theirs = _to_cells(settled), _to_cells(own), _to_cells(shared)
    shared_hashes, hashes = _hash_names(base, shared, secrets), np.empty(most, np.uint64)
    words = address_of(hashes)
    keep = np.empty(most, np.bool_)
    seen, verdicts = np.zeros(_REMEMBERED, np.uint64), np.zeros(_REMEMBERED, np.int64)
    at = 0
    for row in range(len(group)):
        first, last = get_cell(mine.offsets, row), get_cell(mine.offsets, row + 1)
        begin, end = shared.offsets[group[row]], shared.offsets[group[row] + 1]
        n_shared = end - begin
        state = secrets[0] ^ uint64(group[row])
        for pair in range(first, last):
            word = hash_span(base, get_cell(mine.name_start, pair), get_cell(mine.name_length, pair), secrets)
            put_cell(words, n_shared + pair - first, np.int64(word))
            state = combine_hashes(state, word, secrets)
        place = np.int64(state & uint64(_REMEMBERED - 1))
        verdict = verdicts[place] if seen[place] == state else 0
        if verdict == 0 or verdict == _REPEATED:
            hashes[:n_shared] = shared_hashes[begin:end]
            verdict = _judge_names(hashes, n_shared + last - first, keep, known)
            seen[place], verdicts[place] = state, verdict
        for pair in range(begin, end):
            if verdict != _REPEATED or keep[pair - begin]:
                at = _put_pair(output, at, theirs, pair)
        for pair in range(first, last):
            if verdict != _CLEAN:
                if verdict == _REPEATED and not keep[n_shared + pair - first]:
                    continue
                which = _typed_name(hashes[n_shared + pair - first], known)
                span = (get_cell(mine.value_start, pair), get_cell(mine.value_length, pair))
                if which >= 0 and _take_typed(base, which, span, row, typed, known):
                    continue
            at = _put_pair(output, at, mine, pair)
        put_cell(output.offsets, row + 1, at)
    return Pairs(settled.offsets, settled.name_start[:at], settled.name_length[:at], settled.value_start[:at],
                 settled.value_length[:at])  # fmt: skip


@njit(nogil=True, cache=True, forceinline=True)
def _typed_name(word: Int, known: _Known) -> Int:
    for which in range(len(known.names)):
        if known.names[which] == word:
            return which
    return -1


@lru_cache(maxsize=16)
def _known_words(seed: int) -> _Known:
    words = derive_secrets(seed, _PURPOSE)
    levels = tuple(level.name.lower() for level in Level)
    hashed = []
    for texts in (TYPED_NAMES, levels):
        column = Utf8Column.from_strings(texts)
        hashed.append(hash_spans(column.buffer, column.start, column.length, words))
    return _Known(hashed[0], hashed[1], words)


def check_count(count: int, bound: int, what: str) -> None:
    """Raise LimitExceededError (`too_large`) where one request holds more than a decoder takes."""
    if count > bound:
        limit = "limits.max_body_bytes_decompressed"
        raise LimitExceededError(
            f"one request holds {count} {what}, more than {bound}: send smaller ones", limit=limit, too_large=True
        )


NO_GROUPS = Pairs(np.zeros(2, np.int64), *(np.zeros(0, np.int64) for _ in range(4)))


def settle_pairs(
    buffer: NDArray[np.uint8], own: Pairs, shared: Pairs, group: NDArray[np.int64], typed: TypedColumns, seed: int
) -> Pairs:
    """The metadata of n lines, each name once and no empty value; `typed` is filled in place.

    `own` are the lines' pairs, `shared` [n_groups] those of their groups; `group` [n] says which group a line is of.
    `NO_GROUPS` is one group that shares nothing. Raises LimitExceededError (`too_large`) beyond MAX_PAIRS.
    """
    check_count(len(own.name_start) + int(np.diff(shared.offsets)[group].sum()), MAX_PAIRS, "metadata pairs")
    settled: Pairs = Pairs(*_settle(buffer, own, shared, group, typed, _known_words(seed)))
    return settled
