"""What the lines of a bucket add up to, by series: numbers from which every window's value can be had.

States are sums that do not depend on the order of lines (but for rounding), so batches may come in any order.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.raw_memory import Int
from swarmscope.query.promql.window_arithmetic import kahan_add

_Floats = NDArray[np.float64]


class BucketOp(IntEnum):
    """What is made of a window; what `main` and `extra` of its buckets mean depends on it."""

    COUNT = 0  # neither
    SUM = 1  # compensated sum, what it lost
    MEAN = 2  # as SUM
    MIN = 3  # smallest value
    MAX = 4  # largest value
    FIRST = 5  # value, time since the grid's begin
    LAST = 6  # as FIRST
    STDVAR = 7  # mean, sum of squared distances from it
    STDDEV = 8  # as STDVAR


_COUNT, _SUM, _MEAN, _MIN, _MAX, _FIRST, _LAST, _STDVAR, _STDDEV = range(9)


class Lines(NamedTuple):
    """Lines of a batch: where they belong, and their values (an empty array where lines are only counted)."""

    series: NDArray[np.int64]  # [n]
    bucket: NDArray[np.int64]  # [n] negative: in no window
    time: NDArray[np.int64]  # [n] ns since the grid's begin
    value: _Floats  # [n] or [0]


class Buckets(NamedTuple):
    """States [n_series, n_buckets]; the last two are empty where the operation needs them not."""

    lines: NDArray[np.int64]
    main: _Floats
    extra: _Floats


@njit(nogil=True, cache=True, error_model="numpy")
def _add_value(op: Int, here: tuple[Int, float, float], time: float, value: float) -> tuple[float, float]:
    """The state (main, extra) of a bucket with one value more; `here` is its count before, main and extra."""
    count, main, extra = here
    if op in (_SUM, _MEAN):
        return kahan_add(value, main, extra)
    if op in (_MIN, _MAX):
        sign = 1.0 if op == _MAX else -1.0
        better = count == 0 or math.isnan(main) or sign * main < sign * value
        return (value if better else main), 0.0
    if op in (_FIRST, _LAST):
        sign = 1.0 if op == _LAST else -1.0
        # Of lines at the same time the smaller value is the earlier one: the answer must not depend on their order.
        later = count == 0 or sign * time > sign * extra or (time == extra and sign * value > sign * main)
        return (value, time) if later else (main, extra)
    delta = value - main
    mean = main + delta / (count + 1)
    return mean, extra + delta * (value - mean)


@njit(nogil=True, cache=True, error_model="numpy")
def add_lines(op: Int, lines: Lines, buckets: Buckets) -> None:
    """Add lines to their buckets."""
    series, bucket, time, value = lines
    count, main, extra = buckets
    for row in range(len(series)):
        k, j = series[row], bucket[row]
        if j < 0:
            continue
        if op != _COUNT:
            state = (count[k, j], main[k, j], extra[k, j])
            main[k, j], extra[k, j] = _add_value(op, state, float(time[row]), value[row])
        count[k, j] += 1


@njit(nogil=True, cache=True)
def add_counts(
    series: NDArray[np.int64], bucket: NDArray[np.int64], lines: NDArray[np.int64], sizes: _Floats, buckets: Buckets
) -> None:
    """Add lines that are counted already, with their bytes (an empty array where nobody asks)."""
    count, main, _ = buckets
    for row in range(len(series)):
        k, j = series[row], bucket[row]
        if j >= 0:
            count[k, j] += lines[row]
            if len(sizes):
                main[k, j] += sizes[row]


@njit(nogil=True, cache=True, error_model="numpy")
def _merged(op: Int, left: tuple[Int, float, float], right: tuple[Int, float, float]) -> tuple[float, float]:
    """The state of two runs of buckets together; the right one is the later one, both have lines."""
    if op in (_SUM, _MEAN):
        main, extra = kahan_add(right[1], left[1], left[2])
        return main, (extra + right[2] if not math.isinf(main) else 0.0)
    if op == _LAST:
        return right[1], right[2]
    if op == _FIRST:
        return left[1], left[2]
    if op in (_STDVAR, _STDDEV):
        total = left[0] + right[0]
        delta = right[1] - left[1]
        return left[1] + delta * right[0] / total, left[2] + right[2] + delta * delta * left[0] * right[0] / total
    return _add_value(op, left, 0.0, right[1])


@njit(nogil=True, cache=True, error_model="numpy")
def _final(op: Int, count: Int, main: float, extra: float) -> float:
    if op == _SUM:
        return float(main + extra)
    if op == _MEAN:
        return float(main / count + extra / count)
    if op == _STDVAR:
        return float(extra / count)
    if op == _STDDEV:
        return math.sqrt(extra / count)
    return float(main)


@njit(nogil=True, cache=True, error_model="numpy")
def reduce_buckets(
    op: Int,
    buckets: Buckets,
    windows: tuple[NDArray[np.int64], NDArray[np.int64]],
    out: tuple[_Floats, NDArray[np.bool_]],
    rows: tuple[Int, Int],
) -> None:
    """Values of windows (first bucket, past the last one) for series [rows[0], rows[1]); `out` starts all absent."""
    count, main, extra = buckets
    first, past = windows
    values, present = out
    before = np.zeros(count.shape[1] + 1, np.int64)
    for k in range(rows[0], rows[1]):
        for j in range(count.shape[1]):
            before[j + 1] = before[j] + count[k, j]
        for step in range(len(first)):
            total = before[past[step]] - before[first[step]]
            if total == 0:
                continue
            present[k, step] = True
            if op == _COUNT:
                values[k, step] = float(total)
                continue
            n, a, b = np.int64(0), 0.0, 0.0
            for j in range(first[step], past[step]):
                if count[k, j] > 0:
                    if n == 0:
                        a, b = main[k, j], extra[k, j]
                    else:
                        a, b = _merged(op, (n, a, b), (count[k, j], main[k, j], extra[k, j]))
                    n += count[k, j]
            values[k, step] = _final(op, n, a, b)
