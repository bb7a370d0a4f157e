"""Compiles every kernel ahead of the first query, or loads it from Numba's cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.staleness import STALE_NAN
from swarmscope.query.histograms.warming import warm_up as warm_up_histograms
from swarmscope.query.promql import aggregate_kernels as aggregates
from swarmscope.query.promql.binary import any_of_group
from swarmscope.query.promql.lookup_kernels import (
    cells_to_columns,
    drop_stale,
    gather_latest,
    has_stale,
    latest_samples,
)
from swarmscope.query.promql.quantile_kernel import quantile_groups
from swarmscope.query.promql.rate_kernel import RateKind, rate_windows
from swarmscope.query.promql.rollup_kernels import Buckets, Ends, newest_of_buckets, rate_buckets, reduce_buckets
from swarmscope.query.promql.row_groups import group_columns
from swarmscope.query.promql.selection_kernels import select_best, select_first
from swarmscope.query.promql.sliding import Output, Windows
from swarmscope.query.promql.window_kernels import WindowOp, reduce_windows


def warm_up(progress: Callable[[int, int], None] | None = None) -> None:
    """Run every kernel once on tiny input; `progress` is told (done, of how many) after each stage."""
    stages = (_warm_lookups, _warm_windows, _warm_buckets, _warm_aggregates, _warm_selections, warm_up_histograms)
    for done, stage in enumerate(stages, 1):
        stage()
        if progress is not None:
            progress(done, len(stages))


def _samples() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    return (
        np.array([0, 3, 5], np.int64),
        np.array([0, 1000, 2000, 0, 1000], np.int64),
        np.array([1.5, 2.5, STALE_NAN, 4.0, 3.0]),
    )


def _warm_lookups() -> None:
    offsets, ts, v = _samples()
    bits, times = v.view(np.uint64), np.array([1000, 2000], np.int64)
    values, present = np.zeros((2, 2)), np.zeros((2, 2), np.bool_)
    gather_latest(offsets, ts, bits, times, 5000, (values.view(np.uint64), present, 0, 2))
    latest_samples(offsets, ts, times, 5000, np.zeros((2, 2), np.int64), np.array([0, 2], np.int64))
    if has_stale(bits):
        drop_stale(offsets, ts, bits)
    cells_to_columns(values, present, times)
    group_columns(np.zeros((1, 2), np.int32))
    any_of_group(np.zeros(2, np.int64), present, 1)


def _warm_windows() -> None:
    offsets, ts, v = _samples()
    ends, half = np.array([2000, 3000], np.int64), np.full(2, 0.5)
    windows = Windows(offsets, ts, v, ends, 5000, half, half)
    for kind in RateKind:
        rate_windows(int(kind), windows, _output(), 0, 2)
    for op in WindowOp:
        reduce_windows(int(op), windows, _output(), 0, 2)


def _warm_buckets() -> None:
    whole, real = np.array([1, 2], np.int64), np.array([1.0, 2.0])
    buckets = Buckets(
        np.array([0, 2, 2], np.int64), whole, whole, real, real, real, whole, real, whole, real, real, whole
    )
    windows = Ends(np.array([1, 2], np.int64), 2, 1.0)
    newest_of_buckets(buckets, windows, _output(), 0, 2)
    reduce_buckets(int(WindowOp.SUM), buckets, windows, _output(), 0, 2)
    rate_buckets(int(RateKind.RATE), buckets, windows, _output(), 0, 2)


def _output() -> Output:
    return Output(np.zeros((2, 2)), np.zeros((2, 2), np.bool_))


def _warm_aggregates() -> None:
    for cells, counts in _grouped():
        out = np.zeros((1, 2))
        aggregates.sum_groups(cells, out, counts, 0, 2)
        aggregates.mean_groups(cells, out, counts, 0, 2)
        aggregates.incremental_means(cells, out, counts, 0, 2)
        aggregates.extreme_groups(cells, out, counts, True, 0, 2)
        aggregates.count_groups(cells, counts, 0, 2)
        aggregates.variance_groups(cells, out, counts, 0, 2)


def _warm_selections() -> None:
    members = (np.array([0, 2], np.int64), np.array([0, 1], np.int64))
    limits = np.ones(2, np.int64)
    for cells, _ in _grouped():
        quantile_groups(cells, members, np.full(2, 0.5), (np.zeros((1, 2)), np.zeros((1, 2), np.bool_)), 0, 2)
        select_best(cells, members, limits, True, np.zeros((2, 2), np.bool_))
        select_first(cells, members, limits, np.zeros((2, 2), np.bool_))


def _grouped() -> Iterator[tuple[aggregates.Grouped, NDArray[np.int64]]]:
    values = np.array([[1.0, np.nan], [3.0, 4.0]])
    yield aggregates.Grouped(values, np.ones((2, 2), np.bool_), np.zeros(2, np.int64)), np.zeros((1, 2), np.int64)
