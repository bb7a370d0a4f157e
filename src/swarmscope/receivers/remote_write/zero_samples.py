"""Start timestamps of version 2 as samples of value zero, where the setting `created_timestamp_zero_ingestion` asks.

As Prometheus does: where a counter says when it began, it was zero then. A start that is not before its sample says
nothing and is left out; one that stands in several requests gives the same sample again, which is idempotent.
"""

from __future__ import annotations

from dataclasses import replace

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
    zeros, no_buckets = np.zeros(len(rows)), Buckets.empty(len(rows))
    empty = replace(
        histograms.take(rows),
        ts_ms=start_ms[rows],
        reset_hint=np.zeros(len(rows), np.uint8),
        zero_count=zeros,
        count=zeros,
        sum=zeros,
        positive=no_buckets,
        negative=no_buckets,
    )
    return HistogramColumns.concat([histograms, empty]), np.concatenate((verdict, verdict[rows]))
