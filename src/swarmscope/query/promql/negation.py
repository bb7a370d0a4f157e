"""Unary minus."""

from __future__ import annotations

import numpy as np

from swarmscope.query.histograms.operators import Operand, negate_rows
from swarmscope.query.histograms.rows import HistogramMatrix
from swarmscope.query.promql.frames import Frame
from swarmscope.query.promql.same_labels import drop_metric_name


def negate(frame: Frame) -> Frame:
    """Every value with the other sign, the metric's name gone."""
    histograms = frame.histograms
    if histograms is not None:
        made = negate_rows(Operand(histograms.rows, np.ascontiguousarray(histograms.cells.ravel())))
        histograms = HistogramMatrix(made.cells.reshape(histograms.cells.shape), made.rows)
    return drop_metric_name(Frame(frame.labels, -frame.values, frame.present, histograms))
