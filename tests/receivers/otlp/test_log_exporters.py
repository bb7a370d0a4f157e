"""OpenTelemetry's own SDK and log exporters against the real endpoints, on sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio.to_thread
import pytest
import uvicorn
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from starlette.applications import Starlette

from swarmscope.model.errors import UnavailableError
from swarmscope.receivers.otlp.grpc_service import grpc_server
from swarmscope.receivers.otlp.log_export import OtlpLogs
from swarmscope.receivers.otlp.routes import http_routes
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.testing.sinks import RecordingLogSink

T_NS = 1_700_000_000_000_000_000


async def run(work: Any, *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(work, *arguments)


class Endpoints:
    def __init__(self) -> None:
        self.sink = RecordingLogSink()
        logs = OtlpLogs(OtlpSettings(), self.sink, self.sink.index)
        self.grpc = grpc_server([logs], "127.0.0.1:0")
        self.grpc.start()
        self.listener = socket.create_server(("127.0.0.1", 0))
        application = Starlette(routes=list(http_routes([logs], run)))
        self.http = uvicorn.Server(uvicorn.Config(application, log_level="warning", lifespan="off"))
        self.thread = threading.Thread(target=self.http.run, kwargs={"sockets": [self.listener]}, daemon=True)
        self.thread.start()
        while not self.http.started:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1/logs"

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


def over_grpc(endpoints: Endpoints) -> Any:
    exporter = pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc._log_exporter")
    return exporter.OTLPLogExporter(endpoint=f"127.0.0.1:{endpoints.grpc.port}", insecure=True)


def over_http(endpoints: Endpoints) -> Any:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    return OTLPLogExporter(endpoints.url, compression=Compression.Gzip)


def over_json(endpoints: Endpoints) -> Any:
    # Not in the lock file: its 0.66b1 pins an older sibling of what the other exporters bring.
    exporter = pytest.importorskip("opentelemetry.exporter.otlp.json.http._log_exporter")
    return exporter.OTLPLogExporter(endpoints.url)


Make = Callable[[Endpoints], Any]
ALL = pytest.mark.parametrize("make", [over_grpc, over_http, over_json])


@pytest.fixture
def provider() -> Iterator[LoggerProvider]:
    made = LoggerProvider(Resource({"service.name": "agent", "host.name": "h", "tags": ["a", "b"]}))
    yield made
    made.shutdown()


@ALL
def test_every_field(endpoints: Endpoints, make: Make, provider: LoggerProvider) -> None:
    provider.add_log_record_processor(SimpleLogRecordProcessor(make(endpoints)))
    emitter = provider.get_logger("lib", "1.2", attributes={"scope.key": "v"})
    with TracerProvider().get_tracer("t").start_as_current_span("work") as span:
        emitter.emit(
            LogRecord(
                timestamp=T_NS, observed_timestamp=T_NS + 1, severity_text="WARN", severity_number=SeverityNumber.WARN,
                body={"text": "order failed", "n": [1, 2.5, None]}, event_name="order.failed",
                attributes={"http.method": "GET", "n": 3, "ok": False, "took": 0.5, "list": ["x", "y"],
                            "nested": {"a": {"b": 1}}},
            )
        )  # fmt: skip
    context = span.get_span_context()
    (line,) = endpoints.sink.lines()
    assert (line.labels, line.ts_ns, line.observed_ns) == ({"service_name": "agent"}, T_NS, T_NS + 1)
    assert (line.severity, line.line) == (13, '{"n":[1,2.5,null],"text":"order failed"}')
    assert (line.trace_id, line.span_id) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    flags = line.metadata.pop("flags")
    assert int(flags) & 1 == 1
    assert line.metadata == {
        "host.name": "h", "tags": '["a","b"]', "scope_name": "lib", "scope_version": "1.2", "scope.key": "v",
        "http.method": "GET", "n": "3", "ok": "false", "took": "0.5", "list": '["x","y"]', "nested.a.b": "1",
        "event_name": "order.failed", "severity_text": "WARN",
    }  # fmt: skip


@ALL
def test_an_answer_with_a_retry_is_tried_again(endpoints: Endpoints, make: Make, provider: LoggerProvider) -> None:
    provider.add_log_record_processor(SimpleLogRecordProcessor(make(endpoints)))
    endpoints.sink.error = UnavailableError("starting", retry_after_s=0.2)
    threading.Timer(0.3, lambda: setattr(endpoints.sink, "error", None)).start()
    provider.get_logger("lib").emit(LogRecord(timestamp=T_NS, body="once"))
    assert [line.line for line in endpoints.sink.lines()] == ["once"]
