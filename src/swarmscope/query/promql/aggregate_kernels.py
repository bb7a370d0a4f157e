"""Aggregation over series, for all groups and steps in one pass over [n_series, n_steps].

Order and arithmetic are Prometheus': series in their order, Kahan-Neumaier sums, Welford variances.
Work is split over steps, so threads share no output cell.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.query.promql.window_arithmetic import kahan_add


class Grouped(NamedTuple):
    """Cells, and the group of each series."""

    values: NDArray[np.float64]  # [n_series, n_steps]
    present: NDArray[np.bool_]  # [n_series, n_steps]
    group: NDArray[np.int64]  # [n_series]


@njit(nogil=True, cache=True, error_model="numpy")
def _add_up(
    cells: Grouped, totals: NDArray[np.float64], counts: NDArray[np.int64], first: int, past: int
) -> NDArray[np.float64]:
    """Sums and counts [n_groups, n_steps] of steps [first, past); what the sums lost [n_groups, past - first]."""
    n = len(cells.group)
    width = past - first
    n_groups = totals.shape[0]
    carries = np.zeros((n_groups, width))
    # Adding -0.0 changes no number, -0.0 included: it stands for "nothing" and spares a branch.
    for g in range(n_groups):
        for t in range(first, past):
            totals[g, t] = -0.0
    for i in range(n):
        g = cells.group[i]
        total = totals[g, first:past]
        carry = carries[g]
        value = cells.values[i, first:past]
        here = cells.present[i, first:past]
        count = counts[g, first:past]
        for t in range(width):
            x = value[t] if here[t] else -0.0
            old = total[t]
            new = old + x
            big = abs(old) >= abs(x)
            lost = ((old if big else x) - new) + (x if big else old)
            carry[t] = 0.0 if math.isinf(new) else carry[t] + lost
            total[t] = new
            count[t] += here[t]
    return carries


@njit(nogil=True, cache=True, error_model="numpy")
def sum_groups(cells: Grouped, totals: NDArray[np.float64], counts: NDArray[np.int64], first: int, past: int) -> None:
    """Compensated sums and counts [n_groups, n_steps] of steps [first, past)."""
    carries = _add_up(cells, totals, counts, first, past)
    for g in range(totals.shape[0]):
        for t in range(first, past):
            totals[g, t] += carries[g, t - first]


@njit(nogil=True, cache=True, error_model="numpy")
def mean_groups(cells: Grouped, means: NDArray[np.float64], counts: NDArray[np.int64], first: int, past: int) -> bool:
    """Means; false where a sum overflowed, and then `incremental_means` must redo them."""
    carries = _add_up(cells, means, counts, first, past)
    finite = True
    for g in range(means.shape[0]):
        for t in range(first, past):
            if counts[g, t] > 0:
                if math.isinf(means[g, t]):
                    finite = False
                means[g, t] = means[g, t] / counts[g, t] + carries[g, t - first] / counts[g, t]
    return finite


@njit(nogil=True, cache=True, error_model="numpy")
def incremental_means(
    cells: Grouped, means: NDArray[np.float64], counts: NDArray[np.int64], first: int, past: int
) -> None:
    """Means with the fall-back to a running mean once a group's sum overflows. # Slow path"""
    n_groups = means.shape[0]
    for t in range(first, past):
        total = np.zeros(n_groups)
        carry = np.zeros(n_groups)
        running = np.zeros(n_groups)
        incremental = np.zeros(n_groups, np.bool_)
        seen = np.zeros(n_groups, np.int64)
        for i in range(len(cells.group)):
            if not cells.present[i, t]:
                continue
            g = cells.group[i]
            x = cells.values[i, t]
            seen[g] += 1
            count = float(seen[g])
            if seen[g] == 1:
                total[g] = x
                continue
            if not incremental[g]:
                new_total, new_carry = kahan_add(x, total[g], carry[g])
                if not math.isinf(new_total):
                    total[g] = new_total
                    carry[g] = new_carry
                    continue
                incremental[g] = True
                running[g] = total[g] / (count - 1.0)
                carry[g] /= count - 1.0
            share = (count - 1.0) / count
            running[g], carry[g] = kahan_add(x / count, share * running[g], share * carry[g])
        for g in range(n_groups):
            counts[g, t] = seen[g]
            if incremental[g]:
                means[g, t] = running[g] + carry[g]
            elif seen[g] > 0:
                means[g, t] = total[g] / seen[g] + carry[g] / seen[g]


@njit(nogil=True, cache=True, error_model="numpy")
def extreme_groups(
    cells: Grouped, best: NDArray[np.float64], counts: NDArray[np.int64], largest: bool, first: int, past: int
) -> None:
    """Largest or smallest value; NaN loses against every number."""
    sign = 1.0 if largest else -1.0
    for g in range(best.shape[0]):
        for t in range(first, past):
            best[g, t] = math.nan
    for i in range(len(cells.group)):
        g = cells.group[i]
        top = best[g, first:past]
        count = counts[g, first:past]
        value = cells.values[i, first:past]
        here = cells.present[i, first:past]
        for t in range(past - first):
            better = here[t] and (sign * top[t] < sign * value[t] or math.isnan(top[t]))
            top[t] = value[t] if better else top[t]
            count[t] += here[t]


@njit(nogil=True, cache=True, error_model="numpy")
def count_groups(cells: Grouped, counts: NDArray[np.int64], first: int, past: int) -> None:
    """How many series are present."""
    for i in range(len(cells.group)):
        count = counts[cells.group[i], first:past]
        here = cells.present[i, first:past]
        for t in range(past - first):
            count[t] += here[t]


@njit(nogil=True, cache=True, error_model="numpy")
def variance_groups(
    cells: Grouped, squares: NDArray[np.float64], counts: NDArray[np.int64], first: int, past: int
) -> None:
    """Population variances by Welford's method; a group that begins with NaN or infinity is NaN."""
    n_groups = squares.shape[0]
    means = np.zeros((n_groups, past - first))
    for i in range(len(cells.group)):
        g = cells.group[i]
        for t in range(first, past):
            if not cells.present[i, t]:
                continue
            x = cells.values[i, t]
            counts[g, t] += 1
            if counts[g, t] == 1:
                means[g, t - first] = x
                squares[g, t] = math.nan if math.isnan(x) or math.isinf(x) else 0.0
                continue
            delta = x - means[g, t - first]
            means[g, t - first] += delta / counts[g, t]
            squares[g, t] += delta * (x - means[g, t - first])
    for g in range(n_groups):
        for t in range(first, past):
            if counts[g, t] > 0:
                squares[g, t] /= counts[g, t]
