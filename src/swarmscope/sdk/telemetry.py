"""One process's (or one agent's) telemetry: three providers and the way to one endpoint."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import Tracer

from swarmscope.sdk.agent_spans import AgentSpanProcessor, AgentSpanSettings
from swarmscope.sdk.delivery.batches import BatchQueue, QueueLimits
from swarmscope.sdk.delivery.counters import DeliveryCounters, Signal
from swarmscope.sdk.delivery.exporting import (
    QueueingLogProcessor,
    QueueingSpanProcessor,
    Request,
    SendingMetricExporter,
    log_delivery,
    rejected_of,
    span_delivery,
)
from swarmscope.sdk.delivery.sender import RetryingSender, RetryPolicy
from swarmscope.sdk.delivery.transport import Transport
from swarmscope.sdk.forking import call_after_fork
from swarmscope.sdk.settings import SdkSettings

SCOPE = "swarmscope.sdk"
_logger = logging.getLogger(SCOPE)
# What is changed in the metrics of every telemetry of this process, after its own `metric_edits`.
edits_of_all: list[Callable[[Request], None]] = []
used_here: ContextVar[Telemetry | None] = ContextVar("swarmscope_sdk_telemetry", default=None)


class Telemetry:
    """Sends spans, metrics and log records to one endpoint with one resource. Several may live in one process.

    Nothing here raises into the program that is observed, nor makes it wait, but `flush` and `shutdown` for as long as
    they are told. Raises ValueError for an endpoint that is none, ModuleNotFoundError for `protocol="grpc"` without
    the package `grpcio`.
    """

    def __init__(self, settings: SdkSettings) -> None:
        self.settings = settings
        self.counters = DeliveryCounters()
        self.metric_edits: list[Callable[[Request], None]] = []
        self._is_shut_down = False
        self._senders = {signal: self._sender(signal) for signal in Signal}
        limits = QueueLimits(
            settings.max_queue_size, min(settings.max_batch_size, settings.max_queue_size), settings.batch_delay_s
        )
        self._spans: BatchQueue[ReadableSpan] = BatchQueue(
            Signal.TRACES, span_delivery(self._senders[Signal.TRACES]), limits, self.counters
        )
        self._logs: BatchQueue[ReadableLogRecord] = BatchQueue(
            Signal.LOGS, log_delivery(self._senders[Signal.LOGS]), limits, self.counters
        )
        resource = Resource.create({"service.instance.id": str(uuid.uuid4())} | settings.resource())
        self.logger_provider = LoggerProvider(resource, shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(QueueingLogProcessor(self._logs))
        self.tracer_provider = self._make_tracer_provider(resource)
        self.meter_provider = self._make_meter_provider(resource)
        self.tracer: Tracer = self.tracer_provider.get_tracer(SCOPE)
        call_after_fork(self)

    def _sender(self, signal: Signal) -> RetryingSender:
        told = self.settings
        policy = RetryPolicy(told.max_retries, told.backoff_s, told.max_backoff_s, told.request_timeout_s)
        return RetryingSender(signal, _transport(told, signal), policy, self.counters, rejected_of(signal))

    def _make_tracer_provider(self, resource: Resource) -> TracerProvider:
        told = self.settings
        self.agent_spans = AgentSpanProcessor(
            AgentSpanSettings(
                told.version, told.environment, told.phi_threshold, told.announce_after_s, told.announce_every_s,
                told.max_open_spans,
            ),
            analytics=told.analytics_hook,
            alert=told.alert_hook,
            logger_provider=self.logger_provider,
        )  # fmt: skip
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(self.agent_spans)
        provider.add_span_processor(QueueingSpanProcessor(self._spans))
        return provider

    def _make_meter_provider(self, resource: Resource) -> MeterProvider:
        exporter = SendingMetricExporter(
            self._senders[Signal.METRICS], self.counters, (self.metric_edits, edits_of_all)
        )
        reader = PeriodicExportingMetricReader(exporter, self.settings.metric_interval_s * 1000)
        provider = MeterProvider([reader], resource, shutdown_on_exit=False)
        meter = provider.get_meter(SCOPE)
        meter.create_observable_counter(
            "swarmscope.sdk.dropped", [self._observe_dropped], description="What was produced and will not arrive."
        )
        meter.create_observable_counter(
            "swarmscope.sdk.delivered",
            [lambda _: [Observation(n, {"signal": str(signal)}) for signal, n in self.counters.delivered().items()]],
            description="What the endpoint has acknowledged.",
        )
        meter.create_observable_counter(
            "swarmscope.sdk.retries",
            [lambda _: [Observation(n, {"signal": str(signal)}) for signal, n in self.counters.retries().items()]],
            description="Requests that were made again.",
        )
        return provider

    def _observe_dropped(self, _: CallbackOptions) -> list[Observation]:
        dropped = self.counters.dropped()
        return [
            Observation(n, {"signal": str(signal), "reason": str(reason)}) for (signal, reason), n in dropped.items()
        ]

    def dropped(self) -> dict[str, dict[str, int]]:
        """What was produced and will not arrive: counts by signal, then by reason; both by name."""
        counts: dict[str, dict[str, int]] = {str(signal): {} for signal in Signal}
        for (signal, reason), n in self.counters.dropped().items():
            counts[signal][str(reason)] = n
        return counts

    @contextmanager
    def use(self) -> Iterator[Telemetry]:
        """Inside, everything of this SDK that makes spans makes them here, in this thread or task."""
        token = used_here.set(self)
        try:
            yield self
        finally:
            used_here.reset(token)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Send everything now; whether that came to an end (successful or not) in time."""
        deadline_s = time.monotonic() + timeout_s
        # The SDK's own flush of metrics ends when sending ends, however long that takes.
        metrics = threading.Thread(
            target=partial(_quietly, partial(self.meter_provider.force_flush, timeout_s * 1000)), daemon=True
        )
        metrics.start()
        in_time = self._spans.flush(timeout_s)
        in_time &= self._logs.flush(max(deadline_s - time.monotonic(), 0.0))
        metrics.join(max(deadline_s - time.monotonic(), 0.0))
        return in_time and not metrics.is_alive()

    @property
    def is_shut_down(self) -> bool:
        """Whether nothing is sent any more."""
        return self._is_shut_down

    def begin_shutdown(self, deadline_s: float) -> None:
        """Take nothing more; each request that is left is tried once, until `deadline_s` (of `time.monotonic`)."""
        self._is_shut_down = True
        for sender in self._senders.values():
            sender.begin_closing(deadline_s)
        self.agent_spans.shutdown()
        self._spans.begin_closing()
        self._logs.begin_closing()

    def shutdown(self, timeout_s: float | None = None) -> None:
        """Send what is queued and stop, within `timeout_s` (else the settings'); the rest is counted. Idempotent."""
        if self._is_shut_down:
            return
        deadline_s = time.monotonic() + (self.settings.shutdown_timeout_s if timeout_s is None else timeout_s)
        self.begin_shutdown(deadline_s)
        self.finish_shutdown(deadline_s)

    def finish_shutdown(self, deadline_s: float) -> None:
        """Wait for what `begin_shutdown` began."""
        left_ms = max(deadline_s - time.monotonic(), 0.0) * 1000
        _quietly(partial(self.meter_provider.shutdown, left_ms))
        for queue in (self._spans, self._logs):
            queue.close(max(deadline_s - time.monotonic(), 0.0))
        for provider in (self.tracer_provider, self.logger_provider):
            _quietly(provider.shutdown)
        for sender in self._senders.values():
            sender.close()

    def start_over(self) -> None:
        """After a fork, in the child: new connections and threads, empty queues, counts from 0."""
        self.counters.start_over()
        for sender in self._senders.values():
            sender.start_over()
        for queue in (self._spans, self._logs):
            queue.start_over()


def _transport(settings: SdkSettings, signal: Signal) -> Transport:
    url, headers = settings.endpoint_url(), settings.request_headers()
    # Either package takes a while to load, and one is needed.
    if settings.protocol == "http":
        from swarmscope.sdk.delivery.http_transport import HttpTransport

        return HttpTransport(
            f"{url}/v1/{signal}", headers, certificate_file=settings.certificate_file, compress=settings.compress
        )
    from swarmscope.sdk.delivery.grpc_transport import GrpcTransport

    return GrpcTransport(url, signal, headers, certificate_file=settings.certificate_file, compress=settings.compress)


def _quietly(act: Callable[[], object]) -> None:
    """OpenTelemetry's providers raise when they run out of time."""
    try:
        act()
    except Exception as error:
        _logger.debug("while sending what is left: %s", error)
