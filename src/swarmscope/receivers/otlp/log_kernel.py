"""The compiled walk over log records: one pass over the bytes, one row a record, attributes as pairs.

Wire format: https://github.com/open-telemetry/opentelemetry-proto (logs.v1.LogRecord, common.v1.AnyValue).
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from swarmscope.model.raw_memory import Int, address_of, load_u8, load_u32, load_u64, put_cell
from swarmscope.receivers.wire.field_walk import skip_value, take_length, varint_fault
from swarmscope.receivers.wire.scan_kernel import TRUNCATED, WRONG_WIRE_TYPE
from swarmscope.receivers.wire.varint import read_varint

# Kinds of a value by the member of AnyValue; what a span means: the text, the number itself (start), or the whole
# AnyValue message.
NOTHING, STRING, BOOL, INT, DOUBLE, ARRAY, MAP, BYTES = range(8)
_MAX_SEVERITY = 24
_LATEST_NS = uint64(0x7FFFFFFFFFFFFFFF)

# Columns of a record's row.
TIME, OBSERVED, SEVERITY, FLAGS, DROPPED, BODY, BODY_LENGTH, BODY_KIND = range(8)
TEXT, TEXT_LENGTH, EVENT, EVENT_LENGTH, TRACE, TRACE_LENGTH, SPAN, SPAN_LENGTH, PAIRS_BEGIN = range(8, 17)
N_COLUMNS = 17
# Rows of the pairs.
NAME, NAME_LENGTH, VALUE, VALUE_LENGTH, KIND = range(5)
N_PAIR_ROWS = 5


@njit(nogil=True, cache=True, forceinline=True)
def _take_value(base: Int, start: Int, end: Int) -> tuple[Int, Int, Int, Int]:
    """Kind, start and length of an AnyValue, and a fault (0: none)."""
    kind: Int = NOTHING
    value: Int = start
    length: Int = 0
    position = start
    while position < end:
        tag, position = read_varint(base, position, end)
        if position < 0:
            return kind, value, length, varint_fault(position)
        if tag == uint64(0x0A):
            value, position, fault = take_length(base, position, end)
            if fault != 0:
                return kind, value, length, fault
            kind, length = STRING, position - value
        elif tag == uint64(0x10) or tag == uint64(0x18):
            number, position = read_varint(base, position, end)
            if position < 0:
                return kind, value, length, varint_fault(position)
            value = np.int64(number)
            kind = BOOL if tag == uint64(0x10) else INT
        elif tag == uint64(0x21):
            if end - position < 8:
                return kind, value, length, TRUNCATED
            kind, value = DOUBLE, np.int64(load_u64(base, position))
            position += 8
        else:
            field = np.int64(tag >> uint64(3))
            if field >= 1 and field <= 7:
                if tag & uint64(7) != uint64(2) or field < 5:
                    return kind, value, length, WRONG_WIRE_TYPE
                kind, value, length = field, start, end - start
            position, fault = skip_value(base, np.int64(tag), position, end)
            if fault != 0:
                return kind, value, length, fault
    if kind >= ARRAY:
        value, length = start, end - start
    return kind, value, length, 0


@njit(nogil=True, cache=True, forceinline=True)
def _take_pair(base: Int, start: Int, end: Int, target: Int, room: Int, pair: Int) -> Int:
    """A KeyValue into column `pair` of the pairs; a fault (0: none). Only looked at where there is no room."""
    name, name_length = start, 0
    kind, value, length = 0, start, 0
    position = start
    while position < end:
        tag, position = read_varint(base, position, end)
        if position < 0:
            return varint_fault(position)
        if tag == uint64(0x0A) or tag == uint64(0x12):
            at, after, fault = take_length(base, position, end)
            if fault != 0:
                return fault
            position = after
            if tag == uint64(0x0A):
                name, name_length = at, after - at
                continue
            kind, value, length, fault = _take_value(base, at, after)
            if fault != 0:
                return fault
            continue
        field = tag >> uint64(3)
        if field == uint64(1) or field == uint64(2):
            return WRONG_WIRE_TYPE
        position, fault = skip_value(base, np.int64(tag), position, end)
        if fault != 0:
            return fault
    if pair < room:
        put_cell(target, NAME * room + pair, name)
        put_cell(target, NAME_LENGTH * room + pair, name_length)
        put_cell(target, VALUE * room + pair, value)
        put_cell(target, VALUE_LENGTH * room + pair, length)
        put_cell(target, KIND * room + pair, kind)
    return 0


@njit(nogil=True, cache=True, forceinline=True)
def _is_known(number: Int) -> bool:
    return bool((number >= 1 and number <= 3) or (number >= 5 and number <= 12))


@njit(nogil=True, cache=True, forceinline=True)
def _text_column(number: Int) -> Int:
    """First column of a text field."""
    if number == 3:
        return TEXT
    if number == 12:
        return EVENT
    return TRACE if number == 9 else SPAN


@njit(nogil=True, cache=True, forceinline=True)
def _take_delimited(base: Int, number: Int, span: tuple[Int, Int], row: Int, pairs: tuple[Int, Int, Int]) -> Int:
    """A length-delimited field of a record whose row is at address `row`; a fault (0: none)."""
    start, end = span
    if number == 6:
        return _take_pair(base, start, end, pairs[0], pairs[1], pairs[2])
    if number == 5:
        kind, value, length, fault = _take_value(base, start, end)
        put_cell(row, BODY, value)
        put_cell(row, BODY_LENGTH, length)
        put_cell(row, BODY_KIND, kind)
        return fault
    if number == 3 or number == 9 or number == 10 or number == 12:
        column = _text_column(number)
        put_cell(row, column, start)
        put_cell(row, column + 1, end - start)
        return 0
    return WRONG_WIRE_TYPE


@njit(nogil=True, cache=True, forceinline=True)
def _take_number(base: Int, tag: Int, position: Int, end: Int, row: Int) -> tuple[Int, Int]:
    """A number field of a record; the position behind it and a fault (0: none)."""
    if tag == uint64(0x09) or tag == uint64(0x59):
        if end - position < 8:
            return position, TRUNCATED
        time_ns = min(load_u64(base, position), _LATEST_NS)
        put_cell(row, TIME if tag == uint64(0x09) else OBSERVED, np.int64(time_ns))
        return position + 8, 0
    if tag == uint64(0x45):
        if end - position < 4:
            return position, TRUNCATED
        put_cell(row, FLAGS, np.int64(load_u32(base, position)))
        return position + 4, 0
    if tag == uint64(0x10) or tag == uint64(0x38):
        number, position = read_varint(base, position, end)
        if position < 0:
            return position, varint_fault(position)
        if tag == uint64(0x10):
            put_cell(row, SEVERITY, np.int64(number) if number <= uint64(_MAX_SEVERITY) else 0)
        else:
            put_cell(row, DROPPED, np.int64(number & uint64(0xFFFFFFFF)))
        return position, 0
    if _is_known(np.int64(tag >> uint64(3))):
        return position, WRONG_WIRE_TYPE
    return skip_value(base, np.int64(tag), position, end)


@njit(nogil=True, cache=True)
def walk_records(
    buffer: NDArray[np.uint8],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    rows: NDArray[np.int64],
    pairs: NDArray[np.int64],
    fault_at: NDArray[np.int64],
) -> Int:
    """All records [n] into `rows` [n, N_COLUMNS] (zeros before) and `pairs` [N_PAIR_ROWS, room].

    Returns how many pairs there are, also where there was no room for all of them; -1 after a fault, which is then in
    `fault_at` [3]: fault, field number, byte offset.
    """
    base, target, room = address_of(buffer), address_of(pairs), pairs.shape[1]
    n_pairs = 0
    for record in range(len(start)):
        row = address_of(rows) + 8 * N_COLUMNS * record
        put_cell(row, PAIRS_BEGIN, n_pairs)
        position, stop = start[record], end[record]
        while position < stop:
            at = position
            tag, position = read_varint(base, position, stop)
            fault = varint_fault(position) if position < 0 else 0
            number = np.int64(tag >> uint64(3))
            if fault == 0:
                if tag & uint64(7) == uint64(2) and _is_known(number):
                    begin, after, fault = take_length(base, position, stop)
                    if fault == 0:
                        fault = _take_delimited(base, number, (begin, after), row, (target, room, n_pairs))
                        n_pairs += number == 6
                    position = after
                else:
                    position, fault = _take_number(base, tag, position, stop, row)
            if fault != 0:
                fault_at[0], fault_at[1], fault_at[2] = fault, number, at
                return -1
    return n_pairs


@njit(nogil=True, cache=True)
def copy_ids(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], ids: NDArray[np.uint8]
) -> None:
    """Ids of the right length into `ids` [n, width]; zeros (none) for others."""
    base = address_of(buffer)
    for row in range(len(start)):
        if length[row] == ids.shape[1]:
            for k in range(ids.shape[1]):
                ids[row, k] = load_u8(base, start[row] + k)
