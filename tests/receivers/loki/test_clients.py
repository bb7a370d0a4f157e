"""Loki clients in Python against the endpoint, on a socket."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import anyio.to_thread
import pytest
import uvicorn
from starlette.applications import Starlette

from swarmscope.receivers.loki.routes import routes
from swarmscope.receivers.loki.settings import LokiSettings
from swarmscope.testing.sinks import RecordedLine, RecordingLogSink


async def run(work: Any, *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(work, *arguments)


class Endpoint:
    def __init__(self) -> None:
        self.sink = RecordingLogSink()
        self.listener = socket.create_server(("127.0.0.1", 0))
        application = Starlette(routes=list(routes(LokiSettings(), self.sink, self.sink.index, run)))
        self.http = uvicorn.Server(uvicorn.Config(application, log_level="warning", lifespan="off"))
        self.thread = threading.Thread(target=self.http.run, kwargs={"sockets": [self.listener]}, daemon=True)
        self.thread.start()
        while not self.http.started:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/loki/api/v1/push"

    def wait_for_lines(self, count: int) -> list[RecordedLine]:
        deadline_s = time.monotonic() + 20
        while len(self.sink.lines()) < count and time.monotonic() < deadline_s:
            time.sleep(0.02)
        return self.sink.lines()

    def close(self) -> None:
        self.http.should_exit = True
        self.thread.join(10)
        self.listener.close()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    opened = Endpoint()
    yield opened
    opened.close()


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.Logger("shop")
    yield made
    for handler in made.handlers:
        handler.close()


def test_python_logging_loki(endpoint: Endpoint, logger: logging.Logger) -> None:
    logging_loki = pytest.importorskip("logging_loki")
    logger.addHandler(logging_loki.LokiHandler(url=endpoint.url, tags={"application": "my-app"}, version="1"))
    before_ns = time.time_ns()
    logger.warning("order %s über", 7, extra={"tags": {"order.id": "seven"}})
    logger.error('quote " and \\ and\nnewline')
    lines = endpoint.wait_for_lines(2)
    assert [line.line for line in lines] == ["order 7 über", 'quote " and \\ and\nnewline']
    assert lines[0].labels == {
        "application": "my-app", "severity": "warning", "logger": "shop", "order_id": "seven", "service_name": "my-app",
    }  # fmt: skip
    assert lines[1].labels == {
        "application": "my-app", "severity": "error", "logger": "shop", "service_name": "my-app",
    }  # fmt: skip
    assert all(before_ns - 10**9 <= line.ts_ns <= time.time_ns() for line in lines)


@pytest.mark.parametrize("compressed", [True, False])
def test_loki_logger_handler(endpoint: Endpoint, logger: logging.Logger, compressed: bool) -> None:
    module = pytest.importorskip("loki_logger_handler.loki_logger_handler")
    handler = module.LokiLoggerHandler(
        url=endpoint.url, labels={"application": "Test", "env": "live"}, timeout=1, compressed=compressed,
        enable_structured_loki_metadata=True, loki_metadata={"service_version": "1.0"},
    )  # fmt: skip
    logger.addHandler(handler)
    logger.info("first")
    logger.warning("second")
    lines = endpoint.wait_for_lines(2)
    assert len(lines) == 2
    assert all(line.labels == {"application": "Test", "env": "live", "service_name": "Test"} for line in lines)
    assert [("first" in line.line, "second" in line.line) for line in lines] == [(True, False), (False, True)]
    assert all(line.metadata["service_version"] == "1.0" for line in lines)
