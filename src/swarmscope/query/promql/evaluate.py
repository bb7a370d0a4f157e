"""The tree, evaluated for all steps at once. One evaluation serves instant and range queries."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.promql import ValueType, value_type
from swarmscope.lang.promql.nodes import (
    SET_OPERATORS,
    Aggregate,
    Binary,
    Call,
    MatrixSelector,
    Node,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
    without_parens,
)
from swarmscope.model.errors import QueryFailedError
from swarmscope.query.histograms.rows import HistogramMatrix
from swarmscope.query.promql.aggregate import run_aggregation
from swarmscope.query.promql.binary import scalar_scalar, set_operation, vector_scalar, vector_vector
from swarmscope.query.promql.calendar import CALENDAR, calendar_values
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.elementwise import LIMITS, PLAIN, finish_floats, run_elementwise
from swarmscope.query.promql.frames import Frame, RangeColumns, Scalars, Steps, Text, Value
from swarmscope.query.promql.histogram_calls import HISTOGRAM_CALLS, run_histogram_call
from swarmscope.query.promql.info import run_info
from swarmscope.query.promql.label_calls import (
    absent_frame,
    label_join,
    label_replace,
    sort_by_label,
    sort_by_value,
)
from swarmscope.query.promql.label_columns import no_labels
from swarmscope.query.promql.lookups import resolve_at
from swarmscope.query.promql.negation import negate
from swarmscope.query.promql.range_calls import (
    RATES,
    REDUCTIONS,
    run_absent_over_time,
    run_range_call,
    run_rolled_absent,
    run_rolled_call,
)
from swarmscope.query.promql.select_series import run_count_values, run_selection
from swarmscope.query.promql.selectors import range_of_selector, run_vector_selector, sample_times
from swarmscope.query.promql.step_invariance import is_step_invariant, steps_of
from swarmscope.query.promql.subqueries import columns_of_subquery, subquery_steps

_SELECTING = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})


def evaluate(node: Node, steps: Steps, evaluation: Evaluation) -> Value:
    """The value of an expression at every step. Raises QueryFailedError and LimitExceededError."""
    value = _value_of(node, steps, evaluation)
    if isinstance(value, Frame):
        evaluation.hold(value)
    return value


def _value_of(node: Node, steps: Steps, evaluation: Evaluation) -> Value:
    match node:
        case Paren(expr=expr):
            return evaluate(expr, steps, evaluation)
        case NumberLiteral(value=number):
            return Scalars(np.full(steps.count, number))
        case StringLiteral(value=text):
            return Text(text)
    if steps.count > 1 and is_step_invariant(node):
        return _repeated(evaluate(node, steps_of(node, steps), evaluation), steps.count)
    evaluation.cancellation.check()
    match node:
        case VectorSelector():
            return run_vector_selector(node, steps, evaluation)
        case Unary(expr=expr):
            value = evaluate(expr, steps, evaluation)
            return Scalars(-value.values) if isinstance(value, Scalars) else negate(_as_frame(value))
        case Binary():
            return _evaluate_binary(node, steps, evaluation)
        case Aggregate():
            return _evaluate_aggregate(node, steps, evaluation)
        case Call():
            return _evaluate_call(node, steps, evaluation)
        case _:
            raise QueryFailedError("a range vector stands where an instant vector is needed")


def _repeated(value: Value, count: int) -> Value:
    """A one-step value at every step."""
    if isinstance(value, Scalars):
        return Scalars(np.repeat(value.values, count))
    if isinstance(value, Text):
        return value
    histograms = value.histograms
    if histograms is not None:
        histograms = HistogramMatrix(np.repeat(histograms.cells, count, axis=1), histograms.rows)
    values, present = np.repeat(value.values, count, axis=1), np.repeat(value.present, count, axis=1)
    return Frame(value.labels, values, present, histograms)


def _as_frame(value: Value) -> Frame:
    if isinstance(value, Frame):
        return value
    raise QueryFailedError("an instant vector is needed here")


def _as_text(value: Value) -> str:
    if isinstance(value, Text):
        return value.value
    raise QueryFailedError("a string is needed here")


def _frame_of(node: Node, steps: Steps, evaluation: Evaluation) -> Frame:
    return _as_frame(evaluate(node, steps, evaluation))


def _scalar_of(node: Node, steps: Steps, evaluation: Evaluation) -> NDArray[np.float64]:
    value = evaluate(node, steps, evaluation)
    if isinstance(value, Scalars):
        return value.values
    raise QueryFailedError("a scalar is needed here")


def _text_of(node: Node, steps: Steps, evaluation: Evaluation) -> str:
    return _as_text(evaluate(node, steps, evaluation))


def _evaluate_binary(node: Binary, steps: Steps, evaluation: Evaluation) -> Value:
    lhs = evaluate(node.lhs, steps, evaluation)
    rhs = evaluate(node.rhs, steps, evaluation)
    value = _combined(node, lhs, rhs, evaluation)
    if isinstance(value, Frame):
        evaluation.hold(value)  # here, where both sides live still
    return value


def _combined(node: Binary, lhs: Value, rhs: Value, evaluation: Evaluation) -> Value:
    if isinstance(lhs, Scalars) and isinstance(rhs, Scalars):
        return scalar_scalar(node, lhs, rhs)
    if isinstance(rhs, Scalars):
        return vector_scalar(node, _as_frame(lhs), rhs, swapped=False, evaluation=evaluation)
    if isinstance(lhs, Scalars):
        return vector_scalar(node, _as_frame(rhs), lhs, swapped=True, evaluation=evaluation)
    if node.op in SET_OPERATORS:
        return set_operation(node, _as_frame(lhs), _as_frame(rhs))
    return vector_vector(node, _as_frame(lhs), _as_frame(rhs), evaluation)


def _evaluate_aggregate(node: Aggregate, steps: Steps, evaluation: Evaluation) -> Value:
    if node.op == "count_values" and node.param is not None:
        label = _text_of(node.param, steps, evaluation)
        return run_count_values(node, label, _frame_of(node.expr, steps, evaluation), evaluation)
    parameter = _scalar_of(node.param, steps, evaluation) if node.param is not None else None
    frame = _frame_of(node.expr, steps, evaluation)
    if node.op in _SELECTING and parameter is not None:
        return run_selection(node, frame, parameter, evaluation)
    return run_aggregation(node, frame, parameter, evaluation)


def range_of(node: Node, steps: Steps, evaluation: Evaluation) -> RangeColumns:
    """The samples and windows of a range vector."""
    inner = without_parens(node)
    if isinstance(inner, MatrixSelector):
        return range_of_selector(inner, steps, evaluation)
    if not isinstance(inner, Subquery):
        raise QueryFailedError("a range vector is needed here")
    at = resolve_at(inner.at, evaluation.bounds)
    own = subquery_steps(inner, steps, at, evaluation.default_step_ms)
    evaluation.check_steps(own)
    ends = (steps.times_ms() if at is None else np.full(steps.count, at, np.int64)) - inner.offset_ms
    return columns_of_subquery(_frame_of(inner.expr, own, evaluation), own, (ends, inner.range_ms), steps.times_ms())


def _evaluate_call(call: Call, steps: Steps, evaluation: Evaluation) -> Value:
    name = call.function
    if name in RATES or name in REDUCTIONS:
        scalars = [_scalar_of(arg, steps, evaluation) for arg in call.args if value_type(arg) is ValueType.SCALAR]
        ranged = next(without_parens(arg) for arg in call.args if value_type(arg) is ValueType.MATRIX)
        rolled = run_rolled_call(call, ranged, steps, evaluation) if isinstance(ranged, MatrixSelector) else None
        if rolled is not None:
            return rolled
        return run_range_call(call, range_of(ranged, steps, evaluation), scalars, evaluation)
    if name in PLAIN or name in LIMITS or name == "round":
        frame = _frame_of(call.args[0], steps, evaluation)
        return run_elementwise(name, frame, [_scalar_of(arg, steps, evaluation) for arg in call.args[1:]])
    if name in CALENDAR:
        return _evaluate_calendar(call, steps, evaluation)
    if name in HISTOGRAM_CALLS:
        vector = next(arg for arg in call.args if value_type(arg) is ValueType.VECTOR)
        scalars = [_scalar_of(arg, steps, evaluation) for arg in call.args if value_type(arg) is ValueType.SCALAR]
        return run_histogram_call(call, _frame_of(vector, steps, evaluation), scalars, evaluation)
    return _OTHER_CALLS[name](call, steps, evaluation)


def _evaluate_calendar(call: Call, steps: Steps, evaluation: Evaluation) -> Value:
    if not call.args:
        now = calendar_values(call.function, np.floor(steps.times_ms() / 1000))
        return Frame(no_labels(1), now[None, :].copy(), np.ones((1, steps.count), np.bool_))
    frame = _frame_of(call.args[0], steps, evaluation)
    return finish_floats(frame, calendar_values(call.function, frame.values), frame.floats_present())


def _call_absent(call: Call, steps: Steps, evaluation: Evaluation) -> Value:
    frame = _frame_of(call.args[0], steps, evaluation)
    return absent_frame(without_parens(call.args[0]), ~frame.shown_steps(), evaluation)


def _call_absent_over_time(call: Call, steps: Steps, evaluation: Evaluation) -> Value:
    ranged = without_parens(call.args[0])
    missing = run_rolled_absent(ranged, steps, evaluation) if isinstance(ranged, MatrixSelector) else None
    if missing is None:
        missing = run_absent_over_time(range_of(ranged, steps, evaluation), evaluation)
    return absent_frame(without_parens(call.args[0]), missing, evaluation)


def _call_label_replace(call: Call, steps: Steps, evaluation: Evaluation) -> Value:
    texts = [_text_of(arg, steps, evaluation) for arg in call.args[1:]]
    return label_replace(_frame_of(call.args[0], steps, evaluation), texts, evaluation)


def _call_label_join(call: Call, steps: Steps, evaluation: Evaluation) -> Value:
    destination, separator, *sources = (_text_of(arg, steps, evaluation) for arg in call.args[1:])
    return label_join(_frame_of(call.args[0], steps, evaluation), destination, separator, sources, evaluation)


def _call_sort(call: Call, steps: Steps, evaluation: Evaluation) -> Value:
    frame = _frame_of(call.args[0], steps, evaluation)
    if evaluation.query.count > 1 or steps.count > 1:
        return frame  # the answer to a range query is ordered by labels
    descending = call.function.endswith("_desc")
    if call.function.startswith("sort_by_label"):
        names = [_text_of(arg, steps, evaluation) for arg in call.args[1:]]
        return sort_by_label(frame, names, descending=descending, symbols=evaluation.symbols)
    return sort_by_value(frame, descending=descending)


def _call_timestamp(call: Call, steps: Steps, evaluation: Evaluation) -> Value:
    argument = without_parens(call.args[0])
    if isinstance(argument, VectorSelector):
        frame = sample_times(argument, steps, evaluation)
        return finish_floats(frame, frame.values, frame.present)
    frame = _frame_of(argument, steps, evaluation)
    return finish_floats(frame, np.broadcast_to(steps.times_ms() / 1000.0, frame.values.shape), frame.present)


def _call_scalar(call: Call, steps: Steps, evaluation: Evaluation) -> Value:
    frame = _frame_of(call.args[0], steps, evaluation)
    floats = frame.floats_present()
    if frame.n_series == 0:
        return Scalars(np.full(steps.count, math.nan))
    row = np.argmax(floats, axis=0)
    single = floats.sum(axis=0) == 1
    return Scalars(np.where(single, frame.values[row, np.arange(steps.count)], math.nan))


def _call_vector(call: Call, steps: Steps, evaluation: Evaluation) -> Value:
    values = _scalar_of(call.args[0], steps, evaluation)
    return Frame(no_labels(1), values[None, :].copy(), np.ones((1, steps.count), np.bool_))


def _call_extreme(call: Call, steps: Steps, evaluation: Evaluation) -> Value:
    left, right = (_scalar_of(arg, steps, evaluation) for arg in call.args)
    return Scalars(np.maximum(left, right) if call.function == "max_of" else np.minimum(left, right))


def _call_query_time(call: Call, steps: Steps, evaluation: Evaluation) -> Value:
    query, (start_ms, end_ms) = evaluation.query, evaluation.bounds
    milliseconds = {
        "start": start_ms,
        "end": end_ms,
        "step": query.step_ms if query.count > 1 else 0,
        "range": end_ms - start_ms,
    }[call.function]
    return Scalars(np.full(steps.count, milliseconds / 1000.0))


def _call_info(call: Call, steps: Steps, evaluation: Evaluation) -> Value:
    return run_info(call, _frame_of(call.args[0], steps, evaluation), steps, evaluation)


_OTHER_CALLS: dict[str, Callable[[Call, Steps, Evaluation], Value]] = {
    "absent": _call_absent,
    "absent_over_time": _call_absent_over_time,
    "end": _call_query_time,
    "info": _call_info,
    "label_join": _call_label_join,
    "label_replace": _call_label_replace,
    "max_of": _call_extreme,
    "min_of": _call_extreme,
    "pi": lambda _call, steps, _evaluation: Scalars(np.full(steps.count, math.pi)),
    "range": _call_query_time,
    "scalar": _call_scalar,
    "sort": _call_sort,
    "sort_by_label": _call_sort,
    "sort_by_label_desc": _call_sort,
    "sort_desc": _call_sort,
    "start": _call_query_time,
    "step": _call_query_time,
    "time": lambda _call, steps, _evaluation: Scalars(steps.times_ms() / 1000.0),
    "timestamp": _call_timestamp,
    "vector": _call_vector,
}

# Every function that the engine computes; a test holds this equal to the language's registry.
COMPUTED_FUNCTIONS = frozenset(
    {*RATES, *REDUCTIONS, *PLAIN, *LIMITS, "round", *CALENDAR, *HISTOGRAM_CALLS, *_OTHER_CALLS}
)
