"""The LogQL engine: text and time in, columns out. Synchronous; call it from a worker thread."""

from __future__ import annotations

import time
from collections.abc import Sequence

from swarmscope.lang.logql import parse_log_query
from swarmscope.model.contracts import LogReader
from swarmscope.model.labels import DEFAULT_TENANT
from swarmscope.model.matchers import Matcher
from swarmscope.query.logql.detected_fields import (
    DetectedField,
    DetectedLabel,
    detect_fields,
    detect_labels,
    values_of_field,
)
from swarmscope.query.logql.log_answers import LogsRequest, LogsResult
from swarmscope.query.logql.log_query import choose_lines, run_log_query
from swarmscope.query.logql.metric_queries import MetricAnswer, MetricRequest, run_metric_query
from swarmscope.query.logql.settings import LogqlSettings
from swarmscope.query.logql.tail import Tail


class LogqlEngine:
    """Evaluates LogQL over a LogReader. Thread-safe: every query has a state of its own."""

    def __init__(self, reader: LogReader, settings: LogqlSettings | None = None) -> None:
        self._reader = reader
        self._settings = settings or LogqlSettings()

    @property
    def settings(self) -> LogqlSettings:
        """Limits and defaults."""
        return self._settings

    def query_logs(self, request: LogsRequest) -> LogsResult:
        """Lines in order of time. Raises the four query errors of `model.errors`."""
        began = time.perf_counter()
        tree = parse_log_query(request.text)
        return run_log_query(self._reader, self._settings, request, tree, time.perf_counter() - began)

    def query_metrics(self, request: MetricRequest) -> MetricAnswer:
        """Numbers at one time or at many. Raises the four query errors of `model.errors`."""
        return run_metric_query(self._reader, request, self._settings)

    def tail(self, text: str, tenant: str = DEFAULT_TENANT) -> Tail:
        """Lines that come in from now on. Raises QuerySyntaxError and QueryFailedError."""
        return Tail(self._reader, tenant, parse_log_query(text))

    def detected_fields(self, request: LogsRequest, max_fields: int) -> list[DetectedField]:
        """Fields of the request's lines, `max_fields` of them at most. Raises as `query_logs`."""
        tree = parse_log_query(request.text)
        chosen = choose_lines(self._reader, self._settings, request, tree)
        return detect_fields(chosen.block, tree, chosen.order, max_fields)

    def detected_field_values(self, request: LogsRequest, name: str, max_values: int) -> list[str]:
        """Sorted values of one field in the request's lines. Raises as `query_logs`."""
        tree = parse_log_query(request.text)
        chosen = choose_lines(self._reader, self._settings, request, tree)
        return values_of_field(chosen.block, tree, name, max_values)

    def detected_labels(
        self, matchers: Sequence[Matcher], range_ns: tuple[int, int], tenant: str = DEFAULT_TENANT
    ) -> list[DetectedLabel]:
        """Stream labels of the range worth showing, with the number of their values; no matchers: of all streams."""
        groups = [matchers] if matchers else []
        names = self._reader.label_names(tenant, groups, *range_ns)
        return detect_labels((name, self._reader.label_values(tenant, name, groups, *range_ns)) for name in names)
