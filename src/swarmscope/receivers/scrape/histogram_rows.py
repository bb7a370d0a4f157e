"""Columns of native histograms from single ones."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from swarmscope.model.metrics import Buckets, HistogramColumns, ResetHint


@dataclass(slots=True)
class HistogramRow:
    """One native histogram; buckets are (index, absolute count), ascending by index."""

    schema: int
    count: float
    sum: float
    is_float: bool = False
    reset_hint: ResetHint = ResetHint.UNKNOWN
    zero_threshold: float = 0.0
    zero_count: float = 0.0
    positive: list[tuple[int, float]] = field(default_factory=list)
    negative: list[tuple[int, float]] = field(default_factory=list)
    custom_bounds: list[float] = field(default_factory=list)


def to_columns(rows: list[HistogramRow]) -> HistogramColumns:
    """Columns of `rows`; `series` counts them, `ts_ms` is 0 until the scrape fills it in."""
    n = len(rows)
    bounds = [len(row.custom_bounds) for row in rows]
    return HistogramColumns(
        series=np.arange(n),
        ts_ms=np.zeros(n, np.int64),
        schema=np.array([row.schema for row in rows], np.int8),
        reset_hint=np.array([int(row.reset_hint) for row in rows], np.uint8),
        is_float=np.array([row.is_float for row in rows], np.bool_),
        zero_threshold=np.array([row.zero_threshold for row in rows], np.float64),
        zero_count=np.array([row.zero_count for row in rows], np.float64),
        count=np.array([row.count for row in rows], np.float64),
        sum=np.array([row.sum for row in rows], np.float64),
        positive=_buckets([row.positive for row in rows]),
        negative=_buckets([row.negative for row in rows]),
        custom_offsets=np.concatenate((np.zeros(1, np.int64), np.cumsum(bounds, dtype=np.int64))),
        custom_bounds=np.array([bound for row in rows for bound in row.custom_bounds], np.float64),
    )


def _buckets(sides: list[list[tuple[int, float]]]) -> Buckets:
    sizes = np.cumsum([len(side) for side in sides], dtype=np.int64)
    entries = [entry for side in sides for entry in side]
    return Buckets(
        np.concatenate((np.zeros(1, np.int64), sizes)),
        np.array([index for index, _ in entries], np.int32),
        np.array([count for _, count in entries], np.float64),
    )
