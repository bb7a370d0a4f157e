"""Native histograms to Prometheus' histogram chunks (encoding 2) and float histogram chunks (encoding 3).

Format: Prometheus' tsdb/docs/format/chunks.md. A chunk holds histograms of one layout (schema, zero threshold, spans,
custom bounds); a new layout, a counter reset or SAMPLES_PER_CHUNK rows begin the next one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.api.remote_read.bit_stream import (
    NO_LEADING,
    write_bits,
    write_varbit_int,
    write_varbit_uint,
    write_xor,
)
from swarmscope.api.remote_read.histogram_spans import HistogramRow, Spans, to_deltas
from swarmscope.api.remote_read.xor_chunks import SAMPLES_PER_CHUNK
from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA, ResetHint

HISTOGRAM_ENCODING = 2
FLOAT_HISTOGRAM_ENCODING = 3
_U: Any = np.uint64
_I: Any = np.int64
# Counter reset header: the two highest bits of the flags byte.
_HEADERS = {ResetHint.UNKNOWN: 0x00, ResetHint.RESET: 0x80, ResetHint.NO_RESET: 0x40, ResetHint.GAUGE: 0xC0}
_MAX_VARBIT_BYTES = 9
_MAX_XOR_BYTES = 10
# Custom bounds up to this many thousandths are stored as integers.
_MAX_THOUSANDTHS = 33554430


class HistogramChunk(NamedTuple):
    """One encoded chunk."""

    min_ms: int
    max_ms: int
    encoding: int
    data: bytes


def encode_histogram_chunks(rows: Sequence[HistogramRow]) -> Iterator[HistogramChunk]:
    """Chunks of one series' histograms, which are in time order."""
    first = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or end - first == SAMPLES_PER_CHUNK or _starts_chunk(rows[end - 1], rows[end]):
            yield _encode(rows[first:end])
            first = end


def _starts_chunk(before: HistogramRow, row: HistogramRow) -> bool:
    if row.layout != before.layout or (row.reset_hint == ResetHint.GAUGE) != (before.reset_hint == ResetHint.GAUGE):
        return True
    if row.reset_hint == ResetHint.GAUGE:
        return False
    # A reader takes every histogram after a chunk's first for one without a counter reset.
    fell = row.observations < before.observations or row.zero_count < before.zero_count
    return fell or row.reset_hint == ResetHint.RESET


def _encode(rows: Sequence[HistogramRow]) -> HistogramChunk:
    head = rows[0]
    cells = 3 + len(head.positive_counts) + len(head.negative_counts)
    room = 64 + (len(head.positive_spans) + len(head.negative_spans) + len(head.custom_bounds)) * 2 * _MAX_XOR_BYTES
    out = np.zeros(room + len(rows) * (_MAX_VARBIT_BYTES + cells * _MAX_XOR_BYTES), np.uint8)
    at = write_bits(out, 0, _U(len(rows)), 16)
    at = write_bits(out, at, _U(_HEADERS[ResetHint(head.reset_hint)]), 8)
    at = _write_layout(out, at, head)
    ts_ms = np.array([row.ts_ms for row in rows], np.int64)
    sums = np.array([row.total for row in rows], np.float64).view(np.uint64)
    if head.is_float:
        floats = np.array(
            [[row.observations, row.zero_count, row.total, *row.positive_counts, *row.negative_counts] for row in rows]
        )
        at = _write_float_rows(out, at, ts_ms, floats.view(np.uint64))
    else:
        whole = np.array([_whole_cells(row) for row in rows], np.int64)
        at = _write_integer_rows(out, at, ts_ms, whole, sums)
    encoding = FLOAT_HISTOGRAM_ENCODING if head.is_float else HISTOGRAM_ENCODING
    return HistogramChunk(rows[0].ts_ms, rows[-1].ts_ms, encoding, out[: (at + 7) >> 3].tobytes())


def _whole_cells(row: HistogramRow) -> list[int]:
    counts = [int(row.observations), int(row.zero_count)]
    return counts + to_deltas(row.positive_counts) + to_deltas(row.negative_counts)


def _write_layout(out: NDArray[np.uint8], at: int, row: HistogramRow) -> int:
    at = _write_zero_threshold(out, at, row.zero_threshold)
    at = write_varbit_int(out, at, row.schema)
    for spans in (row.positive_spans, row.negative_spans):
        at = _write_spans(out, at, spans)
    if row.schema == CUSTOM_BUCKETS_SCHEMA:
        at = write_varbit_uint(out, at, _U(len(row.custom_bounds)))
        for bound in row.custom_bounds:
            at = _write_custom_bound(out, at, bound)
    return at


def _write_spans(out: NDArray[np.uint8], at: int, spans: Spans) -> int:
    at = write_varbit_uint(out, at, _U(len(spans)))
    for offset, length in spans:
        at = write_varbit_int(out, write_varbit_uint(out, at, _U(length)), offset)
    return at


def _write_zero_threshold(out: NDArray[np.uint8], at: int, threshold: float) -> int:
    if threshold == 0:
        return write_bits(out, at, _U(0), 8)
    mantissa, exponent = math.frexp(threshold)
    # Powers of two from 2**-243 to 2**10 have numbers 1 to 254.
    if mantissa == 0.5 and 1 <= exponent + 243 <= 254:
        return write_bits(out, at, _U(exponent + 243), 8)
    return write_bits(out, write_bits(out, at, _U(255), 8), _bits(threshold), 64)


def _write_custom_bound(out: NDArray[np.uint8], at: int, bound: float) -> int:
    thousandths = bound * 1000
    if 0 <= thousandths <= _MAX_THOUSANDTHS and thousandths == math.trunc(thousandths):
        return write_varbit_uint(out, at, _U(int(thousandths) + 1))
    return write_bits(out, write_bits(out, at, _U(0), 1), _bits(bound), 64)


def _bits(value: float) -> Any:
    return np.array([value], np.float64).view(np.uint64)[0]


@njit(nogil=True, cache=True)
def _write_time(
    out: NDArray[np.uint8], at: int, ts_ms: NDArray[np.int64], row: int, previous_step: int
) -> tuple[int, int]:
    """The first time as it is, later ones as deltas of deltas; gives the new position and this row's step."""
    if row == 0:
        return write_varbit_int(out, at, ts_ms[0]), _I(0)
    step = ts_ms[row] - ts_ms[row - 1]
    return write_varbit_int(out, at, step - previous_step), step


@njit(nogil=True, cache=True)
def _write_integer_rows(
    out: NDArray[np.uint8], at: int, ts_ms: NDArray[np.int64], whole: NDArray[np.int64], sums: NDArray[np.uint64]
) -> int:
    """`whole` [n_rows, 2 + n_buckets]: count, zero count, bucket deltas; written as deltas of deltas."""
    leading, trailing = NO_LEADING, 0
    time_step = _I(0)
    steps = np.zeros(whole.shape[1], np.int64)
    for row in range(len(ts_ms)):
        at, time_step = _write_time(out, at, ts_ms, row, time_step)
        for cell in range(whole.shape[1]):
            if row == 0 and cell < 2:
                at = write_varbit_uint(out, at, _U(whole[0, cell]))
            elif row == 0:
                at = write_varbit_int(out, at, whole[0, cell])
            else:
                difference = whole[row, cell] - whole[row - 1, cell]
                at = write_varbit_int(out, at, difference - steps[cell])
                steps[cell] = difference
            if cell == 1 and row == 0:
                at = write_bits(out, at, sums[0], 64)
            elif cell == 1:
                at, leading, trailing = write_xor(out, at, sums[row] ^ sums[row - 1], leading, trailing)
    return at


@njit(nogil=True, cache=True)
def _write_float_rows(out: NDArray[np.uint8], at: int, ts_ms: NDArray[np.int64], bits: NDArray[np.uint64]) -> int:
    """`bits` [n_rows, 3 + n_buckets]: count, zero count, sum, buckets, each XORed with its own predecessor."""
    leading = np.full(bits.shape[1], NO_LEADING, np.int64)
    trailing = np.zeros(bits.shape[1], np.int64)
    time_step = _I(0)
    for row in range(len(ts_ms)):
        at, time_step = _write_time(out, at, ts_ms, row, time_step)
        for cell in range(bits.shape[1]):
            if row == 0:
                at = write_bits(out, at, bits[0, cell], 64)
            else:
                difference = bits[row, cell] ^ bits[row - 1, cell]
                at, leading[cell], trailing[cell] = write_xor(out, at, difference, leading[cell], trailing[cell])
    return at
