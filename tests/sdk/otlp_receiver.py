"""A small OTLP receiver over HTTP: decodes what arrives, and answers as it is told to."""

import gzip
import socket
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_REQUESTS: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


@dataclass
class Told:
    """An answer other than 200 with nothing in it."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_s: float = 0.0


class Receiver:
    def __init__(self, port: int = 0) -> None:
        self.accepted: dict[str, list[Any]] = defaultdict(list)
        self.attempts: dict[str, list[float]] = defaultdict(list)
        self.headers: list[dict[str, str]] = []
        self.answers: dict[str, deque[Told]] = defaultdict(deque)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # who asked may have given up
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        if handler.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        path = handler.path
        self.attempts[path].append(time.monotonic())
        self.headers.append({name.lower(): value for name, value in handler.headers.items()})
        told = self.answers[path].popleft() if self.answers[path] else Told()
        time.sleep(told.delay_s)
        if told.status == 200:
            self.accepted[path].append(_REQUESTS[path].FromString(body))
        handler.send_response(told.status)
        for name, value in told.headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(told.body)))
        handler.end_headers()
        handler.wfile.write(told.body)

    def spans(self) -> list[Any]:
        return [
            span
            for request in self.accepted["/v1/traces"]
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def logs(self) -> list[Any]:
        return [
            record
            for request in self.accepted["/v1/logs"]
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def metrics(self) -> dict[str, Any]:
        """The latest of each name."""
        return {
            metric.name: metric
            for request in self.accepted["/v1/metrics"]
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def attributes_of(item: Any) -> dict[str, Any]:
    """Attributes of a decoded span, record, point or resource."""
    found = {}
    for each in item.attributes:
        kind = each.value.WhichOneof("value")
        value = getattr(each.value, kind) if kind else None
        found[each.key] = [getattr(v, v.WhichOneof("value")) for v in value.values] if kind == "array_value" else value
    return found


def dead_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_until(condition: Any, timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "did not come about"
        time.sleep(0.005)
