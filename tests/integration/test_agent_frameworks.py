"""Seven frameworks of agents tell one story to the running program, each as a tenant of its own."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.clients.agents.runs import FRAMEWORKS, GUARD, run_framework
from tests.clients.installed import NotInstallableError
from tests.integration.agent_stories import AgentPart, Story, told_by
from tests.integration.log_reading import wait_until
from tests.integration.processes import SwarmscopeServer
from tests.integration.trace_reading import get_json

pytestmark = [pytest.mark.peer, pytest.mark.slow]

MEASURES = ("inferences", "tool_calls", "input_tokens", "output_tokens")


class Fleet:
    """What the program tells of one tenant's agents."""

    def __init__(self, server: SwarmscopeServer, tenant: str) -> None:
        self._server, self._tenant = server, tenant

    def answer(self, path: str, **parameters: str) -> Any:
        return get_json(self._server, path, self._tenant, **parameters)

    def story(self, conversation: str) -> Story:
        """All of it, from several answers."""
        models: dict[str, set[str]] = defaultdict(set)
        parts: dict[str, Counter[str]] = defaultdict(Counter)
        tools: Counter[str] = Counter()
        for row in self.answer("/api/costs", by="agent,model,tool")["rows"]:
            if not row["agent"]:
                continue  # what is around the work of agents is nobody's
            parts[row["agent"]].update({name: round(row[name]) for name in MEASURES})
            tools[row["tool"]] += round(row["tool_calls"])
            if row["inferences"]:
                models[row["agent"]].add(row["model"])
        told = self.answer("/api/conversations")["conversations"]
        return Story(
            agents={
                name: AgentPart(**{measure: part[measure] for measure in MEASURES}, models=frozenset(models[name]))
                for name, part in parts.items()
            },
            edges={
                (edge["source"], edge["target"], edge["type"]): round(edge["count"])
                for edge in self.answer("/api/graph")["edges"]
            },
            tools=dict(+tools),
            conversations=frozenset(each["id"] for each in told),
        )

    def series(self, query: str) -> list[tuple[dict[str, str], float]]:
        found = self.answer("/prometheus/api/v1/query", query=query)["data"]["result"]
        return [(each["metric"], float(each["value"][1])) for each in found]

    def tokens_in_series(self) -> Counter[tuple[str, str]]:
        """By agent and kind."""
        tokens: Counter[tuple[str, str]] = Counter()
        for labels, value in self.series("agi_agent_tokens_total"):
            tokens[labels["agent_name"], labels["token_type"]] += round(value)
        return +tokens

    def edges_in_series(self) -> dict[tuple[str, str, str], int]:
        return {
            (labels["source"], labels["target"], labels["interaction_type"]): round(value)
            for labels, value in self.series("agi_agent_interactions")
        }

    def statuses(self) -> set[str]:
        return {labels["agent_name"] for labels, _ in self.series("agi_agent_status")}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_the_program_tells_is_the_story(
    swarmscope_server: SwarmscopeServer, framework: str, tmp_path: Path
) -> None:
    tenant, conversation = f"agents-{framework}", f"octopuses-{framework}"
    url = f"http://127.0.0.1:{swarmscope_server.otlp_http_port}/v1/traces"
    try:
        run_framework(framework, url, conversation, tmp_path, tenant)
    except NotInstallableError as error:
        pytest.skip(str(error))
    fleet, wanted = Fleet(swarmscope_server, tenant), told_by(framework, conversation)
    wait_until(lambda: fleet.statuses() == set(wanted.agents) and fleet.edges_in_series() == wanted.edges, "the series")
    assert fleet.story(conversation) == wanted
    assert {agent["name"] for agent in fleet.answer("/api/agents")["agents"]} == set(wanted.agents)
    tokens = {
        (name, kind): count
        for name, part in wanted.agents.items()
        for kind, count in (("input", part.input_tokens), ("output", part.output_tokens))
    }
    assert fleet.tokens_in_series() == +Counter(tokens)
    assert fleet.series("agi_agent_errors_total > 0") == []


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_its_conversation_can_be_read(swarmscope_server: SwarmscopeServer, framework: str) -> None:
    wanted = told_by(framework, f"octopuses-{framework}")
    if not wanted.conversations:
        pytest.skip("it tells nothing of conversations")
    fleet = Fleet(swarmscope_server, f"agents-{framework}")
    found = fleet.answer(f"/api/conversations/octopuses-{framework}")
    assert {tool["name"]: tool["calls"] for tool in found["tools"]} == wanted.tools
    assert found["totals"]["input_tokens"] == sum(part.input_tokens for part in wanted.agents.values())
    assert {share["agent"] for share in found["shares"]} >= set(wanted.agents)


def test_frameworks_reach_nothing_but_loopback(tmp_path: Path) -> None:
    """The guard is one that bites."""
    ask = "import socket; socket.getaddrinfo('swarmscope.invalid', 443)"
    done = subprocess.run([sys.executable, "-c", ask], env=GUARD, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 3
    assert "swarmscope.invalid" in done.stderr
