"""Exponential histograms, and on request those with explicit bounds, to Prometheus' native histograms.

OTLP's bucket i of scale s is (base^i, base^(i+1)] with base 2^(2^-s); Prometheus' bucket i of schema s is
(base^(i-1), base^i], so indexes are one higher. A scale above 8 is brought down to 8 by joining 2^(scale-8) buckets;
Prometheus has nothing below -4.
Source: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#exponential-histograms
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from swarmscope.model.metrics import (
    CUSTOM_BUCKETS_SCHEMA,
    MAX_EXPONENTIAL_SCHEMA,
    MIN_EXPONENTIAL_SCHEMA,
    Buckets,
    HistogramColumns,
    ResetHint,
)
from swarmscope.model.runs_of_entries import joined_offsets
from swarmscope.model.staleness import STALE_NAN
from swarmscope.receivers.otlp.float_samples import HistogramInput, to_histogram_input
from swarmscope.receivers.otlp.request_columns import PointColumns
from swarmscope.receivers.wire.scanner import MessageTable, Scan

_MESSAGE = "ExponentialHistogramDataPoint"
_BUCKETS = "ExponentialHistogramDataPoint.Buckets"


class Sparse(NamedTuple):
    """Sparse buckets of n histograms, as `model.metrics.Buckets`."""

    offsets: NDArray[np.int64]  # [n + 1]
    place: NDArray[np.int32]  # [n_entries] bucket index
    population: NDArray[np.float64]  # [n_entries]


class NativeRows(NamedTuple):
    """Native histograms in the order of their points."""

    point: NDArray[np.int64]  # [n]
    schema: NDArray[np.int8]
    zero_threshold: NDArray[np.float64]
    zero_count: NDArray[np.float64]
    observations: NDArray[np.float64]
    sum: NDArray[np.float64]
    positive: Sparse
    negative: Sparse
    custom_offsets: NDArray[np.int64]  # [n + 1]
    custom_bounds: NDArray[np.float64]


class _Dense(NamedTuple):
    """Buckets as they come: side i begins at index `offset[i]` and has `counts[at[i] : until[i]]`."""

    offset: NDArray[np.int64]
    at: NDArray[np.int64]
    until: NDArray[np.int64]
    counts: NDArray[np.uint64]


@njit(nogil=True, cache=True)
def _to_sparse(dense: _Dense, shift: NDArray[np.int64]) -> tuple[Sparse, NDArray[np.uint64]]:
    """Join 2^shift buckets each, drop empty ones. Returns the total of each histogram's side as well [n]."""
    n = len(shift)
    capacity = 0
    for i in range(n):
        capacity += dense.until[i] - dense.at[i]
    index, count = np.empty(capacity, np.int32), np.empty(capacity, np.float64)
    offsets, total = np.zeros(n + 1, np.int64), np.zeros(n, np.uint64)
    used = 0
    for i in range(n):
        for k in range(dense.until[i] - dense.at[i]):
            population = dense.counts[dense.at[i] + k]
            if population == uint64(0):
                continue
            total[i] += population
            place = ((dense.offset[i] + k) >> shift[i]) + 1
            if used > offsets[i] and index[used - 1] == place:
                count[used - 1] += population
            else:
                index[used], count[used] = place, population
                used += 1
        offsets[i + 1] = used
    return Sparse(offsets, index[:used].copy(), count[:used].copy()), total


def _dense_side(scan: Scan, table: MessageTable, name: str, rows: NDArray[np.int64]) -> _Dense:
    buckets = scan.table(_BUCKETS)
    counts = scan.values(_BUCKETS, "bucket_counts")
    child = table.child(name)[rows]
    if not len(buckets):
        nothing = np.zeros(len(rows), np.int64)
        return _Dense(nothing, nothing, nothing, np.zeros(0, np.uint64))
    there = child >= 0
    return _Dense(
        np.where(there, buckets.ints("offset")[child], 0),
        np.where(there, counts.offsets[child], 0),
        np.where(there, counts.offsets[child + 1], 0),
        counts.uints,
    )


def find_coarse_scales(scan: Scan) -> NDArray[np.bool_]:
    """Which exponential points have a scale that no schema can hold [n_rows]."""
    coarse: NDArray[np.bool_] = scan.table(_MESSAGE).ints("scale") < MIN_EXPONENTIAL_SCHEMA
    return coarse


def to_exponential_rows(
    scan: Scan, points: PointColumns, rows: NDArray[np.int64]
) -> tuple[NativeRows, NDArray[np.bool_]]:
    """Native histograms of the rows of ExponentialHistogramDataPoint, and which of them miscount [n].

    A miscounting point's buckets do not add up to its count; with a sum of NaN they may hold less, as observations
    of NaN are in no bucket.
    """
    table = scan.table(_MESSAGE)
    scale = table.ints("scale")[rows]
    shift = np.clip(scale - MAX_EXPONENTIAL_SCHEMA, 0, 62)
    positive, n_positive = _to_sparse(_dense_side(scan, table, "positive", rows), shift)
    negative, n_negative = _to_sparse(_dense_side(scan, table, "negative", rows), shift)
    count, zero_count, total = table.uints("count")[rows], table.uints("zero_count")[rows], table.floats("sum")[rows]
    in_buckets = n_positive + n_negative + zero_count
    miscounts = np.where(np.isnan(total), in_buckets > count, in_buckets != count)
    native = NativeRows(
        points.rows_of(_MESSAGE).start + rows,
        np.minimum(scale, MAX_EXPONENTIAL_SCHEMA).astype(np.int8),
        table.floats("zero_threshold")[rows],
        zero_count.astype(np.float64),
        count.astype(np.float64),
        total.copy(),
        positive,
        negative,
        np.zeros(len(rows) + 1, np.int64),
        np.zeros(0),
    )
    return native, miscounts


def _custom_side(data: HistogramInput) -> _Dense:
    zeros = np.zeros(len(data.chosen), np.int64)
    return _Dense(zeros - 1, data.count_offsets[data.chosen], data.count_offsets[data.chosen + 1], data.counts)


def to_custom_rows(scan: Scan, points: PointColumns, rows: NDArray[np.int64]) -> tuple[NativeRows, NDArray[np.bool_]]:
    """Native histograms with custom bounds of the rows of HistogramDataPoint, and which of them miscount [n]."""
    data = to_histogram_input(scan, rows)
    n = len(rows)
    positive, in_buckets = _to_sparse(_custom_side(data), np.zeros(n, np.int64))
    bounds = [data.bounds[data.bound_offsets[row] : data.bound_offsets[row + 1]] for row in rows.tolist()]
    finite = [part[:-1] if len(part) and np.isinf(part[-1]) else part for part in bounds]
    has_buckets = data.count_offsets[rows + 1] > data.count_offsets[rows]
    native = NativeRows(
        points.rows_of("HistogramDataPoint").start + rows,
        np.full(n, CUSTOM_BUCKETS_SCHEMA, np.int8),
        np.zeros(n),
        np.zeros(n),
        data.observations[rows].astype(np.float64),
        data.sum[rows].copy(),
        positive,
        Sparse(np.zeros(n + 1, np.int64), np.zeros(0, np.int32), np.zeros(0)),
        np.cumsum([0, *(len(part) for part in finite)]).astype(np.int64),
        np.concatenate(finite) if finite else np.zeros(0),
    )
    total = data.sum[rows]
    unequal = np.where(np.isnan(total), in_buckets > data.observations[rows], in_buckets != data.observations[rows])
    return _with_single_buckets(native, ~has_buckets & (native.observations > 0)), unequal & has_buckets


def _with_single_buckets(native: NativeRows, single: NDArray[np.bool_]) -> NativeRows:
    """Points that came without any bucket have one, up to +Inf."""
    if not single.any():
        return native
    at = native.positive.offsets[:-1][single]
    positive = Sparse(
        native.positive.offsets + np.concatenate(([0], np.cumsum(single))),
        np.insert(native.positive.place, at, 0),
        np.insert(native.positive.population, at, native.observations[single]),
    )
    return native._replace(positive=positive)


def _pick_sparse(sparse: Sparse, keep: NDArray[np.bool_]) -> Sparse:
    lengths = np.diff(sparse.offsets)
    entries = np.repeat(keep, lengths)
    offsets = np.concatenate(([0], np.cumsum(lengths[keep]))).astype(np.int64)
    return Sparse(offsets, sparse.place[entries], sparse.population[entries])


def pick_rows(native: NativeRows, keep: NDArray[np.bool_]) -> NativeRows:
    """The rows of `keep` [n]."""
    if keep.all():
        return native
    lengths = np.diff(native.custom_offsets)
    return NativeRows(
        native.point[keep],
        native.schema[keep],
        native.zero_threshold[keep],
        native.zero_count[keep],
        native.observations[keep],
        native.sum[keep],
        _pick_sparse(native.positive, keep),
        _pick_sparse(native.negative, keep),
        np.concatenate(([0], np.cumsum(lengths[keep]))).astype(np.int64),
        native.custom_bounds[np.repeat(keep, lengths)],
    )


def _join_sparse(parts: list[Sparse]) -> Sparse:
    return Sparse(
        joined_offsets(part.offsets for part in parts),
        np.concatenate([part.place for part in parts]),
        np.concatenate([part.population for part in parts]),
    )


def join_rows(parts: list[NativeRows]) -> NativeRows:
    """The rows of all parts, one behind the other; at least one part."""
    if len(parts) == 1:
        return parts[0]
    return NativeRows(
        np.concatenate([part.point for part in parts]),
        np.concatenate([part.schema for part in parts]),
        np.concatenate([part.zero_threshold for part in parts]),
        np.concatenate([part.zero_count for part in parts]),
        np.concatenate([part.observations for part in parts]),
        np.concatenate([part.sum for part in parts]),
        _join_sparse([part.positive for part in parts]),
        _join_sparse([part.negative for part in parts]),
        joined_offsets(part.custom_offsets for part in parts),
        np.concatenate([part.custom_bounds for part in parts]),
    )


def to_histogram_columns(native: NativeRows, series: NDArray[np.int64], points: PointColumns) -> HistogramColumns:
    """The batch's histograms; `series` [n] are numbers in the batch. Points without a value become markers."""
    stale = points.is_stale[native.point]
    n = len(native.point)
    return HistogramColumns(
        series=series,
        ts_ms=(points.time_ns[native.point] // np.uint64(1_000_000)).astype(np.int64),
        schema=native.schema,
        reset_hint=np.full(n, ResetHint.UNKNOWN, np.uint8),
        is_float=np.zeros(n, np.bool_),
        zero_threshold=native.zero_threshold,
        zero_count=native.zero_count,
        count=native.observations,
        sum=np.where(stale, STALE_NAN, native.sum),
        positive=Buckets(*native.positive),
        negative=Buckets(*native.negative),
        custom_offsets=native.custom_offsets,
        custom_bounds=native.custom_bounds,
    )
