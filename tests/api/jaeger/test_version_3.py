"""Version 3 of Jaeger's API: whole traces as OTLP's JSON, read back with OpenTelemetry's own messages."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.trace.v1 import trace_pb2
from starlette.testclient import TestClient

from swarmscope.api.jaeger.routes import PREFIX, jaeger_routes
from tests.api.jaeger.test_jaeger_http import CHARGE, CHECKOUT, SPANS, TRACE
from tests.api.traces.served import NOW_NS, S, serve

FROM, TO = "2023-11-14T22:12:20Z", "2023-11-14T22:13:20.000000001Z"  # the last minute
TIMES = {"query.start_time_min": FROM, "query.start_time_max": TO}


@pytest.fixture(name="client")
def _client():
    with TestClient(serve(jaeger_routes, PREFIX, SPANS).app) as client:
        yield client


def _get(client: TestClient, path: str, status: int = 200, **params: Any) -> Any:
    answer = client.get(f"/jaeger/api/v3/{path}", params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


def _spans(answer: Any) -> list[dict[str, Any]]:
    scopes = [scope for resource in answer["result"]["resourceSpans"] for scope in resource["scopeSpans"]]
    return [span for scope in scopes for span in scope["spans"]]


def test_catalogue(client):
    assert _get(client, "services") == {"services": ["pay", "shop"]}
    assert _get(client, "operations", service="pay") == {"operations": [{"name": "charge", "spanKind": "client"}]}
    assert _get(client, "operations", service="pay", span_kind="server") == {"operations": []}


def test_a_trace_is_otlp(client):
    answer = _get(client, f"traces/{TRACE.hex()}")
    spans = {span["name"]: span for span in _spans(answer)}
    checkout, charge = spans["POST /checkout"], spans["charge"]
    assert (checkout["traceId"], checkout["spanId"]) == (TRACE.hex(), "0000000000000001")
    assert "parentSpanId" not in checkout
    assert charge["parentSpanId"] == "0000000000000001"
    assert (checkout["kind"], checkout["status"]) == (2, {"message": "card declined", "code": 2})
    assert checkout["startTimeUnixNano"] == str(CHECKOUT.start_ns)
    assert charge["endTimeUnixNano"] == str(CHARGE.end_ns)
    assert checkout["links"][0]["traceId"] == "0" * 31 + "9"
    assert {"key": "http.status_code", "value": {"intValue": "402"}} in checkout["attributes"]
    resource = answer["result"]["resourceSpans"][0]
    assert {"key": "service.name", "value": {"stringValue": "shop"}} in resource["resource"]["attributes"]
    assert resource["scopeSpans"][0]["scope"]["name"] == "flask"


def test_the_json_is_readable_as_a_message(client):
    answer = _get(client, f"traces/{TRACE.hex()}")
    for span in _spans(answer):
        for message in (span, *span.get("links", ())):
            for name in ("traceId", "spanId", "parentSpanId"):
                if name in message:
                    message[name] = base64.b64encode(bytes.fromhex(message[name])).decode()
    data = json_format.ParseDict(answer["result"], trace_pb2.TracesData())
    assert sum(len(scope.spans) for each in data.resource_spans for scope in each.scope_spans) == 2


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"query.service_name": "shop"}, {"GET /", "POST /checkout", "charge"}),
        ({"query.serviceName": "shop", "query.searchDepth": 1}, {"GET /"}),
        ({"query.service_name": "shop", "query.num_traces": 1}, {"GET /"}),
        ({"query.service_name": "pay"}, {"POST /checkout", "charge"}),
        ({"query.operation_name": "GET /"}, {"GET /"}),
        ({"query.attributes": '{"http.status_code":"402"}'}, {"POST /checkout", "charge"}),
        ({"query.duration_max": "5ms"}, {"GET /"}),
        ({"query.durationMin": "201ms"}, {"POST /checkout", "charge"}),
        ({}, {"GET /", "POST /checkout", "charge"}),
    ],
)
def test_search(client, params, expected):
    assert {span["name"] for span in _spans(_get(client, "traces", **TIMES, **params))} == expected


def test_errors(client):
    assert _get(client, "traces/77", status=404) == {"error": {"httpCode": 404, "message": "trace not found"}}
    assert _get(client, "traces", status=404, **TIMES, **{"query.service_name": "nobody"}) == {
        "error": {"httpCode": 404, "message": "No traces found"}
    }
    assert "is required" in _get(client, "traces", status=400)["error"]["message"]
    told = _get(client, "traces", status=400, **(TIMES | {"query.start_time_min": "soon"}))
    assert "malformed parameter query.start_time_min" in told["error"]["message"]
    assert CHECKOUT.start_ns == NOW_NS - 10 * S
    _get(client, f"traces/{TRACE.hex()}", status=404, start_time=TO)
