"""Native histograms of the notation as columns."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from swarmscope.lang.series_notation.values import ScriptHistogram
from swarmscope.model.metrics import Buckets, HistogramColumns, ResetHint


def to_histogram_columns(histograms: Iterable[tuple[int, int, ScriptHistogram]]) -> HistogramColumns:
    """(series, Unix ms, histogram) triples as columns, in their order."""
    triples = list(histograms)
    values = [value for _, _, value in triples]

    def floats(items: Iterable[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array(list(items), np.float64)

    bounds = [value.custom for value in values]
    return HistogramColumns(
        np.array([series for series, _, _ in triples], np.int64),
        np.array([ts_ms for _, ts_ms, _ in triples], np.int64),
        np.array([value.schema for value in values], np.int8),
        np.array([int(value.hint or ResetHint.UNKNOWN) for value in values], np.uint8),
        np.ones(len(values), np.bool_),
        floats(value.zero_threshold for value in values),
        floats(value.zero_count for value in values),
        floats(value.count for value in values),
        floats(value.sum for value in values),
        _to_buckets([value.positive for value in values]),
        _to_buckets([value.negative for value in values]),
        np.cumsum([0, *map(len, bounds)], dtype=np.int64),
        floats(itertools.chain.from_iterable(bounds)),
    )


def _to_buckets(buckets: Sequence[tuple[tuple[int, float], ...]]) -> Buckets:
    flat = list(itertools.chain.from_iterable(buckets))
    return Buckets(
        np.cumsum([0, *map(len, buckets)], dtype=np.int64),
        np.array([index for index, _ in flat], np.int32),
        np.array([count for _, count in flat], np.float64),
    )
