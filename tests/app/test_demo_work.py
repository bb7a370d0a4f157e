"""What the demo fleet tells of its calls, as it arrives."""

from __future__ import annotations

import gzip
import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from swarmscope.app.demo.fleet import Fleet
from swarmscope.app.demo.work import FleetWork

_KINDS = {2: "server", 3: "client", 1: "internal"}


class _Recorder(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: dict[str, list[bytes]] = defaultdict(list)


class _Handler(BaseHTTPRequestHandler):
    server: _Recorder

    def do_POST(self) -> None:
        """Keep the body."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.bodies[self.path].append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def told():
    """Spans by (service, span), and lines by service, of ten minutes; the number of calls."""
    recorder = _Recorder()
    thread = threading.Thread(target=recorder.serve_forever)
    thread.start()
    fleet = Fleet(3)
    work = FleetWork(f"http://127.0.0.1:{recorder.server_port}", {}, fleet.agents)
    calls = []
    for _ in range(60):
        tick = fleet.tick(1.0)
        calls += [call for done in tick for call in done.calls]
        work.record(tick)
    work.close()
    recorder.shutdown()
    thread.join()
    recorder.server_close()
    spans = [
        (_service(group), span)
        for body in recorder.bodies["/v1/traces"]
        for group in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
    lines = [
        (_service(group), line)
        for body in recorder.bodies["/v1/logs"]
        for group in ExportLogsServiceRequest.FromString(body).resource_logs
        for scope in group.scope_logs
        for line in scope.log_records
    ]
    return spans, lines, calls


def _service(group) -> str:
    return next(pair.value.string_value for pair in group.resource.attributes if pair.key == "service.name")


def test_every_call_is_a_trace_with_a_span_of_the_model(told):
    spans, _, calls = told
    traces = defaultdict(list)
    for service, span in spans:
        traces[span.trace_id].append((service, span))
    assert len(traces) == len(calls)
    for members in traces.values():
        ids = {span.span_id for _, span in members}
        roots = [span for _, span in members if not span.parent_span_id]
        assert len(roots) == 1
        assert all(span.parent_span_id in ids for _, span in members if span.parent_span_id)
        assert sum(span.name.startswith("chat ") for _, span in members) == 1


def test_planners_call_the_others(told):
    spans, _, _ = told
    by_id = {span.span_id: (service, span) for service, span in spans}
    pairs = {
        (by_id[span.parent_span_id][0], service, _KINDS[by_id[span.parent_span_id][1].kind])
        for service, span in spans
        if span.kind == 2
    }
    others = ("researcher", "coder", "critic", "safety-monitor")
    assert pairs == {("planner", service, "client") for service in others}


def test_every_call_has_a_line_with_the_ids_of_its_span(told):
    spans, lines, calls = told
    assert len(lines) == len(calls)
    known = {(span.trace_id, span.span_id) for _, span in spans}
    assert {(line.trace_id, line.span_id) for _, line in lines} <= known
    for service, line in lines:
        told_line = json.loads(line.body.string_value)
        assert (told_line["msg"].endswith("failed")) == (line.severity_number == 17)
        assert service != "planner" or told_line["model"] == "reasoner-large"
