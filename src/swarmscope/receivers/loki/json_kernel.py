"""The compiled walk over a push request in JSON: one pass, one row an entry; escaped texts are unescaped in place.

Shape: https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs; keys that it does not have are
skipped. JSON: https://www.rfc-editor.org/rfc/rfc8259. Counting never stops at a full array.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from swarmscope.model.raw_memory import Int, address_of, get_cell, load_u8, put_cell
from swarmscope.receivers.loki.push_columns import EntryArrays, PairArrays
from swarmscope.receivers.wire.json_text import is_number, skip_space, skip_value, take_text

# Faults, in the order of `json_decode.FAULT_TEXTS`.
NOT_JSON, NO_OBJECT, NO_ARRAY, NO_STRING, NO_TIME, SHORT_ENTRY, TRAILING = range(1, 8)

_QUOTE, _COMMA, _COLON, _OPEN_ARRAY, _CLOSE_ARRAY, _OPEN, _CLOSE = 0x22, 0x2C, 0x3A, 0x5B, 0x5D, 0x7B, 0x7D
_STREAMS = int.from_bytes(b"streams", "little")
_STREAM = int.from_bytes(b"stream", "little")
_VALUES = int.from_bytes(b"values", "little")
_NULL = int.from_bytes(b"null", "little")
_LARGEST = 0x7FFFFFFFFFFFFFFF


class PushArrays(NamedTuple):
    """What the walk fills."""

    entries: EntryArrays
    entry_stream: NDArray[np.int64]  # [room for entries]
    pairs: PairArrays  # of the entries' metadata
    labels: PairArrays
    labels_begin: NDArray[np.int64]  # [room for streams]
    labels_end: NDArray[np.int64]  # [room for streams]
    counts: NDArray[np.int64]  # [4] entries, pairs, labels, streams
    fault: NDArray[np.int64]  # [2] fault, byte offset


N_ENTRIES, N_PAIRS, N_LABELS, N_STREAMS = range(4)


class _Texts(NamedTuple):
    """Addresses of `PairArrays`, and how many there is room for."""

    name_start: Int
    name_length: Int
    value_start: Int
    value_length: Int
    room: Int


class _Walk(NamedTuple):
    """Addresses of all that the walk touches, see `raw_memory`: arrays that are handed on cost more than the walk."""

    base: Int
    end: Int
    ts_ns: Int
    line_start: Int
    line_length: Int
    pairs_begin: Int
    entry_stream: Int
    entries_room: Int
    pairs: _Texts
    labels: _Texts
    labels_begin: Int
    labels_end: Int
    streams_room: Int
    counts: Int
    fault: Int


@njit(nogil=True, cache=True, forceinline=True)
def _to_texts(pairs: PairArrays) -> _Texts:
    return _Texts(
        address_of(pairs.name_start), address_of(pairs.name_length), address_of(pairs.value_start),
        address_of(pairs.value_length), len(pairs.name_start),
    )  # fmt: skip


@njit(nogil=True, cache=True, forceinline=True)
def _to_walk(buffer: NDArray[np.uint8], arrays: PushArrays) -> _Walk:
    entries = arrays.entries
    return _Walk(
        address_of(buffer), len(buffer),
        address_of(entries.ts_ns), address_of(entries.line_start), address_of(entries.line_length),
        address_of(entries.pairs_begin), address_of(arrays.entry_stream), len(arrays.entry_stream),
        _to_texts(arrays.pairs), _to_texts(arrays.labels),
        address_of(arrays.labels_begin), address_of(arrays.labels_end), len(arrays.labels_begin),
        address_of(arrays.counts), address_of(arrays.fault),
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _fail(walk: _Walk, fault: Int, position: Int) -> Int:
    if get_cell(walk.fault, 0) == 0:
        put_cell(walk.fault, 0, fault)
        put_cell(walk.fault, 1, position)
    return -1


@njit(nogil=True, cache=True, forceinline=True)
def _at(base: Int, position: Int, end: Int) -> Int:
    """The byte at `position`, 0 behind the end."""
    return np.int64(load_u8(base, position)) if position < end else np.int64(0)


@njit(nogil=True, cache=True)
def _word(base: Int, start: Int, length: Int) -> Int:
    """Up to eight bytes as a number; 0 for more."""
    word = uint64(0)
    if length <= 8:
        for k in range(length):
            word |= load_u8(base, start + k) << uint64(8 * k)
    return word


@njit(nogil=True, cache=True)
def _next_item(base: Int, position: Int, end: Int, close: Int, first: bool) -> tuple[Int, bool]:
    """Where the next member or element begins, and whether the container ended instead; -1 where it is malformed."""
    position = skip_space(base, position, end)
    found = _at(base, position, end)
    if found == close:
        return position + 1, True
    if first:
        return position, False
    if found != _COMMA:
        return -position - 1, False
    return skip_space(base, position + 1, end), False


@njit(nogil=True, cache=True)
def _take_key(walk: _Walk, position: Int) -> tuple[Int, Int, Int]:
    """Start and length of a member's name, and where its value begins; that is -1 after a fault."""
    base, end = walk.base, walk.end
    start, length, after = take_text(base, position, end)
    if after < 0:
        return 0, 0, _fail(walk, NOT_JSON, position)
    after = skip_space(base, after, end)
    if _at(base, after, end) != _COLON:
        return 0, 0, _fail(walk, NOT_JSON, after)
    return start, length, skip_space(base, after + 1, end)


@njit(nogil=True, cache=True)
def _is_null(base: Int, position: Int, end: Int) -> bool:
    return bool(end - position >= 4 and _word(base, position, 4) == uint64(_NULL))


@njit(nogil=True, cache=True)
def _walk_texts(walk: _Walk, position: Int, texts: _Texts, which: Int) -> Int:
    """An object of strings into `texts`, counted in `counts[which]`; the position behind it."""
    base, end = walk.base, walk.end
    if _at(base, position, end) != _OPEN:
        return _fail(walk, NO_OBJECT, position)
    position += 1
    first = True
    while True:
        position, ended = _next_item(base, position, end, _CLOSE, first)
        if position < 0:
            return _fail(walk, NOT_JSON, -position - 1)
        if ended:
            return position
        first = False
        name, name_length, position = _take_key(walk, position)
        if position < 0:
            return position
        value, value_length, after = take_text(base, position, end)
        if after < 0:
            return _fail(walk, NOT_JSON if _at(base, position, end) == _QUOTE else NO_STRING, position)
        position = after
        row = get_cell(walk.counts, which)
        if row < texts.room:
            put_cell(texts.name_start, row, name)
            put_cell(texts.name_length, row, name_length)
            put_cell(texts.value_start, row, value)
            put_cell(texts.value_length, row, value_length)
        put_cell(walk.counts, which, row + 1)


@njit(nogil=True, cache=True)
def _take_time(base: Int, position: Int, end: Int) -> tuple[Int, Int]:
    """An integer, in a string or bare; the position behind it is -1 where it is none."""
    quoted = _at(base, position, end) == _QUOTE
    position += quoted
    negative = _at(base, position, end) == 0x2D
    position += negative
    number, begin = np.int64(0), position
    while is_number(_at(base, position, end)):
        digit = _at(base, position, end) - 0x30
        if number > (_LARGEST - digit) // 10:
            return 0, -1
        number = 10 * number + digit
        position += 1
    if position == begin or (quoted and _at(base, position, end) != _QUOTE):
        return 0, -1
    return -number if negative else number, position + quoted


@njit(nogil=True, cache=True)
def _walk_entry(walk: _Walk, position: Int) -> Int:
    """`[time, line]` or `[time, line, {metadata}]`; the position behind it."""
    base, end = walk.base, walk.end
    if _at(base, position, end) != _OPEN_ARRAY:
        return _fail(walk, NO_ARRAY, position)
    row = get_cell(walk.counts, N_ENTRIES)
    has_room = row < walk.entries_room
    if has_room:
        put_cell(walk.pairs_begin, row, get_cell(walk.counts, N_PAIRS))
    position += 1
    element = 0
    while True:
        position, ended = _next_item(base, position, end, _CLOSE_ARRAY, element == 0)
        if position < 0:
            return _fail(walk, NOT_JSON, -position - 1)
        if ended:
            break
        begin = position
        if element == 0:
            ts_ns, position = _take_time(base, position, end)
            if position < 0:
                return _fail(walk, NO_TIME, begin)
            if has_room:
                put_cell(walk.ts_ns, row, ts_ns)
        elif element == 1:
            start, length, position = take_text(base, position, end)
            if position < 0:
                return _fail(walk, NOT_JSON if _at(base, begin, end) == _QUOTE else NO_STRING, begin)
            if has_room:
                put_cell(walk.line_start, row, start)
                put_cell(walk.line_length, row, length)
        elif element == 2:
            position = _walk_texts(walk, position, walk.pairs, N_PAIRS)
        else:
            position = skip_value(base, position, end)
            if position < 0:
                return _fail(walk, NOT_JSON, begin)
        if position < 0:
            return position
        element += 1
    if element < 2:
        return _fail(walk, SHORT_ENTRY, position)
    if has_room:
        put_cell(walk.entry_stream, row, get_cell(walk.counts, N_STREAMS))
    put_cell(walk.counts, N_ENTRIES, row + 1)
    return position


@njit(nogil=True, cache=True)
def _walk_values(walk: _Walk, position: Int) -> Int:
    """The entries of a stream; the position behind them."""
    base, end = walk.base, walk.end
    if _is_null(base, position, end):
        return position + 4
    if _at(base, position, end) != _OPEN_ARRAY:
        return _fail(walk, NO_ARRAY, position)
    position += 1
    first = True
    while True:
        position, ended = _next_item(base, position, end, _CLOSE_ARRAY, first)
        if position < 0:
            return _fail(walk, NOT_JSON, -position - 1)
        if ended:
            return position
        first = False
        position = _walk_entry(walk, position)
        if position < 0:
            return position


@njit(nogil=True, cache=True)
def _walk_stream(walk: _Walk, position: Int) -> Int:
    """`{"stream": {labels}, "values": [entries]}`; the position behind it."""
    base, end = walk.base, walk.end
    if _at(base, position, end) != _OPEN:
        return _fail(walk, NO_OBJECT, position)
    row = get_cell(walk.counts, N_STREAMS)
    labels_begin = get_cell(walk.counts, N_LABELS)
    labels_end = labels_begin
    position += 1
    first = True
    while True:
        position, ended = _next_item(base, position, end, _CLOSE, first)
        if position < 0:
            return _fail(walk, NOT_JSON, -position - 1)
        if ended:
            break
        first = False
        start, length, position = _take_key(walk, position)
        if position < 0:
            return position
        word = _word(base, start, length)
        if length == 6 and word == uint64(_STREAM):
            labels_begin = get_cell(walk.counts, N_LABELS)
            position = _walk_texts(walk, position, walk.labels, N_LABELS)
            labels_end = get_cell(walk.counts, N_LABELS)
        elif length == 6 and word == uint64(_VALUES):
            position = _walk_values(walk, position)
        else:
            begin = position
            position = skip_value(base, position, end)
            if position < 0:
                return _fail(walk, NOT_JSON, begin)
        if position < 0:
            return position
    if row < walk.streams_room:
        put_cell(walk.labels_begin, row, labels_begin)
        put_cell(walk.labels_end, row, labels_end)
    put_cell(walk.counts, N_STREAMS, row + 1)
    return position


@njit(nogil=True, cache=True)
def _walk_streams(walk: _Walk, position: Int) -> Int:
    base, end = walk.base, walk.end
    if _is_null(base, position, end):
        return position + 4
    if _at(base, position, end) != _OPEN_ARRAY:
        return _fail(walk, NO_ARRAY, position)
    position += 1
    first = True
    while True:
        position, ended = _next_item(base, position, end, _CLOSE_ARRAY, first)
        if position < 0:
            return _fail(walk, NOT_JSON, -position - 1)
        if ended:
            return position
        first = False
        position = _walk_stream(walk, position)
        if position < 0:
            return position


@njit(nogil=True, cache=True)
def _walk_request(walk: _Walk) -> Int:
    """The position behind the request, or -1."""
    base, end = walk.base, walk.end
    position = skip_space(base, 0, end)
    if _at(base, position, end) != _OPEN:
        return _fail(walk, NO_OBJECT, position)
    position += 1
    first = True
    while True:
        position, ended = _next_item(base, position, end, _CLOSE, first)
        if position < 0:
            return _fail(walk, NOT_JSON, -position - 1)
        if ended:
            break
        first = False
        start, length, position = _take_key(walk, position)
        if position < 0:
            return position
        begin = position
        if length == 7 and _word(base, start, length) == uint64(_STREAMS):
            position = _walk_streams(walk, position)
        else:
            position = skip_value(base, position, end)
        if position < 0:
            return _fail(walk, NOT_JSON, begin)
    position = skip_space(base, position, end)
    if position < end:
        return _fail(walk, TRAILING, position)
    return position


@njit(nogil=True, cache=True)
def walk_push(buffer: NDArray[np.uint8], arrays: PushArrays) -> bool:
    """A whole request; false (and `arrays.fault`) where it is malformed. `buffer` is written to."""
    return bool(_walk_request(_to_walk(buffer, arrays)) >= 0)
