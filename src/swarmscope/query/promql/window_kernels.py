"""One pass over all series and steps: a window slides over each series' samples.

The window at end t is (t - range, t]. Rows are independent, so a call covers rows [first, past) and several
threads share one output.
"""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.query.promql.sliding import Output, Windows, same_times, slide_windows
from swarmscope.query.promql.window_arithmetic import (
    count_changes,
    count_resets,
    double_smoothing,
    linear_regression,
    quantile_of_sorted,
    sort_nan_first,
    window_deviation,
    window_mean,
    window_sum,
    window_variance,
)

_Floats = NDArray[np.float64]
_Times = NDArray[np.int64]


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


@njit(nogil=True, cache=True, error_model="numpy")
def _last_pair(ts: _Times, v: _Floats, hi: int, is_rate: bool) -> float:
    """idelta and irate: the last two samples."""
    last = v[hi - 1]
    before = v[hi - 2]
    if not is_rate:
        return float(last - before)
    grown = last if last < before else last - before
    return float(grown / (float(ts[hi - 1] - ts[hi - 2]) / 1000.0))


@njit(nogil=True, cache=True, error_model="numpy")
def _statistic(op: int, v: _Floats, lo: int, hi: int, q: float) -> float:
    if op == _STDDEV:
        return math.sqrt(window_variance(v, lo, hi))
    if op == _STDVAR:
        return window_variance(v, lo, hi)
    if op == _QUANTILE:
        return quantile_of_sorted(q, sort_nan_first(v[lo:hi]))
    return window_deviation(v, lo, hi)


@njit(nogil=True, cache=True, error_model="numpy")
def _time_of(op: int, ts: _Times, lo: int, hi: int) -> float:
    if op == _TS_FIRST:
        return float(ts[lo]) / 1000.0
    return float(ts[hi - 1]) / 1000.0


@njit(nogil=True, cache=True, error_model="numpy")
def _trend(op: int, ts: _Times, v: _Floats, bounds: tuple[int, int], p: tuple[float, float]) -> float:
    """`bounds` is (first, past), `p` are the scalar parameters; predict_linear's second is its origin in ms."""
    lo, hi = bounds
    if op in (_IDELTA, _IRATE):
        return _last_pair(ts, v, hi, op == _IRATE)
    if op == _DERIV:
        return linear_regression(ts, v, lo, hi, ts[lo])[0]
    if op == _PREDICT:
        slope, at_origin = linear_regression(ts, v, lo, hi, int(p[1]))
        return float(slope * p[0] + at_origin)
    return double_smoothing(v, lo, hi, p[0], p[1])


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _window_value(op: int, ts: _Times, v: _Floats, bounds: tuple[int, int], p: tuple[float, float]) -> float:
    """The value of a window that has enough samples; extremes have a kernel of their own."""
    lo, hi = bounds
    if op == _SUM:
        return window_sum(v, lo, hi)
    if op == _MEAN:
        return window_mean(v, lo, hi)
    if op == _COUNT:
        return float(hi - lo)
    if op == _LAST:
        return float(v[hi - 1])
    if op == _FIRST:
        return float(v[lo])
    if op == _PRESENT:
        return 1.0
    if op == _CHANGES:
        return count_changes(v, lo, hi)
    if op == _RESETS:
        return count_resets(v, lo, hi)
    if op <= _MAD:
        return _statistic(op, v, lo, hi, p[0])
    if op <= _TS_LAST:
        return _time_of(op, ts, lo, hi)
    return _trend(op, ts, v, bounds, p)


@njit(nogil=True, cache=True, error_model="numpy")
def _extremes(op: int, w: Windows, row: tuple[int, int], bounds: tuple[_Times, _Times], out: Output) -> None:
    """max, min and their times for one series; `row` is (series, its first sample), `bounds` from `slide_windows`.

    A queue holds the samples that may still become a window's best, the best first: every sample enters and leaves
    it once, however many windows it lies in. NaN loses against every number; of equals the first wins, of their
    times the last.
    """
    i, a = row
    begins, stops = bounds
    ts, v = w.ts, w.v
    values, present = out
    sign = 1.0 if op in (_MAX, _TS_MAX) else -1.0
    is_time = op in (_TS_MAX, _TS_MIN)
    queue = np.empty(w.offsets[i + 1] - a, np.int64)
    head, tail, seen = 0, 0, a
    for step in range(len(begins)):
        lo = a + begins[step]
        hi = a + stops[step]
        if hi <= lo:
            continue
        if seen < lo:  # windows with gaps between them
            head, tail, seen = 0, 0, lo
        for k in range(seen, hi):
            x = sign * v[k]
            while tail > head:
                last = sign * v[queue[tail - 1]]
                if not (math.isnan(last) or last < x or (is_time and last == x)):
                    break
                tail -= 1
            queue[tail] = k
            tail += 1
        seen = hi
        while queue[head] < lo:
            head += 1
        best = queue[head]
        values[i, step] = float(ts[best]) / 1000.0 if is_time else v[best]
        present[i, step] = True


@njit(nogil=True, cache=True, error_model="numpy")
def _prefix_sums(v: _Floats, a: int, b: int, sums: _Floats) -> bool:
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


@njit(nogil=True, cache=True, error_model="numpy")
def _longest(offsets: _Times, first: int, past: int) -> int:
    longest = 1
    for i in range(first, past):
        longest = max(longest, offsets[i + 1] - offsets[i])
    return longest


@njit(nogil=True, cache=True, error_model="numpy")
def reduce_windows(op: int, w: Windows, out: Output, first: int, past: int) -> None:
    """Apply one `WindowOp` to rows [first, past)."""
    # Locals: an array read through a tuple counts references at every access.
    offsets, ts, v, ends, range_ms, p0, p1 = w
    values, present = out
    needed = 2 if op >= _IDELTA else 1
    sums = np.empty(_longest(offsets, first, past) + 1, np.float64)
    begins = np.empty(len(ends), np.int64)
    stops = np.empty(len(ends), np.int64)
    for i in range(first, past):
        a = offsets[i]
        b = offsets[i + 1]
        exact = op in (_SUM, _MEAN) and b > a and _prefix_sums(v, a, b, sums)
        if i == first or not same_times(ts, offsets[i - 1], a, b):
            slide_windows(ts, (a, b), ends, range_ms, (begins, stops))
        if op in (_MIN, _MAX, _TS_MAX, _TS_MIN):
            _extremes(op, w, (i, a), (begins, stops), out)
            continue
        for step in range(len(ends)):
            lo = a + begins[step]
            hi = a + stops[step]
            if hi - lo < needed:
                continue
            if exact:
                total = sums[hi - a] - sums[lo - a]
                values[i, step] = total if op == _SUM else total / (hi - lo)
            else:
                values[i, step] = _window_value(op, ts, v, (lo, hi), (p0[step], p1[step]))
            present[i, step] = True
