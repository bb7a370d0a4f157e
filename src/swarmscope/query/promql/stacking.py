"""Two frames one after the other."""

from __future__ import annotations

import numpy as np

from swarmscope.query.histograms.rows import NO_HISTOGRAM, HistogramMatrix, concat_rows
from swarmscope.query.promql.frames import Frame
from swarmscope.query.promql.label_columns import concatenate


def stack_frames(first: Frame, second: Frame) -> Frame:
    """The series of both, in this order; both have the same steps."""
    if second.n_series == 0:
        return first
    if first.n_series == 0:
        return second
    return Frame(
        concatenate(first.labels, second.labels),
        np.concatenate([first.values, second.values]),
        np.concatenate([first.present, second.present]),
        _stack_histograms(first, second),
    )


def _stack_histograms(first: Frame, second: Frame) -> HistogramMatrix | None:
    if first.histograms is None and second.histograms is None:
        return None
    if first.histograms is None or second.histograms is None:
        some = first.histograms or second.histograms
        assert some is not None  # noqa: S101 - one of the two is there
        upper = some.cells if first.histograms is not None else np.full(first.values.shape, NO_HISTOGRAM, np.int64)
        lower = some.cells if second.histograms is not None else np.full(second.values.shape, NO_HISTOGRAM, np.int64)
        return HistogramMatrix(np.concatenate([upper, lower]), some.rows)
    shift = len(first.histograms.rows.schema)
    moved = np.where(second.histograms.cells >= 0, second.histograms.cells + shift, NO_HISTOGRAM)
    rows = concat_rows(first.histograms.rows, second.histograms.rows)
    return HistogramMatrix(np.concatenate([first.histograms.cells, moved]), rows)
