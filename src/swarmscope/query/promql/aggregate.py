"""Aggregation operators over frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.promql.nodes import Aggregate, without_parens
from swarmscope.model.errors import QueryFailedError
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.series import LabelFrame
from swarmscope.query.promql import annotations as notes
from swarmscope.query.promql.aggregate_kernels import (
    Grouped,
    count_groups,
    extreme_groups,
    incremental_means,
    mean_groups,
    sum_groups,
    variance_groups,
)
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.frames import Frame
from swarmscope.query.promql.histogram_aggregates import aggregate_histograms
from swarmscope.query.promql.label_columns import drop_labels, group_by_labels, keep_labels, take_series
from swarmscope.query.promql.quantile_kernel import quantile_groups
from swarmscope.query.promql.range_calls import note_quantiles
from swarmscope.query.promql.selectors import without_empty_series
from swarmscope.query.promql.threads import run_rows

_FLOATS_ONLY = frozenset({"min", "max", "stddev", "stdvar", "quantile"})


def grouping_labels(node: Aggregate, labels: LabelFrame) -> LabelFrame:
    """The labels that groups keep."""
    if node.without:
        return drop_labels(labels, {*node.grouping, METRIC_NAME})
    return keep_labels(labels, node.grouping)


def run_aggregation(
    node: Aggregate, frame: Frame, parameter: NDArray[np.float64] | None, evaluation: Evaluation
) -> Frame:
    """sum, avg, count, group, min, max, stddev, stdvar and quantile; `parameter` [n_steps]."""
    kept = grouping_labels(node, frame.labels)
    group, first = group_by_labels(kept)
    labels = take_series(kept, first)
    if node.op == "quantile" and parameter is not None and frame.n_series:
        note_quantiles(node.param or node.expr, parameter, evaluation)
    has_histograms = frame.histograms is not None
    if has_histograms and node.op in _FLOATS_ONLY and frame.histograms_present().any():
        about = notes.histogram_ignored_in_aggregation(node.op)
        evaluation.annotations.add(about, without_parens(node.expr))
    counts_all = node.op in ("count", "group")
    present = frame.present if counts_all else np.ascontiguousarray(frame.floats_present())
    cells = Grouped(frame.values, present, group)
    values, here = _aggregate_floats(node.op, cells, len(first), parameter, evaluation)
    result = Frame(labels, values, here)
    if has_histograms and node.op in ("sum", "avg"):
        result = aggregate_histograms(node, frame, group, result, evaluation)
    return without_empty_series(result)


def _aggregate_floats(
    op: str, cells: Grouped, n_groups: int, parameter: NDArray[np.float64] | None, evaluation: Evaluation
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(values, present) [n_groups, n_steps]."""
    n_steps = cells.values.shape[1]
    values, present = evaluation.matrix(n_groups, n_steps)
    if op == "quantile":
        return _quantiles(cells, n_groups, parameter, (values, present), evaluation)
    counts = np.zeros((n_groups, n_steps), np.int64)

    def work(first: int, past: int) -> None:
        match op:
            case "sum":
                sum_groups(cells, values, counts, first, past)
            case "avg":
                if not mean_groups(cells, values, counts, first, past):
                    incremental_means(cells, values, counts, first, past)
            case "min" | "max":
                extreme_groups(cells, values, counts, op == "max", first, past)
            case "stddev" | "stdvar":
                variance_groups(cells, values, counts, first, past)
            case _:
                count_groups(cells, counts, first, past)

    run_rows(n_steps, cells.values.size, work, evaluation.cancellation.check)
    if op == "count":
        values = counts.astype(np.float64)
    elif op == "group":
        values = np.ones((n_groups, n_steps))
    elif op == "stddev":
        values = np.sqrt(values)
    return values, counts > 0


def group_members(group: NDArray[np.int64], n_groups: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(offsets [n_groups + 1], series ordered by group [n_series])."""
    order = np.argsort(group, kind="stable")
    offsets = np.searchsorted(group[order], np.arange(n_groups + 1)).astype(np.int64)
    return offsets, order.astype(np.int64)


def _quantiles(
    cells: Grouped,
    n_groups: int,
    parameter: NDArray[np.float64] | None,
    out: tuple[NDArray[np.float64], NDArray[np.bool_]],
    evaluation: Evaluation,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    if parameter is None:
        raise QueryFailedError("quantile needs a parameter")
    members = group_members(cells.group, n_groups)
    q = np.ascontiguousarray(parameter)

    def work(first: int, past: int) -> None:
        quantile_groups(cells, members, q, out, first, past)

    # Selecting costs some ten times what adding does.
    run_rows(cells.values.shape[1], 10 * cells.values.size, work, evaluation.cancellation.check)
    return out
