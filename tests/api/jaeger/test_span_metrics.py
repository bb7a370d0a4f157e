"""Jaeger's Monitor tab over derived series; rates and quantiles worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from swarmscope.api.jaeger.routes import PREFIX, jaeger_routes
from tests.api.traces.served import NOW_NS, serve

NOW_MS = NOW_NS // 1_000_000
MINUTE_MS = 60_000
CALLS, BUCKET = "traces_spanmetrics_calls_total", "traces_spanmetrics_latency_bucket"
SERVER, ERROR = {"span_kind": "SPAN_KIND_SERVER"}, {"status_code": "STATUS_CODE_ERROR"}


def _points(per_minute: float) -> list[tuple[int, float]]:
    """A counter that grows evenly for 20 minutes."""
    return [(NOW_MS + minute * MINUTE_MS, (20 + minute) * per_minute) for minute in range(-20, 1)]


@pytest.fixture(name="client")
def _client():
    served = serve(jaeger_routes, PREFIX)
    add = served.metrics.add
    web = {"service": "web", **SERVER}
    add({"__name__": CALLS, **web, "span_name": "GET /", "status_code": "STATUS_CODE_UNSET"}, *_points(45))
    add({"__name__": CALLS, **web, "span_name": "GET /", **ERROR}, *_points(15))
    add({"__name__": CALLS, **web, "span_name": "POST /", "status_code": "STATUS_CODE_UNSET"}, *_points(120))
    add({"__name__": CALLS, "service": "web", "span_kind": "SPAN_KIND_CLIENT", "span_name": "q"}, *_points(600))
    add({"__name__": CALLS, "service": "d.b|x", **SERVER, "span_name": "q"}, *_points(6))
    for bound, per_minute in (("0.1", 30.0), ("0.2", 60.0), ("+Inf", 60.0)):
        add({"__name__": BUCKET, **web, "span_name": "GET /", "le": bound}, *_points(per_minute))
    with TestClient(served.app) as client:
        yield client


def _family(client: TestClient, path: str, **params: Any) -> dict[str, Any]:
    asked = {"endTs": NOW_MS, "lookback": 2 * MINUTE_MS, "step": MINUTE_MS, "ratePer": 10 * MINUTE_MS} | params
    answer = client.get(f"/jaeger/api/metrics/{path}", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _values(family: dict[str, Any]) -> dict[tuple[str, ...], list[float]]:
    return {
        tuple(label["value"] for label in metric["labels"]): [
            round(point["gaugeValue"]["doubleValue"], 9) for point in metric["metricPoints"]
        ]
        for metric in family["metrics"]
    }


def test_call_rates(client):
    family = _family(client, "calls", service="web")
    assert family["name"] == "service_call_rate"
    assert (family["type"], family["help"]) == ("GAUGE", "calls/sec, grouped by service")
    assert family["metrics"][0]["labels"] == [{"name": "service_name", "value": "web"}]
    assert [point["timestamp"] for point in family["metrics"][0]["metricPoints"]] == [
        "2023-11-14T22:11:20Z", "2023-11-14T22:12:20Z", "2023-11-14T22:13:20Z",
    ]  # fmt: skip
    assert _values(family) == {("web",): [3.0, 3.0, 3.0]}  # (45 + 15 + 120) / 60


def test_call_rates_by_operation_and_kind(client):
    family = _family(client, "calls", service="web", groupByOperation="true", spanKind=["server", "client"])
    assert family["name"] == "service_operation_call_rate"
    assert _values(family) == {
        ("GET /", "web"): [1.0, 1.0, 1.0],
        ("POST /", "web"): [2.0, 2.0, 2.0],
        ("q", "web"): [10.0, 10.0, 10.0],
    }


def test_several_services_whatever_letters_they_have(client):
    assert _values(_family(client, "calls", service=["web", "d.b|x"])) == {
        ("web",): [3.0, 3.0, 3.0],
        ("d.b|x",): [0.1, 0.1, 0.1],
    }
    assert _values(_family(client, "calls", service=["dxb", "x"])) == {}


def test_error_rates(client):
    family = _family(client, "errors", service=["web", "d.b|x"])
    assert family["name"] == "service_error_rate"
    assert _values(family) == {("web",): [0.083333333] * 3, ("d.b|x",): [0.0] * 3}  # 15 / 180; no error at all


def test_latencies_are_in_milliseconds(client):
    family = _family(client, "latencies", service="web", quantile="0.75")
    assert family["name"] == "service_latencies"
    assert family["help"] == "0.75th quantile latency, grouped by service"
    # Half of the calls took at most 100 ms, the rest 100 to 200 ms: three quarters at most 150 ms.
    assert _values(family) == {("web",): [150.0, 150.0, 150.0]}


def test_the_smallest_step(client):
    assert client.get("/jaeger/api/metrics/minstep").json()["data"] == 5000


@pytest.mark.parametrize(
    ("path", "params", "words"),
    [
        ("calls", {}, "please provide at least one service name"),
        ("latencies", {"service": "web"}, "unable to parse param 'quantile'"),
        ("calls", {"service": "web", "spanKind": "odd"}, "unsupported span kind: 'odd'"),
        ("calls", {"service": "web", "groupByOperation": "maybe"}, "unable to parse param 'groupByOperation'"),
        ("calls", {"service": "web", "step": "0"}, "must be greater than 0"),
        ("calls", {"service": "web", "endTs": "9223372036854775807"}, "is out of range"),
        ("calls", {"service": "web", "step": "9" * 25}, "is out of range"),
        ("calls", {"service": "web", "endTs": "x"}, "unable to parse param 'endTs'"),
    ],
)
def test_refusals(client, path, params, words):
    answer = client.get(f"/jaeger/api/metrics/{path}", params=params)
    assert answer.status_code == 400
    assert words in answer.json()["errors"][0]["msg"]
