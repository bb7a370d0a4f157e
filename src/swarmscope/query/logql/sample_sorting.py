"""Samples of many batches in order of (series, time)."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_Sorted = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


@njit(nogil=True, cache=True)
def sort_samples(
    series: NDArray[np.int64], ts_ns: NDArray[np.int64], value: NDArray[np.float64], n_series: int
) -> _Sorted:
    """(offsets [n_series + 1], times, values): series k owns `offsets[k] : offsets[k + 1]`, ascending in time."""
    offsets = np.zeros(n_series + 1, np.int64)
    for row in range(len(series)):
        offsets[series[row] + 1] += 1
    for k in range(n_series):
        offsets[k + 1] += offsets[k]
    place = offsets[:n_series].copy()
    times, values = np.empty(len(series), np.int64), np.empty(len(series), np.float64)
    for row in range(len(series)):
        at = place[series[row]]
        times[at], values[at] = ts_ns[row], value[row]
        place[series[row]] += 1
    for k in range(n_series):
        a, b = offsets[k], offsets[k + 1]
        ordered = True
        for at in range(a + 1, b):
            if times[at] < times[at - 1]:
                ordered = False
                break
        if not ordered:  # batches come in any order
            order = np.argsort(times[a:b], kind="mergesort")
            times[a:b] = times[a:b][order]
            values[a:b] = values[a:b][order]
    return offsets, times, values
