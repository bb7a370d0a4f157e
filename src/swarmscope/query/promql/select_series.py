"""topk, bottomk, limitk, limit_ratio and count_values: aggregations that pick series or count values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.promql.go_numbers import text_number
from swarmscope.lang.promql.nodes import Aggregate, without_parens
from swarmscope.lang.promql.printer import number_text
from swarmscope.model.errors import QueryFailedError
from swarmscope.query.histograms.rendering import histogram_text
from swarmscope.query.histograms.rows import HistogramMatrix
from swarmscope.query.promql import annotations as notes
from swarmscope.query.promql.aggregate import group_members, grouping_labels
from swarmscope.query.promql.aggregate_kernels import Grouped
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.frames import Frame
from swarmscope.query.promql.label_columns import group_by_labels, labels_of, take_series, with_column
from swarmscope.query.promql.label_hash import label_set_hash
from swarmscope.query.promql.selection_kernels import select_best, select_first
from swarmscope.query.promql.selectors import take_rows_of, without_empty_series

_INT64_END = 9223372036854775808.0


def run_selection(node: Aggregate, frame: Frame, parameter: NDArray[np.float64], evaluation: Evaluation) -> Frame:
    """topk, bottomk, limitk and limit_ratio; `parameter` [n_steps]."""
    if node.op == "limit_ratio":
        return _limit_ratio(node, frame, parameter, evaluation)
    limits = _limits(parameter, frame.n_series)
    group, first = group_by_labels(grouping_labels(node, frame.labels))
    members = group_members(group, len(first))
    chosen = np.zeros(frame.present.shape, np.bool_)
    if node.op == "limitk":
        select_first(Grouped(frame.values, frame.present, group), members, limits, chosen)
        return _only(frame, chosen)
    if frame.histograms is not None and frame.histograms_present().any():
        evaluation.annotations.add(notes.histogram_ignored_in_aggregation(node.op), without_parens(node))
    floats = np.ascontiguousarray(frame.floats_present())
    ranked = select_best(Grouped(frame.values, floats, group), members, limits, node.op == "topk", chosen)
    if frame.n_steps == 1:
        return take_rows_of(frame, ranked)
    return _only(frame, chosen)


def _only(frame: Frame, chosen: NDArray[np.bool_]) -> Frame:
    return without_empty_series(Frame(frame.labels, frame.values, chosen, frame.histograms))


def _limits(parameter: NDArray[np.float64], n_series: int) -> NDArray[np.int64]:
    if np.isnan(parameter).any():
        raise QueryFailedError("Parameter value is NaN")
    beyond = parameter[(parameter >= _INT64_END) | (parameter <= -_INT64_END)]
    if len(beyond):
        raise QueryFailedError(f"Scalar value {text_number(float(beyond[0]))} overflows int64")
    return np.minimum(parameter.astype(np.int64), n_series)


def _limit_ratio(node: Aggregate, frame: Frame, parameter: NDArray[np.float64], evaluation: Evaluation) -> Frame:
    """The series whose label hash falls below the ratio, or, for a negative one, all the others."""
    if np.isnan(parameter).any():
        raise QueryFailedError("Ratio value is NaN")
    for ratio in np.unique(parameter[np.abs(parameter) > 1]):
        text = notes.invalid_ratio(float(ratio), 1.0 if ratio > 0 else -1.0)
        evaluation.annotations.add(text, without_parens(node.param or node.expr))
    ratios = np.clip(parameter, -1.0, 1.0)
    places = np.array(
        [
            label_set_hash(labels_of(frame.labels, row, evaluation.symbols)) / float((1 << 64) - 1)
            for row in range(frame.n_series)
        ]
    ).reshape(-1, 1)
    inside = np.where(ratios >= 0, places < ratios, places >= 1.0 + ratios) & (ratios != 0)
    return _only(frame, frame.present & inside)


def run_count_values(node: Aggregate, label: str, frame: Frame, evaluation: Evaluation) -> Frame:
    """How many series of a group have each value; the value, as text, is the label's."""
    if not label:
        raise QueryFailedError(f'invalid label name "{label}"')
    rows, steps = np.nonzero(frame.present)
    texts = _value_texts(frame, rows, steps)
    distinct, value = np.unique(texts, return_inverse=True) if len(texts) else (np.array([], object), rows)
    pair = rows * max(1, len(distinct)) + value.reshape(-1)
    pairs, where = np.unique(pair, return_inverse=True)
    codes = evaluation.symbols.codes([str(text) for text in distinct])
    labels = take_series(frame.labels, pairs // max(1, len(distinct)))
    labels = with_column(labels, label, codes[pairs % max(1, len(distinct))])
    by = node if node.without else Aggregate(node.op, node.expr, node.param, (*node.grouping, label))
    kept = grouping_labels(by, labels)
    group, first = group_by_labels(kept)
    values, _ = evaluation.matrix(len(first), frame.n_steps)
    if len(rows):
        np.add.at(values, (group[where.reshape(-1)], steps), 1.0)
    return Frame(take_series(kept, first), values, values > 0)


def _value_texts(frame: Frame, rows: NDArray[np.int64], steps: NDArray[np.int64]) -> NDArray[np.object_]:
    floats, where = np.unique(frame.values[rows, steps], return_inverse=True)
    named = np.array([number_text(float(value)) for value in floats], object)
    texts: NDArray[np.object_] = named[where.reshape(-1)] if len(named) else np.array([], object)
    histograms: HistogramMatrix | None = frame.histograms
    if histograms is not None:
        cells = histograms.cells[rows, steps]
        for k in np.flatnonzero(cells >= 0):
            texts[k] = histogram_text(histograms.rows, int(cells[k]))
    return texts
