"""Taking series out of a batch, with everything that points at them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.metrics import UNKNOWN_SERIES, ExemplarColumns, MetricBatch


def without_new_series(batch: MetricBatch, keep: NDArray[np.bool_]) -> MetricBatch:
    """`batch` without the unknown series where `keep` [len(batch.new_labels)] is false.

    Samples, histograms and exemplars of those series go too; metadata stays, it belongs to families.
    """
    series_kept = np.ones(batch.n_series, np.bool_)
    series_kept[np.flatnonzero(batch.series_ref == UNKNOWN_SERIES)[~keep]] = False
    renumbered = np.cumsum(series_kept) - 1
    samples = series_kept[batch.sample_series]
    histograms = batch.histograms.take(np.flatnonzero(series_kept[batch.histograms.series]))
    exemplars = batch.exemplars
    if exemplars is not None:
        chosen = np.flatnonzero(series_kept[exemplars.series])
        exemplars = ExemplarColumns(
            renumbered[exemplars.series[chosen]],
            exemplars.ts_ms[chosen],
            exemplars.value[chosen],
            exemplars.labels.take(chosen),
        )
    return replace(
        batch,
        series_key=batch.series_key[series_kept],
        series_ref=batch.series_ref[series_kept],
        new_labels=batch.new_labels.take(np.flatnonzero(keep)),
        sample_series=renumbered[batch.sample_series[samples]],
        ts_ms=batch.ts_ms[samples],
        value=batch.value[samples],
        histograms=replace(histograms, series=renumbered[histograms.series]),
        exemplars=exemplars,
    )
