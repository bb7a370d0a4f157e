"""What a range function makes of one window of samples: v[lo:hi] at ts[lo:hi], oldest first.

Operation order, summation (Kahan-Neumaier) and special cases are Prometheus', float for float.
Reference: https://prometheus.io/docs/prometheus/latest/querying/functions/
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
_Times = NDArray[np.int64]


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def kahan_add(value: float, total: float, carry: float) -> tuple[float, float]:
    """One step of Neumaier's summation: (new total, new carry). An infinite total has no carry."""
    new = total + value
    if math.isinf(new):
        return new, 0.0
    if abs(total) >= abs(value):
        carry += (total - new) + value
    else:
        carry += (value - new) + total
    return new, carry


@njit(nogil=True, cache=True, error_model="numpy")
def window_sum(v: _Floats, lo: int, hi: int) -> float:
    """Sum of the window."""
    total = 0.0
    carry = 0.0
    for i in range(lo, hi):
        total, carry = kahan_add(v[i], total, carry)
    if math.isinf(total):
        return total
    return total + carry


@njit(nogil=True, cache=True, error_model="numpy")
def window_mean(v: _Floats, lo: int, hi: int) -> float:
    """Mean of the window; falls back to a running mean where the sum would overflow."""
    total = v[lo]
    carry = 0.0
    mean = 0.0
    incremental = False
    count = 1.0
    for i in range(lo + 1, hi):
        count = float(i - lo + 1)
        if not incremental:
            new_total, new_carry = kahan_add(v[i], total, carry)
            if not math.isinf(new_total):
                total = new_total
                carry = new_carry
                continue
            incremental = True
            mean = total / (count - 1.0)
            carry /= count - 1.0
        share = (count - 1.0) / count
        mean, carry = kahan_add(v[i] / count, share * mean, share * carry)
    if incremental:
        return mean + carry
    return float(total / count + carry / count)


@njit(nogil=True, cache=True, error_model="numpy")
def window_variance(v: _Floats, lo: int, hi: int) -> float:
    """Population variance of the window (Welford's method with compensated sums)."""
    count = 0.0
    mean = 0.0
    mean_carry = 0.0
    squares = 0.0
    squares_carry = 0.0
    for i in range(lo, hi):
        count += 1.0
        delta = v[i] - (mean + mean_carry)
        mean, mean_carry = kahan_add(delta / count, mean, mean_carry)
        squares, squares_carry = kahan_add(delta * (v[i] - (mean + mean_carry)), squares, squares_carry)
    return (squares + squares_carry) / count


@njit(nogil=True, cache=True, error_model="numpy")
def quantile_of_sorted(q: float, ordered: _Floats) -> float:
    """Quantile of ascending values (NaN first), linear between neighbours."""
    n = len(ordered)
    if n == 0 or math.isnan(q):
        return math.nan
    if q < 0.0:
        return -math.inf
    if q > 1.0:
        return math.inf
    rank = q * (n - 1)
    lower = max(0.0, math.floor(rank))
    upper = min(n - 1.0, lower + 1.0)
    weight = rank - math.floor(rank)
    return float(ordered[int(lower)] * (1.0 - weight) + ordered[int(upper)] * weight)


@njit(nogil=True, cache=True, error_model="numpy")
def sort_nan_first(values: _Floats) -> _Floats:
    """Ascending, NaN before all numbers, as Prometheus orders values."""
    ordered = np.sort(values)  # NumPy puts NaN last
    n_nan = 0
    for i in range(len(ordered) - 1, -1, -1):
        if not math.isnan(ordered[i]):
            break
        n_nan += 1
    if n_nan == 0:
        return ordered
    return np.concatenate((ordered[len(ordered) - n_nan :], ordered[: len(ordered) - n_nan]))


@njit(nogil=True, cache=True, error_model="numpy")
def window_deviation(v: _Floats, lo: int, hi: int) -> float:
    """Median absolute deviation of the window."""
    median = quantile_of_sorted(0.5, sort_nan_first(v[lo:hi]))
    return quantile_of_sorted(0.5, sort_nan_first(np.abs(v[lo:hi] - median)))


@njit(nogil=True, cache=True, error_model="numpy")
def linear_regression(ts: _Times, v: _Floats, lo: int, hi: int, origin_ms: int) -> tuple[float, float]:
    """(slope per second, value at the origin) of the least-squares line."""
    n = 0.0
    sum_x = sum_y = sum_xy = sum_xx = 0.0
    c_x = c_y = c_xy = c_xx = 0.0
    constant = True
    for i in range(lo, hi):
        if constant and i > lo and v[i] != v[lo]:
            constant = False
        n += 1.0
        x = float(ts[i] - origin_ms) / 1e3
        sum_x, c_x = kahan_add(x, sum_x, c_x)
        sum_y, c_y = kahan_add(v[i], sum_y, c_y)
        sum_xy, c_xy = kahan_add(x * v[i], sum_xy, c_xy)
        sum_xx, c_xx = kahan_add(x * x, sum_xx, c_xx)
    if constant:
        if math.isinf(v[lo]):
            return math.nan, math.nan
        return 0.0, v[lo]
    sum_x += c_x
    sum_y += c_y
    sum_xy += c_xy
    sum_xx += c_xx
    covariance = sum_xy - sum_x * sum_y / n
    variance = sum_xx - sum_x * sum_x / n
    slope = np.float64(covariance) / np.float64(variance)
    return slope, sum_y / n - slope * sum_x / n


@njit(nogil=True, cache=True, error_model="numpy")
def double_smoothing(v: _Floats, lo: int, hi: int, smoothing: float, trend: float) -> float:
    """Holt's linear exponential smoothing; https://en.wikipedia.org/wiki/Exponential_smoothing."""
    before = 0.0
    now = v[lo]
    slope = v[lo + 1] - v[lo]
    for i in range(1, hi - lo):
        scaled = smoothing * v[lo + i]
        if i > 1:
            slope = trend * (now - before) + (1.0 - trend) * slope
        rest = (1.0 - smoothing) * (now + slope)
        before = now
        now = scaled + rest
    return float(now)


@njit(nogil=True, cache=True, error_model="numpy")
def count_changes(v: _Floats, lo: int, hi: int) -> float:
    """How often neighbours differ; NaN equals NaN here."""
    found = 0
    for i in range(lo + 1, hi):
        if v[i] != v[i - 1] and not (math.isnan(v[i]) and math.isnan(v[i - 1])):
            found += 1
    return float(found)


@njit(nogil=True, cache=True, error_model="numpy")
def count_resets(v: _Floats, lo: int, hi: int) -> float:
    """How often a value is below the one before it."""
    found = 0
    for i in range(lo + 1, hi):
        if v[i] < v[i - 1]:
            found += 1
    return float(found)


@njit(nogil=True, cache=True, error_model="numpy")
def index_of_maximum(v: _Floats, lo: int, hi: int) -> int:
    """Where the largest value is first; NaN loses against every number."""
    best = lo
    for i in range(lo, hi):
        if v[i] > v[best] or math.isnan(v[best]):
            best = i
    return best


@njit(nogil=True, cache=True, error_model="numpy")
def index_of_minimum(v: _Floats, lo: int, hi: int) -> int:
    """Where the smallest value is first; NaN loses against every number."""
    best = lo
    for i in range(lo, hi):
        if v[i] < v[best] or math.isnan(v[best]):
            best = i
    return best
