"""One pass over all series and steps: a window slides over each series' samples.

The window at end t is (t - range, t]. Rows are independent, so a call covers rows [first, past) and several
threads share one output.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.query.promql import window_arithmetic as arithmetic
from swarmscope.query.promql.window_arithmetic import (
    count_changes,
    count_resets,
    double_smoothing,
    index_of_maximum,
    index_of_minimum,
    linear_regression,
    quantile_of_sorted,
    sort_nan_first,
    window_deviation,
    window_mean,
    window_sum,
    window_variance,
)

__all__ = ["Output", "RateKind", "WindowOp", "Windows", "arithmetic", "rate_windows", "reduce_windows"]


class Windows(NamedTuple):
    """Samples in columns and where the windows end."""

    offsets: NDArray[np.int64]  # [n_series + 1]
    ts: NDArray[np.int64]  # [n_samples] ms
    v: NDArray[np.float64]  # [n_samples]
    ends: NDArray[np.int64]  # [n_steps] ms, ascending
    range_ms: int
    p0: NDArray[np.float64]  # [n_steps] first scalar parameter
    p1: NDArray[np.float64]  # [n_steps] second


class Output(NamedTuple):
    """Where results go; `present` starts all false."""

    values: NDArray[np.float64]  # [n_series, n_steps]
    present: NDArray[np.bool_]  # [n_series, n_steps]


class RateKind(IntEnum):
    """Which of the extrapolating functions."""

    DELTA = 0
    INCREASE = 1
    RATE = 2


class WindowOp(IntEnum):
    """What `reduce_windows` makes of a window."""

    SUM = 0
    MEAN = 1
    MIN = 2
    MAX = 3
    COUNT = 4
    LAST = 5
    FIRST = 6
    STDDEV = 7
    STDVAR = 8
    QUANTILE = 9
    MAD = 10
    PRESENT = 11
    TS_FIRST = 12
    TS_LAST = 13
    TS_MAX = 14
    TS_MIN = 15
    CHANGES = 16
    RESETS = 17
    IDELTA = 18
    IRATE = 19
    DERIV = 20
    PREDICT = 21
    SMOOTH = 22


# As plain integers for the compiled code.
_SUM, _MEAN, _MIN, _MAX, _COUNT, _LAST, _FIRST, _STDDEV, _STDVAR, _QUANTILE, _MAD, _PRESENT = range(12)
_TS_FIRST, _TS_LAST, _TS_MAX, _TS_MIN, _CHANGES, _RESETS, _IDELTA, _IRATE, _DERIV, _PREDICT, _SMOOTH = range(12, 23)


@njit(nogil=True, cache=True)
def _last_pair(w: Windows, hi: int, is_rate: bool) -> float:
    """idelta and irate: the last two samples."""
    last = w.v[hi - 1]
    before = w.v[hi - 2]
    if not is_rate:
        return float(last - before)
    grown = last if last < before else last - before
    return float(grown / (float(w.ts[hi - 1] - w.ts[hi - 2]) / 1000.0))


@njit(nogil=True, cache=True)
def _statistic(op: int, w: Windows, lo: int, hi: int, q: float) -> float:
    if op == _STDDEV:
        return math.sqrt(window_variance(w.v, lo, hi))
    if op == _STDVAR:
        return window_variance(w.v, lo, hi)
    if op == _QUANTILE:
        return quantile_of_sorted(q, sort_nan_first(w.v[lo:hi]))
    return window_deviation(w.v, lo, hi)


@njit(nogil=True, cache=True)
def _time_of(op: int, w: Windows, lo: int, hi: int) -> float:
    if op == _TS_FIRST:
        return float(w.ts[lo]) / 1000.0
    if op == _TS_LAST:
        return float(w.ts[hi - 1]) / 1000.0
    if op == _TS_MAX:
        return float(w.ts[index_of_maximum(w.v, lo, hi, True)]) / 1000.0
    return float(w.ts[index_of_minimum(w.v, lo, hi, True)]) / 1000.0


@njit(nogil=True, cache=True)
def _trend(op: int, w: Windows, lo: int, hi: int, step: int) -> float:
    if op in (_IDELTA, _IRATE):
        return _last_pair(w, hi, op == _IRATE)
    if op == _DERIV:
        return linear_regression(w.ts, w.v, lo, hi, w.ts[lo])[0]
    if op == _PREDICT:
        slope, at_origin = linear_regression(w.ts, w.v, lo, hi, w.ends[step])
        return float(slope * w.p0[step] + at_origin)
    return double_smoothing(w.v, lo, hi, w.p0[step], w.p1[step])


@njit(nogil=True, cache=True)
def _window_value(op: int, w: Windows, lo: int, hi: int, step: int) -> float:
    """The value of a window that has enough samples."""
    if op == _SUM:
        return window_sum(w.v, lo, hi)
    if op == _MEAN:
        return window_mean(w.v, lo, hi)
    if op == _MIN:
        return float(w.v[index_of_minimum(w.v, lo, hi, False)])
    if op == _MAX:
        return float(w.v[index_of_maximum(w.v, lo, hi, False)])
    if op == _COUNT:
        return float(hi - lo)
    if op == _LAST:
        return float(w.v[hi - 1])
    if op == _FIRST:
        return float(w.v[lo])
    if op == _PRESENT:
        return 1.0
    if op == _CHANGES:
        return count_changes(w.v, lo, hi)
    if op == _RESETS:
        return count_resets(w.v, lo, hi)
    if op <= _MAD:
        return _statistic(op, w, lo, hi, w.p0[step])
    if op <= _TS_MIN:
        return _time_of(op, w, lo, hi)
    return _trend(op, w, lo, hi, step)


@njit(nogil=True, cache=True)
def _prefix_sums(v: NDArray[np.float64], a: int, b: int, sums: NDArray[np.float64]) -> bool:
    """Fill sums[j] = v[a] + … + v[a + j - 1] and say whether every partial sum is exact.

    Integers whose magnitudes add up to less than 2**53 sum without rounding in any order, so differences of
    prefix sums equal the compensated sum bit for bit. (-0.0 is left to the general way: it has a sign to keep.)
    """
    total = 0.0
    size = 0.0
    sums[0] = 0.0
    for i in range(a, b):
        x = v[i]
        if x != math.floor(x) or (x == 0.0 and math.copysign(1.0, x) < 0.0):
            return False
        size += abs(x)
        total += x
        sums[i - a + 1] = total
    return size < 9007199254740992.0


@njit(nogil=True, cache=True)
def reduce_windows(op: int, w: Windows, out: Output, first: int, past: int) -> None:
    """Apply one `WindowOp` to rows [first, past)."""
    needed = 2 if op >= _IDELTA else 1
    n_steps = len(w.ends)
    longest = 0
    for i in range(first, past):
        longest = max(longest, w.offsets[i + 1] - w.offsets[i])
    sums = np.empty(longest + 1, np.float64)
    for i in range(first, past):
        a = w.offsets[i]
        b = w.offsets[i + 1]
        exact = op in (_SUM, _MEAN) and b > a and _prefix_sums(w.v, a, b, sums)
        lo = a
        hi = a
        for step in range(n_steps):
            end = w.ends[step]
            while hi < b and w.ts[hi] <= end:
                hi += 1
            start = end - w.range_ms
            while lo < hi and w.ts[lo] <= start:
                lo += 1
            if hi - lo < needed:
                continue
            if exact:
                total = sums[hi - a] - sums[lo - a]
                out.values[i, step] = total if op == _SUM else total / (hi - lo)
            else:
                out.values[i, step] = _window_value(op, w, lo, hi, step)
            out.present[i, step] = True


@njit(nogil=True, cache=True)
def _extrapolated(w: Windows, lo: int, hi: int, end: int, grown: float, kind: int) -> float:
    """Stretch what was seen between the first and last sample to the whole range.

    A boundary is reached when a sample lies within 1.1 mean intervals of it, else half an interval is
    added; a counter is never stretched to below zero.
    """
    to_start = float(w.ts[lo] - (end - w.range_ms)) / 1000.0
    to_end = float(end - w.ts[hi - 1]) / 1000.0
    sampled = float(w.ts[hi - 1] - w.ts[lo]) / 1000.0
    mean_interval = sampled / float(hi - 1 - lo)
    threshold = mean_interval * 1.1
    if to_start >= threshold:
        to_start = mean_interval / 2.0
    if kind != 0:
        first = w.v[lo]
        if grown > 0.0 and first >= 0.0:
            to_zero = sampled * (first / grown)
            if to_zero < to_start:  # not min(): false for NaN
                to_start = to_zero
    if to_end >= threshold:
        to_end = mean_interval / 2.0
    factor = (sampled + to_start + to_end) / sampled
    if kind == 2:
        factor /= w.p0[0]
    return grown * factor


@njit(nogil=True, cache=True)
def rate_windows(kind: int, w: Windows, out: Output, first: int, past: int) -> None:
    """delta, increase and rate for rows [first, past); p0[0] is the range in seconds."""
    n_steps = len(w.ends)
    longest = 1
    for i in range(first, past):
        longest = max(longest, w.offsets[i + 1] - w.offsets[i])
    resets = np.empty(longest, np.int64)
    for i in range(first, past):
        a = w.offsets[i]
        b = w.offsets[i + 1]
        n_resets = 0
        if kind != 0:
            for j in range(a + 1, b):
                if w.v[j] < w.v[j - 1]:
                    resets[n_resets] = j
                    n_resets += 1
        lo = a
        hi = a
        reset = 0
        for step in range(n_steps):
            end = w.ends[step]
            while hi < b and w.ts[hi] <= end:
                hi += 1
            start = end - w.range_ms
            while lo < hi and w.ts[lo] <= start:
                lo += 1
            if hi - lo < 2:
                continue
            grown = w.v[hi - 1] - w.v[lo]
            while reset < n_resets and resets[reset] <= lo:
                reset += 1
            following = reset
            while following < n_resets and resets[following] < hi:
                grown += w.v[resets[following] - 1]
                following += 1
            out.values[i, step] = _extrapolated(w, lo, hi, end, grown, kind)
            out.present[i, step] = True
