"""Number, histogram and summary points to float samples: one row for each series that a point feeds."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numba import float64, int64, njit, uint64
from numpy.typing import NDArray

from swarmscope.model.staleness import STALE_NAN
from swarmscope.receivers.otlp.request_columns import PointColumns
from swarmscope.receivers.wire.key_hash import combine_hashes, to_tuple
from swarmscope.receivers.wire.scanner import Scan


class Role(IntEnum):
    """Which of a point's series a sample belongs to."""

    PLAIN = 0
    BUCKET = 1
    SUM = 2
    COUNT = 3
    QUANTILE = 4
    TARGET_INFO = 5


_BUCKET, _SUM, _COUNT, _QUANTILE = 1, 2, 3, 4


class FloatSamples(NamedTuple):
    """Samples in the order of their points; `bound` is the bucket's upper bound, or the quantile."""

    point: NDArray[np.int64]  # [n]
    role: NDArray[np.int8]  # [n] Role
    bound: NDArray[np.float64]  # [n]
    value: NDArray[np.float64]  # [n]
    layout: NDArray[np.uint64]  # [n] hash of the point's bounds: with other bounds a running total begins anew


class HistogramInput(NamedTuple):
    """Classic histograms: point i of `chosen` has `counts[count_at[i] : …]` and `bounds[bound_at[i] : …]`."""

    chosen: NDArray[np.int64]  # [n] rows of the message's table
    observations: NDArray[np.uint64]  # by row
    sum: NDArray[np.float64]  # by row
    has_sum: NDArray[np.bool_]  # by row
    counts: NDArray[np.uint64]
    count_offsets: NDArray[np.int64]
    bounds: NDArray[np.float64]
    bound_offsets: NDArray[np.int64]


class SummaryInput(NamedTuple):
    """Summaries, as HistogramInput."""

    chosen: NDArray[np.int64]
    observations: NDArray[np.uint64]
    sum: NDArray[np.float64]
    quantile: NDArray[np.float64]  # by row of ValueAtQuantile
    value: NDArray[np.float64]
    rows: NDArray[np.int64]
    offsets: NDArray[np.int64]


def _empty(n: int) -> FloatSamples:
    return FloatSamples(
        np.zeros(n, np.int64), np.zeros(n, np.int8), np.zeros(n), np.zeros(n), np.zeros(n, np.uint64)
    )  # fmt: skip


def to_histogram_input(scan: Scan, chosen: NDArray[np.int64]) -> HistogramInput:
    """Columns of the HistogramDataPoint rows in `chosen`."""
    table = scan.table("HistogramDataPoint")
    counts = scan.values("HistogramDataPoint", "bucket_counts")
    bounds = scan.values("HistogramDataPoint", "explicit_bounds")
    return HistogramInput(
        chosen, table.uints("count"), table.floats("sum"), table.has("sum"),
        counts.uints, counts.offsets, bounds.floats, bounds.offsets,
    )  # fmt: skip


@njit(nogil=True, cache=True)
def find_ragged_histograms(data: HistogramInput) -> NDArray[np.bool_]:
    """Which chosen points break the data model: bounds that do not ascend, or not one more bucket than bounds [n]."""
    ragged = np.zeros(len(data.chosen), np.bool_)
    for i in range(len(data.chosen)):
        row = data.chosen[i]
        n_counts = data.count_offsets[row + 1] - data.count_offsets[row]
        first, last = data.bound_offsets[row], data.bound_offsets[row + 1]
        if n_counts != last - first + 1 and not (n_counts == 0 and last == first):
            ragged[i] = True
        for at in range(first, last):
            if data.bounds[at] != data.bounds[at] or (at > first and not data.bounds[at - 1] < data.bounds[at]):
                ragged[i] = True
    return ragged


@njit(nogil=True, cache=True)
def _n_finite_bounds(data: HistogramInput, row: int) -> int:
    """Bounds that need a series of their own: an explicit last bound of +Inf is the +Inf bucket."""
    first, last = data.bound_offsets[row], data.bound_offsets[row + 1]
    return int(last - first - 1 if last > first and data.bounds[last - 1] == np.inf else last - first)


@njit(nogil=True, cache=True)
def _fill_histograms(data: HistogramInput, first_point: int, out: FloatSamples, secrets: NDArray[np.uint64]) -> None:
    words = to_tuple(secrets)
    bits = out.bound.view(np.uint64)
    at = 0
    for row in data.chosen:
        n_bounds = _n_finite_bounds(data, row)
        first = at
        layout = uint64(n_bounds)
        total = uint64(0)
        for k in range(n_bounds):
            bound = data.bounds[data.bound_offsets[row] + k]
            total += data.counts[data.count_offsets[row] + k]
            out.role[at], out.bound[at], out.value[at] = _BUCKET, bound, float64(total)
            layout = combine_hashes(layout, bits[at], words)
            at += 1
        out.role[at], out.bound[at], out.value[at] = _BUCKET, np.inf, float64(data.observations[row])
        out.role[at + 1], out.value[at + 1] = _COUNT, float64(data.observations[row])
        at += 2
        if data.has_sum[row]:
            out.role[at], out.value[at] = _SUM, data.sum[row]
            at += 1
        out.point[first:at] = first_point + row
        out.layout[first:at] = layout


@njit(nogil=True, cache=True)
def _count_histogram_samples(data: HistogramInput) -> int:
    n = 0
    for row in data.chosen:
        n += _n_finite_bounds(data, row) + 2 + int64(data.has_sum[row])
    return n


@njit(nogil=True, cache=True)
def _fill_summaries(data: SummaryInput, first_point: int, out: FloatSamples) -> None:
    at = 0
    for row in data.chosen:
        first = at
        out.role[at], out.value[at] = _COUNT, float64(data.observations[row])
        out.role[at + 1], out.value[at + 1] = _SUM, data.sum[row]
        at += 2
        for k in range(data.offsets[row], data.offsets[row + 1]):
            child = data.rows[k]
            out.role[at], out.bound[at], out.value[at] = _QUANTILE, data.quantile[child], data.value[child]
            at += 1
        out.point[first:at] = first_point + row


def to_number_samples(scan: Scan, points: PointColumns, keep: NDArray[np.bool_]) -> FloatSamples:
    """Samples of gauges and sums; `keep` [n_points] says which points."""
    rows = np.flatnonzero(keep[points.rows_of("NumberDataPoint")])
    table = scan.table("NumberDataPoint")
    as_float, as_int = table.floats("as_double")[rows], table.ints("as_int")[rows].astype(np.float64)
    samples = _empty(len(rows))
    samples.point[:] = rows
    samples.value[:] = np.where(table.has("as_int")[rows], as_int, as_float)
    return samples


def to_histogram_samples(
    scan: Scan, points: PointColumns, keep: NDArray[np.bool_], secrets: NDArray[np.uint64]
) -> FloatSamples:
    """Samples of histograms with explicit bounds: cumulative buckets, count and, where it is known, sum."""
    at = points.rows_of("HistogramDataPoint")
    data = to_histogram_input(scan, np.flatnonzero(keep[at]))
    samples = _empty(_count_histogram_samples(data) if len(data.chosen) else 0)
    if len(data.chosen):
        _fill_histograms(data, at.start, samples, secrets)
    return samples


def to_summary_samples(scan: Scan, points: PointColumns, keep: NDArray[np.bool_]) -> FloatSamples:
    """Samples of summaries."""
    at = points.rows_of("SummaryDataPoint")
    chosen = np.flatnonzero(keep[at])
    if not len(chosen):
        return _empty(0)
    table = scan.table("SummaryDataPoint")
    values = scan.table("SummaryDataPoint.ValueAtQuantile")
    children = scan.children("SummaryDataPoint", "quantile_values")
    data = SummaryInput(
        chosen, table.uints("count"), table.floats("sum"), values.floats("quantile"), values.floats("value"),
        children.rows, children.offsets,
    )  # fmt: skip
    samples = _empty(int((children.offsets[chosen + 1] - children.offsets[chosen]).sum()) + 2 * len(chosen))
    _fill_summaries(data, at.start, samples)
    return samples


def join_samples(parts: list[FloatSamples], points: PointColumns) -> FloatSamples:
    """All samples in one; values of points without a recorded value become staleness markers."""
    joined = FloatSamples._make(np.concatenate(columns) for columns in zip(*parts, strict=True))
    joined.value[points.is_stale[joined.point]] = STALE_NAN
    return joined


@njit(nogil=True, cache=True)
def hash_samples(
    point_key: NDArray[np.uint64], samples: FloatSamples, secrets: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """Wire keys of the samples' series [n]."""
    words = to_tuple(secrets)
    bits = samples.bound.view(np.uint64)
    keys = np.empty(len(samples.point), np.uint64)
    for i in range(len(keys)):
        state = combine_hashes(point_key[samples.point[i]], uint64(samples.role[i]), words)
        keys[i] = combine_hashes(state, bits[i], words)
    return keys


@njit(nogil=True, cache=True)
def unify_keys(keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Position of each distinct key's first row [n_distinct], in order, and each row's number among them [n]."""
    size = 16
    while size < 2 * len(keys):
        size *= 2
    slots = np.full(size, -1, np.int64)
    mask = uint64(size - 1)
    first = np.empty(len(keys), np.int64)
    number = np.empty(len(keys), np.int64)
    n = 0
    for i in range(len(keys)):
        at = keys[i] & mask
        while slots[at] >= 0 and keys[first[slots[at]]] != keys[i]:
            at = (at + uint64(1)) & mask
        if slots[at] < 0:
            slots[at] = n
            first[n] = i
            n += 1
        number[i] = slots[at]
    return first[:n].copy(), number
