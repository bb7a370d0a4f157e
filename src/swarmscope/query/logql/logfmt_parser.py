"""`| logfmt`: `key=value` pairs become labels.

Manual: https://grafana.com/docs/loki/latest/query/log_queries/#logfmt
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import Int, address_of, copy_bytes, get_cell, put_u8
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

_EQUALS, _QUOTE, _UNDERSCORE = 0x3D, 0x22, 0x5F
_MALFORMED = -1


def parse_logfmt(line: Utf8Column, wanted: tuple[str, ...] | None, *, strict: bool, keep_empty: bool) -> Extracted:
    """Fields of the lines [n]: the names `wanted`, or (None) all of them. Raises QueryFailedError.

    What is no pair is passed over; `strict` ends the line there and marks it as failed. `keep_empty` keeps keys
    without a value.
    """

    kernel = partial(_scan_lines, flags=(strict, keep_empty))
    return extract(line, wanted, kernel, int(line.length.sum()))


@njit(nogil=True, cache=True)
def _scan_lines(
    line: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]],
    first: int,
    table: tuple[NameArrays, FieldArrays],
    failed: NDArray[np.bool_],
    may_add: bool,
    flags: tuple[bool, bool],
) -> tuple[int, int]:
    text, starts, lengths = line
    path = np.empty(MAX_NAME_BYTES + 1, np.uint8)
    names, fields, counts = names_at(table[0]), fields_at(table[1]), table[1].counts
    for row in range(first, len(starts)):
        n_fields, n_bytes = counts[0], counts[1]
        span = (address_of(text), starts[row], starts[row] + lengths[row])
        outcome = _scan_pairs(span, row, address_of(path), (names, fields), may_add, flags)
        if outcome > DONE:
            counts[0], counts[1] = n_fields, n_bytes
            return row, outcome
        failed[row] = outcome == _MALFORMED
    return len(starts), DONE


@njit(nogil=True, cache=True)
def _scan_pairs(
    span: tuple[Int, Int, Int],
    row: Int,
    path: Int,
    target: tuple[Names, Fields],
    may_add: bool,
    flags: tuple[bool, bool],
) -> Int:
    base, at, end = span
    names, fields = target
    is_strict, keeps_empty = flags
    while True:
        while at < end and byte_at(base, at) <= 0x20:
            at += 1
        if at >= end:
            return DONE
        name_begin = at
        at = _key_end(base, at, end)
        name_end = at
        is_good = name_end > name_begin
        if at < end and byte_at(base, at) == _QUOTE:  # a quote inside a key
            is_good = False
        value_begin, value_end, is_quoted, has_escape = at, at, False, False
        if at < end and byte_at(base, at) == _EQUALS:
            value_begin, value_end, is_quoted, has_escape = _value_span(base, at + 1, end)
            is_good = is_good and value_end >= 0
            at = value_begin if value_end < 0 else value_end + is_quoted
        if not is_good:
            if is_strict:
                return _MALFORMED
            if name_end == name_begin:  # nothing before the `=`, so nothing behind it counts either
                at = name_begin
            at = _next_space(base, max(at, name_begin + 1), end)
            continue
        length = _write_key(base, name_begin, name_end, path)
        number = number_name(names, path, length, may_add)
        if number == NO_NAME or (value_begin == value_end and not keeps_empty):
            continue
        if number == FULL:
            return NAMES_FULL
        if not has_room(fields):
            return NO_ROOM
        begin = get_cell(fields.counts, 1)
        if has_escape:
            written = write_unescaped(base, value_begin, value_end, fields.values, begin)
        else:
            copy_bytes(fields.values + begin, base + value_begin, value_end - value_begin)
            written = begin + value_end - value_begin
        note_field(fields, row, number, written)


@njit(nogil=True, cache=True)
def _value_span(base: Int, at: Int, end: Int) -> tuple[Int, Int, bool, bool]:
    """The value that begins at `at`: begin, end, whether it is quoted and has escapes.

    Where it is broken the end is -1, and the begin is where: a quote that is not closed takes the rest of the line.
    """
    if at < end and byte_at(base, at) == _QUOTE:
        closing, has_escape = string_end(base, at + 1, end)
        if closing < 0:
            return end, np.int64(-1), False, False
        return at + 1, closing, True, has_escape
    begin = at
    while at < end:
        byte = byte_at(base, at)
        if byte <= 0x20:
            break
        if byte in (_EQUALS, _QUOTE):
            return at, np.int64(-1), False, False
        at += 1
    return begin, at, False, False


@njit(nogil=True, cache=True)
def _key_end(base: Int, at: Int, end: Int) -> Int:
    while at < end:
        byte = byte_at(base, at)
        if byte <= 0x20 or byte in (_EQUALS, _QUOTE):
            break
        at += 1
    return at


@njit(nogil=True, cache=True)
def _next_space(base: Int, at: Int, end: Int) -> Int:
    while at < end and byte_at(base, at) > 0x20:
        at += 1
    return at


@njit(nogil=True, cache=True)
def _write_key(base: Int, at: Int, end: Int, path: Int) -> Int:
    """The sanitised key; what is too long is cut."""
    length = np.int64(0)
    if 48 <= byte_at(base, at) <= 57:
        put_u8(path, 0, _UNDERSCORE)
        length += 1
    size = min(end - at, MAX_NAME_BYTES - length)
    for i in range(size):
        byte = byte_at(base, at + i)
        put_u8(path, length + i, byte if is_name_byte(byte) else np.int64(_UNDERSCORE))
    return length + size
