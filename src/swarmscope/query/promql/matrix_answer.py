"""A bare range vector as the answer of an instant query: the samples themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.promql.nodes import MatrixSelector, Subquery
from swarmscope.query.histograms.rows import NO_HISTOGRAM, HistogramMatrix
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.evaluate import range_of
from swarmscope.query.promql.frames import Frame, Steps
from swarmscope.query.promql.selectors import without_empty_series


def run_matrix(
    node: MatrixSelector | Subquery, steps: Steps, evaluation: Evaluation
) -> tuple[Frame, NDArray[np.int64]]:
    """(samples of the one window as a frame, their distinct times): a column is a time at which some series has one."""
    samples = range_of(node, steps, evaluation)
    end = int(samples.ends_ms[0])
    n_series = samples.labels.n_series
    inside = (samples.ts_ms > end - samples.range_ms) & (samples.ts_ms <= end)
    series = np.repeat(np.arange(n_series), np.diff(samples.offsets))
    times = samples.ts_ms[inside]
    histograms = samples.histograms
    kept = np.zeros(0, np.int64)
    if histograms is not None:
        kept = np.flatnonzero((histograms.ts_ms > end - samples.range_ms) & (histograms.ts_ms <= end))
        times = np.concatenate([times, histograms.ts_ms[kept]])
    distinct = np.unique(times)
    values, present = evaluation.matrix(n_series, len(distinct))
    where = np.searchsorted(distinct, samples.ts_ms[inside])
    values[series[inside], where] = samples.value[inside]
    present[series[inside], where] = True
    matrix = None
    if histograms is not None and len(kept):
        cells = np.full(values.shape, NO_HISTOGRAM, np.int64)
        owner = np.repeat(np.arange(n_series), np.diff(histograms.offsets))[kept]
        at = np.searchsorted(distinct, histograms.ts_ms[kept])
        cells[owner, at] = kept
        present[owner, at] = True
        matrix = HistogramMatrix(cells, histograms.rows)
    return without_empty_series(Frame(samples.labels, values, present, matrix)), distinct
