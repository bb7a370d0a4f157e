"""Which histograms, with which weight, make the rate of a window."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.query.histograms.annotations import MIXED_FLOATS, MIXED_SCHEMAS, NOT_COUNTER, NOT_GAUGE
from swarmscope.query.histograms.windows import Windows

# A series is taken to reach to the edge of a window if its first or last sample is at most this many average
# sampling intervals away from it (Prometheus, extrapolatedRate).
_REACH = 1.1


class RateRows(NamedTuple):
    """What rates ask of each row; `*_before[i]` counts the flag over the rows below i."""

    schema: NDArray[np.int8]  # [n_rows]
    observations: NDArray[np.float64]  # [n_rows]
    ts_ms: NDArray[np.int64]  # [n_rows]
    reset: NDArray[np.bool_]  # [n_rows] the counter began anew before this row
    custom: NDArray[np.bool_]  # [n_rows]
    gauge: NDArray[np.bool_]  # [n_rows]
    resets_before: NDArray[np.int64]  # [n_rows + 1]
    custom_before: NDArray[np.int64]  # [n_rows + 1]
    gauges_before: NDArray[np.int64]  # [n_rows + 1]


class Choice(NamedTuple):
    """Weighted rows per cell (cells are numbered series * n_steps + step), ready for `combine`."""

    offsets: NDArray[np.int64]  # [n_cells + 1]
    row: NDArray[np.int64]  # [n_terms]
    factor: NDArray[np.float64]  # [n_terms]
    schema_cap: NDArray[np.int8]  # [n_cells]
    scale: NDArray[np.float64]  # [n_cells]
    notes: NDArray[np.int64]  # [n_series, n_steps]


@njit(nogil=True, cache=True, error_model="numpy")
def _counter_notes(facts: RateRows, first: int, past: int) -> int:
    """Whether a counter's rate may be taken: gauges are remarked upon, a mix of bucket kinds is refused."""
    # What lies before a reset at the second row is not looked at.
    begin = first + 1 if facts.reset[first + 1] else first
    n_custom = facts.custom_before[past] - facts.custom_before[begin]
    if 0 < n_custom < past - begin:
        return MIXED_SCHEMAS
    return NOT_COUNTER if facts.gauges_before[past] > facts.gauges_before[first] else 0


@njit(nogil=True, cache=True, error_model="numpy")
def _gauge_notes(facts: RateRows, first: int, past: int) -> int:
    if facts.custom[first] != facts.custom[past - 1]:
        return MIXED_SCHEMAS
    return 0 if facts.gauge[first] and facts.gauge[past - 1] else NOT_GAUGE


@njit(nogil=True, cache=True, error_model="numpy")
def _n_terms(facts: RateRows, first: int, past: int, is_counter: bool) -> int:
    """last - first + what stood before each reset; a reset right after the first row cancels that row."""
    if not is_counter:
        return 2
    cancelled = facts.reset[first + 1]
    resets = facts.resets_before[past] - facts.resets_before[first + 1]
    return int(resets if cancelled else resets + 2)


@njit(nogil=True, cache=True, error_model="numpy")
def _fill_terms(facts: RateRows, window: tuple[int, int], is_counter: bool, row: NDArray[np.int64],
                factor: NDArray[np.float64]) -> float:  # fmt: skip
    """Write the terms of one window and return the increase of the count of observations."""
    first, past = window
    row[0], factor[0] = past - 1, 1.0
    increase = facts.observations[past - 1]
    at = 1
    if not (is_counter and facts.reset[first + 1]):
        row[at], factor[at] = first, -1.0
        increase -= facts.observations[first]
        at += 1
    if is_counter and facts.resets_before[past] > facts.resets_before[first + 2]:
        for k in range(first + 2, past):
            if facts.reset[k]:
                row[at], factor[at] = k - 1, 1.0
                increase += facts.observations[k - 1]
                at += 1
    return float(increase)


@njit(nogil=True, cache=True, error_model="numpy")
def _extrapolation(
    first: tuple[int, float], last_ms: int, n: int, window_ms: tuple[int, int], increase: float, is_counter: bool
) -> float:
    """By how much the increase between the first and last sample grows when stretched to the window's edges."""
    first_ms, first_count = first
    start_ms, end_ms = window_ms
    to_start, to_end = (first_ms - start_ms) / 1000.0, (end_ms - last_ms) / 1000.0
    sampled = (last_ms - first_ms) / 1000.0
    average = sampled / (n - 1)
    if to_start >= average * _REACH:
        to_start = average / 2
    if is_counter and increase > 0 and first_count >= 0:
        # A counter was not below zero: do not stretch past the point where it would have been.
        to_start = min(to_start, sampled * (first_count / increase))
    if to_end >= average * _REACH:
        to_end = average / 2
    return (sampled + to_start + to_end) / sampled


@njit(nogil=True, cache=True, error_model="numpy")
def _window_schema(facts: RateRows, first: int, past: int, is_counter: bool) -> int:
    """The coarsest schema that takes part."""
    schema = min(facts.schema[first], facts.schema[past - 1])
    if not is_counter:
        return int(schema)
    if facts.reset[first + 1]:
        schema = min(facts.schema[first + 1], facts.schema[past - 1])
    for k in range(first + 1, past - 1):
        schema = min(schema, facts.schema[k])
    return int(schema)


@njit(nogil=True, cache=True, error_model="numpy")
def choose_rates(
    facts: RateRows,
    windows: Windows,
    mixed: NDArray[np.bool_],
    ends_ms: NDArray[np.int64],
    how: tuple[int, float, bool],
) -> Choice:
    """Terms of `rate`, `increase` and `delta`; `how` is (range_ms, seconds to divide by, is a counter)."""
    range_ms, seconds, is_counter = how
    n_series, n_steps = windows.first.shape
    notes = np.zeros((n_series, n_steps), np.int64)
    offsets = np.zeros(n_series * n_steps + 1, np.int64)
    for cell in range(n_series * n_steps):
        series, step = divmod(cell, n_steps)
        first, past = windows.first[series, step], windows.past[series, step]
        offsets[cell + 1] = offsets[cell]
        if mixed[series, step]:
            notes[series, step] = MIXED_FLOATS
        elif past - first >= 2:
            remarks = _counter_notes(facts, first, past) if is_counter else _gauge_notes(facts, first, past)
            notes[series, step] = remarks
            if not remarks & MIXED_SCHEMAS:
                offsets[cell + 1] += _n_terms(facts, first, past, is_counter)
    row, factor = np.empty(offsets[-1], np.int64), np.empty(offsets[-1], np.float64)
    cap, scale = np.full(len(offsets) - 1, 127, np.int8), np.ones(len(offsets) - 1)
    for cell in range(n_series * n_steps):
        begin, end = offsets[cell], offsets[cell + 1]
        if begin == end:
            continue
        series, step = divmod(cell, n_steps)
        first, past = windows.first[series, step], windows.past[series, step]
        increase = _fill_terms(facts, (first, past), is_counter, row[begin:end], factor[begin:end])
        cap[cell] = _window_schema(facts, first, past, is_counter)
        stretch = _extrapolation(
            (facts.ts_ms[first], facts.observations[first]), facts.ts_ms[past - 1], past - first,
            (ends_ms[step] - range_ms, ends_ms[step]), increase, is_counter,
        )  # fmt: skip
        scale[cell] = stretch / seconds
    return Choice(offsets, row, factor, cap, scale, notes)


@njit(nogil=True, cache=True, error_model="numpy")
def choose_pairs(
    facts: RateRows, windows: Windows, floats: Windows, float_ts_ms: NDArray[np.int64], is_rate: bool
) -> Choice:
    """Terms of `irate` and `idelta`: the newest two samples, if both are histograms; `scale` is to be divided by."""
    n_series, n_steps = windows.first.shape
    n_cells = n_series * n_steps
    notes = np.zeros((n_series, n_steps), np.int64)
    offsets = np.zeros(n_cells + 1, np.int64)
    row, factor = np.empty(2 * n_cells, np.int64), np.empty(2 * n_cells, np.float64)
    scale = np.ones(n_cells)
    at = 0
    for cell in range(n_cells):
        series, step = divmod(cell, n_steps)
        offsets[cell + 1] = at
        n, n_floats = _newest_two(windows, floats, facts.ts_ms, float_ts_ms, (series, step))
        last = windows.past[series, step] - 1
        if n + n_floats < 2 or n == 0:
            continue
        if n == 1:
            notes[series, step] = MIXED_FLOATS
            continue
        gauges = int(facts.gauge[last]) + int(facts.gauge[last - 1])
        if is_rate and gauges > 0:
            notes[series, step] = NOT_COUNTER
        elif not is_rate and gauges < 2:
            notes[series, step] = NOT_GAUGE
        row[at], factor[at] = last, 1.0
        at += 1
        if not (is_rate and facts.reset[last]):
            row[at], factor[at] = last - 1, -1.0
            at += 1
        offsets[cell + 1] = at
        if is_rate:
            scale[cell] = (facts.ts_ms[last] - facts.ts_ms[last - 1]) / 1000.0
    cap = np.full(n_cells, 127, np.int8)
    return Choice(offsets, row[:at].copy(), factor[:at].copy(), cap, scale, notes)


@njit(nogil=True, cache=True, error_model="numpy")
def _newest_two(
    windows: Windows, floats: Windows, ts_ms: NDArray[np.int64], float_ts_ms: NDArray[np.int64], at: tuple[int, int]
) -> tuple[int, int]:
    """How many of the window's newest two samples are histograms and floats."""
    row, sample = windows.past[at] - 1, floats.past[at] - 1
    n, n_floats = 0, 0
    while n + n_floats < 2:
        has, has_float = row >= windows.first[at], sample >= floats.first[at]
        if has and (not has_float or ts_ms[row] >= float_ts_ms[sample]):
            row -= 1
            n += 1
        elif has_float:
            sample -= 1
            n_floats += 1
        else:
            break
    return n, n_floats
