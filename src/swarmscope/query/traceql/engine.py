"""The TraceQL engine: text and time in, plain values out. Synchronous; call it from a worker thread."""

from __future__ import annotations

from swarmscope.lang.traceql import parse_traceql
from swarmscope.model.contracts import ReadBudget, SpanReader
from swarmscope.model.errors import UnsupportedQueryError
from swarmscope.model.spans import AttributeScope
from swarmscope.query.traceql.answers import MetricsAnswer, SearchAnswer
from swarmscope.query.traceql.metric_queries import run_metrics
from swarmscope.query.traceql.metric_requests import MetricsRequest
from swarmscope.query.traceql.search import Search, SearchRequest
from swarmscope.query.traceql.settings import TraceqlSettings
from swarmscope.query.traceql.span_block import SpanTables
from swarmscope.query.traceql.tags import TagRequest, tag_names, tag_values
from swarmscope.query.traceql.values import TypedValue


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

    def metrics(self, request: MetricsRequest, budget: ReadBudget) -> MetricsAnswer:
        """Series over a range, or numbers of all of it. Raises the four query errors of `model.errors`."""
        return run_metrics(self._reader, self._settings, request, parse_traceql(request.text), budget)

    def tag_names(self, request: TagRequest, scope: AttributeScope | None = None) -> dict[str, list[str]]:
        """Sorted names of attributes by scope, of one scope or of all; intrinsic fields are `tags.intrinsic_names`."""
        return tag_names(self._reader, request, tuple(AttributeScope) if scope is None else (scope,))

    def tag_values(self, tag: str, request: TagRequest, budget: ReadBudget) -> list[TypedValue]:
        """Sorted values of a field, `resource.x`, `.x` or `name`, in spans of the filter. Raises QuerySyntaxError."""
        return tag_values(self._reader, self._settings, tag, request, budget)
