"""The PromQL engine in the shape that the API asks for."""

from __future__ import annotations

import numpy as np

from swarmscope.api.engine import QueryAnswer, QueryOptions
from swarmscope.model.metrics import HistogramColumns
from swarmscope.query.histograms.rows import NO_HISTOGRAM, HistogramMatrix, take_rows, to_columns
from swarmscope.query.promql import PromqlEngine, QueryRequest, QueryResult


class BridgedEngine:
    """Implements `api.engine.PromqlEngine` on the engine of `query.promql`."""

    def __init__(self, engine: PromqlEngine) -> None:
        self._engine = engine

    def query_instant(self, text: str, time_ms: int, options: QueryOptions) -> QueryAnswer:
        """See `api.engine.PromqlEngine`."""
        return _to_answer(self._engine.query_instant(_to_request(text, (time_ms, time_ms, 1), options)))

    def query_range(self, text: str, start_ms: int, end_ms: int, step_ms: int, options: QueryOptions) -> QueryAnswer:
        """See `api.engine.PromqlEngine`."""
        return _to_answer(self._engine.query_range(_to_request(text, (start_ms, end_ms, step_ms), options)))


def _to_request(text: str, times_ms: tuple[int, int, int], options: QueryOptions) -> QueryRequest:
    start_ms, end_ms, step_ms = times_ms
    return QueryRequest(
        text=text,
        start_ms=start_ms,
        end_ms=end_ms,
        step_ms=step_ms,
        tenant=options.tenant,
        lookback_ms=options.lookback_ms,
        cancellation=options.cancellation,
        max_samples=options.max_samples,
    )


def _to_answer(result: QueryResult) -> QueryAnswer:
    present = result.present
    histograms = None
    if result.histograms is not None:
        present = present & (result.histograms.cells == NO_HISTOGRAM)
        histograms = _to_columns(result, result.histograms)
    stats = result.stats
    return QueryAnswer(
        kind=result.kind.value,
        ts_ms=result.times_ms,
        labels=result.labels,
        symbols=result.symbols,
        values=result.values,
        present=present,
        histograms=histograms,
        text=result.text,
        warnings=result.warnings,
        infos=result.infos,
        stats={
            "timings": {
                "evalTotalTime": stats.parse_s + stats.evaluate_s + stats.sort_s,
                "resultSortTime": stats.sort_s,
                "queryPreparationTime": stats.parse_s,
                "innerEvalTime": stats.evaluate_s,
                "execQueueTime": 0.0,
                "execTotalTime": stats.parse_s + stats.evaluate_s + stats.sort_s,
            },
            "samples": {"totalQueryableSamples": stats.samples_fetched, "peakSamples": stats.peak_cells},
        },
    )


def _to_columns(result: QueryResult, matrix: HistogramMatrix) -> HistogramColumns:
    """The result's histograms in (series, time) order."""
    series, steps = np.nonzero((matrix.cells != NO_HISTOGRAM) & result.present)
    rows = take_rows(matrix.rows, matrix.cells[series, steps])
    return to_columns(rows, series.astype(np.int64), result.times_ms[steps])
