"""The running program takes evaluators' results in every form that they come in, and PromQL answers their means."""

from __future__ import annotations

import time

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from swarmscope import sdk
from tests.integration.log_reading import wait_until
from tests.integration.processes import SwarmscopeServer
from tests.integration.span_sending import SentSpan, export_request, send_export
from tests.integration.trace_reading import CLIENT, get_json

pytestmark = pytest.mark.slow

NS_PER_S = 1_000_000_000
TENANT, OTHER_TENANT = "evaluated", "evaluated-by-sdk"


def values(server: SwarmscopeServer, query: str, *names: str, tenant: str = TENANT) -> dict[tuple[str, ...], float]:
    found = get_json(server, "/prometheus/api/v1/query", tenant, query=query)["data"]["result"]
    return {tuple(each["metric"].get(name, "") for name in names): float(each["value"][1]) for each in found}


def send_events(server: SwarmscopeServer, *attributes: dict[str, str | float], span: int = 0) -> None:
    """Log records whose event is an evaluation, each in the span 1/`span` where that is told."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.add(key="service.name").value.string_value = "judge"
    group.resource.attributes.add(key="gen_ai.agent.name").value.string_value = "judge"
    records = group.scope_logs.add().log_records
    for told in attributes:
        record = records.add(time_unix_nano=time.time_ns(), event_name="gen_ai.evaluation.result")
        if span:
            record.trace_id, record.span_id = (1).to_bytes(16, "big"), span.to_bytes(8, "big")
        for name, value in told.items():
            attribute = record.attributes.add(key=name).value
            if isinstance(value, str):
                attribute.string_value = value
            else:
                attribute.double_value = value
    headers = {"content-type": "application/x-protobuf", "x-scope-orgid": TENANT}
    answer = CLIENT.post(f"{server.address}/v1/logs", content=request.SerializeToString(), headers=headers)
    assert answer.status_code == 200, answer.text


def result(name: str, score: float, **more: str) -> dict[str, str | float]:
    fields = {f"gen_ai.{key.replace('__', '.')}": value for key, value in more.items()}
    return {"gen_ai.evaluation.name": name, "gen_ai.evaluation.score.value": score, **fields}


def work(now_ns: int) -> list[SentSpan]:
    """Ada's model answers; Bob's span carries an annotation."""
    ada = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "ada"}
    chat = {"gen_ai.operation.name": "chat", "gen_ai.response.id": "resp-1", "gen_ai.request.model": "m"}
    bob = {
        "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "bob",
        "annotations.0.annotation.name": "tone", "annotations.0.annotation.score": 1,
    }  # fmt: skip
    return [
        SentSpan(1, 1, now_ns, attributes=ada),
        SentSpan(1, 2, now_ns, parent=1, attributes=chat),
        SentSpan(2, 1, now_ns, attributes=bob),
    ]


def test_scores_become_series(swarmscope_server: SwarmscopeServer) -> None:
    server = swarmscope_server
    # Results come before the spans that they are of, and wait for them.
    send_events(server, result("tone", 0.2), result("tone", 0.4), result("value_alignment", 0.75), span=2)
    send_events(server, result("tone", 0.6, response__id="resp-1"), result("tone", 7.0, agent__name="cook"))
    request = export_request(work(time.time_ns() - 5 * NS_PER_S))
    event = request.resource_spans[0].scope_spans[0].spans[0].events.add(name="gen_ai.evaluation.result")
    event.attributes.add(key="gen_ai.evaluation.name").value.string_value = "goal"
    event.attributes.add(key="gen_ai.evaluation.score.label").value.string_value = "met"
    assert send_export(server, request, TENANT).status_code == 200

    totals = {("ada", "tone"): 3, ("ada", "value_alignment"): 1, ("ada", "goal"): 1, ("bob", "tone"): 1,
              ("cook", "tone"): 1}  # fmt: skip
    wait_until(
        lambda: values(server, "agi_evaluations_total", "agent_name", "evaluation") == totals, "all results are counted"
    )
    means = values(server, "agi_evaluation_score", "agent_name", "evaluation")
    assert means == {
        ("ada", "tone"): pytest.approx(0.4), ("ada", "value_alignment"): 0.75, ("bob", "tone"): 1.0,
        ("cook", "tone"): 7.0,
    }  # fmt: skip
    # Student's t with 2 degrees of freedom: 4.3027 · 0.2 / √3; one success of one, by Wilson.
    low = values(server, "agi_evaluation_score_ci_low", "agent_name", "evaluation")
    assert low == {("ada", "tone"): pytest.approx(-0.0968, abs=1e-4), ("bob", "tone"): pytest.approx(0.2065, abs=1e-4)}
    assert values(server, "agi_evaluation_labels_total", "agent_name", "label") == {("ada", "met"): 1}
    assert values(server, "agi_value_alignment_score", "agent_name") == {("ada",): 0.75}
    assert values(server, "agi_mesa_optimization_probability", "agent_name") == {}
    drift = values(server, "agi_objective_drift", "agent_name", "objective")
    assert drift == {("ada", "kindness"): 0, ("bob", "kindness"): 0}
    # The average over agents, as a dashboard asks for it.
    assert values(server, 'avg(agi_evaluation_score{evaluation="tone", agent_name!="cook"})') == {
        (): pytest.approx(0.7)
    }


def test_the_sdk_tells_results(swarmscope_server: SwarmscopeServer) -> None:
    server = swarmscope_server
    settings = sdk.SdkSettings(server.address, "writer", headers={"X-Scope-OrgID": OTHER_TENANT}, batch_delay_s=0.1)
    telemetry = sdk.make_telemetry(settings)
    try:
        with telemetry.use():
            with sdk.agent("writer") as span:
                target = span.get_span_context()
                sdk.record_evaluation("tone", 1.0)
            with sdk.agent("judge"):
                sdk.record_evaluation("tone", 0.5, target=target)
                sdk.record_evaluation("tone", 0.0, agent="cook", label="rude")
        assert telemetry.flush()
    finally:
        telemetry.shutdown()
    wait_until(
        lambda: (
            values(server, "agi_evaluation_score", "agent_name", tenant=OTHER_TENANT)
            == {("writer",): 0.75, ("cook",): 0.0}
        ),
        "results of the SDK",
    )
