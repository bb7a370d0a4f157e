"""Lines in columns as the store holds them: what commits copy in, what the journal keeps, what is sorted into parts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import LENGTH_BYTES, SPAN_ID_BYTES, TRACE_ID_BYTES, LogBatch
from swarmscope.model.raw_memory import address_of, copy_bytes


class Lines(NamedTuple):
    """Rows in order of arrival. Row i's line lies in `text` at `line_start`, and its packed metadata right behind."""

    stream: NDArray[np.uint32]  # [n]
    ts_ns: NDArray[np.int64]  # [n]
    level: NDArray[np.uint8]  # [n]
    severity: NDArray[np.uint8]  # [n]
    observed_ns: NDArray[np.int64]  # [n] 0 for not told
    trace_id: NDArray[np.uint8]  # [n, TRACE_ID_BYTES]
    span_id: NDArray[np.uint8]  # [n, SPAN_ID_BYTES]
    shape: NDArray[np.uint32]  # [n]
    line_start: NDArray[np.int64]  # [n]
    line_length: NDArray[np.uint32]  # [n]
    metadata_length: NDArray[np.uint32]  # [n]
    text: NDArray[np.uint8]  # [n_bytes]


class Incoming(NamedTuple):
    """What of a `LogBatch` is copied into `Lines`; `row` says which of its rows, in order."""

    row: NDArray[np.int64]  # [n] positions in the columns below
    line_buffer: NDArray[np.uint8]
    line_start: NDArray[np.int64]
    line_length: NDArray[np.int64]
    value_buffer: NDArray[np.uint8]
    value_offsets: NDArray[np.int64]
    value_start: NDArray[np.int64]
    value_length: NDArray[np.int64]


def empty_lines(n_rows: int, n_bytes: int) -> Lines:
    """Room for so many rows; memory that is never written to costs nothing."""
    return Lines(
        stream=np.empty(n_rows, np.uint32),
        ts_ns=np.empty(n_rows, np.int64),
        level=np.empty(n_rows, np.uint8),
        severity=np.empty(n_rows, np.uint8),
        observed_ns=np.empty(n_rows, np.int64),
        trace_id=np.empty((n_rows, TRACE_ID_BYTES), np.uint8),
        span_id=np.empty((n_rows, SPAN_ID_BYTES), np.uint8),
        shape=np.empty(n_rows, np.uint32),
        line_start=np.empty(n_rows, np.int64),
        line_length=np.empty(n_rows, np.uint32),
        metadata_length=np.empty(n_rows, np.uint32),
        text=np.empty(n_bytes, np.uint8),
    )


ROW_COLUMNS = Lines._fields[:-1]


def rows_of(lines: Lines, which: slice | NDArray[np.bool_]) -> Lines:
    """Some of the rows; the text stays whole."""
    return lines._replace(**{name: getattr(lines, name)[which] for name in ROW_COLUMNS})


def row_bytes(lines: Lines) -> int:
    """Bytes of lines and metadata together."""
    return int(lines.line_length.sum(dtype=np.int64) + lines.metadata_length.sum(dtype=np.int64))


def line_column(lines: Lines, rows: NDArray[np.int64]) -> Utf8Column:
    """The lines' text of `rows` [n]."""
    return Utf8Column(lines.text, lines.line_start[rows], lines.line_length[rows].astype(np.int64))


def metadata_column(lines: Lines, rows: NDArray[np.int64]) -> Utf8Column:
    """The packed metadata of `rows` [n]."""
    start = lines.line_start[rows] + lines.line_length[rows]
    return Utf8Column(lines.text, start, lines.metadata_length[rows].astype(np.int64))


def incoming(batch: LogBatch, rows: NDArray[np.int64]) -> Incoming:
    """What to copy of the batch's `rows` [n]."""
    values = batch.metadata.values
    return Incoming(
        rows,
        batch.line.buffer,
        np.ascontiguousarray(batch.line.start),
        np.ascontiguousarray(batch.line.length),
        values.buffer,
        np.ascontiguousarray(batch.metadata.offsets),
        np.ascontiguousarray(values.start),
        np.ascontiguousarray(values.length),
    )


@njit(nogil=True, cache=True)
def count_bytes(source: Incoming) -> int:
    """Bytes of text that the rows need."""
    total = np.int64(0)
    for row in source.row:
        total += source.line_length[row]
        for entry in range(source.value_offsets[row], source.value_offsets[row + 1]):
            total += LENGTH_BYTES + source.value_length[entry]
    return int(total)


@njit(nogil=True, cache=True)
def copy_texts(source: Incoming, target: Lines, first_row: int, first_byte: int) -> int:
    """Copy lines and values, packed as `model.logs.pack_values` does, behind what `target` has; the end in bytes."""
    lines, values = address_of(source.line_buffer), address_of(source.value_buffer)
    text = address_of(target.text)
    at = first_byte
    for index in range(len(source.row)):
        row = source.row[index]
        length = source.line_length[row]
        copy_bytes(text + at, lines + source.line_start[row], length)
        target.line_start[first_row + index] = at
        target.line_length[first_row + index] = length
        at += length
        begin = at
        for entry in range(source.value_offsets[row], source.value_offsets[row + 1]):
            size = source.value_length[entry]
            for k in range(LENGTH_BYTES):
                target.text[at + k] = np.uint8((size >> (8 * k)) & 0xFF)
            at += LENGTH_BYTES
            copy_bytes(text + at, values + source.value_start[entry], size)
            at += size
        target.metadata_length[first_row + index] = at - begin
    return int(at)


@njit(nogil=True, cache=True)
def text_starts(line_length: NDArray[np.uint32], metadata_length: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Where each row's text begins when all stand one behind the other."""
    starts = np.empty(len(line_length), np.int64)
    at = np.int64(0)
    for row in range(len(starts)):
        starts[row] = at
        at += np.int64(line_length[row]) + np.int64(metadata_length[row])
    return starts


def compact(column: Utf8Column) -> Utf8Column:
    """The strings in a buffer of their own, one behind the other, so that the old buffer can go."""
    start, length = np.ascontiguousarray(column.start), np.ascontiguousarray(column.length)
    buffer, starts = _gathered(column.buffer, start, length)
    return Utf8Column(buffer, starts, length)


@njit(nogil=True, cache=True)
def _gathered(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    gathered = np.empty(length.sum(), np.uint8)
    starts = np.empty(len(start), np.int64)
    source, target = address_of(buffer), address_of(gathered)
    at = np.int64(0)
    for row in range(len(start)):
        copy_bytes(target + at, source + start[row], length[row])
        starts[row] = at
        at += length[row]
    return gathered, starts
