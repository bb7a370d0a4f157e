"""Series that a change of labels made equal: merged where they never meet, an error where they do."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from swarmscope.model.errors import QueryFailedError
from swarmscope.query.histograms.rows import HistogramMatrix
from swarmscope.query.promql.frames import Frame
from swarmscope.query.promql.label_columns import (
    METADATA_LABELS,
    drop_labels,
    group_by_labels,
    same_metric,
    take_series,
)

DUPLICATE_LABELS = "vector cannot contain metrics with the same labelset"


def drop_metric_name(frame: Frame, names: Collection[str] = METADATA_LABELS) -> Frame:
    """The frame without what names the metric. Raises QueryFailedError where that makes two series one."""
    certainly_distinct = same_metric(frame.labels)
    renamed = Frame(drop_labels(frame.labels, names), frame.values, frame.present, frame.histograms)
    return renamed if certainly_distinct else merge_same_labels(renamed)


def merge_same_labels(frame: Frame) -> Frame:
    """One row per label set. Raises QueryFailedError when two rows of a set are present at the same step."""
    group, first = group_by_labels(frame.labels)
    n_groups = len(first)
    if n_groups == frame.n_series:
        return frame
    values = np.zeros((n_groups, frame.n_steps))
    present = np.zeros((n_groups, frame.n_steps), np.bool_)
    cells = np.full((n_groups, frame.n_steps), -1, np.int64) if frame.histograms is not None else None
    for row in range(frame.n_series):
        here, target = frame.present[row], group[row]
        if (present[target] & here).any():
            raise QueryFailedError(DUPLICATE_LABELS)
        present[target] |= here
        values[target, here] = frame.values[row, here]
        if cells is not None and frame.histograms is not None:
            cells[target, here] = frame.histograms.cells[row, here]
    histograms = None
    if cells is not None and frame.histograms is not None:
        histograms = HistogramMatrix(cells, frame.histograms.rows)
    return Frame(take_series(frame.labels, first), values, present, histograms)
