"""Quantiles and fractions of classic histograms, whose cumulative buckets are float series with an `le` label.

Rules and special cases: `histogram_quantile` and `histogram_fraction` in Prometheus' functions manual.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Counts that differ relatively by less than this are taken to be equal: rates of equal counters often are not.
_TOLERANCE = 1e-12
_SMALLEST_NORMAL = float(np.finfo(np.float64).smallest_normal)
_LARGEST = float(np.finfo(np.float64).max)


class ClassicBuckets(NamedTuple):
    """Buckets of n groups in CSR form, in ascending order of their upper bounds inside a group.

    Made by `group_buckets`. Equal bounds in one group are allowed and are added up.
    """

    offsets: NDArray[np.int64]  # [n_groups + 1]
    upper_bounds: NDArray[np.float64]  # [n_buckets]
    counts: NDArray[np.float64]  # [n_buckets, n_steps] cumulative
    present: NDArray[np.bool_]  # [n_buckets, n_steps]


class ClassicEstimates(NamedTuple):
    """`values` [n_groups, n_steps] count where `valid`; `forced` [n_groups]: counts were not monotonic somewhere."""

    values: NDArray[np.float64]
    valid: NDArray[np.bool_]
    forced: NDArray[np.bool_]


def group_buckets(
    group: NDArray[np.int64],
    n_groups: int,
    upper_bounds: NDArray[np.float64],
    counts: NDArray[np.float64],
    present: NDArray[np.bool_],
) -> ClassicBuckets:
    """Bring bucket series [n_buckets] into order; `group` [n_buckets] numbers the group of each."""
    order = np.lexsort((upper_bounds, group))
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(np.bincount(group, minlength=n_groups))))
    return ClassicBuckets(
        offsets.astype(np.int64),
        np.require(upper_bounds[order], np.float64, ["C", "W"]),
        np.require(counts[order], np.float64, ["C", "W"]),
        np.require(present[order], np.bool_, ["C", "W"]),
    )


def classic_quantile(phi: NDArray[np.float64] | float, buckets: ClassicBuckets) -> ClassicEstimates:
    """The φ-quantile of each group and step; `phi` is a number or [n_steps]."""
    n_steps = buckets.counts.shape[1]
    wanted = np.broadcast_to(np.asarray(phi, np.float64), (n_steps,)).copy()
    values, valid, forced = _quantiles(wanted, buckets)
    return ClassicEstimates(values, valid, forced)


def classic_fraction(
    lower: NDArray[np.float64] | float, upper: NDArray[np.float64] | float, buckets: ClassicBuckets
) -> ClassicEstimates:
    """The share of observations between two values; `lower` and `upper` are numbers or [n_steps]."""
    n_steps = buckets.counts.shape[1]
    low = np.broadcast_to(np.asarray(lower, np.float64), (n_steps,)).copy()
    high = np.broadcast_to(np.asarray(upper, np.float64), (n_steps,)).copy()
    values, valid = _fractions(low, high, buckets)
    return ClassicEstimates(values, valid, np.zeros(len(values), np.bool_))


@njit(nogil=True, cache=True, error_model="numpy")
def _nearly_equal(a: float, b: float) -> bool:
    sum_of_sizes, difference = abs(a) + abs(b), abs(a - b)
    if a == 0 or b == 0 or sum_of_sizes < _SMALLEST_NORMAL:
        return difference < _TOLERANCE * _SMALLEST_NORMAL
    return difference < min(sum_of_sizes, _LARGEST) * _TOLERANCE


@njit(nogil=True, cache=True, error_model="numpy")
def _gather(buckets: ClassicBuckets, group: int, step: int, bounds: NDArray[np.float64],
            counts: NDArray[np.float64]) -> int:  # fmt: skip
    """Copy a group's present buckets of one step, equal bounds joined; returns how many there are."""
    n = 0
    for k in range(buckets.offsets[group], buckets.offsets[group + 1]):
        if not buckets.present[k, step]:
            continue
        if n and bounds[n - 1] == buckets.upper_bounds[k]:
            counts[n - 1] += buckets.counts[k, step]
        else:
            bounds[n], counts[n] = buckets.upper_bounds[k], buckets.counts[k, step]
            n += 1
    return n


@njit(nogil=True, cache=True, error_model="numpy")
def _make_monotonic(counts: NDArray[np.float64]) -> bool:
    """Remove decreases in place; tells whether one was larger than what rounding explains."""
    forced = False
    before = counts[0]
    for k in range(1, len(counts)):
        now = counts[k]
        if now == before:
            continue
        if _nearly_equal(before, now):
            counts[k] = before
        elif now < before:
            counts[k] = before
            forced = True
        else:
            before = now
    return forced


@njit(nogil=True, cache=True, error_model="numpy")
def _quantile(phi: float, bounds: NDArray[np.float64], counts: NDArray[np.float64]) -> tuple[float, bool]:
    if math.isnan(phi):
        return math.nan, False
    if phi < 0:
        return -math.inf, False
    if phi > 1:
        return math.inf, False
    n = len(bounds)
    if bounds[n - 1] != math.inf:
        return math.nan, False
    forced = _make_monotonic(counts)
    if n < 2 or counts[n - 1] == 0:
        return math.nan, False
    rank = phi * counts[n - 1]
    at = 0
    while at < n - 1 and not counts[at] >= rank:
        at += 1
    return _interpolated(rank, at, bounds, counts), forced


@njit(nogil=True, cache=True, error_model="numpy")
def _interpolated(rank: float, at: int, bounds: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    """The value of a rank that bucket `at` holds."""
    if at == len(bounds) - 1:
        return float(bounds[at - 1])
    if at == 0:
        return float(bounds[0] if bounds[0] <= 0 else bounds[0] * (rank / counts[0]))
    lower, below = bounds[at - 1], counts[at - 1]
    return float(lower + (bounds[at] - lower) * ((rank - below) / (counts[at] - below)))


@njit(nogil=True, cache=True, error_model="numpy")
def _largest_group(buckets: ClassicBuckets) -> int:
    most = 0
    for group in range(len(buckets.offsets) - 1):
        most = max(most, buckets.offsets[group + 1] - buckets.offsets[group])
    return most


@njit(nogil=True, cache=True, error_model="numpy")
def _is_plain(buckets: ClassicBuckets, group: int) -> bool:
    """Whether a group has all its buckets at every step, no bound twice, and the +Inf bucket beside another one."""
    begin, end = buckets.offsets[group], buckets.offsets[group + 1]
    if end - begin < 2 or buckets.upper_bounds[end - 1] != math.inf:
        return False
    for k in range(begin + 1, end):
        if buckets.upper_bounds[k] == buckets.upper_bounds[k - 1]:
            return False
    return bool(buckets.present[begin:end].all())


@njit(nogil=True, cache=True, error_model="numpy")
def _fix_counts(counts: NDArray[np.float64], fixed: NDArray[np.float64]) -> bool:
    """`_make_monotonic` for all steps at once, bucket by bucket, without branches."""
    n, n_steps = counts.shape
    forced = False
    fixed[0] = counts[0]
    for k in range(1, n):
        for step in range(n_steps):
            before, now = fixed[k - 1, step], counts[k, step]
            difference, size = abs(now - before), min(abs(now) + abs(before), _LARGEST)
            # Next to a zero nothing is nearly equal: the bound is far below the smallest count.
            near = difference < size * _TOLERANCE and now != 0 and before != 0
            drop = now < before
            forced |= drop and not near
            fixed[k, step] = before if drop or near else now
    return forced


@njit(nogil=True, cache=True, error_model="numpy")
def _plain_quantiles(
    phi: NDArray[np.float64], buckets: ClassicBuckets, group: int, fixed: NDArray[np.float64], out: NDArray[np.float64]
) -> bool:
    """Fast path of a plain group: the steps are the inner loops, which the compiler turns into vector code."""
    begin, end = buckets.offsets[group], buckets.offsets[group + 1]
    n, n_steps = end - begin, len(phi)
    bounds = buckets.upper_bounds[begin:end]
    forced = _fix_counts(buckets.counts[begin:end], fixed[:n])
    rank = phi * fixed[n - 1]
    at = np.full(n_steps, n - 1, np.int64)
    for k in range(n - 2, -1, -1):
        for step in range(n_steps):
            at[step] = k if fixed[k, step] >= rank[step] else at[step]
    for step in range(n_steps):
        if 0 <= phi[step] <= 1:
            out[step] = math.nan
            if fixed[n - 1, step] != 0:
                out[step] = _interpolated(rank[step], at[step], bounds, fixed[:n, step])
        else:
            out[step] = math.nan if math.isnan(phi[step]) else (math.inf if phi[step] > 1 else -math.inf)
    # Where φ is out of range, no bucket was looked at.
    return bool(forced and ((phi >= 0) & (phi <= 1)).any())


@njit(nogil=True, cache=True, error_model="numpy")
def _quantiles(
    phi: NDArray[np.float64], buckets: ClassicBuckets
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    n_groups, n_steps = len(buckets.offsets) - 1, buckets.counts.shape[1]
    values = np.full((n_groups, n_steps), np.nan)
    valid, forced = np.zeros((n_groups, n_steps), np.bool_), np.zeros(n_groups, np.bool_)
    room = len(buckets.upper_bounds) + 1
    bounds, counts = np.empty(room, np.float64), np.empty(room, np.float64)
    fixed = np.empty((_largest_group(buckets), n_steps), np.float64)
    for group in range(n_groups):
        if _is_plain(buckets, group):
            valid[group, :] = True
            forced[group] = _plain_quantiles(phi, buckets, group, fixed, values[group])
            continue
        for step in range(n_steps):
            n = _gather(buckets, group, step, bounds, counts)
            if n:
                valid[group, step] = True
                values[group, step], corrected = _quantile(phi[step], bounds[:n], counts[:n])
                forced[group] |= corrected
    return values, valid, forced


@njit(nogil=True, cache=True, error_model="numpy")
def _rank_of(value: float, bounds: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    """How many observations lie below `value`; all of them where it is above all bounds."""
    rank = 0.0
    lower = -math.inf if bounds[0] <= 0 else 0.0
    for k in range(len(bounds)):
        if k > 0:
            lower = bounds[k - 1]
        if lower >= value:
            return rank
        if bounds[k] > value:
            if lower == -math.inf:
                return float(counts[k])
            return float(rank + (counts[k] - rank) * (value - lower) / (bounds[k] - lower))
        rank = counts[k]
    return float(counts[-1])


@njit(nogil=True, cache=True, error_model="numpy")
def _fraction(lower: float, upper: float, bounds: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    total = counts[-1]
    if bounds[-1] != math.inf or total == 0 or math.isnan(lower) or math.isnan(upper):
        return math.nan
    if lower >= upper:
        return 0.0
    below_upper = min(_rank_of(upper, bounds, counts), total)
    return float((below_upper - min(_rank_of(lower, bounds, counts), total)) / total)


@njit(nogil=True, cache=True, error_model="numpy")
def _fractions(
    lower: NDArray[np.float64], upper: NDArray[np.float64], buckets: ClassicBuckets
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    n_groups, n_steps = len(buckets.offsets) - 1, buckets.counts.shape[1]
    values, valid = np.full((n_groups, n_steps), np.nan), np.zeros((n_groups, n_steps), np.bool_)
    room = len(buckets.upper_bounds) + 1
    bounds, counts = np.empty(room, np.float64), np.empty(room, np.float64)
    for group in range(n_groups):
        for step in range(n_steps):
            n = _gather(buckets, group, step, bounds, counts)
            if n:
                valid[group, step] = True
                values[group, step] = _fraction(lower[step], upper[step], bounds[:n], counts[:n])
    return values, valid
