"""The compiled walk over spans, their events and their links: one pass over the bytes, columns of numbers out.

One kernel serves the three messages: a layout says, by field number, what to do with a field and where it goes. The
span's own walk only notes where its events and links stand; they are walked afterwards, each kind in one go.

Wire format: https://github.com/open-telemetry/opentelemetry-proto (trace.v1.Span).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from swarmscope.model.raw_memory import Int, address_of, get_cell, load_u8, load_u32, load_u64, put_cell
from swarmscope.receivers.otlp.attribute_walk import take_typed_pair
from swarmscope.receivers.wire.field_walk import (
    DELIMITED,
    FIXED32,
    FIXED64,
    VARINT,
    skip_value,
    take_length,
    varint_fault,
)
from swarmscope.receivers.wire.scan_kernel import TRUNCATED, WRONG_WIRE_TYPE
from swarmscope.receivers.wire.utf8 import is_utf8
from swarmscope.receivers.wire.varint import read_varint

# What is done with a field.
_SKIP, _TEXT, _ID, _TIME, _COUNT, _KIND, _FLAGS, _PAIR, _EVENT, _LINK, _STATUS = range(11)
_WIRES = (-1, DELIMITED, DELIMITED, FIXED64, VARINT, VARINT, FIXED32, DELIMITED, DELIMITED, DELIMITED, DELIMITED)
_WIRE_OF_ACTION = np.array(_WIRES, np.int64)
_LATEST_NS = uint64(0x7FFFFFFFFFFFFFFF)
_LAST_KIND, _LAST_STATUS = 5, 2

# Columns of a message's row: where its entries begin, then what its layout says. A text has start and length.
PAIRS_BEGIN, EVENTS_BEGIN, LINKS_BEGIN = range(3)
TRACE, TRACE_LENGTH, SPAN, SPAN_LENGTH, PARENT, PARENT_LENGTH, STATE, STATE_LENGTH = range(3, 11)
NAME, NAME_LENGTH, MESSAGE, MESSAGE_LENGTH, START_NS, END_NS, KIND, STATUS, FLAGS = range(11, 20)
DROPPED_ATTRIBUTES, DROPPED_EVENTS, DROPPED_LINKS = range(20, 23)
N_COLUMNS = 23

# Cells of an outcome.
FAULT, FIELD, OFFSET, N_PAIRS, N_EVENTS, N_LINKS, N_UNCLEAN = range(7)
N_OUTCOMES = 7


class Layout(NamedTuple):
    """What the fields of a message are, by number; number 0 is no field."""

    action: NDArray[np.int64]  # [n_numbers]
    column: NDArray[np.int64]  # [n_numbers] first column


def _to_layout(fields: dict[int, tuple[int, int]]) -> Layout:
    action, column = np.zeros(max(fields) + 1, np.int64), np.zeros(max(fields) + 1, np.int64)
    for number, (what, where) in fields.items():
        action[number], column[number] = what, where
    return Layout(action, column)


SPAN_LAYOUT = _to_layout(
    {
        1: (_ID, TRACE), 2: (_ID, SPAN), 3: (_TEXT, STATE), 4: (_ID, PARENT), 5: (_TEXT, NAME), 6: (_KIND, KIND),
        7: (_TIME, START_NS), 8: (_TIME, END_NS), 9: (_PAIR, 0), 10: (_COUNT, DROPPED_ATTRIBUTES), 11: (_EVENT, 0),
        12: (_COUNT, DROPPED_EVENTS), 13: (_LINK, 0), 14: (_COUNT, DROPPED_LINKS), 15: (_STATUS, 0),
        16: (_FLAGS, FLAGS),
    }
)  # fmt: skip
EVENT_LAYOUT = _to_layout({1: (_TIME, START_NS), 2: (_TEXT, NAME), 3: (_PAIR, 0), 4: (_COUNT, DROPPED_ATTRIBUTES)})
LINK_LAYOUT = _to_layout(
    {
        1: (_ID, TRACE), 2: (_ID, SPAN), 3: (_TEXT, STATE), 4: (_PAIR, 0), 5: (_COUNT, DROPPED_ATTRIBUTES),
        6: (_FLAGS, FLAGS),
    }
)  # fmt: skip


class Target(NamedTuple):
    """Where a walk writes; what has no room for an entry only counts it."""

    rows: NDArray[np.int64]  # [N_COLUMNS, n] zeros
    pairs: NDArray[np.int64]  # [attribute_walk.N_PAIR_ROWS, room]
    events: NDArray[np.int64]  # [2, room] start and end
    links: NDArray[np.int64]  # [2, room] start and end
    outcome: NDArray[np.int64]  # [N_OUTCOMES] zeros


class _Walk(NamedTuple):
    """Addresses, see `raw_memory`, and sizes."""

    base: Int
    action: Int
    column: Int
    max_number: Int
    rows: Int
    n_rows: Int
    pairs: Int
    pair_room: Int
    events: Int
    event_room: Int
    links: Int
    link_room: Int
    outcome: Int


@njit(nogil=True, cache=True, forceinline=True)
def _count(walk: _Walk, cell: Int) -> Int:
    """Count one more in a cell of the outcome; how many there were."""
    before = get_cell(walk.outcome, cell)
    put_cell(walk.outcome, cell, before + 1)
    return before


@njit(nogil=True, cache=True, forceinline=True)
def _put(walk: _Walk, column: Int, row: Int, value: Int) -> None:
    put_cell(walk.rows, column * walk.n_rows + row, value)


@njit(nogil=True, cache=True, forceinline=True)
def _put_text(walk: _Walk, column: Int, row: Int, span: tuple[Int, Int]) -> None:
    start, end = span
    _put(walk, column, row, start)
    _put(walk, column + 1, row, end - start)
    if not is_utf8(walk.base, start, end - start):
        _count(walk, N_UNCLEAN)


@njit(nogil=True, cache=True)
def _take_status(walk: _Walk, row: Int, start: Int, end: Int) -> Int:
    """A Status; a fault (0: none)."""
    position = start
    while position < end:
        tag, position = read_varint(walk.base, position, end)
        if position < 0:
            return varint_fault(position)
        if tag == uint64(0x12):
            begin, position, fault = take_length(walk.base, position, end)
            if fault != 0:
                return fault
            _put_text(walk, MESSAGE, row, (begin, position))
        elif tag == uint64(0x18):
            code, position = read_varint(walk.base, position, end)
            if position < 0:
                return varint_fault(position)
            _put(walk, STATUS, row, np.int64(code) if code <= uint64(_LAST_STATUS) else 0)
        else:
            number = tag >> uint64(3)
            if number == uint64(2) or number == uint64(3):
                return WRONG_WIRE_TYPE
            position, fault = skip_value(walk.base, np.int64(tag), position, end)
            if fault != 0:
                return fault
    return 0


@njit(nogil=True, cache=True, forceinline=True)
def _note_message(span: tuple[Int, Int], address: Int, room: Int, at: Int) -> None:
    if at < room:
        put_cell(address, at, span[0])
        put_cell(address, room + at, span[1])


@njit(nogil=True, cache=True, forceinline=True)
def _take_delimited(walk: _Walk, action: Int, column: Int, row: Int, span: tuple[Int, Int]) -> Int:
    """A length-delimited field; a fault (0: none)."""
    start, end = span
    if action == _PAIR:
        pair = _count(walk, N_PAIRS)
        unclean, fault = take_typed_pair(walk.base, start, end, (walk.pairs, walk.pair_room, pair))
        if unclean != 0:
            _count(walk, N_UNCLEAN)
        return fault
    if action == _TEXT:
        _put_text(walk, column, row, span)
    elif action == _ID:
        _put(walk, column, row, start)
        _put(walk, column + 1, row, end - start)
    elif action == _EVENT:
        _note_message(span, walk.events, walk.event_room, _count(walk, N_EVENTS))
    elif action == _LINK:
        _note_message(span, walk.links, walk.link_room, _count(walk, N_LINKS))
    else:
        return _take_status(walk, row, start, end)
    return 0


@njit(nogil=True, cache=True, forceinline=True)
def _take_number(walk: _Walk, action: Int, column: Int, row: Int, span: tuple[Int, Int]) -> tuple[Int, Int]:
    """A number field; the position behind it and a fault (0: none)."""
    position, end = span
    if action == _TIME:
        if end - position < 8:
            return position, TRUNCATED
        _put(walk, column, row, np.int64(min(load_u64(walk.base, position), _LATEST_NS)))
        return position + 8, 0
    if action == _FLAGS:
        if end - position < 4:
            return position, TRUNCATED
        _put(walk, column, row, np.int64(load_u32(walk.base, position)))
        return position + 4, 0
    number, position = read_varint(walk.base, position, end)
    if position < 0:
        return position, varint_fault(position)
    if action == _KIND:
        _put(walk, column, row, np.int64(number) if number <= uint64(_LAST_KIND) else 0)
    else:
        _put(walk, column, row, np.int64(number & uint64(0xFFFFFFFF)))
    return position, 0


@njit(nogil=True, cache=True, forceinline=True)
def _take_field(walk: _Walk, row: Int, tag: Int, position: Int, end: Int) -> tuple[Int, Int]:
    """One field behind its tag; the position behind it and a fault (0: none)."""
    number, wire = np.int64(tag >> uint64(3)), np.int64(tag & uint64(7))
    action = get_cell(walk.action, number) if number <= walk.max_number else np.int64(_SKIP)
    if action == _SKIP:
        return skip_value(walk.base, np.int64(tag), position, end)
    if _WIRE_OF_ACTION[action] != wire:
        return position, WRONG_WIRE_TYPE
    column = get_cell(walk.column, number)
    if wire != DELIMITED:
        return _take_number(walk, action, column, row, (position, end))
    begin, after, fault = take_length(walk.base, position, end)
    if fault == 0:
        fault = _take_delimited(walk, action, column, row, (begin, after))
    return after, fault


@njit(nogil=True, cache=True)
def walk_messages(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64], layout: Layout, target: Target
) -> bool:
    """All messages [n] of one layout into `target`; false after a fault, which its outcome then names."""
    outcome = target.outcome
    walk = _Walk(
        address_of(buffer), address_of(layout.action), address_of(layout.column), len(layout.action) - 1,
        address_of(target.rows), len(start), address_of(target.pairs), target.pairs.shape[1],
        address_of(target.events), target.events.shape[1], address_of(target.links), target.links.shape[1],
        address_of(outcome),
    )  # fmt: skip
    for row in range(len(start)):
        _put(walk, PAIRS_BEGIN, row, get_cell(walk.outcome, N_PAIRS))
        _put(walk, EVENTS_BEGIN, row, get_cell(walk.outcome, N_EVENTS))
        _put(walk, LINKS_BEGIN, row, get_cell(walk.outcome, N_LINKS))
        position, stop = start[row], end[row]
        while position < stop:
            at = position
            tag, position = read_varint(walk.base, position, stop)
            fault = varint_fault(position) if position < 0 else 0
            if fault == 0:
                position, fault = _take_field(walk, row, tag, position, stop)
            if fault != 0:
                outcome[FAULT], outcome[FIELD], outcome[OFFSET] = fault, np.int64(tag >> uint64(3)), at
                return False
    return True


@njit(nogil=True, cache=True)
def copy_whole_ids(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], ids: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Ids of the right length into `ids` [n, width] (zeros before); which are there and not all zeros [n]."""
    base = address_of(buffer)
    given = np.zeros(len(start), np.bool_)
    for row in range(len(start)):
        if length[row] == ids.shape[1]:
            anything = uint64(0)
            for k in range(ids.shape[1]):
                byte = load_u8(base, start[row] + k)
                anything |= byte
                ids[row, k] = byte
            given[row] = anything != uint64(0)
    return given
