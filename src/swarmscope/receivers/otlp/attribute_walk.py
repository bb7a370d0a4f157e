"""The compiled walk over attributes that keep their type: one column a KeyValue, no Python object.

Wire format: https://github.com/open-telemetry/opentelemetry-proto (common.v1.KeyValue, AnyValue).
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from swarmscope.model.attributes import ValueKind
from swarmscope.model.raw_memory import Int, put_cell
from swarmscope.receivers.wire.field_walk import DELIMITED, FIXED64, VARINT, skip_value, take_length, varint_fault
from swarmscope.receivers.wire.scan_kernel import TOO_DEEP, TRUNCATED, WRONG_WIRE_TYPE
from swarmscope.receivers.wire.utf8 import is_utf8
from swarmscope.receivers.wire.varint import read_varint

# Rows of the pairs. A value is the position of its bytes; of BOOL and INT, until `spell_numbers`, the number itself.
NAME, NAME_LENGTH, VALUE, VALUE_LENGTH, KIND = range(5)
N_PAIR_ROWS = 5

STRING, BOOL, INT, DOUBLE = (int(ValueKind[name]) for name in ("STRING", "BOOL", "INT", "DOUBLE"))
BYTES, ARRAY, MAP, EMPTY = (int(ValueKind[name]) for name in ("BYTES", "ARRAY", "MAP", "EMPTY"))
# Added to a pair's kind where not all of its texts are UTF-8; the kind stands below it.
UNCLEAN = 64
# Messages inside an array or a map; with the value itself within what protobuf's own parsers take (100).
MAX_NESTED = 96
_UNCLEAN_NESTED = -1

# What a nested message is, and what its fields hold.
_ANY, _LIST, _ENTRIES, _PAIR, _TEXT, _OTHER = range(6)


@njit(nogil=True, cache=True, forceinline=True)
def _nested_field(holder: Int, number: Int) -> tuple[Int, Int]:
    """What a field of a nested message holds, and its wire type (-1: unknown field)."""
    if holder == _ANY:
        if number == 1:
            return _TEXT, DELIMITED
        if number == 5:
            return _LIST, DELIMITED
        if number == 6:
            return _ENTRIES, DELIMITED
        if number == 2 or number == 3:
            return _OTHER, VARINT
        if number == 4:
            return _OTHER, FIXED64
        return (_OTHER, DELIMITED) if number == 7 else (_OTHER, -1)
    if holder == _PAIR:
        if number == 1:
            return _TEXT, DELIMITED
        return (_ANY, DELIMITED) if number == 2 else (_OTHER, -1)
    if number == 1:
        return (_ANY if holder == _LIST else _PAIR), DELIMITED
    return _OTHER, -1


@njit(nogil=True, cache=True)
def check_nested(base: Int, start: Int, end: Int, kind: Int) -> Int:
    """Walk an ArrayValue or a KeyValueList to its leaves: 0, a fault, or -1 where a text is not UTF-8."""
    ends, holders = np.empty(MAX_NESTED, np.int64), np.empty(MAX_NESTED, np.int64)
    ends[0], holders[0] = end, _LIST if kind == ARRAY else _ENTRIES
    depth, position, outcome = 0, start, 0
    while depth >= 0:
        stop = ends[depth]
        if position >= stop:
            depth -= 1
            continue
        tag, position = read_varint(base, position, stop)
        if position < 0:
            return varint_fault(position)
        holds, wire = _nested_field(holders[depth], np.int64(tag >> uint64(3)))
        if wire >= 0 and np.int64(tag & uint64(7)) != wire:
            return WRONG_WIRE_TYPE
        if holds == _OTHER:
            position, fault = skip_value(base, np.int64(tag), position, stop)
            if fault != 0:
                return fault
            continue
        begin, after, fault = take_length(base, position, stop)
        if fault != 0:
            return fault
        if holds == _TEXT:
            if not is_utf8(base, begin, after - begin):
                outcome = _UNCLEAN_NESTED
            position = after
            continue
        depth += 1
        if depth >= MAX_NESTED:
            return TOO_DEEP
        ends[depth], holders[depth] = after, holds
        position = begin
    return outcome


@njit(nogil=True, cache=True, forceinline=True)
def _kind_of_member(number: Int) -> Int:
    """The kind of a length-delimited member of AnyValue; EMPTY for none."""
    if number == 1:
        return STRING
    if number == 7:
        return BYTES
    if number == 5:
        return ARRAY
    return MAP if number == 6 else EMPTY


@njit(nogil=True, cache=True, forceinline=True)
def take_typed_value(base: Int, start: Int, end: Int) -> tuple[Int, Int, Int, Int]:
    """Kind, value and length of an AnyValue, and a fault (0: none). Of several members the last one counts."""
    kind: Int = EMPTY
    value: Int = start
    length: Int = 0
    position = start
    while position < end:
        tag, position = read_varint(base, position, end)
        if position < 0:
            return kind, value, length, varint_fault(position)
        number, wire = tag >> uint64(3), tag & uint64(7)
        if wire == uint64(DELIMITED) and number <= uint64(7):
            found = _kind_of_member(np.int64(number))
            value, position, fault = take_length(base, position, end)
            if fault != 0 or found == EMPTY:
                return kind, value, length, fault if fault != 0 else WRONG_WIRE_TYPE
            kind, length = found, position - value
        elif tag == uint64(0x10) or tag == uint64(0x18):
            raw, position = read_varint(base, position, end)
            if position < 0:
                return kind, value, length, varint_fault(position)
            kind, value, length = (INT if tag == uint64(0x18) else BOOL), np.int64(raw), 0
        elif tag == uint64(0x21):
            if end - position < 8:
                return kind, value, length, TRUNCATED
            kind, value, length = DOUBLE, position, 8
            position += 8
        else:
            if number >= uint64(1) and number <= uint64(7):
                return kind, value, length, WRONG_WIRE_TYPE
            position, fault = skip_value(base, np.int64(tag), position, end)
            if fault != 0:
                return kind, value, length, fault
    return kind, value, length, 0


@njit(nogil=True, cache=True, forceinline=True)
def _text_state(base: Int, value: tuple[Int, Int, Int]) -> Int:
    """0 where all texts of a value (kind, start, length) are UTF-8, -1 where not, else a fault."""
    kind, start, length = value
    if kind == STRING:
        return 0 if is_utf8(base, start, length) else _UNCLEAN_NESTED
    if kind in (ARRAY, MAP):
        return check_nested(base, start, start + length, kind)
    return 0


@njit(nogil=True, cache=True, forceinline=True)
def take_typed_pair(base: Int, start: Int, end: Int, target: tuple[Int, Int, Int]) -> tuple[Int, Int]:
    """A KeyValue into column `pair` of the pairs at an address; whether a text is unclean, and a fault (0: none).

    `target` is address, columns there is room for, column. Beyond the room it is only looked at.
    """
    name, name_length = start, 0
    kind: Int = EMPTY
    value: Int = start
    length: Int = 0
    position = start
    while position < end:
        tag, position = read_varint(base, position, end)
        if position < 0:
            return 0, varint_fault(position)
        if tag == uint64(0x0A) or tag == uint64(0x12):
            at, after, fault = take_length(base, position, end)
            if fault != 0:
                return 0, fault
            position = after
            if tag == uint64(0x0A):
                name, name_length = at, after - at
                continue
            kind, value, length, fault = take_typed_value(base, at, after)
            if fault != 0:
                return 0, fault
            continue
        number = tag >> uint64(3)
        if number == uint64(1) or number == uint64(2):
            return 0, WRONG_WIRE_TYPE
        position, fault = skip_value(base, np.int64(tag), position, end)
        if fault != 0:
            return 0, fault
    state = _text_state(base, (kind, value, length))
    if state > 0:
        return 0, state
    unclean = 1 if state < 0 or not is_utf8(base, name, name_length) else 0
    address, room, pair = target
    if pair < room:
        put_cell(address, NAME * room + pair, name)
        put_cell(address, NAME_LENGTH * room + pair, name_length)
        put_cell(address, VALUE * room + pair, value)
        put_cell(address, VALUE_LENGTH * room + pair, length)
        put_cell(address, KIND * room + pair, kind + UNCLEAN * unclean)
    return unclean, 0


@njit(nogil=True, cache=True)
def spell_numbers(pairs: NDArray[np.int64], truth_at: Int, numbers_at: Int) -> NDArray[np.int64]:
    """Let BOOL and INT values of `pairs` [N_PAIR_ROWS, n] point to their bytes.

    The bytes 0 and 1 stand at `truth_at`; the integers [n_integers] that are returned shall stand at `numbers_at`.
    """
    kind, value, length = pairs[KIND], pairs[VALUE], pairs[VALUE_LENGTH]
    n_integers = 0
    for pair in range(len(kind)):
        n_integers += kind[pair] == INT
    numbers = np.empty(n_integers, np.int64)
    at = 0
    for pair in range(len(kind)):
        if kind[pair] == INT:
            numbers[at] = value[pair]
            value[pair], length[pair] = numbers_at + 8 * at, 8
            at += 1
        elif kind[pair] == BOOL:
            value[pair], length[pair] = truth_at + (value[pair] != 0), 1
    return numbers
