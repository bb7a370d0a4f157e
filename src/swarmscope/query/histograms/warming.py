"""Compiles every kernel of this package (or loads it from Numba's cache), so that no query has to wait for it."""

from __future__ import annotations

import numpy as np

from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA, Buckets, HistogramColumns
from swarmscope.query.histograms.classic import classic_fraction, classic_quantile, group_buckets
from swarmscope.query.histograms.moments import histogram_stdvar
from swarmscope.query.histograms.operators import Operand, add_rows, aggregate_rows, divide_rows, equal_rows
from swarmscope.query.histograms.quantiles import histogram_fraction, histogram_quantile
from swarmscope.query.histograms.range_functions import RangeInput, evaluate_range
from swarmscope.query.histograms.rendering import histogram_json
from swarmscope.query.histograms.rows import HistogramMatrix, from_columns, take_rows
from swarmscope.query.histograms.transitions import count_changes, count_resets


def warm_up() -> None:
    """Run every kernel once on two exponential and two custom histograms."""
    rows = from_columns(_samples())
    offsets, ts_ms = np.array([0, 2, 4], np.int64), np.array([0, 1000, 0, 1000], np.int64)
    nothing = np.zeros(0, np.int64)
    given = RangeInput(rows, offsets, ts_ms, np.zeros(3, np.int64), nothing, np.array([2000], np.int64), 5000)
    for function in ("rate", "irate", "avg_over_time", "last_over_time"):
        evaluate_range(function, given)
    count_changes(given, np.zeros(0))
    count_resets(given, np.zeros(0))
    cells = np.arange(4)
    take_rows(rows, cells)
    operand = Operand(rows, cells)
    add_rows(operand, operand)
    divide_rows(operand, np.full(4, 2.0))
    equal_rows(operand, operand)
    aggregate_rows(HistogramMatrix(cells.reshape(4, 1), rows), np.array([0, 0, 1, 1], np.int64), 2, True)
    histogram_quantile(rows, cells, 0.5)
    histogram_fraction(rows, cells, 0.0, 1.0)
    histogram_stdvar(rows, cells)
    histogram_json(rows, 0)
    bounds, present = np.array([1.0, np.inf]), np.ones((2, 1), np.bool_)
    buckets = group_buckets(np.zeros(2, np.int64), 1, bounds, np.ones((2, 1)), present)
    classic_quantile(0.5, buckets)
    classic_fraction(0.0, 1.0, buckets)


def _samples() -> HistogramColumns:
    buckets = Buckets(np.array([0, 1, 2, 3, 4]), np.array([0, 1, 0, 0], np.int32), np.ones(4))
    return HistogramColumns(
        np.array([0, 0, 1, 1]), np.array([0, 1000, 0, 1000]),
        np.array([0, 1, CUSTOM_BUCKETS_SCHEMA, CUSTOM_BUCKETS_SCHEMA], np.int8), np.zeros(4, np.uint8),
        np.zeros(4, np.bool_), np.array([0.0, 0.1, 0.0, 0.0]), np.zeros(4), np.ones(4), np.ones(4),
        buckets, Buckets.empty(4), np.array([0, 0, 0, 1, 3]), np.array([1.0, 1.0, 2.0]),
    )  # fmt: skip
