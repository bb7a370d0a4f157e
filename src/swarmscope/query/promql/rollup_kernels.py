"""Windows over down-sampled buckets: what samples would give, from sums, extremes, ends and increases.

Rows are independent, so a call covers rows [first, past) and several threads share one output. Kernels return
whether the buckets told enough; where they did not, samples must be read.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.query.promql.rate_kernel import reach_of
from swarmscope.query.promql.sliding import Output, same_times, slide_windows
from swarmscope.query.promql.window_arithmetic import index_of_maximum, index_of_minimum, kahan_add
from swarmscope.query.promql.window_kernels import WindowOp

_SUM, _MEAN, _MIN, _MAX = int(WindowOp.SUM), int(WindowOp.MEAN), int(WindowOp.MIN), int(WindowOp.MAX)
_COUNT, _LAST, _FIRST = int(WindowOp.COUNT), int(WindowOp.LAST), int(WindowOp.FIRST)
_TS_FIRST, _TS_LAST = int(WindowOp.TS_FIRST), int(WindowOp.TS_LAST)
_EPSILON = 2.220446049250313e-16
_LARGE = 1e300  # sums of values below this cannot have overflowed on the way


class Buckets(NamedTuple):
    """Rows of `RollupColumns` as the kernels take them; series i owns rows offsets[i] : offsets[i + 1]."""

    offsets: NDArray[np.int64]  # [n_series + 1]
    bucket: NDArray[np.int64]  # [n_rows] ms, when the bucket ends
    samples: NDArray[np.int64]
    total: NDArray[np.float64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    first_ts: NDArray[np.int64]
    first: NDArray[np.float64]
    last_ts: NDArray[np.int64]
    last: NDArray[np.float64]
    increase: NDArray[np.float64]
    stale_ts: NDArray[np.int64]


class Ends(NamedTuple):
    """Where windows end, how wide they are, and what a growth is divided by."""

    ends: NDArray[np.int64]  # [n_steps] ms, ascending, whole buckets
    range_ms: int
    divisor: float


@njit(nogil=True, cache=True, error_model="numpy")
def newest_of_buckets(b: Buckets, windows: Ends, out: Output, first: int, past: int) -> None:
    """The newest sample at each step; a staleness marker after it hides it. Here buckets of markers alone count."""
    offsets, bucket, count, last_ts, last, stale_ts = b.offsets, b.bucket, b.samples, b.last_ts, b.last, b.stale_ts
    values, present = out
    ends, range_ms, _ = windows
    for i in range(first, past):
        row = offsets[i]
        for step in range(len(ends)):
            while row < offsets[i + 1] and bucket[row] <= ends[step]:
                row += 1
            at = row - 1
            if at < offsets[i] or bucket[at] <= ends[step] - range_ms:
                continue
            if count[at] > 0 and last_ts[at] > stale_ts[at]:
                values[i, step] = last[at]
                present[i, step] = True


@njit(nogil=True, cache=True, error_model="numpy")
def _total_is_plain(b: Buckets, row: int) -> bool:
    """Whether a bucket's sum is what a sum over its samples is: no infinity and no overflow on the way."""
    if math.isinf(b.total[row]):
        return False
    if not math.isnan(b.total[row]):
        return True
    # There was a NaN, unless infinities met or compensation broke.
    size = max(abs(b.minimum[row]), abs(b.maximum[row])) * float(b.samples[row])
    return math.isnan(b.minimum[row]) or size < _LARGE


@njit(nogil=True, cache=True, error_model="numpy")
def _sum_of(b: Buckets, lo: int, hi: int) -> tuple[float, float, float, bool]:
    """(sum, carry, number of samples, whether that is certain)."""
    total, carry, n = 0.0, 0.0, 0.0
    plain = True
    for row in range(lo, hi):
        plain = plain and _total_is_plain(b, row)
        total, carry = kahan_add(b.total[row], total, carry)
        n += float(b.samples[row])
    return total, carry, n, plain and not math.isinf(total)


@njit(nogil=True, cache=True, error_model="numpy")
def _count_of(b: Buckets, lo: int, hi: int) -> float:
    n = 0
    for row in range(lo, hi):
        n += b.samples[row]
    return float(n)


@njit(nogil=True, cache=True, error_model="numpy")
def _value_of(op: int, b: Buckets, lo: int, hi: int) -> float:
    """What needs neither sums nor growth."""
    if op == _MIN:
        return float(b.minimum[index_of_minimum(b.minimum, lo, hi)])
    if op == _MAX:
        return float(b.maximum[index_of_maximum(b.maximum, lo, hi)])
    if op == _COUNT:
        return _count_of(b, lo, hi)
    if op == _LAST:
        return float(b.last[hi - 1])
    if op == _FIRST:
        return float(b.first[lo])
    if op == _TS_FIRST:
        return float(b.first_ts[lo]) / 1000.0
    if op == _TS_LAST:
        return float(b.last_ts[hi - 1]) / 1000.0
    return 1.0


@njit(nogil=True, cache=True, error_model="numpy")
def reduce_buckets(op: int, b: Buckets, windows: Ends, out: Output, first: int, past: int) -> bool:
    """One `WindowOp` of EXACT_FUNCTIONS over buckets that hold samples."""
    ends, range_ms, _ = windows
    values, present = out
    begins, stops = np.empty(len(ends), np.int64), np.empty(len(ends), np.int64)
    for i in range(first, past):
        a = b.offsets[i]
        past_row = b.offsets[i + 1]
        if i == first or not same_times(b.bucket, b.offsets[i - 1], a, past_row):
            slide_windows(b.bucket, (a, past_row), ends, range_ms, (begins, stops))
        for step in range(len(ends)):
            lo = a + begins[step]
            hi = a + stops[step]
            if lo == hi:
                continue
            present[i, step] = True
            if op > _MEAN:
                values[i, step] = _value_of(op, b, lo, hi)
                continue
            total, carry, n, certain = _sum_of(b, lo, hi)
            if not certain:
                return False
            values[i, step] = total + carry if op == _SUM else total / n + carry / n
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def _growth_of(b: Buckets, lo: int, hi: int, n: float) -> float:
    """The counter's increase from sample to sample over rows [lo, hi); NaN where one of the numbers is not finite."""
    grown, carry = 0.0, 0.0
    for row in range(lo, hi):
        grown, carry = kahan_add(b.increase[row], grown, carry)
        if row > lo:
            step = b.first[row] - b.last[row - 1]
            grown, carry = kahan_add(step if step >= 0.0 else b.first[row], grown, carry)
    grown += carry
    straight = b.last[hi - 1] - b.first[lo]
    # Without a reset both are the same but for rounding, and the straight one is what samples give.
    if abs(grown - straight) <= _EPSILON * n * max(abs(b.last[hi - 1]), abs(b.first[lo])):
        grown = straight
    return grown if math.isfinite(grown) else math.nan


@njit(nogil=True, cache=True, error_model="numpy")
def rate_buckets(kind: int, b: Buckets, windows: Ends, out: Output, first: int, past: int) -> bool:
    """delta (kind 0), increase and rate over buckets that hold samples."""
    ends, range_ms, divisor = windows
    values, present = out
    begins, stops = np.empty(len(ends), np.int64), np.empty(len(ends), np.int64)
    for i in range(first, past):
        a = b.offsets[i]
        past_row = b.offsets[i + 1]
        if i == first or not same_times(b.bucket, b.offsets[i - 1], a, past_row):
            slide_windows(b.bucket, (a, past_row), ends, range_ms, (begins, stops))
        for step in range(len(ends)):
            lo = a + begins[step]
            hi = a + stops[step]
            n = _count_of(b, lo, hi)
            if n < 2.0:
                continue
            oldest = b.first[lo]
            grown = b.last[hi - 1] - oldest
            if kind != 0:
                grown = _growth_of(b, lo, hi, n)
                if math.isnan(grown):
                    return False
            times = (b.first_ts[lo], b.last_ts[hi - 1], int(n))
            sampled, to_start, to_end = reach_of(times, ends[step], range_ms)
            if kind != 0 and grown > 0.0 and oldest >= 0.0:
                to_start = min(to_start, sampled * (oldest / grown))
            values[i, step] = grown * ((sampled + to_start + to_end) / sampled / divisor)
            present[i, step] = True
    return True
