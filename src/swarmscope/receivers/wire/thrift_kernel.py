"""The compiled walk over Thrift structs, in the binary and the compact protocol: rows of numbers out.

A stack of frames (structs and lists) stands in for recursion. Every struct of a type that the schema knows becomes a
row of its table; other fields, and known ones of another type than declared, are walked over, as Thrift has it.

Wire formats: https://github.com/apache/thrift/blob/master/doc/specs/thrift-binary-protocol.md and
thrift-compact-protocol.md there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from swarmscope.model.raw_memory import Int, address_of, get_cell, load_u8, load_u32, load_u64, put_cell
from swarmscope.receivers.wire.varint import OVERLONG_VARINT, read_varint

# Types, numbered as in the binary protocol.
STOP, BOOL, BYTE, DOUBLE, I16, I32, I64, STRING, STRUCT, MAP, SET, LIST, UUID = (
    0, 2, 3, 4, 6, 8, 10, 11, 12, 13, 14, 15, 16
)  # fmt: skip
_UNKNOWN = -1
_NIBBLES = (STOP, BOOL, BOOL, BYTE, I16, I32, I64, DOUBLE, STRING, LIST, SET, MAP, STRUCT, UUID, _UNKNOWN, _UNKNOWN)
_BY_NIBBLE = np.array(_NIBBLES, np.int64)
_COMPACT_TRUE = 1

TRUNCATED, OVERLONG, BAD_TYPE, BAD_LENGTH, TOO_DEEP = 1, 2, 3, 4, 5
MAX_DEPTH = 32  # of structs and lists; the deepest honest value stands six levels down

# First columns of every table's rows.
PARENT, SLOT, START = 0, 1, 2
N_ROW_COLUMNS = 3

# Cells of a frame. A list's table is its elements'.
_IS_LIST, _TABLE, _ROW, _LEFT, _FIRST, _SECOND, _LAST_ID, _SLOT = range(8)
_FRAME = 8

# Cells of the state.
FAULT, TABLE, FIELD, OFFSET = range(4)
N_STATE = 4


class Plan(NamedTuple):
    """Which field of which struct goes where. A slot is a field of a table, numbered over all tables."""

    base: NDArray[np.int64]  # [n_tables] where a table's slots begin: slot = base + field id
    max_id: NDArray[np.int64]  # [n_tables]
    kind: NDArray[np.int64]  # [n_slots] declared type, of a list's elements where `child` is a table; STOP: none
    column: NDArray[np.int64]  # [n_slots]
    child: NDArray[np.int64]  # [n_slots] table of a struct or of a list's structs, or -1
    is_list: NDArray[np.int64]  # [n_slots]


class Tables(NamedTuple):
    """Rows by table; what has no room is only counted."""

    cells: NDArray[np.int64]  # [n_cells] zeros
    base: NDArray[np.int64]  # [n_tables]
    capacity: NDArray[np.int64]  # [n_tables]
    rows: NDArray[np.int64]  # [n_tables] zeros
    state: NDArray[np.int64]  # [N_STATE] zeros


class _Walk(NamedTuple):
    """Addresses, see `raw_memory`, and numbers."""

    base: Int
    end: Int
    compact: Int
    slot_base: Int
    max_id: Int
    kind: Int
    column: Int
    child: Int
    is_list: Int
    cells: Int
    table_base: Int
    capacity: Int
    rows: Int
    stack: Int


class _Place(NamedTuple):
    """Where a value belongs; table -1: nowhere."""

    table: Int
    row: Int
    slot: Int
    column: Int
    child: Int


@njit(nogil=True, cache=True, forceinline=True)
def _swap(word: Int, n_bytes: Int) -> Int:
    """A big-endian number of `n_bytes` at the low end of `word`."""
    low, high = uint64(0x00FF00FF00FF00FF), uint64(0x0000FFFF0000FFFF)
    word = ((word & low) << uint64(8)) | ((word >> uint64(8)) & low)
    word = ((word & high) << uint64(16)) | ((word >> uint64(16)) & high)
    word = (word << uint64(32)) | (word >> uint64(32))
    return word >> uint64(64 - 8 * n_bytes)


@njit(nogil=True, cache=True, forceinline=True)
def _load_big(walk: _Walk, position: Int, n_bytes: Int) -> tuple[Int, Int, Int]:
    """A signed big-endian number, the position behind it and a fault (0: none)."""
    if walk.end - position < n_bytes:
        return np.int64(0), position, TRUNCATED
    if n_bytes == 8:
        return np.int64(_swap(load_u64(walk.base, position), 8)), position + 8, 0
    if n_bytes == 4:
        number = np.int64(_swap(load_u32(walk.base, position), 4))
        return number - ((number & 0x80000000) << 1), position + 4, 0
    number = np.int64(load_u8(walk.base, position))
    if n_bytes == 2:
        number = number << 8 | np.int64(load_u8(walk.base, position + 1))
        return number - ((number & 0x8000) << 1), position + 2, 0
    return number - ((number & 0x80) << 1), position + 1, 0


@njit(nogil=True, cache=True, forceinline=True)
def _load_varint(walk: _Walk, position: Int) -> tuple[Int, Int, Int]:
    number, after = read_varint(walk.base, position, walk.end)
    if after < 0:
        return np.int64(0), position, OVERLONG if after == OVERLONG_VARINT else TRUNCATED
    return np.int64(number), after, 0


@njit(nogil=True, cache=True, forceinline=True)
def _load_number(walk: _Walk, kind: Int, position: Int) -> tuple[Int, Int, Int]:
    """BYTE, I16, I32, I64 or DOUBLE (its bits), the position behind it and a fault (0: none)."""
    if kind == BYTE:
        return _load_big(walk, position, 1)
    if kind == DOUBLE:
        if walk.end - position < 8:
            return np.int64(0), position, TRUNCATED
        bits = load_u64(walk.base, position)
        return np.int64(bits if walk.compact else _swap(bits, 8)), position + 8, 0
    if walk.compact:
        raw, after, fault = _load_varint(walk, position)
        return np.int64(np.uint64(raw) >> np.uint64(1)) ^ -(raw & 1), after, fault
    if kind == I64:
        return _load_big(walk, position, 8)
    return _load_big(walk, position, 4) if kind == I32 else _load_big(walk, position, 2)


@njit(nogil=True, cache=True, forceinline=True)
def _load_size(walk: _Walk, position: Int) -> tuple[Int, Int, Int]:
    """A size or length, checked against the bytes that are left: every element takes one at the least."""
    if walk.compact:
        size, after, fault = _load_varint(walk, position)
    else:
        size, after, fault = _load_big(walk, position, 4)
    if fault == 0 and (size < 0 or size > walk.end - after):
        return np.int64(0), position, BAD_LENGTH
    return size, after, fault


@njit(nogil=True, cache=True, forceinline=True)
def _load_type(walk: _Walk, position: Int) -> tuple[Int, Int, Int]:
    if position >= walk.end:
        return np.int64(0), position, TRUNCATED
    return np.int64(load_u8(walk.base, position)), position + 1, 0


@njit(nogil=True, cache=True, forceinline=True)
def _by_nibble(nibble: Int) -> Int:
    return _BY_NIBBLE[nibble & 15]


@njit(nogil=True, cache=True, forceinline=True)
def _put(walk: _Walk, place: _Place, column: Int, value: Int) -> None:
    if place.table >= 0:
        room = get_cell(walk.capacity, place.table)
        if place.row < room:
            put_cell(walk.cells, get_cell(walk.table_base, place.table) + column * room + place.row, value)


@njit(nogil=True, cache=True, forceinline=True)
def _push(walk: _Walk, depth: Int, is_list: Int, place: _Place) -> Int:
    """A frame on the stack; its address in cells."""
    at = depth * _FRAME
    put_cell(walk.stack, at + _IS_LIST, is_list)
    put_cell(walk.stack, at + _TABLE, place.table)
    put_cell(walk.stack, at + _ROW, place.row)
    put_cell(walk.stack, at + _LAST_ID, np.int64(0))
    put_cell(walk.stack, at + _SLOT, place.slot)
    return at


@njit(nogil=True, cache=True, forceinline=True)
def _push_struct(walk: _Walk, depth: Int, table: Int, parent: tuple[Int, Int], position: Int) -> None:
    """A struct begins; `parent` is row and slot."""
    row = np.int64(-1)
    if table >= 0:
        row = get_cell(walk.rows, table)
        put_cell(walk.rows, table, row + 1)
    place = _Place(table, row, np.int64(-1), np.int64(0), np.int64(-1))
    _put(walk, place, PARENT, parent[0])
    _put(walk, place, SLOT, parent[1])
    _put(walk, place, START, position)
    _push(walk, depth, np.int64(0), place)


@njit(nogil=True, cache=True)
def _push_list(walk: _Walk, depth: Int, kind: Int, place: _Place, position: Int) -> tuple[Int, Int]:
    """A list, set or map begins: the position behind its head and a fault (0: none)."""
    size, second = np.int64(0), np.int64(STOP)
    if kind == MAP:
        first = np.int64(STOP)
        if walk.compact:
            size, position, fault = _load_size(walk, position)
            if fault == 0 and size > 0:
                both, position, fault = _load_type(walk, position)
                first, second = _by_nibble(both >> 4), _by_nibble(both)
        else:
            first, position, fault = _load_type(walk, position)
            if fault == 0:
                second, position, fault = _load_type(walk, position)
            if fault == 0:
                size, position, fault = _load_size(walk, position)
        size *= 2
    elif walk.compact:
        head, position, fault = _load_type(walk, position)
        first, second = _by_nibble(head), _by_nibble(head)
        size = head >> 4
        if fault == 0 and size == 15:
            size, position, fault = _load_size(walk, position)
    else:
        first, position, fault = _load_type(walk, position)
        second = first
        if fault == 0:
            size, position, fault = _load_size(walk, position)
    if fault != 0:
        return position, fault
    if size > walk.end - position:
        return position, BAD_LENGTH
    wanted = kind == LIST and place.child >= 0 and first == STRUCT
    elements = _Place(place.child if wanted else np.int64(-1), place.row, place.slot, np.int64(0), np.int64(-1))
    at = _push(walk, depth, np.int64(1), elements)
    put_cell(walk.stack, at + _LEFT, size)
    put_cell(walk.stack, at + _FIRST, first)
    put_cell(walk.stack, at + _SECOND, second)
    return position, 0


@njit(nogil=True, cache=True)
def _take_value(walk: _Walk, depth: Int, kind: Int, place: _Place, position: Int) -> tuple[Int, Int, Int]:
    """A value: the depth afterwards (a struct or a list opens), the position and a fault (0: none)."""
    if kind == STRING:
        length, position, fault = _load_size(walk, position)
        if fault != 0:
            return depth, position, fault
        _put(walk, place, place.column, position)
        _put(walk, place, place.column + 1, length)
        return depth, position + length, 0
    if kind in (STRUCT, LIST, SET, MAP):
        if depth + 1 >= MAX_DEPTH:
            return depth, position, TOO_DEEP
        if kind == STRUCT:
            _push_struct(walk, depth + 1, place.child, (place.row, place.slot), position)
            return depth + 1, position, 0
        position, fault = _push_list(walk, depth + 1, kind, place, position)
        return depth + 1, position, fault
    if kind == BOOL:
        raw, position, fault = _load_type(walk, position)
        _put(walk, place, place.column, np.int64(raw == 1))
        return depth, position, fault
    if kind == UUID:
        return depth, position + 16, TRUNCATED if walk.end - position < 16 else 0
    if kind != BYTE and kind != DOUBLE and kind != I16 and kind != I32 and kind != I64:
        return depth, position, BAD_TYPE
    number, position, fault = _load_number(walk, kind, position)
    if fault == 0:
        _put(walk, place, place.column, number)
    return depth, position, fault


@njit(nogil=True, cache=True, forceinline=True)
def _place_of(walk: _Walk, table: Int, row: Int, number: Int, kind: Int) -> _Place:
    """Where the field `number` of a struct goes, if it is known and of the declared type."""
    nowhere, zero = np.int64(-1), np.int64(0)
    if table < 0 or number < 0 or number > get_cell(walk.max_id, table):
        return _Place(nowhere, nowhere, nowhere, zero, nowhere)
    slot = get_cell(walk.slot_base, table) + number
    wanted = np.int64(LIST) if get_cell(walk.is_list, slot) != 0 else get_cell(walk.kind, slot)
    if wanted != kind:
        return _Place(nowhere, nowhere, nowhere, zero, nowhere)
    return _Place(table, row, slot, get_cell(walk.column, slot), get_cell(walk.child, slot))


@njit(nogil=True, cache=True)
def _take_field(walk: _Walk, depth: Int, position: Int, state: NDArray[np.int64]) -> tuple[Int, Int, Int]:
    """The next field of the struct on top, or its end; as `_take_value`."""
    at = depth * _FRAME
    table, row = get_cell(walk.stack, at + _TABLE), get_cell(walk.stack, at + _ROW)
    state[TABLE], state[FIELD], state[OFFSET] = table, 0, position
    head, position, fault = _load_type(walk, position)
    if fault != 0:
        return depth, position, fault
    if head == STOP:
        return depth - 1, position, 0
    if not walk.compact:
        number, position, fault = _load_big(walk, position, 2)
        kind = head
    else:
        kind = _by_nibble(head)
        number = get_cell(walk.stack, at + _LAST_ID) + (head >> 4)
        if head >> 4 == 0:
            number, position, fault = _load_number(walk, I16, position)
        put_cell(walk.stack, at + _LAST_ID, number)
    if fault != 0:
        return depth, position, fault
    state[FIELD] = number
    place = _place_of(walk, table, row, number, kind)
    if walk.compact and kind == BOOL:
        _put(walk, place, place.column, np.int64((head & 15) == _COMPACT_TRUE))
        return depth, position, 0
    return _take_value(walk, depth, kind, place, position)


@njit(nogil=True, cache=True)
def _take_element(walk: _Walk, depth: Int, position: Int) -> tuple[Int, Int, Int]:
    """The next element of the list on top, or its end; as `_take_value`."""
    at = depth * _FRAME
    left = get_cell(walk.stack, at + _LEFT)
    if left == 0:
        return depth - 1, position, 0
    put_cell(walk.stack, at + _LEFT, left - 1)
    kind = get_cell(walk.stack, at + (_FIRST if left & 1 == 0 else _SECOND))
    nowhere = np.int64(-1)
    if kind == STRUCT:
        child, row = get_cell(walk.stack, at + _TABLE), get_cell(walk.stack, at + _ROW)
        place = _Place(nowhere, row, get_cell(walk.stack, at + _SLOT), np.int64(0), child)
    else:
        place = _Place(nowhere, nowhere, nowhere, np.int64(0), nowhere)
    return _take_value(walk, depth, kind, place, position)


@njit(nogil=True, cache=True)
def _walk_root(walk: _Walk, begin: Int, number: Int, root: Int, state: NDArray[np.int64]) -> Int:
    """One struct and all that it holds; a fault (0: none)."""
    position, depth, fault = begin, np.int64(0), np.int64(0)
    _push_struct(walk, depth, root, (number, np.int64(-1)), position)
    while depth >= 0:
        if get_cell(walk.stack, depth * _FRAME + _IS_LIST) != 0:
            depth, position, fault = _take_element(walk, depth, position)
        else:
            depth, position, fault = _take_field(walk, depth, position, state)
        if fault != 0:
            return fault
    return np.int64(0)


@njit(nogil=True, cache=True)
def walk_structs(
    buffer: NDArray[np.uint8], spans: tuple[NDArray[np.int64], NDArray[np.int64]], compact: bool, plan: Plan,
    tables: Tables, root: int,
) -> bool:  # fmt: skip
    """Walk structs of table `root` that stand at `spans` (starts, ends); false after a fault, which the state names."""
    stack = np.zeros(_FRAME * MAX_DEPTH, np.int64)
    state = tables.state
    starts, ends = spans
    for number in range(len(starts)):
        walk = _Walk(
            address_of(buffer), ends[number], np.int64(compact), address_of(plan.base), address_of(plan.max_id),
            address_of(plan.kind), address_of(plan.column), address_of(plan.child), address_of(plan.is_list),
            address_of(tables.cells), address_of(tables.base), address_of(tables.capacity), address_of(tables.rows),
            address_of(stack),
        )  # fmt: skip
        fault = _walk_root(walk, starts[number], np.int64(number), np.int64(root), state)
        if fault != 0:
            state[FAULT] = fault
            return False
    return True
