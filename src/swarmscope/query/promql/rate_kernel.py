"""delta, increase and rate: growth between the first and last sample, stretched to the whole range.

Reference: https://prometheus.io/docs/prometheus/latest/querying/functions/#rate
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.query.promql.sliding import Output, Windows, same_times, slide_windows

_Floats = NDArray[np.float64]
_Times = NDArray[np.int64]
# Above this multiple of the exact bound the zero point is certainly out of reach, whatever rounding does.
_MARGIN = 1.000001


class RateKind(IntEnum):
    """Which of the extrapolating functions."""

    DELTA = 0
    INCREASE = 1
    RATE = 2


class _Stretch(NamedTuple):
    """What a series' times alone say of each window [n_steps]; shared by all series of one scrape."""

    sampled: _Floats  # seconds between first and last sample
    to_start: _Floats  # seconds added before the first
    to_end: _Floats  # seconds added after the last
    factor: _Floats  # of the growth, where a counter's zero point is no matter
    zero_ratio: _Floats  # first / growth above which it certainly is none


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def reach_of(times: tuple[int, int, int], end: int, range_ms: int) -> tuple[float, float, float]:
    """Seconds (from first to last sample, added before, added after) of (first, last, number of samples).

    A boundary is reached when a sample lies within 1.1 mean intervals of it, else half an interval is added.
    """
    first, last, n = times
    to_start = float(first - (end - range_ms)) / 1000.0
    to_end = float(end - last) / 1000.0
    sampled = float(last - first) / 1000.0
    mean_interval = sampled / float(n - 1)
    threshold = mean_interval * 1.1
    if to_start >= threshold:
        to_start = mean_interval / 2.0
    if to_end >= threshold:
        to_end = mean_interval / 2.0
    return sampled, to_start, to_end


@njit(nogil=True, cache=True, error_model="numpy")
def _fill_stretch(
    ts: _Times, a: int, windows: tuple[_Times, _Times, _Times, int], range_s: float, stretch: _Stretch
) -> None:
    begins, stops, ends, range_ms = windows
    sampled_at, to_start_at, to_end_at, factor_at, ratio_at = stretch
    for step in range(len(ends)):
        n = stops[step] - begins[step]
        if n < 2:
            continue
        times = (ts[a + begins[step]], ts[a + stops[step] - 1], n)
        sampled, to_start, to_end = reach_of(times, ends[step], range_ms)
        sampled_at[step] = sampled
        to_start_at[step] = to_start
        to_end_at[step] = to_end
        factor_at[step] = (sampled + to_start + to_end) / sampled / range_s
        ratio_at[step] = to_start / sampled * _MARGIN


@njit(nogil=True, cache=True, error_model="numpy")
def _find_resets(v: _Floats, a: int, b: int, resets: _Times) -> int:
    """Fill `resets` with the positions in [a, b) whose value is below the one before; how many."""
    n_resets = 0
    for j in range(a + 1, b):
        if v[j] < v[j - 1]:
            resets[n_resets] = j
            n_resets += 1
    return n_resets


@njit(nogil=True, cache=True, error_model="numpy")
def _limited_factor(step: int, first: float, grown: float, range_s: float, stretch: _Stretch) -> float:
    """The factor where a counter's zero point may lie inside the range: it is never stretched to below zero."""
    sampled = stretch.sampled[step]
    to_start = stretch.to_start[step]
    to_zero = sampled * (first / grown)
    if to_zero < to_start:
        to_start = to_zero
    return float((sampled + to_start + stretch.to_end[step]) / sampled / range_s)


@njit(nogil=True, cache=True, error_model="numpy")
def rate_windows(kind: int, w: Windows, out: Output, first: int, past: int) -> None:
    """Rows [first, past); p0[0] is what a result is divided by: the range in seconds for a rate, else 1."""
    offsets, ts, v, ends, range_ms, p0, _ = w
    values, present = out
    range_s = p0[0]
    n_steps = len(ends)
    longest = 1
    for i in range(first, past):
        longest = max(longest, offsets[i + 1] - offsets[i])
    resets = np.empty(longest, np.int64)
    begins, stops = np.empty(n_steps, np.int64), np.empty(n_steps, np.int64)
    shared = np.zeros((5, n_steps))
    stretch = _Stretch(shared[0], shared[1], shared[2], shared[3], shared[4])
    factor, zero_ratio = shared[3], shared[4]
    for i in range(first, past):
        a = offsets[i]
        b = offsets[i + 1]
        n_resets = _find_resets(v, a, b, resets) if kind != 0 else 0
        if i == first or not same_times(ts, offsets[i - 1], a, b):
            slide_windows(ts, (a, b), ends, range_ms, (begins, stops))
            _fill_stretch(ts, a, (begins, stops, ends, range_ms), range_s, stretch)
        reset = 0
        for step in range(n_steps):
            lo = a + begins[step]
            hi = a + stops[step]
            if hi - lo < 2:
                continue
            oldest = v[lo]
            grown = v[hi - 1] - oldest
            while reset < n_resets and resets[reset] <= lo:
                reset += 1
            following = reset
            while following < n_resets and resets[following] < hi:
                grown += v[resets[following] - 1]
                following += 1
            present[i, step] = True
            if kind == 0 or not (grown > 0.0 and oldest >= 0.0) or oldest > zero_ratio[step] * grown:
                values[i, step] = grown * factor[step]
            else:
                values[i, step] = grown * _limited_factor(step, oldest, grown, range_s, stretch)
