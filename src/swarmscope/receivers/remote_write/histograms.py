"""Native histograms of a scanned request as model columns; version 1 and 2 have the same message."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.metrics import (
    CUSTOM_BUCKETS_SCHEMA,
    MAX_EXPONENTIAL_SCHEMA,
    MIN_EXPONENTIAL_SCHEMA,
    Buckets,
    HistogramColumns,
)
from swarmscope.model.staleness import STALE_BITS
from swarmscope.receivers.remote_write.bucket_kernel import (
    BAD_SCHEMA,
    BAD_TOTAL,
    CUSTOM_EXTRAS,
    GOOD,
    SideArrays,
    SideResult,
    check_bounds,
    expand_side,
)
from swarmscope.receivers.wire.scanner import MessageTable, Scan

_REDUCIBLE_SCHEMA = 52  # the highest resolution that is reduced to 8 instead of refused


def decode_histograms(scan: Scan) -> tuple[HistogramColumns, NDArray[np.int64]]:
    """All Histogram messages of a scan, and a verdict each [n] (`bucket_kernel.REASONS`).

    `series` is the row of the TimeSeries. Histograms with another verdict than GOOD have no buckets; whoever calls
    drops them. Resolutions above 8 are reduced to 8, as Prometheus 3 does.
    """
    table = scan.table("Histogram")
    schema = table.ints("schema")
    is_float = table.has("count_float")
    stale = table.ints("sum").view(np.uint64) == np.uint64(STALE_BITS)
    custom = schema == CUSTOM_BUCKETS_SCHEMA
    known = custom | ((schema >= MIN_EXPONENTIAL_SCHEMA) & (schema <= _REDUCIBLE_SCHEMA))
    verdict = np.where(known | stale, GOOD, BAD_SCHEMA)
    shift = np.maximum(schema - MAX_EXPONENTIAL_SCHEMA, 0)
    # A staleness marker has no buckets, whatever else it says.
    shown = np.where(stale, BAD_SCHEMA, verdict)
    positive = _expand(scan, "positive", is_float, shift, shown)
    negative = _expand(scan, "negative", is_float, shift, shown)
    zero_count = np.where(is_float, table.floats("zero_count_float"), table.ints("zero_count_int").astype(np.float64))
    bounds = scan.values("Histogram", "custom_values")
    check_bounds(custom, bounds.offsets, np.ascontiguousarray(bounds.floats), positive, shown)
    has_extras = (zero_count != 0) | (negative.offsets[1:] > negative.offsets[:-1])
    shown[(shown == GOOD) & custom & has_extras] = CUSTOM_EXTRAS
    count = _counts(table, is_float)
    _check_totals(table, is_float, count, positive.total + negative.total + zero_count, shown)
    verdict[~stale] = shown[~stale]
    return HistogramColumns(
        series=table.parent,
        ts_ms=table.ints("timestamp"),
        schema=np.where(known, np.minimum(schema, MAX_EXPONENTIAL_SCHEMA), 0).astype(np.int8),
        reset_hint=(table.ints("reset_hint") & 3).astype(np.uint8),
        is_float=is_float,
        zero_threshold=table.floats("zero_threshold"),
        zero_count=zero_count,
        count=count,
        sum=table.floats("sum"),
        positive=_to_buckets(positive),
        negative=_to_buckets(negative),
        custom_offsets=bounds.offsets,
        custom_bounds=bounds.floats,
    ), verdict


def _counts(table: MessageTable, is_float: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(is_float, table.floats("count_float"), table.uints("count_int").astype(np.float64))


def _check_totals(
    table: MessageTable,
    is_float: NDArray[np.bool_],
    count: NDArray[np.float64],
    total: NDArray[np.float64],
    verdict: NDArray[np.int64],
) -> None:
    """Integer histograms count what their buckets hold, or more where NaN was observed (the sum is NaN then)."""
    nan = np.isnan(table.floats("sum"))
    wrong = ~is_float & np.where(nan, total > count, total != count)
    verdict[(verdict == GOOD) & wrong] = BAD_TOTAL


def _expand(
    scan: Scan, side: str, is_float: NDArray[np.bool_], shift: NDArray[np.int64], verdict: NDArray[np.int64]
) -> SideResult:
    spans = scan.children("Histogram", f"{side}_spans")
    span_table = scan.table("BucketSpan")
    deltas, counts = scan.values("Histogram", f"{side}_deltas"), scan.values("Histogram", f"{side}_counts")
    arrays = SideArrays(
        spans.offsets,
        np.ascontiguousarray(span_table.ints("offset")[spans.rows]),
        np.ascontiguousarray(span_table.ints("length")[spans.rows]),
        deltas.offsets,
        np.ascontiguousarray(deltas.ints),
        counts.offsets,
        np.ascontiguousarray(counts.floats),
    )
    room = len(deltas.ints) + len(counts.ints)
    n = len(verdict)
    result = SideResult(np.zeros(n + 1, np.int64), np.zeros(room, np.int32), np.zeros(room), np.zeros(n))
    expand_side(arrays, is_float, shift, result, verdict)
    return result


def _to_buckets(side: SideResult) -> Buckets:
    n_entries = int(side.offsets[-1])
    return Buckets(side.offsets, side.bucket[:n_entries], side.population[:n_entries])
