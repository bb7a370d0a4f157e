"""LogQL's metric queries: text and times in, columns out. Synchronous; call it from a worker thread."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.logql import MetricNode, parse_metric_query
from swarmscope.lang.logql.nodes import RangeAggregation, VectorAggregation
from swarmscope.lang.promql import ValueType
from swarmscope.model.contracts import Cancellation, LogReader, ReadBudget
from swarmscope.model.errors import LimitExceededError, QueryFailedError
from swarmscope.model.labels import DEFAULT_TENANT
from swarmscope.query.logql.log_answers import NeverCancelled
from swarmscope.query.logql.log_query import LinesRead
from swarmscope.query.logql.metric_evaluation import (
    MetricEvaluation,
    Value,
    is_sorted_by_value,
    plans_of,
    pushed_plan,
)
from swarmscope.query.logql.range_aggregation import TOO_MANY_SERIES, RangePlan, Reading, answers, run_range
from swarmscope.query.logql.settings import LogqlSettings
from swarmscope.query.logql.text_interning import TextTable
from swarmscope.query.promql.annotations import Annotations
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.engine import QueryResult, QueryStats
from swarmscope.query.promql.frames import Frame, Steps
from swarmscope.query.promql.label_columns import no_labels, sorted_order
from swarmscope.query.promql.same_labels import merge_same_labels
from swarmscope.query.promql.selectors import take_rows_of, without_empty_series
from swarmscope.query.promql.symbols import QuerySymbols
from swarmscope.query.settings import EngineSettings

_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class MetricRequest:
    """One metric query at every step from start to end (Unix nanoseconds); without a step at `start_ns` alone."""

    text: str
    start_ns: int
    end_ns: int
    step_ns: int | None = None
    tenant: str = DEFAULT_TENANT
    cancellation: Cancellation = field(default_factory=NeverCancelled)

    @property
    def is_instant(self) -> bool:
        """Whether there is one evaluation, answered as a vector."""
        return self.step_ns is None

    def times_ns(self, max_points: int) -> NDArray[np.int64]:
        """The evaluation times [n_steps]. Raises QueryFailedError for bad times, LimitExceededError for too many."""
        if self.step_ns is None:
            return np.array([self.start_ns], np.int64)
        if self.step_ns <= 0:
            raise QueryFailedError(
                "zero or negative query resolution step widths are not accepted. Try a positive integer"
            )
        if self.end_ns < self.start_ns:
            raise QueryFailedError("end timestamp must not be before or equal to start time")
        if (self.end_ns - self.start_ns) // self.step_ns > max_points:
            raise LimitExceededError(
                f"exceeded maximum resolution of {max_points:,} points per time series. "
                "Try increasing the value of the step parameter",
                limit="query.max_points",
            )
        return np.arange(self.start_ns, self.end_ns + 1, self.step_ns, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class MetricAnswer:
    """The answer in the columns that PromQL's has, and how much was read for it."""

    result: QueryResult
    lines: int
    line_bytes: int


def run_metric_query(reader: LogReader, request: MetricRequest, settings: LogqlSettings | None = None) -> MetricAnswer:
    """Evaluate a metric query. The answer is a matrix, of an instant query a vector or a scalar.

    Series are in order of their labels, but for a vector that `sort` has ordered. Raises the four query errors of
    `model.errors`.
    """
    settings = settings or LogqlSettings()
    began = time.perf_counter()
    tree = parse_metric_query(request.text)
    parsed = time.perf_counter()
    times_ns = request.times_ns(settings.max_points)
    budget = ReadBudget(request.cancellation, settings.max_samples, max_bytes=settings.max_bytes)
    reading = Reading(
        reader, request.tenant, budget, settings, TextTable(settings.max_label_characters), LinesRead(settings)
    )
    evaluation = _evaluation(request, times_ns, reading)
    # All range aggregations first: a label's code must not change once operators have seen it.
    frames = _read_frames(tree, times_ns, reading, evaluation)
    value = MetricEvaluation(frames, len(times_ns), evaluation).value_of(tree)
    evaluated = time.perf_counter()
    frame = _answer_of(value, is_ordered=request.is_instant and is_sorted_by_value(tree), evaluation=evaluation)
    if frame.n_series > settings.max_series:
        raise LimitExceededError(TOO_MANY_SERIES.format(settings.max_series), limit="query.max_log_series")
    kind = ValueType.MATRIX
    if request.is_instant:
        kind = ValueType.VECTOR if isinstance(value, Frame) else ValueType.SCALAR
    n_series = sum(each.n_series for each in frames.values())
    sorted_s = time.perf_counter() - evaluated
    stats = QueryStats(
        parsed - began, evaluated - parsed, sorted_s, n_series, reading.read.lines, evaluation.largest_matrix
    )
    result = QueryResult(
        kind, frame.labels, frame.values, frame.present, None, times_ns // _NS_PER_MS, "", evaluation.symbols,
        evaluation.annotations.warnings, evaluation.annotations.infos, stats,
    )  # fmt: skip
    return MetricAnswer(result, reading.read.lines, reading.read.bytes)


def _evaluation(request: MetricRequest, times_ns: NDArray[np.int64], reading: Reading) -> Evaluation:
    """The context of PromQL's operators. They look at series and cells alone, not at the times."""
    settings = reading.settings
    start_ms, end_ms = int(times_ns[0]) // _NS_PER_MS, int(times_ns[-1]) // _NS_PER_MS
    return Evaluation(
        query=Steps(start_ms, max(1, (request.step_ns or 0) // _NS_PER_MS), len(times_ns)),
        bounds=(start_ms, end_ms),
        lookback_ms=EngineSettings.lookback_ms,
        default_step_ms=EngineSettings.subquery_step_ms,
        symbols=QuerySymbols(reading.texts, settings.max_label_characters),
        annotations=Annotations(request.text),
        cancellation=request.cancellation,
        max_samples=settings.max_samples,
        max_bytes=settings.max_bytes,
    )


def _read_frames(
    tree: MetricNode, times_ns: NDArray[np.int64], reading: Reading, evaluation: Evaluation
) -> dict[RangePlan, Frame]:
    """What every range aggregation comes to, equal ones once; series in order of their labels."""
    frames: dict[RangePlan, Frame] = {}
    plans = list(dict.fromkeys(plans_of(tree)))
    only = len(plans) == 1 and _answers_by_itself(tree)
    for plan in plans:
        frame = run_range(answers(plan) if only else plan, times_ns, reading, evaluation)
        # Threads number series in the order in which they meet them.
        frames[plan] = take_rows_of(frame, sorted_order(frame.labels, evaluation.symbols))
    return frames


def _answers_by_itself(tree: MetricNode) -> bool:
    """Whether the only range aggregation's series are the answer's, so that one too many may end the query early."""
    return isinstance(tree, RangeAggregation) or (isinstance(tree, VectorAggregation) and pushed_plan(tree) is not None)


def _answer_of(value: Value, *, is_ordered: bool, evaluation: Evaluation) -> Frame:
    if not isinstance(value, Frame):
        return Frame(no_labels(1), value.values[None, :].copy(), np.ones((1, len(value.values)), np.bool_))
    frame = merge_same_labels(without_empty_series(value))
    return frame if is_ordered else take_rows_of(frame, sorted_order(frame.labels, evaluation.symbols))


__all__ = ["MetricAnswer", "MetricRequest", "run_metric_query"]
