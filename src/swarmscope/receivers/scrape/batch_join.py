"""Two batches of one tenant as one, so that a scrape and its report are one commit."""

from __future__ import annotations

import numpy as np

from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.metrics import MetricBatch


def join_batches(first: MetricBatch, second: MetricBatch) -> MetricBatch:
    """`first` followed by `second`, which MUST have float samples only."""
    return MetricBatch(
        series_key=np.concatenate((first.series_key, second.series_key)),
        series_ref=np.concatenate((first.series_ref, second.series_ref)),
        new_labels=_join_labels(first.new_labels, second.new_labels),
        sample_series=np.concatenate((first.sample_series, second.sample_series + first.n_series)),
        ts_ms=np.concatenate((first.ts_ms, second.ts_ms)),
        value=np.concatenate((first.value, second.value)),
        histograms=first.histograms,
        exemplars=first.exemplars,
        metadata=first.metadata,
        tenant=first.tenant,
    )


def _join_labels(first: LabelSets, second: LabelSets) -> LabelSets:
    if not len(second) or not len(first):
        return first if len(first) else second
    offsets = np.concatenate((first.offsets, second.offsets[1:] + first.offsets[-1]))
    return LabelSets(offsets, _join_texts(first.names, second.names), _join_texts(first.values, second.values))


def _join_texts(first: Utf8Column, second: Utf8Column) -> Utf8Column:
    return Utf8Column(
        np.concatenate((first.buffer, second.buffer)),
        np.concatenate((first.start, second.start + len(first.buffer))),
        np.concatenate((first.length, second.length)),
    )
