"""What an expression gives at one time, in whatever language it is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swarmscope.alerting.rules.rules import RuleKind
from swarmscope.lang.promql import ValueType
from swarmscope.model.contracts import Cancellation, ReadBudget, Reader
from swarmscope.model.errors import LimitExceededError, QueryFailedError
from swarmscope.model.series import ABSENT
from swarmscope.query.logql.engine import LogqlEngine
from swarmscope.query.logql.metric_queries import MetricRequest
from swarmscope.query.promql.engine import PromqlEngine, QueryRequest, QueryResult
from swarmscope.query.settings import EngineSettings
from swarmscope.query.traceql.engine import TraceqlEngine
from swarmscope.query.traceql.metric_requests import MetricsRequest

_NS_PER_MS = 1_000_000
Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class Question:
    """One expression at one time."""

    expr: str
    kind: RuleKind
    at_ms: int
    tenant: str
    span_window_ms: int  # what a TraceQL query looks back over
    max_results: int
    cancellation: Cancellation


class RuleEngines:
    """The three engines. PromQL's has settings alone: its reader is handed in with each question."""

    def __init__(self, promql: EngineSettings, logql: LogqlEngine, traceql: TraceqlEngine) -> None:
        self._promql, self._logql, self._traceql = promql, logql, traceql

    def ask(self, question: Question, reader: Reader) -> list[tuple[Labels, float]]:
        """Rows of labels and value, in the answer's order. Raises the four query errors of `model.errors`."""
        match question.kind:
            case RuleKind.PROMQL:
                request = QueryRequest(
                    question.expr, question.at_ms, question.at_ms, tenant=question.tenant,
                    cancellation=question.cancellation,
                )  # fmt: skip
                return _rows(PromqlEngine(reader, self._promql).query_instant(request), question.max_results)
            case RuleKind.LOGQL:
                asked = MetricRequest(
                    question.expr, question.at_ms * _NS_PER_MS, question.at_ms * _NS_PER_MS, tenant=question.tenant,
                    cancellation=question.cancellation,
                )  # fmt: skip
                return _rows(self._logql.query_metrics(asked).result, question.max_results)
            case RuleKind.TRACEQL:
                return self._of_spans(question)

    def _of_spans(self, question: Question) -> list[tuple[Labels, float]]:
        end_ns = question.at_ms * _NS_PER_MS
        asked = MetricsRequest(
            question.expr, end_ns - question.span_window_ms * _NS_PER_MS, end_ns, None, question.tenant
        )
        budget = ReadBudget(question.cancellation, self._promql.max_samples, max_bytes=self._promql.max_bytes)
        series = self._traceql.metrics(asked, budget).series
        _refuse_many(len(series), question.max_results)
        rows = [({name: str(value) for name, value in each.labels}, float(each.values[-1])) for each in series]
        return [row for row in rows if not math.isnan(row[1])]


def _refuse_many(n_results: int, max_results: int) -> None:
    if n_results > max_results:
        raise LimitExceededError(
            f"the rule has {n_results} results, more than {max_results} (alerting.max_results)",
            limit="alerting.max_results",
        )


def _rows(result: QueryResult, max_results: int) -> list[tuple[Labels, float]]:
    if result.kind == ValueType.SCALAR:
        return [({}, float(result.values[0, 0]))]
    if result.kind != ValueType.VECTOR:
        raise QueryFailedError(f"rule result is not a vector or scalar but a {result.kind.documented}")
    has_histograms = result.histograms is not None and bool((result.histograms.cells >= 0).any())
    if has_histograms:
        raise QueryFailedError("the rule's results are native histograms: take a number of them, as histogram_count()")
    rows: Sequence[int] = np.flatnonzero(result.present[:, 0]).tolist()
    _refuse_many(len(rows), max_results)
    codes = result.labels.codes.T.tolist()
    text, names = result.symbols.text, result.labels.names
    return [
        (
            {name: text(code) for name, code in zip(names, codes[row], strict=True) if code != ABSENT},
            float(result.values[row, 0]),
        )
        for row in rows
    ]
