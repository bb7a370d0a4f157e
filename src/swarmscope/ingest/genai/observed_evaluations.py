"""The sinks that tell an observer of evaluators' results. They never refuse or fail what passes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from swarmscope.ingest.genai.evaluation_results import Results, read_lines, read_responses, read_spans
from swarmscope.instrument.metrics import EVALUATIONS, NORMALISATION_FAILURES, REFUSED_EVALUATIONS
from swarmscope.model.contracts import LogSink, Receipt, SpanSink
from swarmscope.model.evaluations import EvaluationObserver
from swarmscope.model.logs import LogBatch
from swarmscope.model.spans import SpanBatch

_log = logging.getLogger(__name__)


class EvaluatedLogSink:
    """Reads results out of lines that the sink behind it took. Thread-safe; `seed` is that of all span keys."""

    def __init__(self, inner: LogSink, observer: EvaluationObserver, seed: int) -> None:
        self._inner, self._observer, self._seed = inner, observer, seed

    def write_logs(self, batch: LogBatch) -> Receipt:
        """As `LogSink.write_logs`. What the sink behind refuses as a whole is not observed: it comes again."""
        passing = replace(batch)
        receipt = self._inner.write_logs(batch)
        if len(passing):
            _safely("logs", lambda: self._observe(passing))
        return receipt

    def _observe(self, batch: LogBatch) -> None:
        _hand_on(self._observer, batch.tenant, "logs", read_lines(batch, self._seed))


class EvaluatedSpanSink:
    """Reads results, and ids of models' responses, out of spans that the sink behind it took. Thread-safe."""

    def __init__(self, inner: SpanSink, observer: EvaluationObserver, seed: int) -> None:
        self._inner, self._observer, self._seed = inner, observer, seed

    def write_spans(self, batch: SpanBatch) -> Receipt:
        """As `SpanSink.write_spans`. What the sink behind refuses as a whole is not observed: it comes again."""
        passing = replace(batch)
        receipt = self._inner.write_spans(batch)
        if len(passing):
            _safely("spans", lambda: self._observe(passing))
        return receipt

    def _observe(self, batch: SpanBatch) -> None:
        responses = read_responses(batch, self._seed)
        if len(responses.response):
            self._observer.observe_responses(batch.tenant, responses)
        _hand_on(self._observer, batch.tenant, "spans", read_spans(batch, self._seed))


def _safely(signal: str, observe: Callable[[], None]) -> None:
    try:
        observe()
    except Exception:
        NORMALISATION_FAILURES.labels(signal=signal).inc()
        _log.exception("%s could not be searched for evaluations", signal)


def _hand_on(observer: EvaluationObserver, tenant: str, signal: str, results: Results) -> None:
    if results.n_malformed:
        REFUSED_EVALUATIONS.labels(reason="malformed").inc(results.n_malformed)
    if results.n_beyond:
        REFUSED_EVALUATIONS.labels(reason="too_many").inc(results.n_beyond)
    if results.found:
        EVALUATIONS.labels(signal=signal).inc(len(results.found))
        observer.observe_evaluations(tenant, results.found)
