"""Keep native histograms within `native_histogram_bucket_limit` and `native_histogram_min_bucket_factor`.

Halving the resolution (schema - 1) joins the buckets 2k-1 and 2k into k.
Source: https://prometheus.io/docs/specs/native_histograms/
"""

from __future__ import annotations

import dataclasses

from swarmscope.model.metrics import MIN_EXPONENTIAL_SCHEMA, Buckets, HistogramColumns
from swarmscope.receivers.scrape.exposition import Exposition
from swarmscope.receivers.scrape.histogram_rows import HistogramRow, to_columns
from swarmscope.receivers.scrape.sample_labels import SampleLimitError

Side = list[tuple[int, float]]


def limit_buckets(exposition: Exposition, bucket_limit: int, min_factor: float) -> Exposition:
    """`exposition` with coarser histograms where a limit (0: none) asks for it; raises SampleLimitError."""
    columns = exposition.histograms
    max_schema = _max_schema(min_factor)
    if not len(columns) or not (bucket_limit or max_schema is not None):
        return exposition
    rows = [_coarsen(row, bucket_limit, max_schema) for row in to_rows(columns)]
    return dataclasses.replace(exposition, histograms=to_columns(rows))


def _max_schema(min_factor: float) -> int | None:
    """The finest schema whose buckets grow by at least `min_factor`; None where every schema does."""
    if min_factor <= 1:
        return None
    fitting = [schema for schema in range(-4, 9) if 2.0 ** (2.0**-schema) >= min_factor]
    return max(fitting, default=MIN_EXPONENTIAL_SCHEMA)


def to_rows(columns: HistogramColumns) -> list[HistogramRow]:
    """Single histograms of `columns`. # Slow path"""
    rows: list[HistogramRow] = []
    for at in range(len(columns)):
        begin, end = int(columns.custom_offsets[at]), int(columns.custom_offsets[at + 1])
        row = HistogramRow(
            int(columns.schema[at]), float(columns.count[at]), float(columns.sum[at]), bool(columns.is_float[at])
        )
        row.reset_hint = type(row.reset_hint)(int(columns.reset_hint[at]))
        row.zero_threshold, row.zero_count = float(columns.zero_threshold[at]), float(columns.zero_count[at])
        row.positive, row.negative = _side(columns.positive, at), _side(columns.negative, at)
        row.custom_bounds = columns.custom_bounds[begin:end].tolist()
        rows.append(row)
    return rows


def _side(buckets: Buckets, at: int) -> Side:
    span = slice(int(buckets.offsets[at]), int(buckets.offsets[at + 1]))
    return list(zip(buckets.index[span].tolist(), buckets.count[span].tolist(), strict=True))


def _coarsen(row: HistogramRow, bucket_limit: int, max_schema: int | None) -> HistogramRow:
    exponential = row.schema >= MIN_EXPONENTIAL_SCHEMA
    while exponential and max_schema is not None and row.schema > max_schema:
        _halve(row)
    while bucket_limit and len(row.positive) + len(row.negative) > bucket_limit:
        if not exponential or row.schema <= MIN_EXPONENTIAL_SCHEMA:
            raise SampleLimitError(f"native_histogram_bucket_limit exceeded (limit: {bucket_limit})")
        _halve(row)
    return row


def _halve(row: HistogramRow) -> None:
    row.schema -= 1
    row.positive, row.negative = _merged(row.positive), _merged(row.negative)


def _merged(side: Side) -> Side:
    joined: dict[int, float] = {}
    for index, count in side:
        target = (index + 1) >> 1
        joined[target] = joined.get(target, 0.0) + count
    return list(joined.items())
