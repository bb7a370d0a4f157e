"""Binary operators cell by cell where cells may be native histograms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.promql.nodes import Binary
from swarmscope.query.histograms.combination import Combined
from swarmscope.query.histograms.operators import (
    Operand,
    add_rows,
    divide_rows,
    equal_rows,
    scale_rows,
    subtract_rows,
)
from swarmscope.query.histograms.rows import NO_HISTOGRAM, HistogramMatrix, concat_rows, row_count
from swarmscope.query.promql import annotations as notes
from swarmscope.query.promql.arithmetic import apply_operator
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.frames import Frame
from swarmscope.query.promql.histogram_notes import add_notes

_Bools = NDArray[np.bool_]


def combine_cells(node: Binary, lhs: Frame, rhs: Frame, *, kept: Frame, evaluation: Evaluation) -> Frame:
    """Apply an operator to two frames of the same series; a filter leaves the cells of `kept`."""
    values, stays = apply_operator(node.op, lhs.values, rhs.values, node.return_bool)
    if stays is not None:
        values = kept.values
    both_floats = lhs.floats_present() & rhs.floats_present()
    present = both_floats if stays is None else both_floats & stays
    result = Frame(lhs.labels, np.array(values), present)
    left, right = lhs.histograms_present(), rhs.histograms_present()
    pairs = left & right
    if pairs.any():
        result = _pairs(node, (lhs, rhs), pairs, result, evaluation)
    for mask, kinds in ((left & rhs.floats_present(), ("histogram", "float")),
                        (lhs.floats_present() & right, ("float", "histogram"))):  # fmt: skip
        if mask.any():
            result = _one_sided(node, (lhs, rhs), mask, kinds, (result, evaluation))
    return result


def _one_sided(
    node: Binary, sides: tuple[Frame, Frame], mask: _Bools, kinds: tuple[str, str], into: tuple[Frame, Evaluation]
) -> Frame:
    """A histogram and a float: multiplication, and division of a histogram."""
    result, evaluation = into
    left_is_histogram = kinds[0] == "histogram"
    histogram, number = sides if left_is_histogram else (sides[1], sides[0])
    if histogram.histograms is None or not (node.op == "*" or (node.op == "/" and left_is_histogram)):
        evaluation.annotations.add(notes.incompatible_operands(node.op, *kinds), node)
        return result
    operand = Operand(histogram.histograms.rows, histogram.histograms.cells[mask])
    factors = np.ascontiguousarray(number.values[mask])
    made = scale_rows(operand, factors) if node.op == "*" else divide_rows(operand, factors)
    return _placed(result, mask, made)


def _pairs(node: Binary, sides: tuple[Frame, Frame], mask: _Bools, result: Frame, evaluation: Evaluation) -> Frame:
    """Two histograms: addition, subtraction, equality."""
    left, right = sides[0].histograms, sides[1].histograms
    if left is None or right is None:
        return result
    operands = Operand(left.rows, left.cells[mask]), Operand(right.rows, right.cells[mask])
    if node.op in ("+", "-"):
        made = (add_rows if node.op == "+" else subtract_rows)(*operands)
        bits = int(np.bitwise_or.reduce(made.notes)) if len(made.notes) else 0
        add_notes(bits, "", node, evaluation, node.op)
        return _placed(result, mask, made)
    if node.op not in ("==", "!="):
        evaluation.annotations.add(notes.incompatible_operands(node.op, "histogram", "histogram"), node)
        return result
    holds = equal_rows(*operands)
    if node.op == "!=":
        holds = ~holds
    present = result.present.copy()
    if node.return_bool:
        values = result.values.copy()
        values[mask] = holds
        present[mask] = True
        return Frame(result.labels, values, present, result.histograms)
    present[mask] = holds
    cells = _cells_of(result)
    cells[mask] = np.where(holds, left.cells[mask], NO_HISTOGRAM)
    return Frame(result.labels, result.values, present, HistogramMatrix(cells, left.rows))


def _cells_of(frame: Frame) -> NDArray[np.int64]:
    if frame.histograms is not None:
        return frame.histograms.cells.copy()
    return np.full(frame.values.shape, NO_HISTOGRAM, np.int64)


def _placed(result: Frame, mask: _Bools, made: Combined) -> Frame:
    """Put computed histograms into the cells of `mask`; a cell without one is absent."""
    cells, rows = _cells_of(result), made.rows
    fresh = made.cells
    if result.histograms is not None:
        fresh = np.where(fresh >= 0, fresh + row_count(result.histograms.rows), NO_HISTOGRAM)
        rows = concat_rows(result.histograms.rows, made.rows)
    cells[mask] = fresh
    present = result.present.copy()
    present[mask] = fresh >= 0
    return Frame(result.labels, result.values, present, HistogramMatrix(cells, rows))
