"""Operators and aggregations between histograms.

Operands are given as rows and flat row numbers [n] (NO_HISTOGRAM gives NO_HISTOGRAM); answers come the same way.
Rules: "Binary operators" and "Aggregation operators" of Prometheus' native histogram specification.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.metrics import ResetHint
from swarmscope.query.histograms.annotations import (
    COLLISION_ADDITION,
    COLLISION_AGGREGATION,
    COLLISION_SUBTRACTION,
    INCOMPATIBLE_LAYOUT,
    MIXED_SCHEMAS,
    RECONCILED_ADDITION,
    RECONCILED_SUBTRACTION,
)
from swarmscope.query.histograms.combination import Combined, Finish, combine, plain_terms
from swarmscope.query.histograms.range_functions import as_aggregation
from swarmscope.query.histograms.resets import same_histogram
from swarmscope.query.histograms.rows import (
    NO_HISTOGRAM,
    HistogramMatrix,
    HistogramRows,
    concat_rows,
    row_count,
    with_hint,
)


class Operand(NamedTuple):
    """One side of a binary operator: histogram k is `rows[cells[k]]`."""

    rows: HistogramRows
    cells: NDArray[np.int64]  # [n]


class Aggregated(NamedTuple):
    """`matrix` has the cells [n_groups, n_steps]; `notes` [n_groups] are HistogramNote bits."""

    matrix: HistogramMatrix
    notes: NDArray[np.int64]


def add_rows(left: Operand, right: Operand) -> Combined:
    """`left + right`, cell by cell."""
    made = _paired(left, right, 1.0)
    return made._replace(notes=_as_operator(made.notes, RECONCILED_ADDITION, COLLISION_ADDITION))


def subtract_rows(left: Operand, right: Operand) -> Combined:
    """`left - right`, cell by cell; the result is a gauge, because its counts may be negative."""
    made = _paired(left, right, -1.0)
    notes = _as_operator(made.notes, RECONCILED_SUBTRACTION, COLLISION_SUBTRACTION)
    return Combined(made.cells, with_hint(made.rows, ResetHint.GAUGE), notes)


def _as_operator(notes: NDArray[np.int64], reconciled: int, collision: int) -> NDArray[np.int64]:
    any_reconciled = (notes & (RECONCILED_ADDITION | RECONCILED_SUBTRACTION)) != 0
    out = np.where(any_reconciled, reconciled, 0)
    out |= np.where(notes & COLLISION_AGGREGATION, collision, 0)
    out |= np.where(notes & MIXED_SCHEMAS, INCOMPATIBLE_LAYOUT, 0)
    return out


def _joined(left: Operand, right: Operand) -> tuple[HistogramRows, NDArray[np.int64]]:
    """Both sides' rows in one pool, and where the right side's cells are in it."""
    if left.rows is right.rows:
        return left.rows, right.cells
    shifted = np.where(right.cells >= 0, right.cells + row_count(left.rows), NO_HISTOGRAM)
    return concat_rows(left.rows, right.rows), shifted


def _paired(left: Operand, right: Operand, sign: float) -> Combined:
    rows, right_cells = _joined(left, right)
    both = (left.cells >= 0) & (right_cells >= 0)
    n = len(both)
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(both, dtype=np.int64) * 2))
    terms = np.stack((left.cells[both], right_cells[both]), axis=1).ravel()
    factors = np.tile(np.array([1.0, sign]), int(both.sum()))
    return combine(rows, plain_terms(offsets, terms, factors), Finish(np.ones(n), False, False, False))


def scale_rows(operand: Operand, factors: NDArray[np.float64]) -> Combined:
    """`histogram * factor` with factors [n]; a negative factor makes a gauge."""
    return _scaled(operand, factors, False)


def divide_rows(operand: Operand, divisors: NDArray[np.float64]) -> Combined:
    """`histogram / divisor` with divisors [n]; division by zero leaves no regular buckets."""
    return _scaled(operand, divisors, True)


def negate_rows(operand: Operand) -> Combined:
    """Unary minus; the result is a gauge."""
    return _scaled(operand, np.full(len(operand.cells), -1.0), False)


def _scaled(operand: Operand, numbers: NDArray[np.float64], divide: bool) -> Combined:
    present = operand.cells >= 0
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(present, dtype=np.int64)))
    row = operand.cells[present]
    scale = np.ascontiguousarray(np.broadcast_to(numbers, present.shape), np.float64).copy()
    return combine(operand.rows, plain_terms(offsets, row, np.ones(len(row))), Finish(scale, divide, False, False))


def equal_rows(left: Operand, right: Operand) -> NDArray[np.bool_]:
    """`left == right` [n], false where either is missing; flavour (counter or gauge) is not compared."""
    rows, right_cells = _joined(left, right)
    return np.asarray(_equal(rows, left.cells, right_cells), np.bool_)


@njit(nogil=True, cache=True)
def _equal(rows: HistogramRows, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.bool_]:
    out = np.zeros(len(left), np.bool_)
    for k in range(len(left)):
        out[k] = left[k] >= 0 and right[k] >= 0 and same_histogram(rows, left[k], right[k])
    return out


def aggregate_rows(matrix: HistogramMatrix, group: NDArray[np.int64], n_groups: int, mean: bool) -> Aggregated:
    """`sum` or (`mean`) `avg` of the series of each group, step by step; `group` [n_series] numbers the groups.

    A group with exponential and custom buckets at one step has no result there, and a note says so. Cells that the
    caller removes because floats are in the group too must be NO_HISTOGRAM before.
    """
    n_steps = matrix.cells.shape[1]
    offsets, row = _group_terms(matrix.cells, group, n_groups)
    n = n_groups * n_steps
    made = combine(matrix.rows, plain_terms(offsets, row, np.ones(len(row))), Finish(np.ones(n), mean, mean, False))
    notes = as_aggregation(made.notes).reshape(n_groups, n_steps)
    joined = np.bitwise_or.reduce(notes, axis=1) if n_steps else np.zeros(n_groups, np.int64)
    return Aggregated(HistogramMatrix(made.cells.reshape(n_groups, n_steps), made.rows), joined)


@njit(nogil=True, cache=True)
def _group_terms(
    cells: NDArray[np.int64], group: NDArray[np.int64], n_groups: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of each (group, step) in CSR form, series in their order."""
    n_series, n_steps = cells.shape
    size = np.zeros(n_groups * n_steps + 1, np.int64)
    for series in range(n_series):
        for step in range(n_steps):
            if cells[series, step] >= 0:
                size[group[series] * n_steps + step + 1] += 1
    offsets = np.cumsum(size)
    at = offsets[:-1].copy()
    row = np.empty(offsets[-1], np.int64)
    for series in range(n_series):
        for step in range(n_steps):
            if cells[series, step] >= 0:
                cell = group[series] * n_steps + step
                row[at[cell]] = cells[series, step]
                at[cell] += 1
    return offsets, row
