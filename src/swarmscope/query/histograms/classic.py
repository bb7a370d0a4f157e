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
    if at == n - 1:
        return bounds[n - 2], forced
    if at == 0:
        if bounds[0] <= 0:
            return bounds[0], forced
        return bounds[0] * (rank / counts[0]), forced
    lower, below = bounds[at - 1], counts[at - 1]
    return lower + (bounds[at] - lower) * ((rank - below) / (counts[at] - below)), forced


@njit(nogil=True, cache=True, error_model="numpy")
def _quantiles(phi: NDArray[np.float64], buckets: ClassicBuckets):  # type: ignore[no-untyped-def]  # noqa: ANN202
    n_groups, n_steps = len(buckets.offsets) - 1, buckets.counts.shape[1]
    values = np.full((n_groups, n_steps), np.nan)
    valid, forced = np.zeros((n_groups, n_steps), np.bool_), np.zeros(n_groups, np.bool_)
    room = len(buckets.upper_bounds) + 1
    bounds, counts = np.empty(room, np.float64), np.empty(room, np.float64)
    for group in range(n_groups):
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
def _fractions(lower: NDArray[np.float64], upper: NDArray[np.float64], buckets: ClassicBuckets):  # type: ignore[no-untyped-def]  # noqa: ANN202
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
