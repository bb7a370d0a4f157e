"""`changes()` and `resets()` over series that may hold floats, histograms, or both in turn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.query.histograms.bounds import bucket_capacity
from swarmscope.query.histograms.range_functions import RangeInput
from swarmscope.query.histograms.resets import is_reset, same_histogram
from swarmscope.query.histograms.rows import HistogramRows
from swarmscope.query.histograms.scratch import Scratch, new_scratch
from swarmscope.query.histograms.windows import window_bounds


class _Sequence(NamedTuple):
    """Both kinds of samples of all series in time order; `turned[i]`: something happened between i - 1 and i."""

    offsets: NDArray[np.int64]  # [n_series + 1]
    ts_ms: NDArray[np.int64]  # [n]
    turned: NDArray[np.bool_]  # [n]


def count_changes(given: RangeInput, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """`changes()` as [n_series, n_steps], NaN where a window is empty; `values` [n_floats] are the float samples.

    A turn from float to histogram or back is a change; gauge or counter flavour is not looked at.
    """
    return _count(given, values, False)


def count_resets(given: RangeInput, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """`resets()` as [n_series, n_steps], NaN where a window is empty; `values` [n_floats] are the float samples."""
    return _count(given, values, True)


def _count(given: RangeInput, values: NDArray[np.float64], resets: bool) -> NDArray[np.float64]:
    bound_capacity = int(np.diff(given.rows.custom_offsets).max(initial=0))
    scratch = new_scratch(int(bucket_capacity(given.rows)), bound_capacity)
    floats = (given.float_offsets, given.float_ts_ms, values)
    sequence = _merge(given.rows, (given.offsets, given.ts_ms), floats, resets, scratch)
    windows = window_bounds(sequence.offsets, sequence.ts_ms, given.ends_ms, given.range_ms)
    before = np.concatenate((np.zeros(1, np.int64), np.cumsum(sequence.turned, dtype=np.int64)))
    # The first sample of a window has no predecessor in it.
    second = np.minimum(windows.first + 1, windows.past)
    counted = (before[windows.past] - before[second]).astype(np.float64)
    return np.where(windows.past > windows.first, counted, np.nan)


@njit(nogil=True, cache=True)
def _float_turned(before: float, now: float, resets: bool) -> bool:
    if resets:
        return now < before
    return now != before and not (np.isnan(now) and np.isnan(before))


@njit(nogil=True, cache=True)
def _merge(
    rows: HistogramRows,
    histograms: tuple[NDArray[np.int64], NDArray[np.int64]],
    floats: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
    resets: bool,
    scratch: Scratch,
) -> _Sequence:
    offsets, ts_ms = histograms
    float_offsets, float_ts_ms, values = floats
    n_series = len(offsets) - 1
    out_offsets = np.zeros(n_series + 1, np.int64)
    n = len(ts_ms) + len(float_ts_ms)
    out_ts_ms, turned = np.empty(n, np.int64), np.zeros(n, np.bool_)
    at = 0
    for series in range(n_series):
        i, j = offsets[series], float_offsets[series]
        end, float_end = offsets[series + 1], float_offsets[series + 1]
        began, was_float = at, False
        while i < end or j < float_end:
            is_float = i >= end or (j < float_end and float_ts_ms[j] < ts_ms[i])
            out_ts_ms[at] = float_ts_ms[j] if is_float else ts_ms[i]
            if at > began:
                if is_float != was_float:
                    turned[at] = True
                elif is_float:
                    turned[at] = _float_turned(values[j - 1], values[j], resets)
                else:
                    turned[at] = is_reset(rows, i - 1, i, scratch) if resets else not same_histogram(rows, i - 1, i)
            was_float = is_float
            at += 1
            if is_float:
                j += 1
            else:
                i += 1
        out_offsets[series + 1] = at
    return _Sequence(out_offsets, out_ts_ms, turned)
