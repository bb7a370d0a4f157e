"""`rate_counter` over windows of unwrapped values.

https://grafana.com/docs/loki/latest/query/metric_queries/#unwrapped-range-aggregations
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from swarmscope.model.raw_memory import Int
from swarmscope.query.promql.sliding import Output, Windows, slide_windows

_NS_PER_S = 1e9
# Loki measures the time between samples in microseconds and the range in seconds, so its stretch to the range's begin
# is next to nothing: one part in a million for a window full of samples. Kept, since answers are compared digit by
# digit.
_NS_PER_SAMPLED = 1e3
_REACH = 1.1  # of the mean interval: how near to the window's edge a sample must be to stand for it


@njit(nogil=True, cache=True, error_model="numpy")
def _rate_of(samples: Windows, lo: Int, hi: Int, range_s: float) -> float:
    """The growth of v[lo:hi] a second; 0 for a single value."""
    v, ts = samples.v, samples.ts
    if hi - lo < 2:
        return 0.0
    grown = v[hi - 1] - v[lo]
    for i in range(lo + 1, hi):
        if v[i] < v[i - 1]:
            grown += v[i - 1]
    sampled = float(ts[hi - 1] - ts[lo]) / _NS_PER_SAMPLED
    interval = sampled / float(hi - lo - 1)
    to_start = range_s
    if grown > 0.0 and v[lo] >= 0.0:
        to_start = min(to_start, sampled * (v[lo] / grown))
    stretched = sampled + (to_start if to_start < interval * _REACH else interval / 2.0)
    if interval <= 0.0:  # all at one time: there is nothing to stretch
        return math.nan if grown == 0.0 else math.copysign(math.inf, grown)
    return float(grown * (stretched / sampled) / range_s)


@njit(nogil=True, cache=True, error_model="numpy")
def counter_rates(samples: Windows, out: Output, first: Int, past: Int) -> None:
    """Rates a second for rows [first, past); times of `samples` are nanoseconds."""
    ends = samples.ends
    begins, stops = np.empty(len(ends), np.int64), np.empty(len(ends), np.int64)
    range_s = float(samples.range_ms) / _NS_PER_S
    for i in range(first, past):
        a, b = samples.offsets[i], samples.offsets[i + 1]
        slide_windows(samples.ts, (a, b), ends, samples.range_ms, (begins, stops))
        for step in range(len(ends)):
            if stops[step] > begins[step]:
                out.values[i, step] = _rate_of(samples, a + begins[step], a + stops[step], range_s)
                out.present[i, step] = True
