"""Where OpenTelemetry's SDK hands over what it has: spans and log records to queues, metrics when they are due."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from swarmscope.sdk.delivery.batches import BatchQueue
from swarmscope.sdk.delivery.counters import DeliveryCounters, DropReason, Signal
from swarmscope.sdk.delivery.sender import Delivery, RetryingSender

_logger = logging.getLogger("swarmscope.sdk")
Request = Any  # ExportMetricsServiceRequest; the generated classes carry no types


def rejected_of(signal: Signal) -> Callable[[bytes], int]:
    """How to read from an accepted request's answer how many of its items were rejected."""
    messages: dict[Signal, tuple[Any, str]] = {
        Signal.TRACES: (ExportTraceServiceResponse, "rejected_spans"),
        Signal.METRICS: (ExportMetricsServiceResponse, "rejected_data_points"),
        Signal.LOGS: (ExportLogsServiceResponse, "rejected_log_records"),
    }
    response, field = messages[signal]

    def rejected(body: bytes) -> int:
        try:
            return max(int(getattr(response.FromString(body).partial_success, field)), 0)
        except Exception:  # endpoints answer with all sorts of bodies; what they accepted is accepted
            return 0

    return rejected


def span_delivery(sender: RetryingSender) -> Callable[[list[ReadableSpan]], Delivery]:
    """What a queue of spans does with a batch."""

    def deliver(spans: list[ReadableSpan]) -> Delivery:
        return sender.send(encode_spans(spans).SerializeToString(), len(spans))

    return deliver


def log_delivery(sender: RetryingSender) -> Callable[[list[ReadableLogRecord]], Delivery]:
    """What a queue of log records does with a batch."""

    def deliver(records: list[ReadableLogRecord]) -> Delivery:
        return sender.send(encode_logs(records).SerializeToString(), len(records))

    return deliver


class QueueingSpanProcessor(SpanProcessor):
    """Queues sampled spans when they end."""

    def __init__(self, queue: BatchQueue[ReadableSpan]) -> None:
        self._queue = queue

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing is known yet."""

    def on_end(self, span: ReadableSpan) -> None:
        """Never blocks."""
        context = span.get_span_context()
        if context is not None and context.trace_flags.sampled:
            self._queue.put(span)

    def shutdown(self) -> None:
        """The queue is closed by whoever made it, within its time."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Whether all was handed over in time."""
        return self._queue.flush(timeout_millis / 1000)


class QueueingLogProcessor(LogRecordProcessor):
    """Queues log records."""

    def __init__(self, queue: BatchQueue[ReadableLogRecord]) -> None:
        self._queue = queue

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Never blocks. The record is copied: processors after this one may change it."""
        self._queue.put(
            ReadableLogRecord(
                log_record=copy.copy(log_record.log_record),
                resource=log_record.resource or Resource.get_empty(),
                instrumentation_scope=log_record.instrumentation_scope,
                limits=log_record.limits,
            )
        )

    def shutdown(self) -> None:
        """The queue is closed by whoever made it, within its time."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Whether all was handed over in time."""
        return self._queue.flush(timeout_millis / 1000)


class SendingMetricExporter(MetricExporter):
    """Sends what a reader has collected; totals are cumulative, so what is lost is resolution.

    Each of the lists `edits` may grow; what is in them changes the encoded request before it leaves.
    """

    def __init__(
        self, sender: RetryingSender, counters: DeliveryCounters, edits: Sequence[list[Callable[[Request], None]]]
    ) -> None:
        super().__init__()
        self._sender, self._counters, self._edits = sender, counters, edits

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Send one collection. Never raises."""
        n_points = sum(
            len(metric.data.data_points)
            for resource in metrics_data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        )
        if not n_points:
            return MetricExportResult.SUCCESS
        try:
            request = encode_metrics(metrics_data)
            for edit in chain.from_iterable(self._edits):
                edit(request)
            delivery = self._sender.send(request.SerializeToString(), n_points)
        except Exception:
            _logger.exception("metrics could not be encoded")
            delivery = Delivery(0, n_points, DropReason.FAILED)
        self._counters.add_dropped(Signal.METRICS, delivery.reason, delivery.n_lost)
        self._counters.add_delivered(Signal.METRICS, delivery.n_delivered)
        return MetricExportResult.FAILURE if delivery.n_lost else MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing waits here."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """The sender is closed by whoever made it."""
