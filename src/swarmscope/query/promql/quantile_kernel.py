"""Quantiles over the series of each group, by selection instead of sorting."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.query.promql.aggregate_kernels import Grouped

_BLOCK = 16  # steps gathered at once: two cache lines of each row, so a row is touched once per block


@njit(nogil=True, cache=True, error_model="numpy")
def _select(v: NDArray[np.float64], n: int, k: int) -> None:
    """Reorder v[:n] (no NaN) so that v[k] is the k-th smallest, nothing before it larger, nothing after smaller."""
    lo = 0
    hi = n - 1
    while lo < hi:
        middle = (lo + hi) >> 1
        # Median of three, moved to the middle.
        if v[middle] < v[lo]:
            v[middle], v[lo] = v[lo], v[middle]
        if v[hi] < v[lo]:
            v[hi], v[lo] = v[lo], v[hi]
        if v[hi] < v[middle]:
            v[hi], v[middle] = v[middle], v[hi]
        pivot = v[middle]
        i = lo
        j = hi
        while i <= j:
            while v[i] < pivot:
                i += 1
            while pivot < v[j]:
                j -= 1
            if i <= j:
                v[i], v[j] = v[j], v[i]
                i += 1
                j -= 1
        if k <= j:
            hi = j
        elif k >= i:
            lo = i
        else:
            return


@njit(nogil=True, cache=True, error_model="numpy")
def _quantile(q: float, v: NDArray[np.float64], n_numbers: int, n_nan: int) -> float:
    """Quantile of v[:n_numbers] and so many NaN, which sort first. Reorders v."""
    n = n_numbers + n_nan
    if math.isnan(q):
        return math.nan
    if q < 0.0:
        return -math.inf
    if q > 1.0:
        return math.inf
    rank = q * (n - 1)
    lower = int(max(0.0, math.floor(rank)))
    upper = int(min(n - 1.0, lower + 1.0))
    weight = rank - math.floor(rank)
    if lower < n_nan:
        return math.nan
    at = lower - n_nan
    _select(v, n_numbers, at)
    low = v[at]
    high = low
    if upper > lower:
        high = v[at + 1]
        for i in range(at + 2, n_numbers):
            if v[i] < high:
                high = v[i]
    return float(low * (1.0 - weight) + high * weight)


@njit(nogil=True, cache=True, error_model="numpy")
def quantile_groups(
    cells: Grouped,
    members: tuple[NDArray[np.int64], NDArray[np.int64]],
    q: NDArray[np.float64],
    out: tuple[NDArray[np.float64], NDArray[np.bool_]],
    first: int,
    past: int,
) -> None:
    """Quantile q[step] of every group for steps [first, past).

    `members` is (offsets [n_groups + 1], series ordered by group); `out` is (values, present) [n_groups, n_steps].
    """
    offsets, order = members
    values, present = out
    largest = 0
    for g in range(len(offsets) - 1):
        largest = max(largest, offsets[g + 1] - offsets[g])
    gathered = np.empty((_BLOCK, largest))
    numbers = np.empty(_BLOCK, np.int64)
    nans = np.empty(_BLOCK, np.int64)
    for block in range(first, past, _BLOCK):
        width = min(_BLOCK, past - block)
        for g in range(len(offsets) - 1):
            numbers[:] = 0
            nans[:] = 0
            for k in range(offsets[g], offsets[g + 1]):
                i = order[k]
                for t in range(width):
                    if cells.present[i, block + t]:
                        x = cells.values[i, block + t]
                        if math.isnan(x):
                            nans[t] += 1
                        else:
                            gathered[t, numbers[t]] = x
                            numbers[t] += 1
            for t in range(width):
                if numbers[t] + nans[t] > 0:
                    values[g, block + t] = _quantile(q[block + t], gathered[t], numbers[t], nans[t])
                    present[g, block + t] = True
