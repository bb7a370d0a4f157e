"""Other people's readers of Tempo against the running program: the tools of Grafana's MCP server; and our own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.integration.grafana_stand_in import TRACES, grafana
from tests.integration.mcp_grafana import McpGrafana
from tests.integration.processes import SwarmscopeServer

pytestmark = [pytest.mark.peer, pytest.mark.slow]

NS_PER_S = 1_000_000_000
TRACE_ID = secrets.token_hex(16)
SERVICE = f"mcp-traced-{TRACE_ID[:8]}"


def _attribute(key: str, value: str | int) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value} if isinstance(value, str) else {"intValue": str(value)}}


@pytest.fixture(scope="module")
def sent_ns(swarmscope_server: SwarmscopeServer) -> int:
    """A trace of three spans is there, of which one failed; when it began."""
    start_ns = (time.time_ns() // NS_PER_S - 60) * NS_PER_S

    def span(number: int, name: str, parent: str, status: int) -> dict[str, Any]:
        begin_ns = start_ns + number * 1_000_000
        return {
            "traceId": TRACE_ID, "spanId": f"{number:016x}", "parentSpanId": parent, "name": name, "kind": 2,
            "startTimeUnixNano": str(begin_ns), "endTimeUnixNano": str(begin_ns + 50_000_000),
            "attributes": [_attribute("step", number)], "status": {"code": status},
        }  # fmt: skip

    spans = [span(1, "plan", "", 0), span(2, "act", f"{1:016x}", 2), span(3, "tell", f"{1:016x}", 0)]
    resource = {"attributes": [_attribute("service.name", SERVICE)]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
    answer = httpx.post(f"{swarmscope_server.address}/v1/traces", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    return start_ns


@pytest.fixture(scope="module")
def mcp(swarmscope_server: SwarmscopeServer, sent_ns: int) -> Iterator[McpGrafana]:
    with grafana(swarmscope_server.address, TRACES) as (address, _asked):
        client = McpGrafana(address, TRACES.uid, "tempo")
        yield client
        client.close()


@pytest.fixture
def span(sent_ns: int) -> dict[str, str]:
    def spell(ts_ns: int) -> str:
        return datetime.fromtimestamp(ts_ns / NS_PER_S, UTC).isoformat()

    return {"start": spell(sent_ns - 60 * NS_PER_S), "end": spell(sent_ns + 60 * NS_PER_S)}


def test_search(mcp: McpGrafana, span: dict[str, str], sent_ns: int) -> None:
    query = f'{{ resource.service.name = "{SERVICE}" && status = error }}'
    (trace,) = mcp.call("search_tempo_traces", query=query, **span)["traces"]
    assert (trace["traceID"], trace["rootServiceName"], trace["rootTraceName"]) == (TRACE_ID, SERVICE, "plan")
    assert trace["startTimeUnixNano"] == str(sent_ns + 1_000_000)
    assert [each["spanID"] for each in trace["spanSets"][0]["spans"]] == [f"{2:016x}"]


def test_structural_search(mcp: McpGrafana, span: dict[str, str]) -> None:
    query = f'{{ name = "plan" }} > {{ .step > 1 && resource.service.name = "{SERVICE}" }}'
    (trace,) = mcp.call("search_tempo_traces", query=query, **span)["traces"]
    assert trace["spanSets"][0]["matched"] == 2


def test_trace(mcp: McpGrafana) -> None:
    found = mcp.call("get_tempo_trace", trace_id=TRACE_ID)
    assert found["status"] == "COMPLETE"
    (batch,) = found["trace"]["resourceSpans"]
    assert [each["name"] for each in batch["scopeSpans"][0]["spans"]] == ["plan", "act", "tell"]


def test_numbers(mcp: McpGrafana, span: dict[str, str]) -> None:
    query = f'{{ resource.service.name = "{SERVICE}" }} | count_over_time() by (status)'
    found = mcp.call("query_tempo_metrics", type="instant", query=query, **span)["series"]
    counts = {each["labels"][0]["value"]["stringValue"]: each["value"] for each in found}
    assert counts == {"unset": 2, "error": 1}
    found = mcp.call("query_tempo_metrics", type="range", query=query, **span)["series"]
    assert sum(sample["value"] for each in found for sample in each["samples"]) == 3


def test_names_and_values(mcp: McpGrafana) -> None:
    scopes = {each["name"]: each["tags"] for each in mcp.call("list_tempo_attribute_names")["scopes"]}
    assert "step" in scopes["span"]
    assert "service.name" in scopes["resource"]
    filters = {"filter-query": f'{{ resource.service.name = "{SERVICE}" }}'}
    values = mcp.call("list_tempo_attribute_values", name="span.step", **filters)["tagValues"]
    assert sorted(each["value"] for each in values) == ["1", "2", "3"]


def test_the_command_line(swarmscope_server: SwarmscopeServer, sent_ns: int) -> None:
    def run(*arguments: str) -> str:
        program = "from swarmscope.app.cli import main; main()"
        command = [sys.executable, "-c", program, *arguments, "--url", swarmscope_server.address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True,
                              env={**os.environ, "COLUMNS": "140"})  # fmt: skip
        return done.stdout

    lines = run("trace", TRACE_ID).splitlines()
    assert "3 spans, 1 service, 1 error" in lines[0]
    assert [line.split(SERVICE)[-1].split()[0] for line in lines[1:]] == ["plan", "act", "tell"]
    query = f'{{ resource.service.name = "{SERVICE}" }}'
    found = [json.loads(line) for line in run("traces", query, "--since", "10m", "--json").splitlines()]
    assert [trace["traceID"] for trace in found] == [TRACE_ID]
