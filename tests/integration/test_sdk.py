"""Our SDK sends to the running program, and all that it told is read back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from swarmscope import sdk
from swarmscope.sdk.log_handler import OtlpLogHandler
from tests.integration.log_reading import read_lines, wait_until
from tests.integration.processes import SwarmscopeServer
from tests.integration.trace_reading import read_trace

pytestmark = [pytest.mark.slow]
CLIENT, SERVER = 3, 2


@pytest.fixture
def connect(swarmscope_server: SwarmscopeServer) -> Iterator[Callable[..., sdk.Telemetry]]:
    made = []

    def connect(protocol: str, tenant: str) -> sdk.Telemetry:
        port = {"http": swarmscope_server.otlp_http_port, "grpc": swarmscope_server.otlp_grpc_port}[protocol]
        settings = sdk.SdkSettings(
            f"http://127.0.0.1:{port}", agent="planner", team="science", version="3", environment="test",
            protocol=protocol, headers={"X-Scope-OrgID": tenant}, announce_after_s=0.05, batch_delay_s=0.02,
        )  # fmt: skip
        made.append(sdk.Telemetry(settings))
        return made[-1]

    yield connect
    for telemetry in made:
        telemetry.shutdown(1)


def _instant(server: SwarmscopeServer, query: str, tenant: str) -> dict[tuple[tuple[str, str], ...], float]:
    url = f"{server.address}/prometheus/api/v1/query"
    asked = {"query": query, "time": str(time.time() + 1)}
    answer = httpx.get(url, params=asked, headers={"x-scope-orgid": tenant}, timeout=60)
    assert answer.status_code == 200, answer.text
    skipped = ("__name__", "job", "instance")
    return {
        tuple(sorted((name, text) for name, text in each["metric"].items() if name not in skipped)): float(
            each["value"][1]
        )
        for each in answer.json()["data"]["result"]
    }


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_spans_of_an_interaction(swarmscope_server: SwarmscopeServer, connect: Any, protocol: str) -> None:
    tenant = f"sdk-{protocol}"
    telemetry = connect(protocol, tenant)

    def send(payload: str, headers: dict[str, str]) -> str:
        with sdk.receive_agent_interaction(headers), sdk.agent("reader"):
            return payload.upper()

    with telemetry.use(), sdk.conversation("c-1"):
        assert sdk.MultiAgentTracer().trace_agent_interaction("planner", "reader", "task", "read", send) == "READ"
        with sdk.agent("planner") as span:
            trace_id = f"{span.get_span_context().trace_id:032x}"
    assert telemetry.flush(20)
    assert telemetry.dropped() == {"traces": {}, "metrics": {}, "logs": {}}
    (alone,) = read_trace(swarmscope_server, trace_id, tenant)
    assert alone.name == "invoke_agent planner"
    assert alone.attributes["gen_ai.conversation.id"] == "c-1"
    assert alone.resource.items() >= {
        "service.name": "planner", "gen_ai.agent.name": "planner", "agent.team": "science", "agi.version": "3",
        "agi.environment": "test",
    }.items()  # fmt: skip
    url = f"{swarmscope_server.address}/tempo/api/search"
    asked = {"q": '{ name = "planner_to_reader" && kind = client }', "start": int(time.time()) - 600,
             "end": int(time.time()) + 60}  # fmt: skip
    (found,) = httpx.get(url, params=asked, headers={"x-scope-orgid": tenant}, timeout=60).json()["traces"]
    client, server, reader = read_trace(swarmscope_server, found["traceID"].zfill(32), tenant)
    assert (client.kind, server.kind, reader.name) == (CLIENT, SERVER, "invoke_agent reader")
    assert (server.parent_id, reader.parent_id) == (client.span_id, server.span_id)
    assert client.attributes.items() >= {
        "agent.source": "planner", "agent.target": "reader", "interaction.type": "task", "payload.size": 4,
        "response.success": True,
    }.items()  # fmt: skip
    assert isinstance(client.attributes["response.latency"], float)


def test_open_span_and_a_line_inside_it(swarmscope_server: SwarmscopeServer, connect: Any) -> None:
    tenant = "sdk-logs"
    telemetry = connect("http", tenant)
    handler = OtlpLogHandler(telemetry.logger_provider, logging.INFO)
    with telemetry.use(), sdk.workflow("outer"), sdk.agent("stuck") as span:
        handler.handle(logging.makeLogRecord({"name": "program", "msg": "still here", "levelno": 30}))
        wait_until(lambda: len(_lines(swarmscope_server, tenant)) == 3, "two announcements and a line")
        context = span.get_span_context()
        ids = {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
        by_name = {metadata.get("span_name"): metadata for _, metadata in _lines(swarmscope_server, tenant)}
        announced = by_name["invoke_agent stuck"]
        assert announced.items() >= ids.items()
        assert announced["event_name"] == "agent.span.open"
        assert announced["span_kind"] == "INTERNAL"
        assert announced["gen_ai_agent_name"] == "stuck"
        assert int(announced["span_start_ns"]) == span.start_time
        assert announced["span_parent_id"] == by_name["invoke_workflow outer"]["span_id"]
        lines = dict(_lines(swarmscope_server, tenant))
        assert lines["still here"].items() >= ids.items()


def _lines(server: SwarmscopeServer, tenant: str) -> list[tuple[str, dict[str, str]]]:
    return [(line.line, line.metadata) for line in read_lines(server, '{service_name="planner"}', tenant=tenant)]


def test_intelligence_metrics_arrive_under_their_names(swarmscope_server: SwarmscopeServer, connect: Any) -> None:
    tenant = "sdk-metrics"
    telemetry = connect("http", tenant)
    collector = sdk.IntelligenceMetricsCollector(telemetry=telemetry)
    collector.record_phi(0.4, brain_region="frontal", integration_type="phi_g")
    collector.record_emergence(0.1, pattern_type="swarm", agent_cluster="c")
    collector.record_milestone("skill", "maths")
    for value in (0.05, 0.5, 0.97):
        collector.record_coherence(value, region="frontal", layer="l1")
        collector.record_coordination(value, agent_group="g", task_type="t")
    collector.record_optimization(0.7)
    collector.record_activity("a", "chat", 3)
    collector.record_error("a", "Timeout")
    assert telemetry.flush(20)

    def value(query: str) -> float:
        (number,) = _instant(swarmscope_server, query, tenant).values()
        return number

    labels = {
        'agi_consciousness_phi{brain_region="frontal",integration_type="phi_g"}': 0.4,
        '{"intelligence.phi",brain_region="frontal",integration_type="phi_g"}': 0.4,
        'agi_emergence_score{pattern_type="swarm",agent_cluster="c"}': 0.1,
        'agi_learning_milestones_total{milestone_type="skill",knowledge_domain="maths"}': 1,
        'agi_neural_coherence_count{region="frontal",layer="l1"}': 3,
        'agi_neural_coherence_bucket{region="frontal",layer="l1",le="0.5"}': 2,
        'agi_neural_coherence_bucket{region="frontal",layer="l1",le="0.95"}': 2,
        'agi_neural_coherence_bucket{region="frontal",layer="l1",le="0.99"}': 3,
        'agi_agent_coordination_score{agent_group="g",task_type="t",quantile="0.5"}': 0.5,
        'agi_agent_coordination_score_sum{agent_group="g",task_type="t"}': 1.52,
        'agi_agent_coordination_score_count{agent_group="g",task_type="t"}': 3,
        '{"intelligence.optimization"}': 0.7,
        '{"intelligence.coherence",region="frontal",layer="l1"}': 0.97,
        '{"agent.activity.total","gen_ai.agent.name"="a"}': 3,
        '{"agent.errors.total","gen_ai.agent.name"="a","error.type"="Timeout"}': 1,
    }
    assert {query: value(query) for query in labels} == {
        query: pytest.approx(expected) for query, expected in labels.items()
    }
    assert value('{"resource.memory.usage"}') > 10**7
