"""Which samples lie in which window. A window is left-open: `end - range < ts <= end` (Prometheus 3)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.query.histograms.rows import NO_HISTOGRAM


class Windows(NamedTuple):
    """Samples `first : past` of each series and step; empty where both are equal."""

    first: NDArray[np.int64]  # [n_series, n_steps]
    past: NDArray[np.int64]  # [n_series, n_steps]


@njit(nogil=True, cache=True)
def window_bounds(
    offsets: NDArray[np.int64], ts_ms: NDArray[np.int64], ends_ms: NDArray[np.int64], range_ms: int
) -> Windows:
    """Windows over samples in CSR form: series i owns `offsets[i] : offsets[i + 1]`; `ends_ms` [n_steps] ascends."""
    n_series, n_steps = len(offsets) - 1, len(ends_ms)
    first, past = np.empty((n_series, n_steps), np.int64), np.empty((n_series, n_steps), np.int64)
    for series in range(n_series):
        begin, end = offsets[series], offsets[series + 1]
        i, j = begin, begin
        for step in range(n_steps):
            while i < end and ts_ms[i] <= ends_ms[step] - range_ms:
                i += 1
            j = max(i, j)
            while j < end and ts_ms[j] <= ends_ms[step]:
                j += 1
            first[series, step], past[series, step] = i, j
    return Windows(first, past)


def latest_rows(
    offsets: NDArray[np.int64], ts_ms: NDArray[np.int64], steps_ms: NDArray[np.int64], lookback_ms: int
) -> NDArray[np.int64]:
    """The newest sample of each window as a number [n_series, n_steps], NO_HISTOGRAM where the window is empty.

    Staleness markers count as samples: whether the newest of all is one, the caller looks up by that number.
    """
    windows = window_bounds(offsets, ts_ms, steps_ms, lookback_ms)
    return np.where(windows.past > windows.first, windows.past - 1, NO_HISTOGRAM)
