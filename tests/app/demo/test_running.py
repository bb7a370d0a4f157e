"""The fleet as a newcomer runs it: the command, against a receiver that takes everything, and against none."""

from __future__ import annotations

import gzip
import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from typer.testing import CliRunner

from swarmscope.app.cli import app
from swarmscope.app.demo.running import DemoFleet, DemoOptions


class _Recorder(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: dict[str, list[bytes]] = defaultdict(list)
        self.refusals = 0  # so many requests are told to come back


class _Handler(BaseHTTPRequestHandler):
    server: _Recorder
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Keep the body, unless it is to be refused."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.refusals -= 1
        if self.server.refusals < 0:
            self.server.bodies[self.path].append(gzip.decompress(body))
        self.send_response(200 if self.server.refusals < 0 else 503)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def recorder():
    server = _Recorder()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def endpoint(recorder):
    return f"http://127.0.0.1:{recorder.server_port}"


def _spans(recorder):
    return [
        span
        for body in recorder.bodies["/v1/traces"]
        for group in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def test_history_all_signals_and_the_truth(recorder, endpoint, tmp_path, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)  # the runner is not the main program
    truth = tmp_path / "truth.json"
    result = CliRunner().invoke(
        app, ["demo", "--endpoint", endpoint, "--since", "10m", "--for", "0s", "--truth", str(truth), "--seed", "4"]
    )
    assert result.exit_code == 0, result.output
    assert "42 agents" in result.output
    assert set(recorder.bodies) == {"/v1/traces", "/v1/logs", "/v1/metrics"}
    told = json.loads(truth.read_text())
    assert told["seed"] == 4
    assert len(told["faults"]) >= 10
    assert all(fault["agents"] and fault["begin"] for fault in told["faults"])
    spans = _spans(recorder)
    assert len(spans) > 5_000
    assert len({span.span_id for span in spans}) == len(spans)


def test_requests_are_sent_again_when_the_receiver_is_busy(recorder, endpoint):
    recorder.refusals = 2
    fleet = DemoFleet(DemoOptions(endpoint, since_s=40, duration_s=0), threading.Event())
    fleet.run()
    assert fleet.sender.n_dropped == 0
    assert recorder.bodies["/v1/traces"]


def test_nobody_answers(monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("swarmscope.app.demo.wire.sending._FIRST_PAUSE_S", 0.0)
    result = CliRunner().invoke(app, ["demo", "--endpoint", "http://127.0.0.1:1", "--since", "40s", "--for", "0s"])
    assert result.exit_code == 1
    assert "took not all: no answer" in result.output


@pytest.mark.parametrize("arguments", [["--faults", "flood"], ["--since", "soon"], ["--endpoint", "ftp://x"]])
def test_mistakes_are_named(arguments):
    result = CliRunner().invoke(app, ["demo", *arguments])
    assert result.exit_code == 2
    assert arguments[1].split(":")[0] in result.output
