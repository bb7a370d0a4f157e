"""OpenTelemetry's own SDK and span exporters against the real endpoints, on sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio.to_thread
import pytest
import uvicorn
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from starlette.applications import Starlette

from swarmscope.model.errors import UnavailableError
from swarmscope.receivers.otlp.grpc_service import grpc_server
from swarmscope.receivers.otlp.routes import http_routes
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.otlp.span_export import OtlpTraces
from swarmscope.testing.plain_spans import PlainEvent, PlainLink, PlainScope, PlainSpan
from swarmscope.testing.sinks import RecordingSpanSink

T_NS = 1_700_000_000_000_000_000
TRACE, PARENT = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
# ArrayValue{values: AnyValue{string_value: "a"}, AnyValue{string_value: "b"}}, by hand.
A_AND_B = b"\x0a\x03\x0a\x01a\x0a\x03\x0a\x01b"
# Whether a context came from another process: it is known, and it did. This exporter leaves W3C's own flags out,
# and the trace state of links.
KNOWN, REMOTE = 0x100, 0x200


async def run(work: Any, *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(work, *arguments)


class Endpoints:
    def __init__(self) -> None:
        self.sink = RecordingSpanSink()
        traces = OtlpTraces(OtlpSettings(), self.sink)
        self.grpc = grpc_server([traces], "127.0.0.1:0")
        self.grpc.start()
        self.listener = socket.create_server(("127.0.0.1", 0))
        application = Starlette(routes=list(http_routes([traces], run)))
        self.http = uvicorn.Server(uvicorn.Config(application, log_level="warning", lifespan="off"))
        self.thread = threading.Thread(target=self.http.run, kwargs={"sockets": [self.listener]}, daemon=True)
        self.thread.start()
        while not self.http.started:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

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
    exporter = pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
    return exporter.OTLPSpanExporter(endpoint=f"127.0.0.1:{endpoints.grpc.port}", insecure=True)


def over_http(endpoints: Endpoints) -> Any:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(f"{endpoints.url}/v1/traces", compression=Compression.Gzip)


def over_json(endpoints: Endpoints) -> Any:
    # Not in the lock file: its 0.66b1 pins an older sibling of what the other exporters bring.
    exporter = pytest.importorskip("opentelemetry.exporter.otlp.json.http.trace_exporter")
    return exporter.OTLPSpanExporter(f"{endpoints.url}/v1/traces")


Make = Callable[[Endpoints], Any]
ALL = pytest.mark.parametrize("make", [over_grpc, over_http, over_json])


@pytest.fixture
def provider() -> Iterator[TracerProvider]:
    resource = Resource({"service.name": "agent", "host.name": "h", "tags": ["a", "b"], "cores": 8}, "https://r")
    made = TracerProvider(resource=resource, span_limits=SpanLimits(max_events=1, max_event_attributes=1))
    yield made
    made.shutdown()


@ALL
def test_every_field(endpoints: Endpoints, make: Make, provider: TracerProvider) -> None:
    provider.add_span_processor(SimpleSpanProcessor(make(endpoints)))
    tracer = provider.get_tracer("lib", "1.2", schema_url="https://s", attributes={"scope.key": True})
    state = TraceState([("vendor", "x")])
    remote = SpanContext(TRACE, PARENT, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    span = tracer.start_span(
        "über 🚀", set_span_in_context(NonRecordingSpan(remote)), SpanKind.CLIENT, start_time=T_NS,
        attributes={"n": -3, "ok": False, "took": 0.5, "text": "line\nü", "list": ["a", "b"], "empty": ""},
        links=[Link(SpanContext(7, 8, is_remote=False, trace_state=state), {"why": "retry"})],
    )  # fmt: skip
    span.add_event("dropped by the limit", timestamp=T_NS + 1)
    span.add_event("failed", {"gone": 1, "code": 7}, timestamp=T_NS + 2)
    span.set_status(Status(StatusCode.ERROR, "no stock"))
    span.end(T_NS + 1000)
    context = span.get_span_context()
    (found,) = endpoints.sink.spans()
    flags, link_flags = found.flags, found.links[0].flags
    assert (flags & ~0xFF, link_flags & ~0xFF) == (KNOWN | REMOTE, KNOWN)
    link = PlainLink((7).to_bytes(16, "big"), (8).to_bytes(8, "big"), "", {"why": "retry"}, 0, link_flags)
    assert found == PlainSpan(
        trace_id=TRACE.to_bytes(16, "big"), span_id=context.span_id.to_bytes(8, "big"),
        parent_id=PARENT.to_bytes(8, "big"), name="über 🚀", start_ns=T_NS, end_ns=T_NS + 1000, kind=3, status=2,
        status_message="no stock", trace_state="vendor=x", flags=flags,
        attributes={"n": -3, "ok": False, "took": 0.5, "text": "line\nü", "list": A_AND_B, "empty": ""},
        resource={"service.name": "agent", "host.name": "h", "tags": A_AND_B, "cores": 8},
        resource_schema_url="https://r", scope=PlainScope("lib", "1.2", {"scope.key": True}, "https://s"),
        events=(PlainEvent(T_NS + 2, "failed", {"code": 7}, 1),), dropped_events=1,
        links=(link,),
    )  # fmt: skip


@ALL
def test_parents_and_children(endpoints: Endpoints, make: Make, provider: TracerProvider) -> None:
    provider.add_span_processor(SimpleSpanProcessor(make(endpoints)))
    outer, inner = provider.get_tracer("a"), provider.get_tracer("b")
    with outer.start_as_current_span("root"), inner.start_as_current_span("child"):
        pass
    child, root = endpoints.sink.spans()
    assert (child.name, child.scope.name, root.name, root.scope.name) == ("child", "b", "root", "a")
    assert (child.trace_id, child.parent_id, root.parent_id) == (root.trace_id, root.span_id, bytes(8))
    assert (child.kind, child.status) == (1, 0)


@ALL
def test_an_answer_with_a_retry_is_tried_again(endpoints: Endpoints, make: Make, provider: TracerProvider) -> None:
    provider.add_span_processor(SimpleSpanProcessor(make(endpoints)))
    endpoints.sink.error = UnavailableError("starting", retry_after_s=0.2)
    threading.Timer(0.3, lambda: setattr(endpoints.sink, "error", None)).start()
    provider.get_tracer("lib").start_span("once").end()
    assert [span.name for span in endpoints.sink.spans()] == ["once"]
