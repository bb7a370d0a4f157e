"""Subqueries: an instant expression evaluated at aligned steps, its results read as samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.promql.nodes import Subquery
from swarmscope.query.histograms.rows import take_rows
from swarmscope.query.promql.frames import Frame, HistogramSeries, RangeColumns, Steps
from swarmscope.query.promql.lookup_kernels import cells_to_columns


def subquery_steps(node: Subquery, outer: Steps, at: int | None, default_step_ms: int) -> Steps:
    """The inner evaluation times: multiples of the step in (first window's start, last window's end]."""
    step_ms = node.step_ms or default_step_ms
    first_end = (outer.start_ms if at is None else at) - node.offset_ms
    last_end = (outer.end_ms if at is None else at) - node.offset_ms
    after = first_end - node.range_ms
    quotient = abs(after) // step_ms  # Prometheus divides towards zero
    start_ms = step_ms * (quotient if after >= 0 else -quotient)
    if start_ms <= after:
        start_ms += step_ms
    return Steps.spanning(start_ms, last_end, step_ms)


def columns_of_subquery(
    frame: Frame, own: Steps, windows: tuple[NDArray[np.int64], int], evaluated_ms: NDArray[np.int64]
) -> RangeColumns:
    """A subquery's results as samples, with the windows of the outer steps: (ends [n_steps], range), both ms."""
    ends_ms, range_ms = windows
    times = own.times_ms()
    floats = np.ascontiguousarray(frame.floats_present())
    offsets, ts, values = cells_to_columns(np.ascontiguousarray(frame.values), floats, times)
    histograms = None
    if frame.histograms is not None:
        rows, steps = np.nonzero(frame.histograms_present())
        taken = take_rows(frame.histograms.rows, frame.histograms.cells[rows, steps])
        owned = np.searchsorted(rows, np.arange(frame.n_series + 1)).astype(np.int64)
        histograms = HistogramSeries(taken, owned, times[steps])
    return RangeColumns(frame.labels, offsets, ts, values, ends_ms, range_ms, evaluated_ms, histograms)
