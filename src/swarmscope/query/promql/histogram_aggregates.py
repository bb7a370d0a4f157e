"""sum and avg where a vector holds native histograms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.promql.nodes import Aggregate, without_parens
from swarmscope.query.histograms.operators import aggregate_rows
from swarmscope.query.histograms.rows import NO_HISTOGRAM, HistogramMatrix
from swarmscope.query.promql import annotations as notes
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.frames import Frame
from swarmscope.query.promql.histogram_notes import add_series_notes


def aggregate_histograms(
    node: Aggregate, frame: Frame, group: NDArray[np.int64], floats: Frame, evaluation: Evaluation
) -> Frame:
    """Complete `floats`, the aggregation of the float cells alone; a group with both kinds has no result."""
    if frame.histograms is None:
        return floats
    argument = without_parens(node.expr)
    shown = frame.histograms_present()
    some = np.zeros(floats.present.shape, np.bool_)
    np.logical_or.at(some, group, shown)
    mixed = some & floats.present
    if mixed.any():
        evaluation.annotations.add(notes.mixed_floats_histograms_in_aggregation(), argument)
    cells = np.where(shown & ~mixed[group], frame.histograms.cells, NO_HISTOGRAM)
    matrix = HistogramMatrix(np.ascontiguousarray(cells), frame.histograms.rows)
    answer = aggregate_rows(matrix, group, floats.n_series, node.op == "avg")
    add_series_notes(answer.notes, floats.labels, argument, evaluation)
    present = (floats.present & ~mixed) | (answer.matrix.cells >= 0)
    return Frame(floats.labels, floats.values, present, answer.matrix)
