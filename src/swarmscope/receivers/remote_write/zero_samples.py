"""Start timestamps of version 2 as samples of value zero, where the setting `created_timestamp_zero_ingestion` asks.

As Prometheus does: where a counter says when it began, it was zero then. A start that is not before its sample says
nothing and is left out; one that stands in several requests gives the same sample again, which is idempotent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.metrics import Buckets, HistogramColumns
from swarmscope.receivers.remote_write.series_scan import SeriesScan
from swarmscope.receivers.wire.scanner import Scan


def inject_zero_samples(scan: SeriesScan) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Series, time stamp and value [n] of all samples, with the zeros behind the others."""
    samples = scan.samples
    start_ms = samples.start_ms
    if scan.details is not None:
        start_ms = np.where(start_ms == 0, scan.details.created_ms[samples.series], start_ms)
    rows = np.flatnonzero((start_ms != 0) & (start_ms < samples.ts_ms))
    return (
        np.concatenate((samples.series, samples.series[rows])),
        np.concatenate((samples.ts_ms, start_ms[rows])),
        np.concatenate((samples.value, np.zeros(len(rows)))),
    )


def inject_zero_histograms(
    extras: Scan, histograms: HistogramColumns, verdict: NDArray[np.int64]
) -> tuple[HistogramColumns, NDArray[np.int64]]:
    """The histograms with an empty one at each start, and the verdicts [n] that go with them."""
    table = extras.table("Histogram")
    if "start_timestamp" not in extras.schema.shapes[extras.schema.table_index["Histogram"]].fields:
        return histograms, verdict
    start_ms = table.ints("start_timestamp")
    rows = np.flatnonzero((start_ms != 0) & (start_ms < histograms.ts_ms))
    zeros = np.zeros(len(rows))
    longer = HistogramColumns(
        series=np.concatenate((histograms.series, histograms.series[rows])),
        ts_ms=np.concatenate((histograms.ts_ms, start_ms[rows])),
        schema=np.concatenate((histograms.schema, histograms.schema[rows])),
        reset_hint=np.concatenate((histograms.reset_hint, np.zeros(len(rows), np.uint8))),
        is_float=np.concatenate((histograms.is_float, histograms.is_float[rows])),
        zero_threshold=np.concatenate((histograms.zero_threshold, histograms.zero_threshold[rows])),
        zero_count=np.concatenate((histograms.zero_count, zeros)),
        count=np.concatenate((histograms.count, zeros)),
        sum=np.concatenate((histograms.sum, zeros)),
        positive=_with_empty(histograms.positive, len(rows)),
        negative=_with_empty(histograms.negative, len(rows)),
        custom_offsets=_longer_offsets(histograms.custom_offsets, np.diff(histograms.custom_offsets)[rows]),
        custom_bounds=np.concatenate((histograms.custom_bounds, _bounds_of(histograms, rows))),
    )
    return longer, np.concatenate((verdict, verdict[rows]))


def _with_empty(buckets: Buckets, n: int) -> Buckets:
    return Buckets(_longer_offsets(buckets.offsets, np.zeros(n, np.int64)), buckets.index, buckets.count)


def _longer_offsets(offsets: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate((offsets, offsets[-1] + np.cumsum(lengths)))


def _bounds_of(histograms: HistogramColumns, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    parts = [
        histograms.custom_bounds[int(histograms.custom_offsets[row]) : int(histograms.custom_offsets[row + 1])]
        for row in rows.tolist()
    ]
    return np.concatenate([np.zeros(0), *parts])
