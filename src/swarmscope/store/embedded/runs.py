"""Samples in memory as sorted runs, and the kernels that gather a selection's samples from every source.

A run holds rows in (metric_id, ref, ts) order, one segment of rows per series, unique in time. Sources are given
oldest first; where two rows have the same series and time, the later one wins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

REF_BITS = 32


class Run(NamedTuple):
    """Sorted samples: series k, whose key is `metric_id << 32 | ref`, owns rows `offsets[k] : offsets[k + 1]`."""

    key: NDArray[np.uint64]  # [n_series] ascending
    offsets: NDArray[np.int64]  # [n_series + 1]
    ts_ms: NDArray[np.int64]  # [n_rows]
    value: NDArray[np.float64]  # [n_rows]


class Rows(NamedTuple):
    """Samples in order of arrival."""

    ref: NDArray[np.uint32]  # [n]
    ts_ms: NDArray[np.int64]  # [n]
    value: NDArray[np.float64]  # [n]


class Gathered(NamedTuple):
    """Samples by position in a selection: position p owns rows `offsets[p] : offsets[p + 1]`."""

    offsets: NDArray[np.int64]  # [n_positions + 1]
    ts_ms: NDArray[np.int64]  # [n_rows]
    value: NDArray[np.float64]  # [n_rows]


class TimeRange(NamedTuple):
    """A closed range: start_ms <= ts <= end_ms."""

    start_ms: int
    end_ms: int


def series_keys(metric_id: NDArray[np.uint32], ref: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The sort keys [n] of series."""
    return metric_id.astype(np.uint64) << np.uint64(REF_BITS) | ref.astype(np.uint64)


@njit(nogil=True, cache=True)
def _distinct(ref: NDArray[np.uint32], n_refs: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    counts = np.zeros(n_refs, np.int64)
    for i in range(len(ref)):
        counts[ref[i]] += 1
    refs = np.flatnonzero(counts)
    return refs, counts


@njit(nogil=True, cache=True)
def _scatter(
    rows: Rows, refs: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    offsets = np.zeros(len(refs) + 1, np.int64)
    for k in range(len(refs)):
        offsets[k + 1] = offsets[k] + counts[refs[k]]
    cursor = counts
    for k in range(len(refs)):
        cursor[refs[k]] = offsets[k]
    ts = np.empty(len(rows.ref), np.int64)
    value = np.empty(len(rows.ref), np.float64)
    for i in range(len(rows.ref)):
        at = cursor[rows.ref[i]]
        cursor[rows.ref[i]] = at + 1
        ts[at] = rows.ts_ms[i]
        value[at] = rows.value[i]
    return offsets, ts, value


@njit(nogil=True, cache=True)
def _settle(
    offsets: NDArray[np.int64], ts: NDArray[np.int64], value: NDArray[np.float64]
) -> tuple[NDArray[np.int64], int, int]:
    """Sort each segment by time and keep the last of equal times, in place.

    Returns the new offsets, how many rows are left at the front, and how many rows lost to a different value.
    """
    bits = value.view(np.int64)
    settled = np.empty_like(offsets)
    settled[0] = 0
    out = 0
    conflicts = 0
    for k in range(len(offsets) - 1):
        begin, end = offsets[k], offsets[k + 1]
        for i in range(begin + 1, end):
            if ts[i] < ts[i - 1]:
                order = np.argsort(ts[begin:end], kind="mergesort")
                ts[begin:end] = ts[begin:end][order]
                bits[begin:end] = bits[begin:end][order]
                break
        first = out
        for i in range(begin, end):
            if out > first and ts[out - 1] == ts[i]:
                conflicts += bits[out - 1] != bits[i]
                out -= 1
            ts[out] = ts[i]
            bits[out] = bits[i]
            out += 1
        settled[k + 1] = out
    return settled, out, conflicts


def sorted_run(rows: Rows, metric_ids: Callable[[NDArray[np.int64]], NDArray[np.uint32]]) -> Run:
    """Rows of any order, at least one, as a run; `metric_ids` gives the metrics [n] of refs [n]."""
    refs, counts = _distinct(rows.ref, int(rows.ref.max()) + 1)
    metric_id = metric_ids(refs)
    order = np.argsort(metric_id, kind="stable")
    refs, metric_id = refs[order], metric_id[order]
    offsets, ts, value = _scatter(rows, refs, counts)
    offsets, n_rows, _ = _settle(offsets, ts, value)
    return Run(series_keys(metric_id, refs), offsets, ts[:n_rows], value[:n_rows])


@njit(nogil=True, cache=True, inline="always")
def _lower_bound(ts: NDArray[np.int64], begin: int, end: int, limit: int) -> int:
    while begin < end:
        middle = (begin + end) >> 1
        if ts[middle] < limit:
            begin = middle + 1
        else:
            end = middle
    return begin


def locate_in_run(
    run: Run, key: NDArray[np.uint64], time: TimeRange, counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which rows of a run each selected key [n] owns within the range: (begin [n], end [n]).

    Adds the number of rows to `counts` [n].
    """
    if np.all(key[1:] >= key[:-1]):  # Fast path
        return _locate_ascending(run, key, time, counts)
    # A selection may stand in any order: remote read's is by labels.
    order = np.argsort(key, kind="stable")
    begins, ends, found = np.empty_like(counts), np.empty_like(counts), np.zeros_like(counts)
    begins[order], ends[order] = _locate_ascending(run, key[order], time, found)
    counts[order] += found
    return begins, ends


@njit(nogil=True, cache=True)
def _locate_ascending(
    run: Run, key: NDArray[np.uint64], time: TimeRange, counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    n = len(key)
    begins = np.zeros(n, np.int64)
    ends = np.zeros(n, np.int64)
    n_series = len(run.key)
    at = 0
    for p in range(n):
        if at < n_series and run.key[at] < key[p]:
            step = 1
            while at + step < n_series and run.key[at + step] < key[p]:
                at += step
                step <<= 1
            high = min(at + step, n_series)
            while at < high:
                middle = (at + high) >> 1
                if run.key[middle] < key[p]:
                    at = middle + 1
                else:
                    high = middle
        if at < n_series and run.key[at] == key[p]:
            begin, end = run.offsets[at], run.offsets[at + 1]
            if run.ts_ms[begin] < time.start_ms:
                begin = _lower_bound(run.ts_ms, begin, end, time.start_ms)
            if begin < end and run.ts_ms[end - 1] > time.end_ms:
                end = _lower_bound(run.ts_ms, begin, end, time.end_ms + 1)
            begins[p] = begin
            ends[p] = end
            counts[p] += end - begin
    return begins, ends


@njit(nogil=True, cache=True)
def copy_from_run(
    run: Run, begins: NDArray[np.int64], ends: NDArray[np.int64], cursor: NDArray[np.int64], out: Gathered
) -> bool:
    """Copy located rows to where `cursor` [n] points, and move it on; whether every series is still ascending."""
    ascending = True
    for p in range(len(begins)):
        begin, at = begins[p], cursor[p]
        n = ends[p] - begin
        if n > 0:
            if at > out.offsets[p] and run.ts_ms[begin] <= out.ts_ms[at - 1]:
                ascending = False
            out.ts_ms[at : at + n] = run.ts_ms[begin : begin + n]
            out.value[at : at + n] = run.value[begin : begin + n]
            cursor[p] = at + n
    return ascending


@njit(nogil=True, cache=True)
def position_table(refs: NDArray[np.int64]) -> tuple[int, NDArray[np.int32]]:
    """(lowest ref, table): `table[ref - lowest]` is the position of a selected ref, -1 for the others."""
    if len(refs) == 0:
        return 0, np.zeros(0, np.int32)
    lowest, highest = refs.min(), refs.max()
    table = np.full(highest - lowest + 1, -1, np.int32)
    for p in range(len(refs)):
        table[refs[p] - lowest] = p
    return lowest, table


@njit(nogil=True, cache=True)
def locate_rows(
    rows: Rows, lowest: int, table: NDArray[np.int32], time: TimeRange, counts: NDArray[np.int64]
) -> NDArray[np.int32]:
    """The position [n_rows] that each row belongs to, -1 for none; adds to `counts` [n_positions]."""
    n = len(rows.ref)
    positions = np.full(n, -1, np.int32)
    for i in range(n):
        slot = np.int64(rows.ref[i]) - lowest
        if 0 <= slot < len(table) and time.start_ms <= rows.ts_ms[i] <= time.end_ms:
            p = table[slot]
            if p >= 0:
                positions[i] = p
                counts[p] += 1
    return positions


@njit(nogil=True, cache=True)
def copy_rows(rows: Rows, positions: NDArray[np.int32], cursor: NDArray[np.int64], out: Gathered) -> bool:
    """Copy located rows to where `cursor` [n_positions] points, and move it on; as `copy_from_run`."""
    ascending = True
    for i in range(len(positions)):
        p = positions[i]
        if p >= 0:
            at = cursor[p]
            if at > out.offsets[p] and rows.ts_ms[i] <= out.ts_ms[at - 1]:
                ascending = False
            out.ts_ms[at] = rows.ts_ms[i]
            out.value[at] = rows.value[i]
            cursor[p] = at + 1
    return ascending


def gather_space(counts: NDArray[np.int64]) -> tuple[Gathered, NDArray[np.int64]]:
    """Room for `counts` [n_positions] rows, and the cursor that `copy_*` advance."""
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    total = int(offsets[-1])
    return Gathered(offsets, np.empty(total, np.int64), np.empty(total, np.float64)), offsets[:-1].copy()


def settle(gathered: Gathered) -> tuple[Gathered, int]:
    """Order every series by time, the later source winning; also how many rows lost to a different value."""
    offsets, n_rows, conflicts = _settle(gathered.offsets, gathered.ts_ms, gathered.value)
    return Gathered(offsets, gathered.ts_ms[:n_rows], gathered.value[:n_rows]), conflicts


def merged_run(older: Run, newer: Run) -> Run:
    """Both runs as one; where they share a series and time, the newer row wins."""
    key = np.union1d(older.key, newer.key)
    counts = np.zeros(len(key), np.int64)
    always = TimeRange(np.iinfo(np.int64).min, np.iinfo(np.int64).max - 1)
    located = [(run, *locate_in_run(run, key, always, counts)) for run in (older, newer)]
    room, cursor = gather_space(counts)
    for run, begins, ends in located:
        copy_from_run(run, begins, ends, cursor, room)
    gathered, _ = settle(room)
    return Run(key, gathered.offsets, gathered.ts_ms, gathered.value)
