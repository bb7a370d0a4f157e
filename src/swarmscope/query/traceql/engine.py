"""The TraceQL engine: text and time in, plain values out. Synchronous; call it from a worker thread."""

from __future__ import annotations

from swarmscope.lang.traceql import parse_traceql
from swarmscope.model.contracts import ReadBudget, SpanReader
from swarmscope.model.errors import UnsupportedQueryError
from swarmscope.query.traceql.answers import SearchAnswer
from swarmscope.query.traceql.search import Search, SearchRequest
from swarmscope.query.traceql.settings import TraceqlSettings
from swarmscope.query.traceql.span_block import SpanTables


class TraceqlEngine:
    """Evaluates TraceQL over a SpanReader. Thread-safe: every query has a state of its own."""

    def __init__(self, reader: SpanReader, settings: TraceqlSettings | None = None) -> None:
        self._reader = reader
        self._settings = settings or TraceqlSettings()

    @property
    def settings(self) -> TraceqlSettings:
        """Limits and defaults."""
        return self._settings

    def search(self, request: SearchRequest, budget: ReadBudget) -> SearchAnswer:
        """Traces, newest first. Raises the four query errors of `model.errors`."""
        query = parse_traceql(request.text)
        if query.metrics is not None:
            raise UnsupportedQueryError("a search gives traces: metrics functions belong to the metrics endpoints")
        return Search(self._reader, self._settings, request, query, budget, SpanTables(self._reader)).run()
