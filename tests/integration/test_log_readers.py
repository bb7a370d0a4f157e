"""Other people's readers of Loki against the running program: the tools of Grafana's MCP server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from tests.integration.grafana_stand_in import LOGS, grafana
from tests.integration.log_reading import loki_api
from tests.integration.mcp_grafana import McpGrafana
from tests.integration.processes import SwarmscopeServer

pytestmark = [pytest.mark.peer, pytest.mark.slow]

NS_PER_S = 1_000_000_000
LINES = 6


@pytest.fixture(scope="module")
def sent_ns(swarmscope_server: SwarmscopeServer) -> int:
    """Six lines of one stream and three of another are there; the time of the first."""
    first_ns = (time.time_ns() // NS_PER_S - 600) * NS_PER_S
    values = [
        [str(first_ns + number * NS_PER_S), f"level=error n={number} order failed", {"order_id": str(number)}]
        for number in range(LINES)
    ]
    others = [[str(first_ns + number * NS_PER_S), "quiet"] for number in range(3)]
    streams = [
        {"stream": {"app": "mcp", "pod": "a"}, "values": values},
        {"stream": {"app": "mcp", "pod": "b"}, "values": others},
    ]
    assert httpx.post(f"{loki_api(swarmscope_server)}/push", json={"streams": streams}, timeout=60).status_code == 204
    return first_ns


@pytest.fixture(scope="module")
def mcp(swarmscope_server: SwarmscopeServer) -> Iterator[tuple[McpGrafana, list[str]]]:
    with grafana(swarmscope_server.address, LOGS) as (address, asked):
        client = McpGrafana(address, LOGS.uid, "loki")
        yield client, asked
        client.close()


def spell(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns / NS_PER_S, UTC).isoformat()


@pytest.fixture
def span(sent_ns: int) -> dict[str, str]:
    return {"startRfc3339": spell(sent_ns - 60 * NS_PER_S), "endRfc3339": spell(sent_ns + 60 * NS_PER_S)}


def test_label_names_and_values(mcp: tuple[McpGrafana, list[str]], span: dict[str, str]) -> None:
    client, asked = mcp
    names = client.call("list_loki_label_names", matcher='{app="mcp"}', **span)
    assert sorted(names) == ["app", "pod", "service_name"]
    assert client.call("list_loki_label_values", labelName="pod", matcher='{app="mcp"}', **span) == ["a", "b"]
    assert any("/loki/api/v1/label/pod/values" in path for path in asked)


def test_lines(mcp: tuple[McpGrafana, list[str]], span: dict[str, str], sent_ns: int) -> None:
    client, _ = mcp
    query = '{app="mcp", pod="a"} |= "failed" | logfmt | n > 2'
    found = client.call("query_loki_logs", logql=query, limit=10, direction="forward", **span)
    entries = found["data"]
    assert [entry["line"] for entry in entries] == [f"level=error n={number} order failed" for number in (3, 4, 5)]
    assert [int(entry["timestamp"]) for entry in entries] == [sent_ns + number * NS_PER_S for number in (3, 4, 5)]
    labels = entries[0]["labels"]
    assert (labels["pod"], labels["service_name"]) == ("a", "mcp")
    everything = json.dumps(entries[0])
    assert '"order_id": "3"' in everything
    assert '"detected_level": "error"' in everything


def test_numbers(mcp: tuple[McpGrafana, list[str]], span: dict[str, str]) -> None:
    client, _ = mcp
    query = 'sum by (pod) (count_over_time({app="mcp"}[5m]))'
    found = client.call("query_loki_logs", logql=query, queryType="instant", **span)["data"]
    assert {entry["labels"]["pod"]: float(entry["value"]) for entry in found} == {"a": LINES, "b": 3}
    found = client.call("query_loki_logs", logql=query, queryType="range", stepSeconds=60, **span)["data"]
    assert {entry["labels"]["pod"] for entry in found} == {"a", "b"}
    assert max(float(value["value"]) for entry in found for value in entry["values"]) == LINES


def test_statistics(mcp: tuple[McpGrafana, list[str]], span: dict[str, str]) -> None:
    client, asked = mcp
    found = client.call("query_loki_stats", logql='{app="mcp"}', **span)
    n_bytes = LINES * len("level=error n=0 order failed") + 3 * len("quiet")
    assert (found["streams"], found["entries"], found["bytes"]) == (2, LINES + 3, n_bytes)
    assert any("/loki/api/v1/index/stats" in path for path in asked)


def test_patterns_are_an_empty_list(mcp: tuple[McpGrafana, list[str]], span: dict[str, str]) -> None:
    client, asked = mcp
    assert not client.call("query_loki_patterns", logql='{app="mcp"}', **span)
    assert any("/loki/api/v1/patterns" in path for path in asked)


def test_analysis_of_labels(mcp: tuple[McpGrafana, list[str]], span: dict[str, str]) -> None:
    client, _ = mcp
    found = json.dumps(client.call("analyze_loki_labels", **span))
    assert "service_name" in found
