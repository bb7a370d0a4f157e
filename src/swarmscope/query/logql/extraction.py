"""What parsers take out of lines: fields by row, in columns, named once.

A field's name is sanitised as Loki does: characters that no label name may have become `_`, and a leading digit gets
one in front. Names are numbered in a table of the kernels' own, so that a name becomes text only once a batch. Kernels
get the tables as tuples of addresses (`model.raw_memory`), which cost nothing to hand on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.errors import QueryFailedError
from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import Int, address_of, copy_bytes, get_cell, load_u8, put_cell

_NOT_IN_NAMES = re.compile(rb"[^a-zA-Z0-9_]")
MAX_NAMES = 4096
MAX_NAME_BYTES = 1024
_SLOTS = 4 * MAX_NAMES
_TABLE_BYTES = 1 << 19
NO_NAME, FULL = -1, -2
ABSENT = -1
# Why a kernel stopped: it is through, it needs more room for fields, the table of names is full.
DONE, NO_ROOM, NAMES_FULL = 0, 1, 2
_LARGEST_FIRST_ROOM = 1 << 20


class NameArrays(NamedTuple):
    """Open addressing from sanitised names to numbers; name i is `text[start[i] : start[i] + length[i]]`."""

    slots: NDArray[np.int64]  # [_SLOTS] number + 1, 0 for a free slot
    start: NDArray[np.int64]  # [MAX_NAMES]
    length: NDArray[np.int64]  # [MAX_NAMES]
    text: NDArray[np.uint8]  # [_TABLE_BYTES]
    counts: NDArray[np.int64]  # [2] names, bytes of text


class FieldArrays(NamedTuple):
    """Fields found so far."""

    row: NDArray[np.int64]  # [capacity]
    name: NDArray[np.int64]  # [capacity]
    start: NDArray[np.int64]  # [capacity] in `values`
    length: NDArray[np.int64]  # [capacity]
    values: NDArray[np.uint8]
    counts: NDArray[np.int64]  # [3] fields, bytes of values, capacity


class Names(NamedTuple):
    """Addresses of `NameArrays`."""

    slots: Int
    start: Int
    length: Int
    text: Int
    counts: Int


class Fields(NamedTuple):
    """Addresses of `FieldArrays`."""

    row: Int
    name: Int
    start: Int
    length: Int
    values: Int
    counts: Int


@dataclass(frozen=True, slots=True)
class Extracted:
    """Fields of n lines by name; `failed` marks lines that are not what the parser reads."""

    columns: dict[str, Utf8Column]  # [n] each; length ABSENT where a line has no such field
    failed: NDArray[np.bool_]  # [n]


# Takes lines (buffer, start, length), the first row, (names, fields), `failed` and whether names may be added; returns
# the row that it stopped at and why.
ScanKernel = Callable[..., tuple[int, int]]


def extract(line: Utf8Column, wanted: tuple[str, ...] | None, kernel: ScanKernel, value_bytes: int) -> Extracted:
    """Run a kernel over the lines [n] for the names `wanted`, or (None) for all that there are.

    `value_bytes` is what all values take at most. Raises QueryFailedError where the lines have too many names.
    """
    names = new_names(wanted or ())
    n_rows = len(line)
    room = n_rows * len(wanted) if wanted is not None else 8 * n_rows
    fields = _new_fields(min(room, _LARGEST_FIRST_ROOM) + 64, value_bytes)
    failed = np.zeros(n_rows, np.bool_)
    row = 0
    while True:
        row, outcome = kernel((line.buffer, line.start, line.length), row, (names, fields), failed, wanted is None)
        if outcome == DONE:
            return Extracted(_to_columns(fields, names, n_rows), failed)
        if outcome == NAMES_FULL:
            raise QueryFailedError(
                f"the lines have more than {int(names.counts[0])} different fields; name those that are wanted"
            )
        fields = _grown(fields)


def new_names(wanted: tuple[str, ...] = ()) -> NameArrays:
    """A table that knows the names `wanted`, numbered from 0."""
    table = NameArrays(
        np.zeros(_SLOTS, np.int64),
        np.zeros(MAX_NAMES, np.int64),
        np.zeros(MAX_NAMES, np.int64),
        np.zeros(_TABLE_BYTES, np.uint8),
        np.zeros(2, np.int64),
    )
    for name in wanted:
        _add_name(table, np.frombuffer(name.encode(), np.uint8))
    return table


def _new_fields(capacity: int, value_bytes: int) -> FieldArrays:
    row, name, start, length = (np.empty(capacity, np.int64) for _ in range(4))
    return FieldArrays(row, name, start, length, np.empty(value_bytes, np.uint8), np.array([0, 0, capacity], np.int64))


def _grown(fields: FieldArrays) -> FieldArrays:
    """The same fields with twice the room for more; values keep their buffer, which is never too small."""
    capacity = 2 * len(fields.row)
    larger = [np.concatenate((old, np.empty(capacity - len(old), np.int64))) for old in fields[:4]]
    counts = np.array([fields.counts[0], fields.counts[1], capacity], np.int64)
    return FieldArrays(larger[0], larger[1], larger[2], larger[3], fields.values, counts)


def _to_columns(fields: FieldArrays, names: NameArrays, n_rows: int) -> dict[str, Utf8Column]:
    n_names = int(names.counts[0])
    starts, lengths = _scatter(fields, n_names, n_rows)
    columns = {}
    for number in range(n_names):
        begin = int(names.start[number])
        text = names.text[begin : begin + int(names.length[number])].tobytes().decode()
        columns[text] = Utf8Column(fields.values, starts[number], lengths[number])
    return columns


@njit(nogil=True, cache=True)
def _scatter(fields: FieldArrays, n_names: int, n_rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and lengths as matrices [n_names, n_rows]. Of a field that stands twice in a line the last counts."""
    starts = np.zeros((n_names, n_rows), np.int64)
    lengths = np.full((n_names, n_rows), ABSENT, np.int64)
    for i in range(fields.counts[0]):
        starts[fields.name[i], fields.row[i]] = fields.start[i]
        lengths[fields.name[i], fields.row[i]] = fields.length[i]
    return starts, lengths


@njit(nogil=True, cache=True)
def names_at(arrays: NameArrays) -> Names:
    """The addresses of a table; the arrays must outlive their use."""
    return Names(
        address_of(arrays.slots),
        address_of(arrays.start),
        address_of(arrays.length),
        address_of(arrays.text),
        address_of(arrays.counts),
    )


@njit(nogil=True, cache=True)
def fields_at(arrays: FieldArrays) -> Fields:
    """As `names_at`."""
    return Fields(
        address_of(arrays.row),
        address_of(arrays.name),
        address_of(arrays.start),
        address_of(arrays.length),
        address_of(arrays.values),
        address_of(arrays.counts),
    )


@njit(nogil=True, cache=True)
def _add_name(table: NameArrays, text: NDArray[np.uint8]) -> Int:
    return number_name(names_at(table), address_of(text), len(text), True)


@njit(nogil=True, cache=True)
def number_name(names: Names, text: Int, length: Int, may_add: bool) -> Int:
    """The number of the `length` bytes at `text`; NO_NAME where they are not known and not to be added, FULL."""
    key = np.uint64(14695981039346656037)  # FNV-1a
    for i in range(length):
        key = (key ^ load_u8(text, i)) * np.uint64(1099511628211)
    slot = np.int64((key ^ (key >> np.uint64(29))) & np.uint64(_SLOTS - 1))
    while True:
        held = get_cell(names.slots, slot)
        if held == 0:
            break
        if _is_same(names, held - 1, text, length):
            return held - 1
        slot = (slot + 1) & (_SLOTS - 1)
    if not may_add:
        return np.int64(NO_NAME)
    number, used = get_cell(names.counts, 0), get_cell(names.counts, 1)
    if number == MAX_NAMES or used + length > _TABLE_BYTES:
        return np.int64(FULL)
    copy_bytes(names.text + used, text, length)
    put_cell(names.start, number, used)
    put_cell(names.length, number, length)
    put_cell(names.counts, 0, number + 1)
    put_cell(names.counts, 1, used + length)
    put_cell(names.slots, slot, number + 1)
    return number


@njit(nogil=True, cache=True)
def _is_same(names: Names, number: Int, text: Int, length: Int) -> bool:
    if get_cell(names.length, number) != length:
        return False
    at = get_cell(names.start, number)
    for i in range(length):  # noqa: SIM110 - compiled code has no generators
        if load_u8(names.text, at + i) != load_u8(text, i):
            return False
    return True


@njit(nogil=True, cache=True)
def has_room(fields: Fields) -> bool:
    """Whether one more field can be noted."""
    return bool(get_cell(fields.counts, 0) < get_cell(fields.counts, 2))


@njit(nogil=True, cache=True)
def note_field(fields: Fields, row: Int, number: Int, end: Int) -> None:
    """A field whose value has been written to `values` up to `end`, from where the last one ended."""
    n, begin = get_cell(fields.counts, 0), get_cell(fields.counts, 1)
    put_cell(fields.row, n, row)
    put_cell(fields.name, n, number)
    put_cell(fields.start, n, begin)
    put_cell(fields.length, n, end - begin)
    put_cell(fields.counts, 0, n + 1)
    put_cell(fields.counts, 1, end)


def field_name(key: str) -> str:
    """The label name that kernels make of a key."""
    clean = _NOT_IN_NAMES.sub(b"_", key.encode()).decode()
    return f"_{clean}" if clean[:1].isdigit() else clean


@njit(nogil=True, cache=True)
def is_name_byte(byte: Int) -> bool:
    """Whether a label name may have the byte anywhere behind its first."""
    return bool((97 <= byte <= 122) or (65 <= byte <= 90) or (48 <= byte <= 57) or byte == 95)
