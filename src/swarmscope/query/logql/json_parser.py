"""`| json` without expressions: every scalar of an object becomes a label, nested names joined by `_`; no arrays.

Manual: https://grafana.com/docs/loki/latest/query/log_queries/#json
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import Int, address_of, copy_bytes, get_cell, put_cell, put_u8
from swarmscope.query.logql.extraction import (
    DONE,
    FULL,
    MAX_NAME_BYTES,
    NAMES_FULL,
    NO_NAME,
    NO_ROOM,
    Extracted,
    FieldArrays,
    Fields,
    NameArrays,
    Names,
    extract,
    fields_at,
    has_room,
    is_name_byte,
    names_at,
    note_field,
    number_name,
)
from swarmscope.query.logql.json_text import byte_at, string_end, write_unescaped

MAX_DEPTH = 64
_UNDERSCORE, _QUOTE, _COMMA, _COLON = 0x5F, 0x22, 0x2C, 0x3A
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = 0x7B, 0x7D, 0x5B, 0x5D
_MALFORMED = -1
_LAST_BIT = 63


def parse_json(line: Utf8Column, wanted: tuple[str, ...] | None, *, flat_strings: bool = False) -> Extracted:
    """Fields of the lines [n]: the names `wanted`, or (None) all of them. Raises QueryFailedError.

    A name that is wanted and not there is a column of absent values. `flat_strings`: strings of the outer object alone.
    """
    return extract(line, wanted, partial(_scan_lines, flat_strings=flat_strings), int(line.length.sum()))


@njit(nogil=True, cache=True)
def _scan_lines(
    line: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]],
    first: int,
    table: tuple[NameArrays, FieldArrays],
    failed: NDArray[np.bool_],
    may_add: bool,
    flat_strings: bool,
) -> tuple[int, int]:
    text, starts, lengths = line
    path, depths = np.empty(MAX_NAME_BYTES + 1, np.uint8), np.empty(MAX_DEPTH + 1, np.int64)
    decoded = np.empty(lengths.max() if len(lengths) else 0, np.uint8)
    names, fields, counts = names_at(table[0]), fields_at(table[1]), table[1].counts
    sizes = ~np.uint64(0) if may_add else _wanted_sizes(table[0])
    for row in range(first, len(starts)):
        # Taken in every round, or the arrays would be freed before the loop: an address keeps nothing alive.
        scratch = (address_of(path), address_of(depths), address_of(decoded), sizes)
        n_fields, n_bytes = counts[0], counts[1]
        span = (address_of(text), starts[row], starts[row] + lengths[row])
        outcome = _scan_object(span, row, scratch, (names, fields), may_add, flat_strings)
        if outcome > DONE:
            counts[0], counts[1] = n_fields, n_bytes
            return row, outcome
        failed[row] = outcome == _MALFORMED
    return len(starts), DONE


@njit(nogil=True, cache=True)
def _wanted_sizes(names: NameArrays) -> Int:
    """A bit for each size that the key of a wanted field may have in the outer object; the last for all above it."""
    sizes = np.uint64(0)
    for number in range(names.counts[0]):
        length = names.length[number]
        for size in (length - 1, length):  # a leading digit gets an underscore in front
            sizes |= np.uint64(1) << np.uint64(min(max(size, 0), _LAST_BIT))
    return sizes


@njit(nogil=True, cache=True)
def _is_wanted_size(sizes: Int, size: Int) -> bool:
    return bool((sizes >> np.uint64(min(size, _LAST_BIT))) & np.uint64(1))


@njit(nogil=True, cache=True)
def _scan_object(
    span: tuple[Int, Int, Int],
    row: Int,
    scratch: tuple[Int, Int, Int, Int],
    target: tuple[Names, Fields],
    may_add: bool,
    flat_strings: bool,
) -> Int:
    """One line: _MALFORMED where it is no JSON object, else why it ended."""
    base, at, end = span
    names, fields = target
    path, depths, decoded, sizes = scratch
    at = skip_space(base, at, end)
    if at >= end or byte_at(base, at) != _OPEN:
        return _MALFORMED
    at += 1
    depth, prefix, is_first = 0, np.int64(0), True
    while True:
        at = skip_space(base, at, end)
        if at >= end:
            return _MALFORMED
        byte = byte_at(base, at)
        if byte == _CLOSE:
            at += 1
            is_first = False
            if depth == 0:
                return DONE if skip_space(base, at, end) == end else _MALFORMED
            depth -= 1
            prefix = get_cell(depths, depth)
            continue
        if not is_first:
            if byte != _COMMA:
                return _MALFORMED
            at = skip_space(base, at + 1, end)
        name_begin = at + 1
        name_end, has_escape, at = _name_span(base, at, end)
        if at < 0:
            return _MALFORMED
        byte = byte_at(base, at)
        length = np.int64(0)  # Fast path: nobody wants a name of that size
        if depth or byte == _OPEN or has_escape or _is_wanted_size(sizes, name_end - name_begin):
            length = _append_name((base, name_begin, name_end), has_escape, path, prefix, decoded)
        is_first = byte == _OPEN
        if flat_strings and byte != _QUOTE:
            is_first = False
            at = skip_value(base, at, end)
        elif byte == _OPEN:
            if depth == MAX_DEPTH:
                return _MALFORMED
            put_cell(depths, depth, prefix)
            depth += 1
            prefix = length
            at += 1
        elif byte == _OPEN_LIST:
            at = skip_nested(base, at, end)
        else:
            at, outcome = _take_scalar((base, at, end), row, (path, length), names, fields, may_add)
            if outcome != DONE:
                return outcome
        if at < 0:
            return _MALFORMED


@njit(nogil=True, cache=True)
def _name_span(base: Int, at: Int, end: Int) -> tuple[Int, bool, Int]:
    """The member's name that begins at `at`: its end, whether it has escapes, and where the value begins (-1: none)."""
    if at >= end or byte_at(base, at) != _QUOTE:
        return np.int64(0), False, np.int64(-1)
    name_end, has_escape = string_end(base, at + 1, end)
    if name_end < 0:
        return np.int64(0), False, np.int64(-1)
    at = skip_space(base, name_end + 1, end)
    if at >= end or byte_at(base, at) != _COLON:
        return np.int64(0), False, np.int64(-1)
    at = skip_space(base, at + 1, end)
    return name_end, has_escape, at if at < end else np.int64(-1)


@njit(nogil=True, cache=True)
def _append_name(span: tuple[Int, Int, Int], has_escape: bool, path: Int, prefix: Int, decoded: Int) -> Int:
    """Put the sanitised name behind the prefix; returns the path's length. What is too long is cut."""
    base, at, end = span
    if has_escape:
        end = write_unescaped(base, at, end, decoded, np.int64(0))
        base, at = decoded, np.int64(0)
    length = prefix
    if prefix > 0 or (at < end and 48 <= byte_at(base, at) <= 57):
        put_u8(path, length, _UNDERSCORE)
        length += 1
    size = min(end - at, MAX_NAME_BYTES - length)
    for i in range(size):
        byte = byte_at(base, at + i)
        put_u8(path, length + i, byte if is_name_byte(byte) else np.int64(_UNDERSCORE))
    return min(length + max(size, 0), MAX_NAME_BYTES)


@njit(nogil=True, cache=True)
def _take_scalar(
    span: tuple[Int, Int, Int], row: Int, path: tuple[Int, Int], names: Names, fields: Fields, may_add: bool
) -> tuple[Int, Int]:
    """Note the string, number or word that begins here; returns what follows it (-1: it is none), and an outcome."""
    base, at, end = span
    is_string = byte_at(base, at) == _QUOTE
    has_escape = False
    if is_string:
        at += 1
        value_end, has_escape = string_end(base, at, end)
        behind = value_end + 1
        if value_end < 0:
            return np.int64(-1), DONE
    else:
        value_end = _scalar_end(base, at, end)
        behind = value_end
        if not _is_scalar(base, at, value_end):
            return np.int64(-1), DONE
        if byte_at(base, at) == 0x6E:  # null is no value
            return behind, DONE
    number = number_name(names, path[0], path[1], may_add) if path[1] > 0 else np.int64(NO_NAME)
    if number == NO_NAME:
        return behind, DONE
    if number == FULL:
        return behind, NAMES_FULL
    if not has_room(fields):
        return behind, NO_ROOM
    begin = get_cell(fields.counts, 1)
    if has_escape:
        written = write_unescaped(base, at, value_end, fields.values, begin)
    else:
        copy_bytes(fields.values + begin, base + at, value_end - at)
        written = begin + value_end - at
    note_field(fields, row, number, written)
    return behind, DONE


@njit(nogil=True, cache=True)
def _scalar_end(base: Int, at: Int, end: Int) -> Int:
    while at < end:
        byte = byte_at(base, at)
        if byte <= 0x20 or byte in (_COMMA, _CLOSE, _CLOSE_LIST):
            break
        at += 1
    return at


@njit(nogil=True, cache=True)
def _is_scalar(base: Int, at: Int, end: Int) -> bool:
    """Whether the bytes are `true`, `false`, `null` or made of what numbers are made of."""
    size = end - at
    if size == 0:
        return False
    first = byte_at(base, at)
    if first == 0x2D or 48 <= first <= 57:
        for i in range(at + 1, end):
            byte = byte_at(base, i)
            if not (48 <= byte <= 57 or byte in (0x2E, 0x2B, 0x2D, 0x65, 0x45)):
                return False
        return bool(size > 1 or first != 0x2D)
    word = np.int64(0)
    for i in range(min(size, 6)):
        word = (word << 8) | byte_at(base, at + i)
    return bool(word in (0x74727565, 0x66616C7365, 0x6E756C6C))


@njit(nogil=True, cache=True)
def skip_value(base: Int, at: Int, end: Int) -> Int:
    """Behind the object, list, number or word that begins at `at`; -1 for none."""
    if byte_at(base, at) in (_OPEN, _OPEN_LIST):
        return skip_nested(base, at, end)
    behind = _scalar_end(base, at, end)
    return behind if _is_scalar(base, at, behind) else np.int64(-1)


@njit(nogil=True, cache=True)
def skip_nested(base: Int, at: Int, end: Int) -> Int:
    """Behind the list or object that begins at `at`; -1 where it does not end. What is in it is not looked at."""
    depth = 0
    while at < end:
        byte = byte_at(base, at)
        if byte == _QUOTE:
            closing, _ = string_end(base, at + 1, end)
            if closing < 0:
                return np.int64(-1)
            at = closing
        elif byte in (_OPEN_LIST, _OPEN):
            depth += 1
        elif byte in (_CLOSE_LIST, _CLOSE):
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return np.int64(-1)


@njit(nogil=True, cache=True)
def skip_space(base: Int, at: Int, end: Int) -> Int:
    """Where the next byte stands that is no white space."""
    while at < end and byte_at(base, at) in (0x20, 0x09, 0x0A, 0x0D):
        at += 1
    return at
