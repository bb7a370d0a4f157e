"""Float samples to Prometheus' XOR chunks (encoding 1). Format: tsdb/docs/format/chunks.md."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.api.plain_arrays import plain_array
from swarmscope.api.remote_read.bit_stream import (
    NO_LEADING,
    write_bits,
    write_time_varbit,
    write_uvarint,
    write_varint,
    write_xor,
)
from swarmscope.model.series import SampleColumns

XOR_ENCODING = 1
# Prometheus' own chunk length; readers size their buffers for it.
SAMPLES_PER_CHUNK = 120
_HEAD_BYTES = 2 + 10 + 8 + 10
_SAMPLE_BYTES = 19  # 68 bits of time and 77 bits of value at the most
_U: Any = np.uint64
_I: Any = np.int64


class Chunks(NamedTuple):
    """Encoded chunks of many series, in order."""

    series: NDArray[np.int64]  # [n_chunks] position in the selection
    min_ms: NDArray[np.int64]  # [n_chunks]
    max_ms: NDArray[np.int64]  # [n_chunks]
    encoding: NDArray[np.uint8]  # [n_chunks]
    bounds: NDArray[np.int64]  # [n_chunks + 1] bytes of `data`
    data: NDArray[np.uint8]


@njit(nogil=True, cache=True)
def _encode_chunk(out: NDArray[np.uint8], at: int, ts_ms: NDArray[np.int64], bits: NDArray[np.uint64]) -> int:
    """Write one chunk at byte `at` of a zeroed buffer; returns the byte after it."""
    position = write_bits(out, at * 8, _U(len(ts_ms)), 16)
    position = write_varint(out, position, ts_ms[0])
    position = write_bits(out, position, bits[0], 64)
    leading, trailing = NO_LEADING, 0
    delta = _I(0)
    for i in range(1, len(ts_ms)):
        step = ts_ms[i] - ts_ms[i - 1]
        position = write_uvarint(out, position, _U(step)) if i == 1 else write_time_varbit(out, position, step - delta)
        delta = step
        position, leading, trailing = write_xor(out, position, bits[i] ^ bits[i - 1], leading, trailing)
    return (position + 7) >> 3


@njit(nogil=True, cache=True)
def _encode_all(
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    ts_ms: NDArray[np.int64],
    bits: NDArray[np.uint64],
    out: NDArray[np.uint8],
    bounds: NDArray[np.int64],
) -> None:
    at = 0
    for chunk in range(len(starts)):
        at = _encode_chunk(out, at, ts_ms[starts[chunk] : ends[chunk]], bits[starts[chunk] : ends[chunk]])
        bounds[chunk + 1] = at


def chunk_starts(offsets: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(series, start, end) of each chunk when every series' rows are cut into SAMPLES_PER_CHUNK."""
    counts = np.diff(offsets)
    per_series = -(-counts // SAMPLES_PER_CHUNK)
    series = np.repeat(np.arange(len(counts), dtype=np.int64), per_series)
    within = np.arange(len(series), dtype=np.int64) - np.repeat(np.cumsum(per_series) - per_series, per_series)
    starts = offsets[series] + within * SAMPLES_PER_CHUNK
    return series, starts, np.minimum(starts + SAMPLES_PER_CHUNK, offsets[series + 1])


def encode_xor_chunks(samples: SampleColumns) -> Chunks:
    """All samples of all series as XOR chunks."""
    series, starts, ends = chunk_starts(plain_array(samples.offsets, np.int64))
    ts_ms = plain_array(samples.ts_ms, np.int64)
    bits = plain_array(samples.value, np.float64).view(np.uint64)
    out = np.zeros(len(starts) * _HEAD_BYTES + len(ts_ms) * _SAMPLE_BYTES, np.uint8)
    bounds = np.zeros(len(starts) + 1, np.int64)
    _encode_all(starts, ends, ts_ms, bits, out, bounds)
    encoding = np.full(len(starts), XOR_ENCODING, np.uint8)
    return Chunks(series, ts_ms[starts], ts_ms[ends - 1], encoding, bounds, out[: bounds[-1]])
