"""Quantiles over the series of each group, by selection instead of sorting."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.query.promql.aggregate_kernels import Grouped

_BRACKETED = 128  # groups of fewer series are not worth a bracket
_BLOCK = 16  # steps turned at once: two cache lines of each row


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
def _interpolated(v: NDArray[np.float64], n: int, at: int, last: bool, weight: float) -> float:
    """Between the `at`-th smallest of v[:n] and its successor (itself where it is the `last` of all). Reorders v."""
    _select(v, n, at)
    low = v[at]
    high = low
    if not last:
        high = v[at + 1]
        for i in range(at + 2, n):
            if v[i] < high:
                high = v[i]
    return float(low * (1.0 - weight) + high * weight)


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
    lower = math.floor(rank)
    if lower < n_nan:
        return math.nan
    return _interpolated(v, n_numbers, lower - n_nan, lower >= n - 1, rank - math.floor(rank))


@njit(nogil=True, cache=True, error_model="numpy")
def _turn(
    cells: Grouped, rows: NDArray[np.int64], steps: tuple[int, int], out: tuple[NDArray[np.float64], NDArray[np.int64]]
) -> None:
    """Steps [first, past) of the rows as columns[t, k], NaN where absent; counts[t] becomes how many are present."""
    columns, counts = out
    # Locals: an array read through a tuple counts references at every access.
    values, present = cells.values, cells.present
    first, past = steps
    counts[:] = 0
    for k in range(len(rows)):
        i = rows[k]
        for t in range(past - first):
            here = present[i, first + t]
            columns[t, k] = values[i, first + t] if here else math.nan
            counts[t] += here


@njit(nogil=True, cache=True, error_model="numpy")
def _numbers(column: NDArray[np.float64], n_rows: int, v: NDArray[np.float64]) -> int:
    """Copy what is no NaN to v; how many."""
    n = 0
    for k in range(n_rows):
        v[n] = column[k]
        n += not math.isnan(column[k])
    return n


@njit(nogil=True, cache=True, error_model="numpy")
def _bracket(v: NDArray[np.float64], n: int, q: float) -> tuple[float, float]:
    """Values a little below and above the quantile of v[:n], between which it will lie at the steps that follow."""
    margin = max(8, n // 16)
    at = int(q * (n - 1))
    low = max(0, at - margin)
    high = min(n - 1, at + 1 + margin)
    _select(v, n, low)
    lowest = v[low]
    _select(v, n, high)
    return (-math.inf if low == 0 else lowest), (math.inf if high == n - 1 else v[high])


@njit(nogil=True, cache=True, error_model="numpy")
def _quantile_inside(
    q: float, column: NDArray[np.float64], sizes: tuple[int, int], bracket: tuple[float, float], v: NDArray[np.float64]
) -> tuple[bool, float]:
    """(whether the bracket held the quantile of a column, the quantile); `sizes` is (rows, rows present)."""
    n_rows, n = sizes
    lowest, highest = bracket
    inside = 0
    below = 0
    above = 0
    for k in range(n_rows):  # without branches: what is not kept is overwritten by what follows
        x = column[k]
        v[inside] = x
        inside += (x >= lowest) & (x <= highest)
        below += x < lowest
        above += x > highest
    n_nan = n - inside - below - above
    rank = q * (n - 1)
    lower = math.floor(rank)
    at = lower - n_nan - below
    last = lower >= n - 1
    if lower < n_nan or at < 0 or at + (0 if last else 1) >= inside:
        return False, math.nan
    return True, _interpolated(v, inside, at, last, rank - math.floor(rank))


@njit(nogil=True, cache=True, error_model="numpy")
def _group_quantiles(
    columns: NDArray[np.float64],
    counts: NDArray[np.int64],
    n_rows: int,
    q: NDArray[np.float64],
    out: tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]],
) -> None:
    """One group over a block of steps: values change little from step to step, so the first step's bracket mostly
    holds the quantiles of the others, and then few values need ordering."""
    values, present, v = out
    bracketed = False
    bracket = (0.0, 0.0)
    for t in range(len(q)):
        if counts[t] == 0:
            continue
        present[t] = True
        if bracketed and 0.0 <= q[t] <= 1.0:
            found, value = _quantile_inside(q[t], columns[t], (n_rows, counts[t]), bracket, v)
            if found:
                values[t] = value
                continue
        n = _numbers(columns[t], n_rows, v)
        values[t] = _quantile(q[t], v, n, counts[t] - n)
        bracketed = n >= _BRACKETED and 0.0 <= q[t] <= 1.0
        if bracketed:
            bracket = _bracket(v, n, q[t])


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
    columns = np.empty((_BLOCK, largest))
    counts = np.zeros(_BLOCK, np.int64)
    v = np.empty(largest + 1)
    for block in range(first, past, _BLOCK):
        end = min(block + _BLOCK, past)
        for g in range(len(offsets) - 1):
            rows = order[offsets[g] : offsets[g + 1]]
            _turn(cells, rows, (block, end), (columns, counts))
            _group_quantiles(columns, counts, len(rows), q[block:end], (values[g, block:end], present[g, block:end], v))
