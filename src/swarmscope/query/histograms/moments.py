"""Functions of single histograms that need no interpolation: count, sum, mean and variance."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA
from swarmscope.query.histograms.bounds import bucket_capacity, fill_buckets
from swarmscope.query.histograms.rows import HistogramRows
from swarmscope.query.histograms.scratch import compensated


def histogram_count(rows: HistogramRows, cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """Count of observations in the shape of `cells`, NaN where there is no histogram."""
    return _pick(rows.count, cells)


def histogram_sum(rows: HistogramRows, cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum of observations in the shape of `cells`, NaN where there is no histogram."""
    return _pick(rows.sum, cells)


def histogram_avg(rows: HistogramRows, cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """Arithmetic mean of the observations in the shape of `cells`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean: NDArray[np.float64] = histogram_sum(rows, cells) / histogram_count(rows, cells)
    return mean


def histogram_stdvar(rows: HistogramRows, cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """Estimated variance: every observation counts as its bucket's mean (geometric in exponential buckets)."""
    flat: NDArray[np.float64] = _variances(rows, cells.ravel())
    return flat.reshape(cells.shape)


def histogram_stddev(rows: HistogramRows, cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """Estimated standard deviation, the root of `histogram_stdvar`."""
    with np.errstate(invalid="ignore"):
        deviation: NDArray[np.float64] = np.sqrt(histogram_stdvar(rows, cells))
    return deviation


def _pick(numbers: NDArray[np.float64], cells: NDArray[np.int64]) -> NDArray[np.float64]:
    # A cell of -1 reads the appended NaN.
    return np.append(numbers, np.nan)[cells]


@njit(nogil=True, cache=True, error_model="numpy")
def _variances(rows: HistogramRows, cells: NDArray[np.int64]) -> NDArray[np.float64]:
    out = np.full(len(cells), np.nan)
    buckets = np.empty((bucket_capacity(rows), 3), np.float64)
    for k in range(len(cells)):
        row = cells[k]
        if row < 0 or rows.count[row] == 0:
            continue
        mean = rows.sum[row] / rows.count[row]
        total, carry = 0.0, 0.0
        for i in range(fill_buckets(rows, row, buckets)):
            lower, upper, count = buckets[i, 0], buckets[i, 1], buckets[i, 2]
            if rows.schema[row] == CUSTOM_BUCKETS_SCHEMA:
                middle = (lower + upper) / 2.0
            elif lower <= 0 <= upper:
                middle = 0.0
            else:
                middle = math.sqrt(lower * upper) if lower > 0 else -math.sqrt(lower * upper)
            total, carry = compensated(total, carry, count * (middle - mean) * (middle - mean))
        out[k] = (total + carry) / rows.count[row]
    return out
