"""`| json name="a.b[0]"`: values at places of a JSON object.

Manual: https://grafana.com/docs/loki/latest/query/log_queries/#json
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.byte_search import find_bytes
from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import Int, address_of, copy_bytes
from swarmscope.query.logql.extraction import ABSENT, Extracted
from swarmscope.query.logql.json_parser import skip_nested, skip_space
from swarmscope.query.logql.json_text import byte_at, string_end, write_unescaped

JsonPath = tuple[str | int, ...]
_QUOTE, _COMMA, _COLON = 0x22, 0x2C, 0x3A
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = 0x7B, 0x7D, 0x5B, 0x5D
_NOT_THERE, _MALFORMED = -1, -2
_NO_INDEX = -1


def parse_json_paths(line: Utf8Column, paths: Sequence[tuple[str, JsonPath]]) -> Extracted:
    """The values at `paths` (pairs of label name and path) of the lines [n].

    Strings stand for what they say, objects and arrays for their text; null and what is not there are empty, as in
    Loki. A line that is no JSON object fails.
    """
    failed = np.zeros(len(line), np.bool_)
    columns = {}
    for name, path in paths:
        keys = [step.encode() if isinstance(step, str) else b"" for step in path]
        offsets = np.cumsum([0, *map(len, keys)]).astype(np.int64)
        indexes = np.array([step if isinstance(step, int) else _NO_INDEX for step in path], np.int64)
        joined = np.frombuffer(b"".join(keys), np.uint8)
        values, start, length, malformed = _values_at((line.buffer, line.start, line.length), joined, offsets, indexes)
        columns[name] = Utf8Column(values, start, length)
        failed |= malformed
    return Extracted(columns, failed)


@njit(nogil=True, cache=True)
def _values_at(
    line: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]],
    keys: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    indexes: NDArray[np.int64],
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Buffer, starts, lengths and which lines are malformed, for one path."""
    text, line_start, line_length = line
    n_rows = len(line_start)
    values = np.empty(line_length.sum(), np.uint8)
    longest = line_length.max() if n_rows else 0
    decoded = np.empty(longest, np.uint8)
    starts, lengths = np.zeros(n_rows, np.int64), np.full(n_rows, np.int64(ABSENT))
    malformed = np.zeros(n_rows, np.bool_)
    base, out = address_of(text), address_of(values)
    written = np.int64(0)
    for row in range(n_rows):
        at, end = line_start[row], line_start[row] + line_length[row]
        at = skip_space(base, at, end)
        if at >= end or byte_at(base, at) != _OPEN:
            malformed[row] = True
            continue
        for step in range(len(indexes)):
            span = (base, at, end)
            if indexes[step] == _NO_INDEX:
                key = (address_of(keys) + offsets[step], offsets[step + 1] - offsets[step])
                at = _member(span, key, address_of(decoded))
            else:
                at = _item(span, indexes[step])
            if at < 0:
                break
        malformed[row] = at == _MALFORMED
        starts[row], lengths[row] = written, 0
        if at >= 0:
            written = _write_value((base, at, end), out, written)
            lengths[row] = written - starts[row]
    return values, starts, lengths, malformed


@njit(nogil=True, cache=True)
def _member(span: tuple[Int, Int, Int], key: tuple[Int, Int], decoded: Int) -> Int:
    """Where the value of a key begins in the object at `at`; _NOT_THERE, _MALFORMED."""
    base, at, end = span
    if at >= end or byte_at(base, at) != _OPEN:
        return np.int64(_NOT_THERE)
    at = skip_space(base, at + 1, end)
    while at < end and byte_at(base, at) == _QUOTE:
        name_end, has_escape = string_end(base, at + 1, end)
        if name_end < 0:
            return np.int64(_MALFORMED)
        if has_escape:
            size = write_unescaped(base, at + 1, name_end, decoded, np.int64(0))
            is_sought = size == key[1] and find_bytes(decoded, np.int64(0), size, key[0], size) == 0
        else:
            size = name_end - at - 1
            is_sought = size == key[1] and find_bytes(base, at + 1, name_end, key[0], size) == at + 1
        at = skip_space(base, name_end + 1, end)
        if at >= end or byte_at(base, at) != _COLON:
            return np.int64(_MALFORMED)
        at = skip_space(base, at + 1, end)
        if is_sought:
            return at if at < end else np.int64(_MALFORMED)
        at = _behind_value(base, at, end)
        if at < 0:
            return np.int64(_MALFORMED)
        at = skip_space(base, at, end)
        if at < end and byte_at(base, at) == _COMMA:
            at = skip_space(base, at + 1, end)
    return np.int64(_NOT_THERE) if at < end and byte_at(base, at) == _CLOSE else np.int64(_MALFORMED)


@njit(nogil=True, cache=True)
def _item(span: tuple[Int, Int, Int], index: Int) -> Int:
    """Where item `index` of the list at `at` begins; _NOT_THERE, _MALFORMED."""
    base, at, end = span
    if at >= end or byte_at(base, at) != _OPEN_LIST:
        return np.int64(_NOT_THERE)
    at = skip_space(base, at + 1, end)
    number = 0
    while at < end and byte_at(base, at) != _CLOSE_LIST:
        if number == index:
            return at
        at = _behind_value(base, at, end)
        if at < 0:
            return np.int64(_MALFORMED)
        at = skip_space(base, at, end)
        if at < end and byte_at(base, at) == _COMMA:
            at = skip_space(base, at + 1, end)
        number += 1
    return np.int64(_NOT_THERE) if at < end else np.int64(_MALFORMED)


@njit(nogil=True, cache=True)
def _behind_value(base: Int, at: Int, end: Int) -> Int:
    """What follows the value that begins at `at`; -1 where there is none."""
    if at >= end:
        return np.int64(-1)
    byte = byte_at(base, at)
    if byte == _QUOTE:
        closing, _ = string_end(base, at + 1, end)
        return closing + 1 if closing >= 0 else np.int64(-1)
    if byte in (_OPEN, _OPEN_LIST):
        return skip_nested(base, at, end)
    begin = at
    while at < end and byte_at(base, at) > 0x20 and byte_at(base, at) not in (_COMMA, _CLOSE, _CLOSE_LIST):
        at += 1
    return at if at > begin else np.int64(-1)


@njit(nogil=True, cache=True)
def _write_value(span: tuple[Int, Int, Int], out: Int, written: Int) -> Int:
    """Write the text that the value at `at` stands for; returns where it ended in `out`."""
    base, at, end = span
    behind = _behind_value(base, at, end)
    if behind < 0:
        return written
    byte = byte_at(base, at)
    if byte == _QUOTE:
        return write_unescaped(base, at + 1, behind - 1, out, written)
    if byte == 0x6E:  # null
        return written
    copy_bytes(out + written, base + at, behind - at)
    return written + behind - at
