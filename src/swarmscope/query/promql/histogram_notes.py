"""What histogram kernels note by series or cell, as annotations of the query."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.promql.nodes import Node
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.series import LabelFrame
from swarmscope.query.histograms.annotations import note_messages
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.label_columns import column


def add_series_notes(notes: NDArray[np.int64], labels: LabelFrame, node: Node, evaluation: Evaluation) -> None:
    """Annotate a node with HistogramNote bits [n_series], each with its series' metric name."""
    noted = np.flatnonzero(notes)
    if not len(noted):
        return
    names = column(labels, METRIC_NAME)
    for code, bits in {(int(names[row]), int(notes[row])) for row in noted}:
        add_notes(bits, evaluation.symbols.text(code), node, evaluation)


def add_notes(bits: int, metric: str, node: Node, evaluation: Evaluation, operator: str = "") -> None:
    """Annotate a node with HistogramNote bits."""
    warnings, infos = note_messages(bits, metric, operator)
    for text in (*warnings, *infos):
        evaluation.annotations.add(text, node)
