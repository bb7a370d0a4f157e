"""Windows that slide over a series' samples: (t - range, t] at each step's end t."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

_Times = NDArray[np.int64]


class Windows(NamedTuple):
    """Samples in columns and where the windows end."""

    offsets: NDArray[np.int64]  # [n_series + 1]
    ts: NDArray[np.int64]  # [n_samples] ms
    v: NDArray[np.float64]  # [n_samples]
    ends: NDArray[np.int64]  # [n_steps] ms, ascending
    range_ms: int
    p0: NDArray[np.float64]  # [n_steps] first scalar parameter
    p1: NDArray[np.float64]  # [n_steps] second


class Output(NamedTuple):
    """Where results go; `present` starts all false."""

    values: NDArray[np.float64]  # [n_series, n_steps]
    present: NDArray[np.bool_]  # [n_series, n_steps]


@njit(nogil=True, cache=True, error_model="numpy")
def slide_windows(ts: _Times, row: tuple[int, int], ends: _Times, range_ms: int, out: tuple[_Times, _Times]) -> None:
    """Where each step's window begins and stops, counted from the series' first sample; `row` is its bounds in ts."""
    a, b = row
    begins, stops = out
    lo = a
    hi = a
    for step in range(len(ends)):
        end = ends[step]
        while hi < b and ts[hi] <= end:
            hi += 1
        start = end - range_ms
        while lo < hi and ts[lo] <= start:
            lo += 1
        begins[step] = lo - a
        stops[step] = hi - a


@njit(nogil=True, cache=True, error_model="numpy")
def same_times(ts: _Times, before: int, a: int, b: int) -> bool:
    """Whether the series ts[a:b] was sampled at the times of the one that ends where it begins, ts[before:a].

    Series of one scrape share their times, and with them their windows and most of what a rate is made of.
    """
    if a - before != b - a:
        return False
    for k in range(b - a):  # noqa: SIM110 - a generator does not compile
        if ts[before + k] != ts[a + k]:
            return False
    return True
