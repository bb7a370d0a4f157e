"""Other people's senders of spans over OTLP: every field that they were told to send is read back over three APIs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from swarmscope.testing.plain_spans import PlainEvent, PlainLink, PlainScope, PlainSpan
from tests.integration.log_reading import wait_until
from tests.integration.processes import SwarmscopeServer, free_port
from tests.integration.test_log_senders import NS_PER_MS, is_open, python_program, run_node
from tests.integration.trace_reading import Arrived

pytestmark = [pytest.mark.peer, pytest.mark.slow]

TRACE, PARENT = bytes.fromhex("0af7651916cd43dd8448eb211c80319c"), bytes.fromhex("b7ad6b7169203331")
# ArrayValue{values: AnyValue{string_value: "x"}, AnyValue{string_value: "y"}}, by hand.
X_AND_Y = b"\x0a\x03\x0a\x01x\x0a\x03\x0a\x01y"
SAMPLED, KNOWN, REMOTE = 1, 0x100, 0x200


class Endpoints:
    """The ports of OTLP, and the spans that came since."""

    def __init__(self, server: SwarmscopeServer) -> None:
        self.grpc_port, self.otlp_http_port = server.otlp_grpc_port, server.otlp_http_port
        self.url = f"http://127.0.0.1:{server.otlp_http_port}"
        self.arrived = Arrived(server)

    def spans(self, count: int) -> list[PlainSpan]:
        return self.arrived.spans(count)


@pytest.fixture
def endpoints(swarmscope_server: SwarmscopeServer) -> Endpoints:
    return Endpoints(swarmscope_server)


def url_of(endpoints: Endpoints, exporter: str) -> str:
    return f"http://127.0.0.1:{endpoints.grpc_port}" if exporter == "grpc" else f"{endpoints.url}/v1/traces"


@pytest.mark.parametrize("exporter", ["grpc", "http", "proto"])
def test_opentelemetry_in_node(endpoints: Endpoints, exporter: str) -> None:
    base_ms = int(time.time() * 1000) - 5000
    run_node(
        "send_spans.mjs", exporter=exporter, url=url_of(endpoints, exporter), compression="gzip",
        service=f"node-{exporter}", base_ms=base_ms,
    )  # fmt: skip
    spans = {span.name: span for span in endpoints.spans(2)}
    child, span = spans.pop("child"), spans.popitem()[1]
    base_ns = base_ms * NS_PER_MS
    # It tells whether a context is remote, and W3C's flags.
    assert span.flags == SAMPLED | KNOWN | REMOTE
    link_flags = span.links[0].flags
    assert link_flags & SAMPLED == 0
    link = PlainLink((7).to_bytes(16, "big"), (8).to_bytes(8, "big"), "other=y", {"why": "retry"}, 0, link_flags)
    assert span == PlainSpan(
        trace_id=TRACE, span_id=span.span_id, parent_id=PARENT, name="GET /order/{id} 🚀", start_ns=base_ns,
        end_ns=base_ns + 4 * NS_PER_MS, kind=2, status=2, status_message='no stock "ü"', trace_state="vendor=x",
        flags=span.flags, resource={"service.name": f"node-{exporter}", "cores": 8, "load": 0.5},
        attributes={"http.method": "GET", "http.status_code": 503, "retried": True, "ratio": 0.25, "list": X_AND_Y,
                    "n": -3},
        scope=PlainScope("orders", "1.4.0", schema_url="https://opentelemetry.io/schemas/1.40.0"),
        events=(PlainEvent(base_ns + NS_PER_MS, "failed", {"code": 7}),), links=(link,),
    )  # fmt: skip
    assert (child.trace_id, child.parent_id, child.kind, child.status) == (TRACE, span.span_id, 1, 0)
    assert (child.start_ns, child.end_ns) == (base_ns + 2 * NS_PER_MS, base_ns + 3 * NS_PER_MS)


@pytest.fixture
def rotel(endpoints: Endpoints, tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Rotel, a collector, in front of the endpoints; it sends gzip over HTTP. Gives its ports for HTTP and gRPC."""
    grpc_port, http_port = free_port(), free_port()
    command = [
        str(python_program("rotel-agent")), "start", "--pid-file", str(tmp_path / "pid"),
        "--otlp-grpc-endpoint", f"127.0.0.1:{grpc_port}", "--otlp-http-endpoint", f"127.0.0.1:{http_port}",
        "--exporter", "otlp", "--otlp-exporter-endpoint", endpoints.url,
        "--otlp-exporter-protocol", "http", "--otlp-exporter-compression", "gzip",
    ]  # fmt: skip
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_until(lambda: all(is_open(port) for port in (grpc_port, http_port)), (tmp_path / "log").read_text())
            yield http_port, grpc_port
        finally:
            process.terminate()


def python_exporter(kind: str, http_port: int, grpc_port: int) -> Any:
    if kind == "grpc":
        exporter = pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
        return exporter.OTLPSpanExporter(endpoint=f"127.0.0.1:{grpc_port}", insecure=True)
    if kind == "json":
        exporter = pytest.importorskip("opentelemetry.exporter.otlp.json.http.trace_exporter")
        return exporter.OTLPSpanExporter(f"http://127.0.0.1:{http_port}/v1/traces")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(f"http://127.0.0.1:{http_port}/v1/traces")


@pytest.mark.parametrize("kind", ["grpc", "protobuf", "json"])
def test_opentelemetry_in_python(endpoints: Endpoints, kind: str) -> None:
    exporter = python_exporter(kind, endpoints.otlp_http_port, endpoints.grpc_port)
    check_python_span(endpoints, exporter, f"python-{kind}")


@pytest.mark.parametrize("kind", ["grpc", "protobuf"])
def test_rotel_in_front(endpoints: Endpoints, rotel: tuple[int, int], kind: str) -> None:
    check_python_span(endpoints, python_exporter(kind, *rotel), f"rotel-{kind}")


def check_python_span(endpoints: Endpoints, exporter: Any, service: str) -> None:
    base_ns = time.time_ns() - 5_000_000_000
    provider = TracerProvider(resource=Resource({"service.name": service, "list": ["x", "y"]}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("lib", "1.2", attributes={"scope.key": "v"})
    attributes = {"n": -3, "ok": False, "took": 0.5, "text": "line\nü"}
    link = Link(SpanContext(7, 8, is_remote=False), {"why": "retry"})
    span = tracer.start_span("work", None, SpanKind.PRODUCER, attributes, [link], start_time=base_ns)
    span.add_event("failed", {"code": 7}, timestamp=base_ns + 1)
    span.set_status(Status(StatusCode.ERROR, "no stock"))
    span.end(base_ns + 1000)
    provider.shutdown()
    (found,) = endpoints.spans(1)
    context = span.get_span_context()
    assert found == PlainSpan(
        trace_id=context.trace_id.to_bytes(16, "big"), span_id=context.span_id.to_bytes(8, "big"), name="work",
        start_ns=base_ns, end_ns=base_ns + 1000, kind=4, status=2, status_message="no stock", flags=KNOWN,
        attributes=attributes, resource={"service.name": service, "list": X_AND_Y},
        scope=PlainScope("lib", "1.2", {"scope.key": "v"}),
        events=(PlainEvent(base_ns + 1, "failed", {"code": 7}),),
        links=(PlainLink((7).to_bytes(16, "big"), (8).to_bytes(8, "big"), "", {"why": "retry"}, 0, KNOWN),),
    )  # fmt: skip
