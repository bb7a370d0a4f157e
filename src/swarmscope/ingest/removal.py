"""Taking series out of a batch, with everything that points at them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.metrics import UNKNOWN_SERIES, Buckets, ExemplarColumns, HistogramColumns, MetricBatch


def _ragged(offsets: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """New offsets [n + 1] and the old positions of the entries that `rows` [n] own."""
    counts = offsets[rows + 1] - offsets[rows]
    bounds = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
    entries = np.arange(bounds[-1]) + np.repeat(offsets[rows] - bounds[:-1], counts)
    return bounds, entries


def take_label_sets(labels: LabelSets, rows: NDArray[np.int64]) -> LabelSets:
    """The sets `rows` [n] of `labels`; the strings stay in the same buffer."""
    bounds, pairs = _ragged(labels.offsets, rows)
    names, values = labels.names, labels.values
    return LabelSets(
        bounds,
        Utf8Column(names.buffer, names.start[pairs], names.length[pairs]),
        Utf8Column(values.buffer, values.start[pairs], values.length[pairs]),
    )


def _take_buckets(buckets: Buckets, rows: NDArray[np.int64]) -> Buckets:
    bounds, entries = _ragged(buckets.offsets, rows)
    return Buckets(bounds, buckets.index[entries], buckets.count[entries])


def take_histograms(
    histograms: HistogramColumns, rows: NDArray[np.int64], series: NDArray[np.int64]
) -> HistogramColumns:
    """The histograms `rows` [n], which belong to `series` [n] from now on."""
    custom_offsets, bounds = _ragged(histograms.custom_offsets, rows)
    return HistogramColumns(
        series=series,
        ts_ms=histograms.ts_ms[rows],
        schema=histograms.schema[rows],
        reset_hint=histograms.reset_hint[rows],
        is_float=histograms.is_float[rows],
        zero_threshold=histograms.zero_threshold[rows],
        zero_count=histograms.zero_count[rows],
        count=histograms.count[rows],
        sum=histograms.sum[rows],
        positive=_take_buckets(histograms.positive, rows),
        negative=_take_buckets(histograms.negative, rows),
        custom_offsets=custom_offsets,
        custom_bounds=histograms.custom_bounds[bounds],
    )


def without_new_series(batch: MetricBatch, keep: NDArray[np.bool_]) -> MetricBatch:
    """`batch` without the unknown series where `keep` [len(batch.new_labels)] is false.

    Samples, histograms and exemplars of those series go too; metadata stays, it belongs to families.
    """
    series_kept = np.ones(batch.n_series, np.bool_)
    series_kept[np.flatnonzero(batch.series_ref == UNKNOWN_SERIES)[~keep]] = False
    renumbered = np.cumsum(series_kept) - 1
    samples = series_kept[batch.sample_series]
    rows = np.flatnonzero(series_kept[batch.histograms.series])
    exemplars = batch.exemplars
    if exemplars is not None:
        chosen = np.flatnonzero(series_kept[exemplars.series])
        exemplars = ExemplarColumns(
            renumbered[exemplars.series[chosen]],
            exemplars.ts_ms[chosen],
            exemplars.value[chosen],
            take_label_sets(exemplars.labels, chosen),
        )
    return replace(
        batch,
        series_key=batch.series_key[series_kept],
        series_ref=batch.series_ref[series_kept],
        new_labels=take_label_sets(batch.new_labels, np.flatnonzero(keep)),
        sample_series=renumbered[batch.sample_series[samples]],
        ts_ms=batch.ts_ms[samples],
        value=batch.value[samples],
        histograms=take_histograms(batch.histograms, rows, renumbered[batch.histograms.series[rows]]),
        exemplars=exemplars,
    )
