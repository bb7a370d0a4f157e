"""One compiled pass over a text exposition (Prometheus text or OpenMetrics): lines to columns, labels left alone.

A series' label text is only bracketed here (quotes and escapes respected) and hashed; whoever meets an unknown hash
decodes the labels and finds what is wrong inside the braces.
Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ and the OpenMetrics 1.0 specification.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numba import int64, njit, uint64
from numpy.typing import NDArray

from swarmscope.model.raw_memory import address_of, load_u8, load_u64
from swarmscope.receivers.scrape.number_kernel import EXACT, INEXACT, INVALID, parse_integer, parse_number
from swarmscope.receivers.scrape.series_hash import secrets_of
from swarmscope.receivers.wire.key_hash import combine_hashes, hash_span, to_tuple

NO_TIMESTAMP = -(2**63)
# Rows of the counters array
ROWS, NOTES, EXEMPLARS, SLOW, LAST_TYPE, ENDED = range(6)
# What a note (metadata line) is
HELP, TYPE, UNIT = 0, 1, 2


class Fault(IntEnum):
    """Why a line was refused."""

    NONE = 0
    NAME = 1
    BRACES = 2
    VALUE = 3
    TIMESTAMP = 4
    TRAILING = 5
    COMMENT = 6
    NO_EOF = 7
    AFTER_EOF = 8
    EMPTY_LINE = 9
    EXEMPLAR = 10


_OK, _NAME, _BRACES, _VALUE, _TIMESTAMP, _TRAILING, _COMMENT, _NO_EOF, _AFTER_EOF, _EMPTY, _EXEMPLAR = range(11)


class Columns(NamedTuple):
    """Where the pass writes. n: lines of the body."""

    counter: NDArray[np.int64]  # [6] ROWS, NOTES, EXEMPLARS, SLOW, LAST_TYPE, ENDED
    key: NDArray[np.uint64]  # [n]
    series_start: NDArray[np.int64]  # [n]
    series_end: NDArray[np.int64]  # [n]
    value: NDArray[np.float64]  # [n]
    ts_ms: NDArray[np.int64]  # [n]
    note: NDArray[np.int64]  # [n] the TYPE note that governs the row, or -1
    notes: NDArray[np.int64]  # [n, 5] HELP/TYPE/UNIT, name start and end, text start and end
    exemplar: NDArray[np.int64]  # [n, 3] row, label start and end
    exemplar_value: NDArray[np.float64]  # [n]
    exemplar_ts_ms: NDArray[np.int64]  # [n]
    slow: NDArray[np.int64]  # [4 n, 4] what (0 value, 1 time, 2 exemplar value, 3 exemplar time), where, start, end
    notes_hash: NDArray[np.uint64]  # [1] of all notes' lines
    secrets: NDArray[np.uint64]  # [4] of the key hash


def allocate(n_lines: int, seed: int) -> Columns:
    """Columns for a body of `n_lines` lines whose series are hashed under `seed`."""
    i64 = np.int64
    return Columns(
        np.array([0, 0, 0, 0, -1, 0], i64), np.empty(n_lines, np.uint64), np.empty(n_lines, i64),
        np.empty(n_lines, i64), np.empty(n_lines), np.empty(n_lines, i64), np.empty(n_lines, i64),
        np.empty((n_lines, 5), i64), np.empty((n_lines, 3), i64), np.empty(n_lines), np.empty(n_lines, i64),
        np.empty((4 * n_lines, 4), i64), np.zeros(1, np.uint64),
        secrets_of(seed),
    )  # fmt: skip


@njit(nogil=True, cache=True)
def count_lines(body: NDArray[np.uint8]) -> int:
    """Newlines in `body`, plus one for a last line without."""
    lines = 1
    for byte in body:
        lines += byte == 10
    return lines


@njit(nogil=True, cache=True)
def _skip_blanks(body: NDArray[np.uint8], position: int, end: int) -> int:
    while position < end and (body[position] == 32 or body[position] == 9):
        position += 1
    return position


@njit(nogil=True, cache=True)
def _token_end(body: NDArray[np.uint8], position: int, end: int) -> int:
    """Where the run of bytes that are no blanks ends."""
    while position < end and body[position] != 32 and body[position] != 9:
        position += 1
    return position


@njit(nogil=True, cache=True)
def _quoted_end(body: NDArray[np.uint8], position: int, end: int) -> int:
    """The position after the quote that closes the one at `position`, or -1."""
    base = address_of(body)
    position += 1
    while position < end:
        byte = load_u8(base, position)
        if byte == uint64(34):
            return position + 1
        position += 2 if byte == uint64(92) else 1
    return -1


@njit(nogil=True, cache=True)
def _braces_end(body: NDArray[np.uint8], position: int, end: int) -> int:
    """The position after the brace that closes the one at `position`, or -1."""
    base = address_of(body)
    position += 1
    while position < end:
        byte = load_u8(base, position)
        if byte == uint64(125):
            return position + 1
        if byte == uint64(34):
            position = _quoted_end(body, position, end)
            if position < 0:
                return -1
        else:
            position += 1
    return -1


@njit(nogil=True, cache=True)
def _name_end(body: NDArray[np.uint8], position: int, end: int) -> int:
    """Where a metric name [a-zA-Z_:][a-zA-Z0-9_:]* ends."""
    start = position
    base = address_of(body)
    while position < end:
        byte = int64(load_u8(base, position))
        lower = byte | 0x20
        letter = 97 <= lower <= 122 or byte == 95 or byte == 58
        if not letter and not (48 <= byte <= 57 and position > start):
            break
        position += 1
    return position


@njit(nogil=True, cache=True)
def _put_slow(columns: Columns, what: int, where: int, start: int, end: int) -> None:
    slot = columns.counter[3]
    columns.slow[slot, 0], columns.slow[slot, 1], columns.slow[slot, 2], columns.slow[slot, 3] = what, where, start, end
    columns.counter[3] = slot + 1


@njit(nogil=True, cache=True)
def _seconds(body: NDArray[np.uint8], start: int, end: int) -> tuple[int, int]:
    """An OpenMetrics timestamp, in seconds, as (state, milliseconds)."""
    state, seconds = parse_number(body, start, end)
    if state == EXACT:
        if not np.isfinite(seconds) or abs(seconds) > 9e15:
            return INVALID, 0
        return EXACT, int(seconds * 1000.0)
    return state, 0


@njit(nogil=True, cache=True)
def _scan_exemplar(columns: Columns, body: NDArray[np.uint8], position: int, end: int) -> int:
    """Read `# {labels} value [timestamp]` to the line's end; a fault's number or 0."""
    if end - position < 4 or body[position] != 35 or body[position + 1] != 32 or body[position + 2] != 123:
        return _TRAILING
    slot = columns.counter[2]
    label_start = position + 2
    label_end = _braces_end(body, label_start, end)
    if label_end < 0 or label_end >= end or body[label_end] != 32:
        return _EXEMPLAR
    start = label_end + 1
    stop = _token_end(body, start, end)
    state, value = parse_number(body, start, stop)
    if state == INVALID:
        return _EXEMPLAR
    if state == INEXACT:
        _put_slow(columns, 2, slot, start, stop)
    ts_ms = NO_TIMESTAMP
    if stop < end:
        start, stop = stop + 1, _token_end(body, stop + 1, end)
        state, ts_ms = _seconds(body, start, stop)
        if state == INVALID or stop != end:
            return _EXEMPLAR
        if state == INEXACT:
            _put_slow(columns, 3, slot, start, stop)
    columns.exemplar[slot, 0] = columns.counter[0]
    columns.exemplar[slot, 1], columns.exemplar[slot, 2] = label_start, label_end
    columns.exemplar_value[slot] = value
    columns.exemplar_ts_ms[slot] = ts_ms
    columns.counter[2] = slot + 1
    return _OK


@njit(nogil=True, cache=True)
def _scan_tail_text(columns: Columns, body: NDArray[np.uint8], position: int, end: int) -> int:
    """Read what follows the value in Prometheus text: nothing or a timestamp in milliseconds."""
    row = columns.counter[0]
    columns.ts_ms[row] = NO_TIMESTAMP
    position = _skip_blanks(body, position, end)
    if position == end:
        return _OK
    stop = _token_end(body, position, end)
    valid, ts_ms = parse_integer(body, position, stop)
    if not valid:
        return _TIMESTAMP
    columns.ts_ms[row] = ts_ms
    return _OK if _skip_blanks(body, stop, end) == end else _TRAILING


@njit(nogil=True, cache=True)
def _scan_tail_openmetrics(columns: Columns, body: NDArray[np.uint8], position: int, end: int) -> int:
    """Read what follows the value in OpenMetrics: a timestamp in seconds, an exemplar, both or nothing."""
    row = columns.counter[0]
    columns.ts_ms[row] = NO_TIMESTAMP
    if position == end:
        return _OK
    position += 1
    if position < end and body[position] != 35:
        stop = _token_end(body, position, end)
        state, ts_ms = _seconds(body, position, stop)
        if state == INVALID:
            return _TIMESTAMP
        if state == INEXACT:
            _put_slow(columns, 1, row, position, stop)
        columns.ts_ms[row] = ts_ms
        if stop == end:
            return _OK
        position = stop + 1
    return _scan_exemplar(columns, body, position, end)


@njit(nogil=True, cache=True)
def _scan_sample(columns: Columns, body: NDArray[np.uint8], position: int, end: int, openmetrics: bool) -> int:
    """Read one sample line [position, end); a fault's number or 0."""
    row = columns.counter[0]
    start = position
    position = _name_end(body, position, end)
    series_end = position
    opening = position if openmetrics else _skip_blanks(body, position, end)
    if opening < end and body[opening] == 123:
        series_end = _braces_end(body, opening, end)
        if series_end < 0:
            return _BRACES
    elif position == start:
        return _NAME
    position = series_end
    if openmetrics:
        if position >= end or body[position] != 32:
            return _NAME if series_end == start else _VALUE
        position += 1
    else:
        position = _skip_blanks(body, position, end)
    stop = _token_end(body, position, end)
    # A name that breaks off at a byte it may not hold leaves that byte in front of the value.
    if position == series_end and not openmetrics and body[series_end - 1] != 125:
        return _NAME
    state, value = parse_number(body, position, stop)
    if state == INVALID:
        return _VALUE
    if state == INEXACT:
        _put_slow(columns, 0, row, position, stop)
    columns.value[row] = value
    if openmetrics:
        fault = _scan_tail_openmetrics(columns, body, stop, end)
    else:
        fault = _scan_tail_text(columns, body, stop, end)
    if fault != 0:
        return fault
    columns.series_start[row], columns.series_end[row] = start, series_end
    columns.key[row] = hash_span(address_of(body), start, series_end - start, to_tuple(columns.secrets))
    columns.note[row] = columns.counter[4]
    columns.counter[0] = row + 1
    return _OK


@njit(nogil=True, cache=True)
def _note_kind(body: NDArray[np.uint8], start: int, end: int) -> int:
    """HELP 0, TYPE 1, UNIT 2, EOF 3, anything else -1."""
    if end - start == 4:
        word = (np.int64(body[start]) << 24) | (np.int64(body[start + 1]) << 16)
        word |= (np.int64(body[start + 2]) << 8) | np.int64(body[start + 3])
        if word == 0x48454C50:
            return 0
        if word == 0x54595045:
            return 1
        if word == 0x554E4954:
            return 2
    if end - start == 3 and body[start] == 69 and body[start + 1] == 79 and body[start + 2] == 70:
        return 3
    return -1


@njit(nogil=True, cache=True)
def _scan_note(columns: Columns, body: NDArray[np.uint8], position: int, end: int, openmetrics: bool) -> int:
    """Read a line that begins with "#"; plain comments pass in Prometheus text and are a fault in OpenMetrics."""
    line = position
    position = _skip_blanks(body, position + 1, end)
    stop = _token_end(body, position, end)
    kind = _note_kind(body, position, stop)
    if openmetrics:
        if position != line + 2 or kind < 0 or (kind == 3 and stop != end):
            return _COMMENT
        if kind == 3:
            columns.counter[5] = 1
            return _OK
    elif kind < 0 or kind >= 2 or position == line + 1:
        return _OK
    name_start = _skip_blanks(body, stop, end)
    if name_start >= end:
        return _COMMENT
    if body[name_start] == 34:
        name_end = _quoted_end(body, name_start, end)
        if name_end < 0:
            return _COMMENT
    else:
        name_end = _token_end(body, name_start, end)
    slot = columns.counter[1]
    columns.notes[slot, 0], columns.notes[slot, 1], columns.notes[slot, 2] = kind, name_start, name_end
    columns.notes[slot, 3], columns.notes[slot, 4] = _skip_blanks(body, name_end, end), end
    if kind == 1:
        columns.counter[4] = slot
    columns.counter[1] = slot + 1
    secrets = to_tuple(columns.secrets)
    digest = hash_span(address_of(body), line, end - line, secrets)
    columns.notes_hash[0] = combine_hashes(columns.notes_hash[0], digest, secrets)
    return _OK


@njit(nogil=True, cache=True)
def _line_end(body: NDArray[np.uint8], position: int) -> int:
    end = len(body)
    base = address_of(body)
    # Fast path: eight bytes at once. A byte of `word` is zero where the newline is, and only then does the lowest
    # set bit of `hit` come about (Warren, Hacker's Delight, 6-1).
    while position + 8 <= end:
        word = uint64(load_u64(base, position)) ^ uint64(0x0A0A0A0A0A0A0A0A)
        hit = (word - uint64(0x0101010101010101)) & ~word & uint64(0x8080808080808080)
        if hit != uint64(0):
            break
        position += 8
    while position < end and body[position] != 10:
        position += 1
    return position


@njit(nogil=True, cache=True)
def scan_exposition(columns: Columns, body: NDArray[np.uint8], openmetrics: bool) -> tuple[int, int]:
    """Fill `columns` from `body`; returns (fault, position of the faulty line's begin), fault 0 when all is well."""
    position = 0
    size = len(body)
    while position < size:
        end = _line_end(body, position)
        start = position if openmetrics else _skip_blanks(body, position, end)
        if columns.counter[5] != 0:
            return _AFTER_EOF, position
        if start == end:
            fault = _EMPTY if openmetrics else _OK
        elif body[start] == 35:
            fault = _scan_note(columns, body, start, end, openmetrics)
        else:
            fault = _scan_sample(columns, body, start, end, openmetrics)
        if fault != 0:
            return fault, position
        position = end + 1
    if openmetrics and columns.counter[5] == 0:
        return _NO_EOF, size
    return _OK, 0


_WARM_TEXT = b'# TYPE a counter\n# HELP a b\na{b="c\\""} 1 1\na 0.12345678901234567891\n'
_WARM_OPENMETRICS = b'# TYPE a counter\na_total{b="c"} 1 1.5 # {d="e"} 1 1.5\n# EOF\n'


def warm_up() -> None:
    """Compile the kernels, or load them from the cache on disk."""
    for text, openmetrics in ((_WARM_TEXT, False), (_WARM_OPENMETRICS, True)):
        body = np.frombuffer(text, np.uint8)
        scan_exposition(allocate(int(count_lines(body)), 1), body, openmetrics)
