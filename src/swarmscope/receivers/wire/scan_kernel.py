"""The compiled walk over a protobuf message: wire format in, tables out. `scanner` is its face to Python.

Tables are filled breadth first: a row of a message table is scanned to its end, and the messages inside it are
only noted as rows (their span, their parent) of their own tables, to be scanned later. So nothing recurses, the
children of a row stand together and in order, and a message nobody wants costs one jump.

A table that is full ends the walk with GROW; the caller enlarges it and calls again, and the row that was being
scanned starts anew. Source of the format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.raw_memory import Int, address_of, get_cell, load_u32, load_u64, put_cell, widen_float32
from swarmscope.receivers.wire.message_schema import Plan
from swarmscope.receivers.wire.varint import OVERLONG_VARINT, TRUNCATED_VARINT, read_varint

DONE, GROW, FAULT = 0, 1, 2

# Faults, in the order of `scanner.FAULT_TEXTS`.
TRUNCATED, OVERLONG, WRONG_WIRE_TYPE, BEYOND_PARENT, GROUP, BAD_TAG, TOO_DEEP, RAGGED_PACKED = range(1, 9)

_FIXED64, _FIXED32, _BYTES, _MESSAGE = 6, 7, 10, 11  # Kind, as plain numbers for Numba
_START, _END, _PRESENCE = 2, 3, 4  # message_schema's columns


class Tables(NamedTuple):
    """All tables in one array: cell (column, row) of table t is `cells[base[t] + column * capacity[t] + row]`."""

    cells: NDArray[np.int64]  # [sum of columns * capacity], zeros
    base: NDArray[np.int64]  # [n_tables]
    capacity: NDArray[np.int64]  # [n_tables] rows there is room for
    rows: NDArray[np.int64]  # [n_tables] rows there are
    scanned: NDArray[np.int64]  # [n_tables] rows that have been scanned (message tables)
    state: NDArray[np.int64]  # [5] fault, table, field number, byte offset, sweeps done; on GROW: _, full table


class Walk(NamedTuple):
    """Addresses of everything the walk touches: `Plan`, `Tables` and the buffer, see `raw_memory`."""

    buffer: Int
    lookup: Int
    lookup_base: Int
    max_number: Int
    is_message: Int
    kind: Int
    column: Int
    child: Int
    bit: Int
    clear: Int
    owner: Int
    cells: Int
    base: Int
    capacity: Int
    rows: Int
    state: Int


@njit(nogil=True, cache=True)
def _fail(walk: Walk, fault: Int, table: Int, number: Int, offset: Int) -> Int:
    put_cell(walk.state, 0, fault)
    put_cell(walk.state, 1, table)
    put_cell(walk.state, 2, number)
    put_cell(walk.state, 3, offset)
    return -FAULT


@njit(nogil=True, cache=True, forceinline=True)
def _add_value(walk: Walk, table: Int, parent: Int, value: Int, length: Int) -> Int:
    """Append to a table of values; `length` is -1 for numbers. False where the table is full."""
    row = get_cell(walk.rows, table)
    capacity = get_cell(walk.capacity, table)
    if row >= capacity:
        put_cell(walk.state, 1, table)
        return False
    at = get_cell(walk.base, table) + row
    put_cell(walk.cells, at, parent)
    put_cell(walk.cells, at + capacity, value)
    if length >= 0:
        put_cell(walk.cells, at + 2 * capacity, length)
    put_cell(walk.rows, table, row + 1)
    return True


@njit(nogil=True, cache=True, forceinline=True)
def _add_message(walk: Walk, slot: Int, parent: Int, span: tuple[Int, Int]) -> Int:
    """Note a message as a row of its table; -1 where the table is full, else the row."""
    table = get_cell(walk.child, slot)
    row = get_cell(walk.rows, table)
    capacity = get_cell(walk.capacity, table)
    if row >= capacity:
        put_cell(walk.state, 1, table)
        return -1
    at = get_cell(walk.base, table) + row
    put_cell(walk.cells, at, parent)
    put_cell(walk.cells, at + capacity, slot)
    put_cell(walk.cells, at + _START * capacity, span[0])
    put_cell(walk.cells, at + _END * capacity, span[1])
    put_cell(walk.rows, table, row + 1)
    return row


@njit(nogil=True, cache=True, forceinline=True)
def _to_cell(kind: Int, raw: Int) -> Int:
    """The cell of a number: narrow types are cut and extended as protobuf's own parsers do."""
    if kind == 1 or kind == 8:
        return np.int64(np.int32(raw & np.uint64(0xFFFFFFFF)))
    if kind == 2:
        return np.int64(raw & np.uint64(0xFFFFFFFF))
    if kind == 3:
        return np.int64(raw != np.uint64(0))
    if kind == 4:
        narrow = raw & np.uint64(0xFFFFFFFF)
        return np.int64(np.int32((narrow >> np.uint64(1)) ^ (np.uint64(0) - (narrow & np.uint64(1)))))
    if kind == 5:
        return np.int64((raw >> np.uint64(1)) ^ (np.uint64(0) - (raw & np.uint64(1))))
    if kind == 9:
        return np.int64(widen_float32(raw))
    return np.int64(raw)


@njit(nogil=True, cache=True, forceinline=True)
def _store_number(walk: Walk, slot: Int, row: Int, raw: Int) -> Int:
    """Put a number into its column, or behind the others of a repeated field. False where a table is full."""
    cell = _to_cell(get_cell(walk.kind, slot), raw)
    if get_cell(walk.column, slot) < 0:
        return _add_value(walk, get_cell(walk.child, slot), row, cell, -1)
    table = get_cell(walk.owner, slot)
    put_cell(
        walk.cells,
        get_cell(walk.base, table) + get_cell(walk.column, slot) * get_cell(walk.capacity, table) + row,
        cell,
    )
    return True


@njit(nogil=True, cache=True, forceinline=True)
def _store_packed(walk: Walk, slot: Int, row: Int, span: tuple[Int, Int]) -> Int:
    """All numbers of a packed field: 0, -GROW, or a fault code."""
    position, end = span
    kind = get_cell(walk.kind, slot)
    while position < end:
        if kind < _FIXED64:
            raw, position = read_varint(walk.buffer, position, end)
            if position < 0:
                return OVERLONG if position == OVERLONG_VARINT else TRUNCATED
        else:
            width = 8 if kind == _FIXED64 else 4
            if end - position < width:
                return RAGGED_PACKED
            raw = load_u64(walk.buffer, position) if width == 8 else load_u32(walk.buffer, position)
            position += width
        if not _store_number(walk, slot, row, raw):
            return -GROW
    return 0


@njit(nogil=True, cache=True, forceinline=True)
def _store_delimited(walk: Walk, slot: Int, row: Int, span: tuple[Int, Int]) -> Int:
    """A length-delimited field: text, message or packed numbers. 0, -GROW, or a fault code."""
    kind = get_cell(walk.kind, slot)
    column = get_cell(walk.column, slot)
    if kind < _BYTES:
        return WRONG_WIRE_TYPE if column >= 0 else _store_packed(walk, slot, row, span)
    table = get_cell(walk.owner, slot)
    capacity = get_cell(walk.capacity, table)
    at = get_cell(walk.base, table) + column * capacity + row
    if kind == _MESSAGE:
        child = _add_message(walk, slot, row, span)
        if child < 0:
            return -GROW
        if column >= 0:
            put_cell(walk.cells, at, child + 1)
        return 0
    if column < 0:
        return 0 if _add_value(walk, get_cell(walk.child, slot), row, span[0], span[1] - span[0]) else -GROW
    put_cell(walk.cells, at, span[0])
    put_cell(walk.cells, at + capacity, span[1] - span[0])
    return 0


@njit(nogil=True, cache=True, forceinline=True)
def _take_number(walk: Walk, wire: Int, position: Int, end: Int) -> tuple[Int, Int]:
    """A varint or a fixed-width number, and the position behind it (negative: as `read_varint`)."""
    if wire == 0:
        return read_varint(walk.buffer, position, end)
    width = 8 if wire == 1 else 4
    if end - position < width:
        return np.uint64(0), TRUNCATED_VARINT
    raw = load_u64(walk.buffer, position) if wire == 1 else load_u32(walk.buffer, position)
    return raw, position + width


@njit(nogil=True, cache=True, forceinline=True)
def _number_wire_type(kind: Int) -> Int:
    if kind < _FIXED64:
        return 0
    if kind == _FIXED64:
        return 1
    return 5 if kind < _BYTES else 2


@njit(nogil=True, cache=True, forceinline=True)
def _take_tag(walk: Walk, table: Int, position: Int, end: Int) -> tuple[Int, Int]:
    """A field's tag and the position behind it; the position is negative after a fault, which is noted."""
    tag, after = read_varint(walk.buffer, position, end)
    if after < 0:
        fault = OVERLONG if after == OVERLONG_VARINT else TRUNCATED
        return 0, _fail(walk, fault, table, 0, position)
    number = np.int64(tag >> np.uint64(3))
    wire = np.int64(tag & np.uint64(7))
    if wire == 3 or wire == 4:
        return 0, _fail(walk, GROUP, table, number, position)
    if tag >= np.uint64(1 << 32) or number == 0 or wire > 5:
        return 0, _fail(walk, BAD_TAG, table, number, position)
    return np.int64(tag), after


@njit(nogil=True, cache=True, forceinline=True)
def _scan_field(walk: Walk, place: tuple[Int, Int, Int], tag: Int, span: tuple[Int, Int]) -> Int:
    """One field's value. Returns the position behind it, -FAULT or -GROW. `place` is table, row, slot."""
    table, row, slot = place
    position, end = span
    wire = tag & 7
    if wire != 2:
        raw, after = _take_number(walk, wire, position, end)
        if after < 0:
            return _fail(walk, OVERLONG if after == OVERLONG_VARINT else TRUNCATED, table, tag >> 3, position)
        if slot >= 0:
            if _number_wire_type(get_cell(walk.kind, slot)) != wire:
                return _fail(walk, WRONG_WIRE_TYPE, table, tag >> 3, position)
            if not _store_number(walk, slot, row, raw):
                return -GROW
        return after
    length, start = read_varint(walk.buffer, position, end)
    if start < 0:
        return _fail(walk, OVERLONG if start == OVERLONG_VARINT else TRUNCATED, table, tag >> 3, position)
    if length > np.uint64(end - start):
        return _fail(walk, BEYOND_PARENT, table, tag >> 3, position)
    after = start + np.int64(length)
    if slot >= 0:
        outcome = _store_delimited(walk, slot, row, (start, after))
        if outcome > 0:
            return _fail(walk, outcome, table, tag >> 3, position)
        if outcome < 0:
            return outcome
    return after


@njit(nogil=True, cache=True, forceinline=True)
def _scan_row(walk: Walk, table: Int, row: Int) -> Int:
    """All fields of one message. DONE, GROW or FAULT."""
    capacity = get_cell(walk.capacity, table)
    at = get_cell(walk.base, table) + row
    position = get_cell(walk.cells, at + _START * capacity)
    end = get_cell(walk.cells, at + _END * capacity)
    presence = np.int64(0)
    max_number = get_cell(walk.max_number, table)
    while position < end:
        tag, position = _take_tag(walk, table, position, end)
        if position < 0:
            return FAULT
        number = tag >> 3
        slot = (
            np.int64(get_cell(walk.lookup, get_cell(walk.lookup_base, table) + number))
            if number <= max_number
            else np.int64(-1)
        )
        position = _scan_field(walk, (table, row, slot), tag, (position, end))
        if position < 0:
            return -position
        if slot >= 0:
            presence = (presence & ~get_cell(walk.clear, slot)) | get_cell(walk.bit, slot)
    put_cell(walk.cells, at + _PRESENCE * capacity, presence)
    return DONE


@njit(nogil=True, cache=True)
def _forget_children(walk: Walk, n_slots: Int, table: Int, row: Int) -> None:
    """Take back what a row that must be scanned anew has already put into other tables."""
    for slot in range(n_slots):
        child = get_cell(walk.child, slot)
        if get_cell(walk.owner, slot) != table or child < 0:
            continue
        at = get_cell(walk.base, child)
        while get_cell(walk.rows, child) > 0:
            last = get_cell(walk.rows, child) - 1
            if get_cell(walk.cells, at + last) != row:
                break
            if get_cell(walk.is_message, child) != 0:
                edge = get_cell(walk.cells, at + get_cell(walk.capacity, child) + last)
                if edge < 0 or get_cell(walk.owner, edge) != table:
                    break
            put_cell(walk.rows, child, last)


@njit(nogil=True, cache=True)
def _to_walk(buffer: NDArray[np.uint8], plan: Plan, tables: Tables) -> Walk:
    return Walk(
        address_of(buffer),
        address_of(plan.lookup),
        address_of(plan.lookup_base),
        address_of(plan.max_number),
        address_of(plan.is_message),
        address_of(plan.kind),
        address_of(plan.column),
        address_of(plan.child),
        address_of(plan.bit),
        address_of(plan.clear),
        address_of(plan.owner),
        address_of(tables.cells),
        address_of(tables.base),
        address_of(tables.capacity),
        address_of(tables.rows),
        address_of(tables.state),
    )


@njit(nogil=True, cache=True)
def scan_tables(buffer: NDArray[np.uint8], plan: Plan, tables: Tables, max_depth: Int) -> Int:
    """Scan every row that is not scanned yet. DONE, GROW (table `state[1]` is full) or FAULT (`state`)."""
    walk = _to_walk(buffer, plan, tables)
    while True:
        idle = True
        for table in plan.order:
            stop = tables.rows[table]  # what this table's own rows add to it waits for the next sweep
            for row in range(tables.scanned[table], stop):
                if tables.state[4] >= max_depth:
                    start = tables.cells[tables.base[table] + _START * tables.capacity[table] + row]
                    _fail(walk, TOO_DEEP, table, 0, start)
                    return FAULT
                outcome = _scan_row(walk, table, row)
                if outcome != DONE:
                    tables.scanned[table] = row
                    if outcome == GROW:
                        _forget_children(walk, len(plan.child), table, row)
                    return outcome
                idle = False
            tables.scanned[table] = stop
        if idle:
            return DONE
        tables.state[4] += 1
