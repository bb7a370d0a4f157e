"""Other people's readers of Jaeger against the running program: the tools of jaeger-mcp."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.clients.installed import NotInstallableError, reading_python_clients
from tests.integration.processes import SwarmscopeServer

pytestmark = [pytest.mark.peer, pytest.mark.slow]

US_PER_S = 1_000_000
TRACE_ID = "2b9d1f16a4f04f7b9b7e1d0c8a6f5e43"
WEB, STOCK = "jaeger-mcp-web", "jaeger-mcp-stock"


class JaegerMcp:
    """jaeger-mcp on its standard streams; a message of JSON-RPC is a line."""

    def __init__(self, url: str) -> None:
        try:
            program = reading_python_clients() / "bin" / "jaeger-mcp"
        except NotInstallableError as error:
            pytest.skip(str(error))
        self.process = subprocess.Popen(
            [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, "JAEGER_URL": url}, text=True,
        )  # fmt: skip
        self._number = 0
        client = {"name": "tests", "version": "1"}
        self._ask("initialize", protocolVersion="2025-03-26", capabilities={}, clientInfo=client)
        self._send({"method": "notifications/initialized"})

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": parameters})
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("id") == self._number:
                return message["result"]
        raise AssertionError("jaeger-mcp has ended")

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What a tool gives."""
        result = self._ask("tools/call", name=f"jaeger_{tool}", arguments=arguments)
        assert not result.get("isError"), result["content"]
        found: dict[str, Any] = result["structuredContent"]
        return found

    def refusal(self, tool: str, **arguments: Any) -> str:
        """What a tool says when it fails."""
        result = self._ask("tools/call", name=f"jaeger_{tool}", arguments=arguments)
        assert result.get("isError"), result
        text: str = result["content"][0]["text"]
        return text

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


@pytest.fixture(scope="module", name="sent_us")
def _sent_us(swarmscope_server: SwarmscopeServer) -> int:
    """A trace of two services is there, sent by Zipkin's protocol; when it began."""
    start_us = (time.time_ns() // 1_000_000_000 - 60) * US_PER_S
    ids = {"traceId": TRACE_ID, "kind": "SERVER"}
    spans = [
        ids | {"id": f"{1:016x}", "name": "POST /order", "timestamp": start_us, "duration": 250_000,
               "localEndpoint": {"serviceName": WEB}, "tags": {"http.status_code": "500", "error": "sold out"}},
        ids | {"id": f"{2:016x}", "parentId": f"{1:016x}", "name": "reserve", "timestamp": start_us + 1_000,
               "duration": 200_000, "localEndpoint": {"serviceName": STOCK}},
    ]  # fmt: skip
    answer = httpx.post(f"{swarmscope_server.address}/zipkin/api/v2/spans", json=spans, timeout=60)
    assert answer.status_code == 202, answer.text
    return start_us


@pytest.fixture(scope="module", name="mcp")
def _mcp(swarmscope_server: SwarmscopeServer, sent_us: int) -> Iterator[JaegerMcp]:
    client = JaegerMcp(f"{swarmscope_server.address}/jaeger")
    yield client
    client.close()


def test_services_and_operations(mcp: JaegerMcp) -> None:
    assert {WEB, STOCK} <= set(mcp.call("list_services")["services"])
    assert mcp.call("list_operations", service=STOCK)["operations"] == ["reserve"]


def test_search(mcp: JaegerMcp, sent_us: int) -> None:
    # Its argument `tags` cannot be given: the MCP library makes an object of the text before it is looked at.
    for arguments in (
        {},
        {"operation": "POST /order"},
        {"start": sent_us - 1, "end": sent_us + 1},
    ):
        (trace,) = mcp.call("search_traces", service=WEB, **arguments)["traces"]
        assert (trace["trace_id"], trace["root_operation"], trace["root_service"]) == (TRACE_ID, "POST /order", WEB)
        assert (trace["start_time_us"], trace["duration_us"]) == (sent_us, 250_000)
        assert (trace["span_count"], trace["service_count"], trace["errors_count"]) == (2, 2, 1)
    assert mcp.call("search_traces", service=WEB, operation="reserve")["traces"] == []


def test_a_trace_by_id(mcp: JaegerMcp) -> None:
    trace = mcp.call("get_trace", trace_id=TRACE_ID)
    assert [(span["operation_name"], span["service"]) for span in trace["spans"]] == [
        ("POST /order", WEB), ("reserve", STOCK),
    ]  # fmt: skip
    assert "not found" in mcp.refusal("get_trace", trace_id="f" * 32).lower()


def test_critical_path_and_statistics(mcp: JaegerMcp) -> None:
    path = mcp.call("critical_path", trace_id=TRACE_ID)["critical_path"]
    assert [step["operation"] for step in path] == ["POST /order", "reserve"]
    stats = {each["operation"]: each for each in mcp.call("span_statistics", service=WEB)["stats"]}
    assert (stats["POST /order"]["count"], stats["POST /order"]["error_count"]) == (1, 1)


def test_dependencies(mcp: JaegerMcp) -> None:
    edges = mcp.call("get_dependencies")["edges"]
    assert {"parent": WEB, "child": STOCK, "call_count": 1} in edges
