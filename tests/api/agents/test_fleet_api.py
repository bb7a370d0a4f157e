"""The fleet's API over a watch in memory: a planner asks a researcher, which calls a model and a tool. By hand."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.fleet.watched import START_NS, Watched, span

from swarmscope.api.agents.endpoint import FleetApiParts
from swarmscope.api.agents.routes import fleet_routes
from swarmscope.api.agents.shapes import time_json
from swarmscope.api.work import QueryQueue

MODEL = {"model": "gpt-4o", "gen_ai.provider.name": "openai"}
TOKENS = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100, "gen_ai.usage.cost": 0.25}
TALK = "talk/1 ä?"
RANGE = {"start": str(START_NS), "end": str(START_NS + 600 * 10**9)}


async def _run(work: Any) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, work)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    watched = Watched(tmp_path_factory.mktemp("fleet"))
    watched.send(
        span(1, "invoke_agent", took_s=10, agent="planner", conversation=TALK, **{"agent.team": "research"}),
        span(2, "invoke_agent", parent=1, at_s=1, took_s=8, agent="researcher", conversation=TALK),
        span(3, "chat", parent=2, at_s=2, took_s=4, conversation=TALK, **MODEL, **TOKENS),
        span(4, "execute_tool", parent=2, at_s=6, took_s=2, status=2, tool="search", conversation=TALK),
    )
    watched.run(60)
    parts = FleetApiParts(watched.view, list, watched.clock, QueryQueue(_run, 4))
    with TestClient(Starlette(routes=fleet_routes(parts))) as served:
        yield served


def get(client: TestClient, path: str, tenant: str = "t", **parameters: str) -> Any:
    answer = client.get(path, params=parameters, headers={"x-scope-orgid": tenant})
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: TestClient, path: str, code: int, /, **parameters: str) -> str:
    answer = client.get(path, params=parameters, headers={"x-scope-orgid": "t"})
    assert answer.status_code == code, answer.text
    assert set(answer.json()["error"]) == {"type", "message"}
    return str(answer.json()["error"]["message"])


def test_agents(client: TestClient) -> None:
    planner, researcher = get(client, "/api/agents")["agents"]
    assert (planner["name"], planner["team"], researcher["name"]) == ("planner", "research", "researcher")
    assert (researcher["model"], researcher["provider"], researcher["tokens"]) == (
        "gpt-4o", "openai", {"input": 1000, "output": 100},
    )  # fmt: skip
    assert researcher["cost_usd"] == 0.25
    assert researcher["first_seen"] == time_json(START_NS + 10**9)
    assert researcher["status"] in ("active", "idle", "degraded")
    assert researcher["reason"]
    assert get(client, "/api/agents", team="research")["agents"] == [planner]
    assert get(client, "/api/agents", status="deadlocked") == {"agents": []} == get(client, "/api/agents", tenant="x")
    assert "'status' is one of active, idle" in refused(client, "/api/agents", 400, status="tired")


def test_one_agent(client: TestClient) -> None:
    found = get(client, "/api/agents/researcher", **RANGE)
    assert [(edge["source"], edge["target"], edge["count"]) for edge in found["edges"]] == [
        ("planner", "researcher", 1)
    ]
    chat = next(row for row in found["usage"] if row["operation"] == "chat")
    assert (chat["model"], chat["input_tokens"], chat["cost_usd"]) == ("gpt-4o", 1000, 0.25)
    assert refused(client, "/api/agents/nobody", 404) == "there is no agent 'nobody'"


def test_graph(client: TestClient) -> None:
    found = get(client, "/api/graph", **RANGE)
    (edge,) = found["edges"]
    assert (edge["source"], edge["target"], edge["type"], edge["count"], edge["errors"]) == (
        "planner", "researcher", "call", 1, 0,
    )  # fmt: skip
    assert edge["p50"] == pytest.approx(8, rel=0.26)
    assert (edge["rate"], edge["tokens"], edge["cost_usd"]) == (pytest.approx(1 / 600), 1100, 0.25)
    assert [node["id"] for node in found["nodes"]] == ["planner", "researcher"]
    assert get(client, "/api/graph", agent="nobody", **RANGE)["edges"] == []
    assert len(get(client, "/api/graph", team="research", **RANGE)["edges"]) == 1
    assert "'start' must be before 'end'" in refused(client, "/api/graph", 400, start="5", end="4")
    assert "'since'" in refused(client, "/api/graph", 400, since="soon")


def test_what_is_different(client: TestClient) -> None:
    earlier = {"compare_start": str(START_NS - 600 * 10**9), "compare_end": str(START_NS)}
    found = get(client, "/api/graph", **RANGE, **earlier)
    assert [edge["target"] for edge in found["edges"]["appeared"]] == ["researcher"]
    assert (found["edges"]["vanished"], found["edges"]["changed"]) == ([], [])
    assert "given together" in refused(client, "/api/graph", 400, version_a="1")
    assert get(client, "/api/graph", version_a="1", version_b="2", **RANGE)["edges"]["appeared"] == []


def test_grafanas_node_graph(client: TestClient) -> None:
    fields, data = get(client, "/api/graph/fields"), get(client, "/api/graph/data", **RANGE)
    names = {field["field_name"] for field in fields["nodes_fields"]}
    assert all(set(node) <= names for node in data["nodes"])
    assert {node["id"] for node in data["nodes"]} == {"planner", "researcher"}
    ids = {node["id"] for node in data["nodes"]}
    assert all(edge["source"] in ids and edge["target"] in ids for edge in data["edges"])
    researcher = next(node for node in data["nodes"] if node["id"] == "researcher")
    # One of its three steps failed.
    assert (researcher["arc__failed"], researcher["arc__good"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert get(client, "/api/health") == {"status": "ok"}


def test_conversations(client: TestClient) -> None:
    (listed,) = get(client, "/api/conversations", **RANGE)["conversations"]
    assert (listed["id"], listed["agents"], listed["input_tokens"]) == (TALK, ["planner", "researcher"], 1000)
    found = get(client, f"/api/conversations/{TALK}".replace("?", "%3F"))
    assert (found["id"], found["agents"], found["totals"]["cost_usd"]) == (TALK, ["planner", "researcher"], 0.25)
    assert [(turn["agent"], turn["operation"]) for turn in found["turns"]] == [
        ("planner", "invoke_agent"), ("researcher", "invoke_agent"), ("researcher", "chat"),
        ("researcher", "execute_tool"),
    ]  # fmt: skip
    assert [(tool["name"], tool["calls"], tool["errors"]) for tool in found["tools"]] == [("search", 1, 1)]
    assert len(found["traces"]) == 1
    assert "no conversation" in refused(client, "/api/conversations/none", 404)
    assert "'limit'" in refused(client, "/api/conversations", 400, limit="0")


def test_runs(client: TestClient) -> None:
    trace = get(client, f"/api/conversations/{TALK}".replace("?", "%3F"))["traces"][0]
    run = get(client, f"/api/runs/{trace}")
    assert (run["trace_id"], run["start"]) == (trace, time_json(START_NS))
    shares = {each["agent"]: each for each in run["agents"]}
    # Of ten seconds eight are the researcher's, and the planner waits for it.
    assert (shares["researcher"]["critical"], shares["planner"]["critical"]) == (8, 2)
    assert (shares["planner"]["waiting"], shares["planner"]["work"], shares["researcher"]["idle"]) == (8, 2, 2)
    assert sum(step["seconds"] for step in run["critical_path"]) == 10
    assert "no trace" in refused(client, "/api/runs/77", 404)
    assert "hexadecimal" in refused(client, "/api/runs/xyz", 400)


def test_costs(client: TestClient) -> None:
    found = get(client, "/api/costs", by="agent,model", **RANGE)
    first = found["rows"][0]
    assert (first["agent"], first["model"], first["cost_usd"], first["inferences"]) == ("researcher", "gpt-4o", 0.25, 1)
    assert sum(row["input_tokens"] for row in found["rows"]) == 1000
    assert found["unknown_models"] == [] == get(client, "/api/models/unknown")["models"]
    assert "'by' is some of agent, version" in refused(client, "/api/costs", 400, by="agent,colour")


def test_findings_and_budgets(client: TestClient) -> None:
    assert get(client, "/api/findings", **RANGE)["findings"] == []
    assert "'kind' is one of" in refused(client, "/api/findings", 400, kind="fire")
    assert get(client, "/api/budgets") == {"budgets": []}


def test_without_a_watch_all_is_refused() -> None:
    parts = FleetApiParts(None, list, Watched.__dataclass_fields__["clock"].default_factory(), QueryQueue(_run, 4))
    with TestClient(Starlette(routes=fleet_routes(parts))) as client:
        assert "agents.enabled is false" in refused(client, "/api/agents", 404)


def test_times() -> None:
    assert time_json(1_767_225_600_123_456_789) == "2026-01-01T00:00:00.123Z"
    assert time_json(0) is None is time_json(None)
