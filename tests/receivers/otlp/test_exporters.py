"""OpenTelemetry's own SDK and exporters against the real endpoints, on sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio.to_thread
import pytest
import uvicorn
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from starlette.applications import Starlette

from swarmscope.receivers.otlp.export import OtlpMetrics
from swarmscope.receivers.otlp.grpc_service import grpc_server
from swarmscope.receivers.otlp.routes import http_routes
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.testing.sinks import RecordingSink

DELTA = dict.fromkeys((Counter, Histogram, ObservableCounter), AggregationTemporality.DELTA)
CUMULATIVE = dict.fromkeys((Counter, Histogram, ObservableCounter), AggregationTemporality.CUMULATIVE)


async def run(work: Any, *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(work, *arguments)


class Endpoints:
    def __init__(self) -> None:
        self.sink = RecordingSink()
        self.metrics = OtlpMetrics(OtlpSettings(), self.sink, self.sink.index)
        self.grpc = grpc_server([self.metrics], "127.0.0.1:0")
        self.grpc.start()
        self.listener = socket.create_server(("127.0.0.1", 0))
        application = Starlette(routes=list(http_routes([self.metrics], run)))
        self.http = uvicorn.Server(uvicorn.Config(application, log_level="warning", lifespan="off"))
        self.thread = threading.Thread(target=self.http.run, kwargs={"sockets": [self.listener]}, daemon=True)
        self.thread.start()
        while not self.http.started:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1/metrics"

    def close(self) -> None:
        self.grpc.stop(1)
        self.http.should_exit = True
        self.thread.join(10)
        self.listener.close()


@pytest.fixture
def endpoints() -> Iterator[Endpoints]:
    opened = Endpoints()
    yield opened
    opened.close()


def over_grpc(endpoints: Endpoints, temporality: Any) -> MetricExporter:
    exporter = pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc.metric_exporter")
    target = f"127.0.0.1:{endpoints.grpc.port}"
    return exporter.OTLPMetricExporter(endpoint=target, insecure=True, preferred_temporality=temporality)


def over_http(endpoints: Endpoints, temporality: Any) -> MetricExporter:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter(endpoints.url, preferred_temporality=temporality, compression=Compression.Gzip)


def over_json(endpoints: Endpoints, temporality: Any) -> MetricExporter:
    # Not in the lock file: its 0.66b1 pins an older sibling of what the other exporters bring.
    exporter = pytest.importorskip("opentelemetry.exporter.otlp.json.http.metric_exporter")
    return exporter.OTLPMetricExporter(endpoints.url, preferred_temporality=temporality)


class Fleet:
    """A meter provider that exports when told to."""

    def __init__(self, exporter: MetricExporter) -> None:
        self.results: list[MetricExportResult] = []
        export = exporter.export

        def recording(*arguments: Any, **named: Any) -> MetricExportResult:
            self.results.append(export(*arguments, **named))
            return self.results[-1]

        exporter.export = recording  # type: ignore[method-assign]
        self.reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
        self.provider = MeterProvider(
            [self.reader],
            Resource({"service.name": "agent", "service.instance.id": "1", "host.name": "h"}),
            views=[View(instrument_name="exp.*", aggregation=ExponentialBucketHistogramAggregation())],
        )
        self.meter = self.provider.get_meter("fleet")


Make = Callable[[Endpoints, Any], MetricExporter]
ALL = pytest.mark.parametrize("make", [over_grpc, over_http, over_json])


@ALL
@pytest.mark.parametrize("temporality", [CUMULATIVE, DELTA])
def test_every_instrument(endpoints: Endpoints, make: Make, temporality: Any) -> None:
    fleet = Fleet(make(endpoints, temporality))
    counter = fleet.meter.create_counter("gen_ai.client.token.usage", "{token}", "Tokens")
    updown = fleet.meter.create_up_down_counter("queue.length")
    gauge = fleet.meter.create_gauge("temperature", "Cel")
    histogram = fleet.meter.create_histogram("latency", "s", explicit_bucket_boundaries_advisory=[0.1, 1.0])
    exponential = fleet.meter.create_histogram("exp.latency", "s")
    for _ in range(2):
        counter.add(5, {"gen_ai.system": "x"})
        updown.add(-2)
        gauge.set(21.5)
        for value in (0.05, 0.5, 0.5, 7.0):
            histogram.record(value)
        exponential.record(3.0)
        fleet.reader.collect()
    fleet.provider.shutdown()
    assert set(fleet.results) == {MetricExportResult.SUCCESS}
    last = {tuple(sorted(labels.items())): value for labels, _, value in endpoints.sink.samples()}
    value_of = {
        (dict(labels)["__name__"], dict(labels).get("le", "")): value
        for labels, value in last.items()
        if dict(labels).get("job") == "agent" and dict(labels).get("instance") == "1"
    }
    assert value_of[("gen_ai.client.token.usage", "")] == 10.0
    assert value_of[("queue.length", "")] == -4.0
    assert value_of[("temperature", "")] == 21.5
    assert [value_of[("latency_bucket", le)] for le in ("0.1", "1", "+Inf")] == [2.0, 6.0, 8.0]
    assert value_of[("latency_count", "")] == 8.0
    assert value_of[("latency_sum", "")] == pytest.approx(16.1)
    assert value_of[("target_info", "")] == 1.0
    native = [batch.histograms for batch in endpoints.sink.batches if len(batch.histograms)][-1]
    assert (native.count.tolist(), native.sum.tolist()) == ([2.0], [6.0])
    # 3.0 lies in (base^(i-1), base^i] with base 2^(2^-schema).
    exponent = 2.0 ** -int(native.schema[0])
    index = int(native.positive.index[0])
    assert 2.0 ** ((index - 1) * exponent) < 3.0 <= 2.0 ** (index * exponent)
    assert native.positive.count.tolist() == [2.0]


@ALL
def test_an_answer_with_a_retry_is_tried_again(endpoints: Endpoints, make: Make) -> None:
    from swarmscope.model.errors import UnavailableError

    fleet = Fleet(make(endpoints, DELTA))
    fleet.meter.create_counter("c").add(3)
    endpoints.sink.error = UnavailableError("starting", retry_after_s=0.2)
    threading.Timer(0.3, lambda: setattr(endpoints.sink, "error", None)).start()
    fleet.reader.collect()
    fleet.provider.shutdown()
    assert fleet.results[0] is MetricExportResult.SUCCESS
    assert {value for labels, _, value in endpoints.sink.samples() if labels["__name__"] == "c"} == {3.0}
