"""When series had samples: time ranges for reads and retention, and how many series are active for the limits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.store.catalogue.tables import (
    ACTIVE,
    ALIVE,
    HISTOGRAMS,
    N_ACTIVE,
    N_LIVE,
    N_SERIES,
    PAST_UNKNOWN,
    SeriesTables,
)


class ActiveCounts(NamedTuple):
    """How many series had samples within the activity window."""

    total: int
    by_metric: NDArray[np.int32]  # [n_metrics] by metric id
    by_tenant: dict[str, int]


@njit(nogil=True, cache=True)
def record_rows(tables: SeriesTables, refs: NDArray[np.int64], ts_ms: NDArray[np.int64], now_s: int, bits: int) -> None:
    """Note rows (ref, time) [n] that are stored now: ranges, arrival, activity, `bits` of the state."""
    n_series = tables.counts[N_SERIES]
    for index in range(len(refs)):
        ref = refs[index]
        if ref < 0 or ref >= n_series:
            continue
        state = tables.state[ref]
        if not state & ALIVE:
            continue
        ts = ts_ms[index]
        if ts < tables.min_ts_ms[ref]:
            tables.min_ts_ms[ref] = ts
        if ts > tables.max_ts_ms[ref]:
            tables.max_ts_ms[ref] = ts
        tables.arrival_s[ref] = now_s
        wanted = state | bits | ACTIVE
        if wanted != state:
            tables.state[ref] = wanted
            if not state & ACTIVE:
                metric = tables.metric[ref]
                tables.counts[N_ACTIVE] += 1
                tables.metric_active[metric] += 1
                tables.tenant_active[tables.metric_tenant[metric]] += 1


@njit(nogil=True, cache=True)
def _deactivate(tables: SeriesTables, ref: int) -> None:
    metric = tables.metric[ref]
    tables.state[ref] &= 255 ^ ACTIVE
    tables.counts[N_ACTIVE] -= 1
    tables.metric_active[metric] -= 1
    tables.tenant_active[tables.metric_tenant[metric]] -= 1


@njit(nogil=True, cache=True)
def deactivate_before(tables: SeriesTables, before_s: int) -> None:
    """Series whose last arrival is before `before_s` are active no more."""
    for ref in range(tables.counts[N_SERIES]):
        if tables.state[ref] & ACTIVE and np.int64(tables.arrival_s[ref]) < before_s:
            _deactivate(tables, ref)


@njit(nogil=True, cache=True)
def bury(tables: SeriesTables, refs: NDArray[np.int64]) -> int:
    """Mark series as dropped and take them out of all counts; how many of `refs` [n] were alive."""
    buried = 0
    for index in range(len(refs)):
        ref = refs[index]
        if ref < 0 or ref >= tables.counts[N_SERIES] or not tables.state[ref] & ALIVE:
            continue
        if tables.state[ref] & ACTIVE:
            _deactivate(tables, ref)
        metric = tables.metric[ref]
        tables.state[ref] = 0
        tables.metric_count[metric] -= 1
        tables.tenant_count[tables.metric_tenant[metric]] -= 1
        tables.counts[N_LIVE] -= 1
        buried += 1
    return buried


@njit(nogil=True, cache=True)
def set_ranges(
    tables: SeriesTables, refs: NDArray[np.int64], min_ts_ms: NDArray[np.int64], max_ts_ms: NDArray[np.int64]
) -> None:
    """Widen the ranges of loaded series by what is on disk; their past is known from then on."""
    for index in range(len(refs)):
        ref = refs[index]
        if ref < 0 or ref >= tables.counts[N_SERIES]:
            continue
        tables.min_ts_ms[ref] = min(tables.min_ts_ms[ref], min_ts_ms[index])
        tables.max_ts_ms[ref] = max(tables.max_ts_ms[ref], max_ts_ms[index])
        tables.state[ref] &= 255 ^ PAST_UNKNOWN


@njit(nogil=True, cache=True)
def replace_ranges(
    tables: SeriesTables, refs: NDArray[np.int64], min_ts_ms: NDArray[np.int64], max_ts_ms: NDArray[np.int64]
) -> None:
    """Set the ranges of series [n] to exactly these; min > max says that nothing is left."""
    for index in range(len(refs)):
        ref = refs[index]
        if ref < 0 or ref >= tables.counts[N_SERIES]:
            continue
        tables.min_ts_ms[ref] = min_ts_ms[index]
        tables.max_ts_ms[ref] = max_ts_ms[index]
        tables.state[ref] &= 255 ^ PAST_UNKNOWN
        if min_ts_ms[index] > max_ts_ms[index]:
            tables.arrival_s[ref] = 0  # else it would pass for a new series whose first batch is committing


@njit(nogil=True, cache=True)
def living(state: NDArray[np.uint8], n_series: int, refs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of `refs` [n] are series that exist."""
    alive = np.empty(len(refs), np.bool_)
    for index in range(len(refs)):
        ref = refs[index]
        alive[index] = 0 <= ref < n_series and (state[ref] & ALIVE) != 0
    return alive


@njit(nogil=True, cache=True)
def add_state(tables: SeriesTables, refs: NDArray[np.int64], bits: int) -> None:
    """Set bits of the state of `refs` [n]."""
    for index in range(len(refs)):
        if 0 <= refs[index] < tables.counts[N_SERIES]:
            tables.state[refs[index]] |= bits


@njit(nogil=True, cache=True)
def overlapping(
    tables: SeriesTables, refs: NDArray[np.int64], start_ms: int, end_ms: int
) -> tuple[NDArray[np.bool_], int, bool]:
    """Which of `refs` [n] may have samples in the closed range, how many, and whether any of those has histograms.

    A new series that has no sample yet is included: its first batch may be committing.
    """
    keep = np.zeros(len(refs), np.bool_)
    kept = 0
    histograms = False
    for index in range(len(refs)):
        ref = refs[index]
        state = tables.state[ref]
        low, high = tables.min_ts_ms[ref], tables.max_ts_ms[ref]
        is_empty = low > high
        if state & ALIVE and (
            state & PAST_UNKNOWN
            or (is_empty and tables.arrival_s[ref] != 0)
            or (not is_empty and low <= end_ms and high >= start_ms)
        ):
            keep[index] = True
            kept += 1
            histograms = histograms or (state & HISTOGRAMS) != 0
    return keep, kept, histograms


@njit(nogil=True, cache=True)
def ended_before(tables: SeriesTables, n_series: int, before_ms: int, arrived_before_s: int) -> NDArray[np.int64]:
    """Living series whose last sample is older than `before_ms` and that received none since `arrived_before_s`."""
    found = np.empty(n_series, np.int64)
    count = 0
    for ref in range(n_series):
        state = tables.state[ref]
        if not state & ALIVE or state & PAST_UNKNOWN:
            continue
        if np.int64(tables.arrival_s[ref]) < arrived_before_s and tables.max_ts_ms[ref] < before_ms:
            found[count] = ref
            count += 1
    return found[:count].copy()
