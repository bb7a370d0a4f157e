"""The running program watches a fleet: spans in, series out, and after a kill nothing is missing or counted twice."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from tests.integration.log_reading import wait_until
from tests.integration.processes import SwarmscopeServer
from tests.integration.span_sending import SentSpan, send_export
from tests.integration.trace_reading import CLIENT, get_json

pytestmark = pytest.mark.slow

TENANT = "crew"
NS_PER_S = 1_000_000_000
# Everything is told at once; what is found is written so seldom that the process is killed before.
QUICK = {
    "AGENTS__WATCH__SERIES_INTERVAL": "500ms",
    "AGENTS__WATCH__DETECT_INTERVAL": "500ms",
    "AGENTS__WATCH__WRITE_INTERVAL": "1h",
}


def work(now_ns: int) -> list[SentSpan]:
    """Ada asks a model and calls Bob, whose tool fails; one span says nothing of agents."""
    ada = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "ada", "gen_ai.conversation.id": "c1"}
    bob = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "bob"}
    chat: dict[str, str | int] = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100,
    }  # fmt: skip
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
    return [
        SentSpan(1, 6, now_ns, parent=4, attributes=tool, is_error=True),  # children come first
        SentSpan(1, 4, now_ns, parent=3, attributes=bob),
        SentSpan(1, 3, now_ns, parent=1),
        SentSpan(1, 2, now_ns, parent=1, attributes=chat),
        SentSpan(1, 1, now_ns, attributes=ada),
    ]


def series(server: SwarmscopeServer, query: str, *names: str) -> dict[tuple[str, ...], float]:
    found = get_json(server, "/prometheus/api/v1/query", TENANT, query=query)["data"]["result"]
    return {tuple(each["metric"].get(name, "") for name in names): float(each["value"][1]) for each in found}


def own_metric(server: SwarmscopeServer, name: str) -> float:
    text = CLIENT.get(f"{server.address}/metrics").text
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def test_a_fleet_is_watched_and_kills_cost_nothing(start_swarmscope: Callable[..., SwarmscopeServer]) -> None:
    server = start_swarmscope(QUICK)
    answer = send_export(server, work(time.time_ns() - 5 * NS_PER_S), TENANT)
    assert answer.status_code == 200, answer.text
    wait_until(lambda: len(series(server, "agi_agent_status", "agent_name")) == 2, "both agents")
    assert series(server, "agi_agent_status", "agent_name") == {("ada",): 0, ("bob",): 0}
    assert series(server, "agi_agent_activity_total", "agent_name") == {("ada",): 2, ("bob",): 2}
    assert series(server, "agi_agent_errors_total", "agent_name") == {("ada",): 0, ("bob",): 1}
    interactions = series(server, "agi_agent_interactions", "source", "target", "interaction_type")
    assert interactions == {("ada", "bob", "call"): 1}
    tokens = series(server, "agi_agent_tokens_total", "agent_name", "model", "token_type")
    assert tokens == {("ada", "gpt-4o", "input"): 1000, ("ada", "gpt-4o", "output"): 100}
    # 1,000 tokens in at 2.50 a million, 100 out at 10.
    assert series(server, "agi_agent_cost_usd_total", "agent_name") == {("ada",): pytest.approx(0.0035)}
    assert series(server, "agi_conversation_tokens", "conversation") == {("c1",): 1100}

    server.kill()
    server.settings["AGENTS__WATCH__WRITE_INTERVAL"] = "500ms"
    server.start()
    wait_until(lambda: own_metric(server, "swarmscope_fleet_recovered_spans_total") == 4, "what was not written")
    wait_until(lambda: own_metric(server, "swarmscope_fleet_written_spans_total") == 4, "what was missed is written")
    assert series(server, "count_over_time(agi_agent_activity_total[1m])", "agent_name").keys() == {("ada",), ("bob",)}

    server.kill()
    server.start()
    time.sleep(2)
    assert own_metric(server, "swarmscope_fleet_recovered_spans_total") == 0
    assert "swarmscope_fleet_failures_total{" not in CLIENT.get(f"{server.address}/metrics").text
    wait_until(lambda: len(series(server, "agi_agent_status", "agent_name")) == 2, "agents that are stored")
