"""Durations by row: classic buckets, a native histogram, and the slowest span since the last look.

Native histograms have schema 3, whose bounds grow by 2**(1/8), the finest below Tempo's factor of 1.1; see
https://prometheus.io/docs/specs/native_histograms/#schema.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

SCHEMA = 3
ZERO_THRESHOLD = 2.0**-128
_PER_DOUBLING = 1 << SCHEMA
# A nanosecond is in bucket -239, and three days are in bucket 144; what is longer is counted there.
FIRST_INDEX = -240
_N_NATIVE = 385
_NS_PER_S = 1_000_000_000
_FRACTION_BOUNDS = np.array([0.5 * 2.0 ** (step / _PER_DOUBLING) for step in range(_PER_DOUBLING)])


class HistogramState(NamedTuple):
    """What is counted, by row."""

    total: NDArray[np.float64]  # [n_rows]
    sum_s: NDArray[np.float64]  # [n_rows]
    buckets: NDArray[np.float64]  # [n_rows, n_bounds + 1], not cumulative
    zeros: NDArray[np.float64]  # [n_rows] durations that are zero or less
    native: NDArray[np.float64]  # [n_rows, _N_NATIVE], the first one is FIRST_INDEX
    slowest_s: NDArray[np.float64]  # [n_rows] -1 for none since the last look
    slowest_ms: NDArray[np.int64]  # [n_rows] when that one ended
    trace: NDArray[np.uint64]  # [n_rows, 2] its ids
    span: NDArray[np.uint64]  # [n_rows]


class Durations(NamedTuple):
    """Spans on their way into a histogram. Ids are the bytes of SpanBatch, seen as words."""

    row: NDArray[np.int64]  # [n]
    duration_ns: NDArray[np.int64]  # [n]
    end_ms: NDArray[np.int64]  # [n]
    trace: NDArray[np.uint64]  # [n, 2]
    span: NDArray[np.uint64]  # [n]


class DurationHistograms:
    """Histograms by row; grows with the rows. Not thread-safe."""

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self.bounds_s = np.array(bounds_s, np.float64)
        self.state = _empty(0, len(bounds_s))

    def reserve(self, n_rows: int) -> None:
        """Make room for so many rows."""
        have = len(self.state.total)
        if n_rows <= have:
            return
        more = _empty(max(16, n_rows, 2 * have) - have, len(self.bounds_s))
        self.state = HistogramState(*(np.concatenate(pair) for pair in zip(self.state, more, strict=True)))

    def observe(self, durations: Durations) -> None:
        """Count spans; their rows are reserved."""
        _observe(self.state, self.bounds_s, durations)

    def clear(self, rows: NDArray[np.int64]) -> None:
        """Rows begin anew."""
        fresh = _empty(1, len(self.bounds_s))
        for column, empty in zip(self.state, fresh, strict=True):
            column[rows] = empty[0]


def _empty(n: int, n_bounds: int) -> HistogramState:
    return HistogramState(
        np.zeros(n), np.zeros(n), np.zeros((n, n_bounds + 1)), np.zeros(n), np.zeros((n, _N_NATIVE)), np.full(n, -1.0),
        np.zeros(n, np.int64), np.zeros((n, 2), np.uint64), np.zeros(n, np.uint64),
    )  # fmt: skip


@njit(nogil=True, cache=True)
def native_index(seconds: float) -> int:
    """The index of the bucket of a positive number in schema 3: bucket i is (2**((i - 1) / 8), 2**(i / 8)]."""
    fraction, exponent = math.frexp(seconds)
    return int(np.searchsorted(_FRACTION_BOUNDS, fraction) + (exponent - 1) * _PER_DOUBLING)


@njit(nogil=True, cache=True)
def _observe(state: HistogramState, bounds_s: NDArray[np.float64], durations: Durations) -> None:
    for i in range(len(durations.row)):
        row = durations.row[i]
        seconds = max(durations.duration_ns[i], 0) / _NS_PER_S
        state.total[row] += 1
        state.sum_s[row] += seconds
        state.buckets[row, np.searchsorted(bounds_s, seconds)] += 1
        if seconds <= ZERO_THRESHOLD:
            state.zeros[row] += 1
        else:
            state.native[row, min(native_index(seconds) - FIRST_INDEX, _N_NATIVE - 1)] += 1
        if seconds > state.slowest_s[row]:
            state.slowest_s[row] = seconds
            state.slowest_ms[row] = durations.end_ms[i]
            state.trace[row, 0], state.trace[row, 1] = durations.trace[i, 0], durations.trace[i, 1]
            state.span[row] = durations.span[i]
