"""A metric query's tree, evaluated for all steps at once: range aggregations here, what is above them by PromQL's code.

Where the languages differ, it is said: a division by zero is NaN, and sets of labels have no metric name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.logql.nodes import (
    BinaryOperation,
    Grouping,
    LabelReplace,
    MetricNode,
    NumberLiteral,
    RangeAggregation,
    VectorAggregation,
    VectorLiteral,
    walk,
)
from swarmscope.lang.logql.registry import SET_OPERATORS
from swarmscope.lang.promql import nodes as promql
from swarmscope.model.errors import QueryFailedError
from swarmscope.query.logql.range_aggregation import RangePlan
from swarmscope.query.promql.aggregate import run_aggregation
from swarmscope.query.promql.binary import scalar_scalar, set_operation, vector_scalar, vector_vector
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.frames import Frame, Scalars
from swarmscope.query.promql.label_calls import label_replace, sort_by_value
from swarmscope.query.promql.label_columns import no_labels
from swarmscope.query.promql.select_series import run_selection

Value = Frame | Scalars
# Which vector aggregation may be done as lines come in, above which range aggregations: the outcome is the same.
_PUSHED_DOWN = {
    "sum": frozenset({"count_over_time", "rate", "bytes_over_time", "bytes_rate", "sum_over_time"}),
    "max": frozenset({"max_over_time"}),
    "min": frozenset({"min_over_time"}),
}
_SORTS = frozenset({"sort", "sort_desc"})
_SELECTIONS = {"topk": "topk", "approx_topk": "topk", "bottomk": "bottomk"}
_DIVISIONS = frozenset({"/", "%"})
_NOTHING = promql.NumberLiteral(0.0)  # PromQL's nodes are made for their operator; what they stand above is a frame


def pushed_plan(node: VectorAggregation) -> RangePlan | None:
    """The plan of the range aggregation below, the vector's grouping pushed down; None where that is not allowed."""
    below = node.expression
    if not isinstance(below, RangeAggregation) or below.grouping is not None:
        return None
    if below.op not in _PUSHED_DOWN.get(node.op, ()):
        return None
    grouping = node.grouping or Grouping(())
    return RangePlan(below, grouping)


def plans_of(node: MetricNode) -> Iterator[RangePlan]:
    """The range aggregations of a tree, in the order of the text."""
    match node:
        case RangeAggregation():
            yield RangePlan(node, node.grouping)
        case VectorAggregation():
            pushed = pushed_plan(node)
            if pushed is None:
                yield from plans_of(node.expression)
            else:
                yield pushed
        case LabelReplace(expression=expression):
            yield from plans_of(expression)
        case BinaryOperation(left=left, right=right):
            yield from plans_of(left)
            yield from plans_of(right)


def is_sorted_by_value(node: MetricNode) -> bool:
    """Whether an instant answer keeps the order that `sort` gave it."""
    return any(isinstance(each, VectorAggregation) and each.op in _SORTS for each in walk(node))


class MetricEvaluation:
    """Gives the value of each node; `frames` has what the range aggregations came to."""

    def __init__(self, frames: dict[RangePlan, Frame], n_steps: int, evaluation: Evaluation) -> None:
        self._frames = frames
        self._n_steps = n_steps
        self._evaluation = evaluation

    def value_of(self, node: MetricNode) -> Value:
        """Raises QueryFailedError and LimitExceededError."""
        self._evaluation.cancellation.check()
        value = self._value_of(node)
        if isinstance(value, Frame):
            self._evaluation.hold(value)
        return value

    def _value_of(self, node: MetricNode) -> Value:
        match node:
            case NumberLiteral(value=number):
                return Scalars(np.full(self._n_steps, number))
            case VectorLiteral(value=number):
                values = np.full((1, self._n_steps), number)
                return Frame(no_labels(1), values, np.ones(values.shape, np.bool_))
            case RangeAggregation():
                return self._frames[RangePlan(node, node.grouping)]
            case LabelReplace():
                texts = [node.target, node.replacement, node.source, node.regex]
                return label_replace(self._frame_of(node.expression), texts, self._evaluation)
            case VectorAggregation():
                return self._aggregated(node)
            case BinaryOperation():
                return self._combined(node)

    def _frame_of(self, node: MetricNode) -> Frame:
        value = self.value_of(node)
        if isinstance(value, Frame):
            return value
        raise QueryFailedError(f"{node} is a number where series are needed")

    def _aggregated(self, node: VectorAggregation) -> Frame:
        pushed = pushed_plan(node)
        frame = self._frames[pushed] if pushed is not None else self._frame_of(node.expression)
        if node.op in _SORTS:
            # The answer to a range query is ordered by labels.
            return sort_by_value(frame, descending=node.op == "sort_desc") if self._n_steps == 1 else frame
        grouping = node.grouping or Grouping(())
        operator = promql.Aggregate(
            _SELECTIONS.get(node.op, node.op), _NOTHING, None, grouping.labels, grouping.without
        )
        if node.op in _SELECTIONS:
            kept = np.full(self._n_steps, float(node.parameter or 0))
            return run_selection(operator, frame, kept, self._evaluation)
        return run_aggregation(operator, frame, None, self._evaluation)

    def _combined(self, node: BinaryOperation) -> Value:
        left, right = self.value_of(node.left), self.value_of(node.right)
        if node.op in _DIVISIONS:
            right = _without_zeros(right)
        operator = promql.Binary(node.op, _NOTHING, _NOTHING, node.return_bool, node.matching)
        if isinstance(left, Scalars):
            if isinstance(right, Scalars):
                return scalar_scalar(operator, left, right)
            return vector_scalar(operator, right, left, swapped=True, evaluation=self._evaluation)
        if isinstance(right, Scalars):
            return vector_scalar(operator, left, right, swapped=False, evaluation=self._evaluation)
        if node.op in SET_OPERATORS:
            return set_operation(operator, left, right)
        return vector_vector(operator, left, right, self._evaluation)


def _without_zeros(value: Value) -> Value:
    """The divisor with NaN for 0, since that is what LogQL makes of a division by zero."""
    values: NDArray[np.float64] = np.where(value.values == 0.0, np.nan, value.values)
    return Scalars(values) if isinstance(value, Scalars) else replace(value, values=values)
