"""The PromQL engine: text and time in, columns out. Synchronous; call it from a worker thread."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.promql import Node, ValueType, parse_promql, to_text, value_type
from swarmscope.lang.promql.nodes import MatrixSelector, Subquery, walk, without_parens
from swarmscope.model.contracts import Cancellation, ReadBudget, Reader
from swarmscope.model.errors import LimitExceededError, QueryFailedError
from swarmscope.model.labels import DEFAULT_TENANT
from swarmscope.model.series import LabelFrame
from swarmscope.query.histograms.rows import HistogramMatrix
from swarmscope.query.promql.annotations import Annotations
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.evaluate import evaluate
from swarmscope.query.promql.fetch import Fetches
from swarmscope.query.promql.frames import Frame, Scalars, Steps, Text, Value
from swarmscope.query.promql.label_columns import label_set_text, no_labels, sorted_order
from swarmscope.query.promql.lookups import lookups_of
from swarmscope.query.promql.matrix_answer import run_matrix
from swarmscope.query.promql.same_labels import merge_same_labels
from swarmscope.query.promql.selectors import take_rows_of
from swarmscope.query.promql.symbols import QuerySymbols
from swarmscope.query.settings import EngineSettings


class _NeverCancelled:
    """A query that nobody ends."""

    remaining_s = math.inf

    def check(self) -> None:
        """Never raises."""


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """One query. Times are Unix milliseconds; an instant query has start_ms == end_ms."""

    text: str
    start_ms: int
    end_ms: int
    step_ms: int = 1
    tenant: str = DEFAULT_TENANT
    lookback_ms: int | None = None
    cancellation: Cancellation = field(default_factory=_NeverCancelled)


@dataclass(frozen=True, slots=True)
class QueryStats:
    """What a query cost."""

    parse_s: float
    evaluate_s: float
    sort_s: float
    series_fetched: int
    samples_fetched: int
    peak_cells: int


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer, in columns. `symbols` gives the strings of the label codes ("" for ABSENT).

    vector and matrix: series k has `values[k, t]` at `times_ms[t]` where `present[k, t]`, or the histogram
    `histograms.rows[histograms.cells[k, t]]` where that cell is not negative. scalar: one row without labels.
    string: `text`. Of a range vector (`[5m]`), the times are those of the samples.
    """

    kind: ValueType
    labels: LabelFrame
    values: NDArray[np.float64]  # [n_series, n_steps]
    present: NDArray[np.bool_]  # [n_series, n_steps]
    histograms: HistogramMatrix | None
    times_ms: NDArray[np.int64]  # [n_steps]
    text: str
    symbols: QuerySymbols
    warnings: tuple[str, ...]
    infos: tuple[str, ...]
    stats: QueryStats


class PromqlEngine:
    """Evaluates PromQL over a Reader. Thread-safe: every query has a state of its own."""

    def __init__(self, reader: Reader, settings: EngineSettings | None = None) -> None:
        self._reader = reader
        self._settings = settings or EngineSettings()

    @property
    def settings(self) -> EngineSettings:
        """Limits and defaults."""
        return self._settings

    def query_instant(self, request: QueryRequest) -> QueryResult:
        """Evaluate at `start_ms`. Raises the four query errors of `model.errors`."""
        instant = replace(request, end_ms=request.start_ms)
        return self._query(instant, Steps.instant(request.start_ms), ranged=False)

    def query_range(self, request: QueryRequest) -> QueryResult:
        """Evaluate at every step from `start_ms` to `end_ms`; the answer is a matrix sorted by labels."""
        if request.step_ms <= 0:
            raise QueryFailedError(
                "zero or negative query resolution step widths are not accepted. Try a positive integer"
            )
        if request.end_ms < request.start_ms:
            raise QueryFailedError("end timestamp must not be before start time")
        self.check_points(request.start_ms, request.end_ms, request.step_ms)
        return self._query(request, Steps.spanning(request.start_ms, request.end_ms, request.step_ms), ranged=True)

    def check_points(self, start_ms: int, end_ms: int, step_ms: int) -> None:
        """Raise LimitExceededError where a range has too many steps."""
        points = self._settings.max_points
        # Prometheus compares the whole quotient, so a range of exactly `points` steps passes.
        if (end_ms - start_ms) // step_ms > points:
            raise LimitExceededError(
                f"exceeded maximum resolution of {points:,} points per timeseries. "
                "Try decreasing the query resolution (?step=XX)",
                limit="query.max_points",
            )

    def explain(self, request: QueryRequest) -> dict[str, object]:
        """What a query would do: its tree in one line, its steps, and what it would fetch."""
        tree = parse_promql(request.text)
        steps = Steps.spanning(request.start_ms, request.end_ms, max(1, request.step_ms))
        evaluation = self._evaluation(request, steps)
        evaluation.fetches.plan(list(lookups_of(tree, steps, evaluation)))
        return {
            "query": to_text(tree),
            "type": str(value_type(tree)),
            "steps": steps.count,
            "nodes": [type(node).__name__ for node in walk(tree)],
            "fetches": evaluation.fetches.explain(),
        }

    def _evaluation(self, request: QueryRequest, steps: Steps) -> Evaluation:
        settings = self._settings
        evaluation = Evaluation(
            query=steps,
            bounds=(request.start_ms, request.end_ms),
            lookback_ms=request.lookback_ms or settings.lookback_ms,
            default_step_ms=settings.subquery_step_ms,
            symbols=QuerySymbols(self._reader.symbols, settings.max_label_characters),
            annotations=Annotations(request.text),
            cancellation=request.cancellation,
            max_samples=settings.max_samples,
            max_bytes=settings.max_bytes,
        )
        evaluation.fetches = Fetches(
            self._reader,
            request.tenant,
            ReadBudget(request.cancellation, settings.max_samples, max_bytes=settings.max_bytes),
            settings.rollups,
        )
        return evaluation

    def _query(self, request: QueryRequest, steps: Steps, *, ranged: bool) -> QueryResult:
        began = time.perf_counter()
        tree = parse_promql(request.text)
        parsed = time.perf_counter()
        kind = value_type(tree)
        if ranged and kind in (ValueType.MATRIX, ValueType.STRING):
            raise QueryFailedError(
                f'invalid expression type "{kind.documented}" for range query, must be Scalar or instant Vector'
            )
        evaluation = self._evaluation(request, steps)
        evaluation.fetches.plan(list(lookups_of(tree, steps, evaluation)))
        value: Value
        if kind is ValueType.MATRIX:
            value, times = _matrix_value(tree, steps, evaluation)
        else:
            value, times = evaluate(tree, steps, evaluation), steps.times_ms()
        evaluated = time.perf_counter()
        frame, text = _as_answer(value, steps)
        if isinstance(value, Frame):
            frame = merge_same_labels(frame)
            if ranged or kind is ValueType.MATRIX:
                frame = take_rows_of(frame, sorted_order(frame.labels, evaluation.symbols))
        fetches = evaluation.fetches
        stats = QueryStats(
            parsed - began,
            evaluated - parsed,
            time.perf_counter() - evaluated,
            fetches.n_series,
            fetches.n_samples,
            evaluation.largest_matrix,
        )
        return QueryResult(
            ValueType.MATRIX if ranged else kind, frame.labels, frame.values, frame.present, frame.histograms, times,
            text, evaluation.symbols, evaluation.annotations.warnings, evaluation.annotations.infos, stats,
        )  # fmt: skip


def _matrix_value(tree: Node, steps: Steps, evaluation: Evaluation) -> tuple[Frame, NDArray[np.int64]]:
    inner = without_parens(tree)
    if not isinstance(inner, MatrixSelector | Subquery):
        raise QueryFailedError("a range vector is needed here")
    return run_matrix(inner, steps, evaluation)


def _as_answer(value: Value, steps: Steps) -> tuple[Frame, str]:
    """The value as a frame; a scalar is one row without labels."""
    if isinstance(value, Frame):
        return value, ""
    if isinstance(value, Text):
        return Frame(no_labels(0), np.zeros((0, steps.count)), np.zeros((0, steps.count), np.bool_)), value.value
    assert isinstance(value, Scalars)  # noqa: S101 - nothing else is left
    return Frame(no_labels(1), value.values[None, :].copy(), np.ones((1, steps.count), np.bool_)), ""


def labels_as_text(result: QueryResult) -> Sequence[str]:
    """Every series' labels as `{a="b"}`. # Slow path: messages and tests"""
    return [label_set_text(result.labels, row, result.symbols) for row in range(result.labels.n_series)]


__all__ = [
    "EngineSettings",
    "PromqlEngine",
    "QueryRequest",
    "QueryResult",
    "QueryStats",
    "labels_as_text",
]
