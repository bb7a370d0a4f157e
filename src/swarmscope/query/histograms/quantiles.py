"""`histogram_quantile` and `histogram_fraction` of native histograms.

Inside exponential buckets the interpolation is exponential, inside the zero bucket and custom buckets linear; see
"Interpolation within a bucket" of Prometheus' native histogram specification and the functions' manual.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA
from swarmscope.query.histograms.annotations import FRACTION_NAN, QUANTILE_NAN, QUANTILE_SKEWED
from swarmscope.query.histograms.bounds import bucket_capacity, fill_buckets
from swarmscope.query.histograms.rows import HistogramRows

_LOWER, _UPPER, _COUNT = 0, 1, 2


class Estimates(NamedTuple):
    """Floats in the shape of the cells (NaN where there is no histogram) and HistogramNote bits of each."""

    values: NDArray[np.float64]
    notes: NDArray[np.int64]


def histogram_quantile(rows: HistogramRows, cells: NDArray[np.int64], phi: NDArray[np.float64] | float) -> Estimates:
    """The φ-quantile of `rows[cells]`; `phi` is broadcast to the shape of `cells`."""
    wanted = np.ascontiguousarray(np.broadcast_to(np.asarray(phi, np.float64), cells.shape)).ravel()
    values, notes = _quantiles(rows, cells.ravel(), wanted.copy())
    return Estimates(values.reshape(cells.shape), notes.reshape(cells.shape))


def histogram_fraction(
    rows: HistogramRows,
    cells: NDArray[np.int64],
    lower: NDArray[np.float64] | float,
    upper: NDArray[np.float64] | float,
) -> Estimates:
    """The share of observations between two values; `lower` and `upper` are broadcast to the shape of `cells`."""
    low = np.broadcast_to(np.asarray(lower, np.float64), cells.shape).ravel().copy()
    high = np.broadcast_to(np.asarray(upper, np.float64), cells.shape).ravel().copy()
    values, notes = _fractions(rows, cells.ravel(), low, high)
    return Estimates(values.reshape(cells.shape), notes.reshape(cells.shape))


@njit(nogil=True, cache=True, error_model="numpy")
def _quantiles(
    rows: HistogramRows, cells: NDArray[np.int64], phi: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    values, notes = np.full(len(cells), np.nan), np.zeros(len(cells), np.int64)
    buckets = np.empty((bucket_capacity(rows), 3), np.float64)
    for k in range(len(cells)):
        if cells[k] >= 0:
            values[k], notes[k] = _quantile(rows, cells[k], phi[k], buckets)
    return values, notes


@njit(nogil=True, cache=True, error_model="numpy")
def _fractions(
    rows: HistogramRows, cells: NDArray[np.int64], lower: NDArray[np.float64], upper: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    values, notes = np.full(len(cells), np.nan), np.zeros(len(cells), np.int64)
    buckets = np.empty((bucket_capacity(rows), 3), np.float64)
    for k in range(len(cells)):
        if cells[k] >= 0:
            values[k], notes[k] = _fraction(rows, cells[k], (lower[k], upper[k]), buckets)
    return values, notes


@njit(nogil=True, cache=True, error_model="numpy")
def _one_sided(rows: HistogramRows, row: int, lower: float, upper: float) -> tuple[float, float]:
    """Bounds of a bucket around zero: with populated buckets on one side only, nothing is assumed on the other."""
    negative = rows.neg_offsets[row + 1] > rows.neg_offsets[row]
    positive = rows.pos_offsets[row + 1] > rows.pos_offsets[row]
    if positive and not negative:
        return 0.0, upper
    if negative and not positive:
        return lower, 0.0
    return lower, upper


@njit(nogil=True, cache=True, error_model="numpy")
def _quantile(rows: HistogramRows, row: int, phi: float, buckets: NDArray[np.float64]) -> tuple[float, int]:
    if phi < 0:
        return -math.inf, 0
    if phi > 1:
        return math.inf, 0
    total = rows.count[row]
    if total == 0 or math.isnan(phi):
        return math.nan, 0
    n = fill_buckets(rows, row, buckets)
    # NaN observations are counted in no bucket. They are as good as above all others, so the rank is sought from below.
    has_nan = math.isnan(rows.sum[row])
    forward = has_nan or phi < 0.5
    rank = phi * total if forward else (1 - phi) * total
    count, within, lower, upper, at = 0.0, 0.0, 0.0, 0.0, 0
    for step in range(n):
        at = step if forward else n - 1 - step
        lower, upper, within = buckets[at, _LOWER], buckets[at, _UPPER], buckets[at, _COUNT]
        count += within
        if count >= rank:
            break
    if rows.schema[row] == CUSTOM_BUCKETS_SCHEMA:
        if lower == -math.inf:
            if upper <= 0:
                return upper, 0
            lower = 0.0
        elif upper == math.inf:
            return lower, 0
    elif lower < 0 < upper:
        lower, upper = _one_sided(rows, row, lower, upper)
    count = min(count, total)
    if count < rank:
        return (math.nan, QUANTILE_NAN) if has_nan else (upper, 0)
    rank = rank - (count - within) if forward else count - rank
    notes = 0
    if has_nan and buckets[:n, _COUNT].sum() < total:
        notes = QUANTILE_SKEWED
    return _interpolated(lower, upper, rank / within, rows.schema[row] == CUSTOM_BUCKETS_SCHEMA), notes


@njit(nogil=True, cache=True, error_model="numpy")
def _interpolated(lower: float, upper: float, fraction: float, linear: bool) -> float:
    """The value that lies `fraction` into a bucket."""
    if linear or lower <= 0 <= upper:
        return lower + (upper - lower) * fraction
    log_lower, log_upper = math.log2(abs(lower)), math.log2(abs(upper))
    if lower > 0:
        return float(2.0 ** (log_lower + (log_upper - log_lower) * fraction))
    return float(-(2.0 ** (log_upper + (log_lower - log_upper) * (1 - fraction))))


@njit(nogil=True, cache=True, error_model="numpy")
def _share_below(value: float, lower: float, upper: float, linear: bool) -> float:
    """Which share of a bucket's observations is taken to lie below `value`; the inverse of `_interpolated`."""
    if linear:
        return (value - lower) / (upper - lower)
    log_lower, log_upper = math.log2(abs(lower)), math.log2(abs(upper))
    log_value = math.log2(abs(value))
    if value > 0:
        return (log_value - log_lower) / (log_upper - log_lower)
    return 1 - (log_value - log_upper) / (log_lower - log_upper)


@njit(nogil=True, cache=True, error_model="numpy")
def _fraction(
    rows: HistogramRows, row: int, limits: tuple[float, float], buckets: NDArray[np.float64]
) -> tuple[float, int]:
    lower, upper = limits
    total = rows.count[row]
    if total == 0 or math.isnan(lower) or math.isnan(upper):
        return math.nan, 0
    if lower >= upper:
        return 0.0, 0
    n = fill_buckets(rows, row, buckets)
    observed, notes = total, 0
    if math.isnan(rows.sum[row]):
        observed = buckets[:n, _COUNT].sum()
        if observed < total:
            notes = FRACTION_NAN
    below_lower = _rank_of(rows, row, lower, buckets[:n])
    below_upper = _rank_of(rows, row, upper, buckets[:n])
    if below_lower < 0 or below_lower > observed:
        below_lower = observed
    if below_upper < 0 or below_upper > observed:
        below_upper = observed
    return (below_upper - below_lower) / total, notes


@njit(nogil=True, cache=True, error_model="numpy")
def _rank_of(rows: HistogramRows, row: int, value: float, buckets: NDArray[np.float64]) -> float:
    """How many observations lie below `value`; -1 where it is above all buckets."""
    custom = rows.schema[row] == CUSTOM_BUCKETS_SCHEMA
    rank = 0.0
    for k in range(len(buckets)):
        lower, upper, within = buckets[k, _LOWER], buckets[k, _UPPER], buckets[k, _COUNT]
        linear = custom
        if lower <= 0 <= upper:
            linear = True
            lower, upper = _one_sided(rows, row, lower, upper)
        if lower >= value:
            return rank
        if upper > value:
            if linear and lower == -math.inf:
                return float(within)
            return float(rank + within * _share_below(value, lower, upper, linear))
        rank += within
    return -1.0
