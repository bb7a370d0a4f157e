"""Jaeger's API over spans in memory, against answers worked out by hand from Jaeger's documentation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from swarmscope.api.jaeger.routes import PREFIX, jaeger_routes
from swarmscope.testing.plain_spans import PlainEvent, PlainLink, PlainScope, PlainSpan, span_id, trace_id
from tests.api.traces.served import NOW_NS, S, Served, serve

MS = 1_000_000
US = 1_000
TRACE = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
SHOP = {"service.name": "shop", "host.name": "h1", "cores": 4}
PAY = {"service.name": "pay"}
CHECKOUT = PlainSpan(
    TRACE, span_id(1), "POST /checkout", NOW_NS - 10 * S, NOW_NS - 10 * S + 250 * MS, kind=2, status=2,
    status_message="card declined",
    attributes={"http.method": "POST", "http.status_code": 402, "retry": False, "ratio": 0.5, "raw": b"\x01\x02",
                "big": 1 << 60, "nothing": None},
    resource=SHOP,
    scope=PlainScope("flask", "1.2", {"kind": "auto"}, "https://x/1"),
    events=(PlainEvent(NOW_NS - 10 * S + 7 * US, "exception", {"exception.type": "Declined"}, 2),),
    links=(PlainLink(trace_id(9), span_id(8)),
           PlainLink(trace_id(7), span_id(6), attributes={"opentracing.ref_type": "child_of"})),
    trace_state="a=b", flags=1, dropped_attributes=3, dropped_events=4, dropped_links=5,
)  # fmt: skip
CHARGE = PlainSpan(
    TRACE, span_id(2), "charge", NOW_NS - 10 * S + 1 * MS, NOW_NS - 10 * S + 201 * MS, span_id(1), 3, resource=PAY
)
SMALL = PlainSpan(trace_id(5), span_id(3), "GET /", NOW_NS - 5 * S, NOW_NS - 5 * S + 5 * MS, kind=2, resource=SHOP,
                  attributes={"http.status_code": 200})  # fmt: skip
SPANS = (CHECKOUT, CHARGE, SMALL)


@pytest.fixture(params=[True, False], ids=["hints obeyed", "hints ignored"], name="client")
def _client(request):
    served = serve(jaeger_routes, PREFIX, SPANS, obeys_hints=request.param)
    with TestClient(served.app) as client:
        yield client


def _get(client: TestClient, path: str, status: int = 200, **params: Any) -> Any:
    answer = client.get(f"/jaeger/api/{path}", params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


def _names(client: TestClient, **params: Any) -> list[list[str]]:
    """Operations of each trace that a search finds."""
    found = _get(client, "traces", **({"service": "shop"} | params))["data"]
    return [[span["operationName"] for span in trace["spans"]] for trace in found]


BOTH = [["GET /"], ["POST /checkout", "charge"]]


def test_services_and_operations(client):
    assert _get(client, "services") == {
        "data": ["pay", "shop"], "total": 2, "limit": 0, "offset": 0, "errors": None,
    }  # fmt: skip
    assert _get(client, "services/shop/operations")["data"] == ["GET /", "POST /checkout"]
    assert _get(client, "operations", service="pay")["data"] == [{"name": "charge", "spanKind": "client"}]
    assert _get(client, "operations", service="pay", spanKind="server")["data"] == []
    assert _get(client, "operations", status=400)["errors"] == [{"code": 400, "msg": "parameter 'service' is required"}]


def test_a_service_with_a_slash_in_its_name():
    odd = PlainSpan(trace_id(1), span_id(1), "op", NOW_NS - S, NOW_NS, resource={"service.name": "a/b"})
    with TestClient(serve(jaeger_routes, PREFIX, [odd]).app) as client:
        assert client.get("/jaeger/api/services/a%2Fb/operations").json()["data"] == ["op"]


def test_every_field_of_a_trace(client):
    (trace,) = _get(client, f"traces/{TRACE.hex()}")["data"]
    assert trace["traceID"] == TRACE.hex()
    assert trace["warnings"] is None
    assert trace["processes"] == {
        "p1": {
            "serviceName": "shop",
            "tags": [
                {"key": "host.name", "type": "string", "value": "h1"},
                {"key": "cores", "type": "int64", "value": 4},
            ],
        },
        "p2": {"serviceName": "pay", "tags": []},
    }
    first, second = trace["spans"]
    tags = {tag["key"]: (tag["type"], tag["value"]) for tag in first.pop("tags")}
    assert tags == {
        "otel.scope.name": ("string", "flask"),
        "otel.scope.version": ("string", "1.2"),
        "otel.scope.schema_url": ("string", "https://x/1"),
        "otel.scope.kind": ("string", "auto"),
        "http.method": ("string", "POST"),
        "http.status_code": ("int64", 402),
        "retry": ("bool", False),
        "ratio": ("float64", 0.5),
        "raw": ("binary", "AQI="),
        "big": ("int64", "1152921504606846976"),
        "nothing": ("string", ""),
        "span.kind": ("string", "server"),
        "otel.status_code": ("string", "ERROR"),
        "otel.status_description": ("string", "card declined"),
        "error": ("bool", True),
        "w3c.tracestate": ("string", "a=b"),
        "otel.dropped_attributes_count": ("int64", 3),
        "otel.dropped_events_count": ("int64", 4),
        "otel.dropped_links_count": ("int64", 5),
    }
    assert first == {
        "traceID": TRACE.hex(),
        "spanID": "0000000000000001",
        "flags": 1,
        "operationName": "POST /checkout",
        "references": [
            {"refType": "FOLLOWS_FROM", "traceID": "0000000000000009", "spanID": "0000000000000008"},
            {"refType": "CHILD_OF", "traceID": "0000000000000007", "spanID": "0000000000000006"},
        ],
        "startTime": 1_699_999_990_000_000,
        "duration": 250_000,
        "logs": [
            {
                "timestamp": 1_699_999_990_000_007,
                "fields": [
                    {"key": "event", "type": "string", "value": "exception"},
                    {"key": "exception.type", "type": "string", "value": "Declined"},
                    {"key": "otel.dropped_attributes_count", "type": "int64", "value": 2},
                ],
            }
        ],
        "processID": "p1",
        "warnings": None,
    }
    assert second["references"] == [{"refType": "CHILD_OF", "traceID": TRACE.hex(), "spanID": "0000000000000001"}]
    assert (second["processID"], second["startTime"], second["duration"]) == ("p2", 1_699_999_990_001_000, 200_000)
    assert [(tag["key"], tag["value"]) for tag in second["tags"]] == [("span.kind", "client")]


def test_an_unknown_trace_is_not_found(client):
    told = _get(client, "traces/abc", status=404)
    assert told == {
        "data": None, "total": 0, "limit": 0, "offset": 0, "errors": [{"code": 404, "msg": "trace not found"}],
    }  # fmt: skip
    assert _get(client, "traces/xyz", status=400)["errors"][0]["code"] == 400
    assert _get(client, f"traces/{'a' * 33}", status=400)["errors"][0]["code"] == 400


@pytest.mark.parametrize("unit", [1_000_000, 1_000])  # microseconds as Jaeger, milliseconds as Grafana
def test_a_trace_outside_of_the_asked_times_is_not_found(client, unit):
    begins = NOW_NS // S - 10
    path = f"traces/{TRACE.hex()}"
    assert len(_get(client, path, start=(begins - 1) * unit, end=(begins + 1) * unit)["data"]) == 1
    assert len(_get(client, path, start=begins * unit + unit // 5)["data"]) == 1  # it lasts for 250 ms
    _get(client, path, status=404, start=(begins + 1) * unit)
    _get(client, path, status=404, end=(begins - 1) * unit)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, BOTH),
        ({"limit": 1}, [["GET /"]]),
        ({"service": "pay"}, [["POST /checkout", "charge"]]),
        ({"service": "nobody"}, []),
        ({"operation": "GET /"}, [["GET /"]]),
        ({"operation": "charge"}, []),  # of another service
        ({"minDuration": "100ms"}, [["POST /checkout", "charge"]]),
        ({"maxDuration": "100ms"}, [["GET /"]]),
        ({"minDuration": "5ms", "maxDuration": "5ms"}, [["GET /"]]),
        ({"tag": "http.status_code:200"}, [["GET /"]]),
        ({"tag": ["http.status_code:402", "http.method:POST"]}, [["POST /checkout", "charge"]]),
        ({"tag": ["http.status_code:200", "http.method:POST"]}, []),
        ({"tags": '{"http.status_code":"402"}'}, [["POST /checkout", "charge"]]),
        ({"tags": '{"http.status_code":402,"retry":false}'}, [["POST /checkout", "charge"]]),
        ({"tags": '{"ratio":"0.5"}'}, [["POST /checkout", "charge"]]),
        ({"tags": '{"ratio":"0.50"}'}, [["POST /checkout", "charge"]]),
        ({"tags": '{"error":"true"}'}, [["POST /checkout", "charge"]]),
        ({"tags": '{"error":"false"}'}, []),
        ({"tags": '{"span.kind":"server"}'}, BOTH),
        ({"tags": '{"span.kind":"client"}'}, []),
        ({"service": "pay", "tags": '{"span.kind":"client"}'}, [["POST /checkout", "charge"]]),
        ({"tags": '{"otel.status_code":"ERROR"}'}, [["POST /checkout", "charge"]]),
        ({"tags": '{"otel.status_description":"card declined"}'}, [["POST /checkout", "charge"]]),
        ({"tags": '{"otel.scope.name":"flask"}'}, [["POST /checkout", "charge"]]),
        ({"tags": '{"host.name":"h1"}'}, BOTH),
        ({"tags": '{"cores":"4"}'}, BOTH),
        ({"tags": '{"exception.type":"Declined"}'}, [["POST /checkout", "charge"]]),
        ({"tags": '{"event":"exception"}'}, [["POST /checkout", "charge"]]),
        ({"tags": '{"event":"other"}'}, []),
        ({"tags": '{"unknown":"x"}'}, []),
        ({"start": (NOW_NS - 7 * S) // US}, [["GET /"]]),
        ({"end": (NOW_NS - 7 * S) // US}, [["POST /checkout", "charge"]]),
        ({"start": (NOW_NS - 7 * S) // MS, "end": NOW_NS // MS}, [["GET /"]]),
        ({"lookback": "7s"}, [["GET /"]]),
        ({"lookback": "1h"}, BOTH),
        ({"lookback": "custom"}, BOTH),
    ],
)  # fmt: skip
def test_search(client, params, expected):
    assert _names(client, **params) == expected


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"service": ""}, "parameter 'service' is required"),
        ({"start": "soon"}, "unable to parse param 'start'"),
        ({"start": NOW_NS // US, "end": NOW_NS // US - 1}, "start time must be before end time"),
        ({"limit": "0"}, "limit must be greater than 0"),
        ({"limit": "many"}, "unable to parse param 'limit'"),
        ({"minDuration": "10"}, "missing unit"),
        ({"minDuration": "2s", "maxDuration": "1s"}, "'maxDuration' should be greater than 'minDuration'"),
        ({"tag": "error"}, "malformed 'tag' parameter, expecting key:value, received: error"),
        ({"tags": "{"}, "malformed 'tags' parameter"),
        ({"tags": '{"a":{}}'}, "malformed 'tags' parameter"),
        ({"traceID": "nothex"}, "cannot parse traceID param"),
    ],
)
def test_refusals(client, params, words):
    told = _get(client, "traces", status=400, **({"service": "shop"} | params))
    assert told["data"] is None
    assert told["errors"][0]["code"] == 400
    assert words in told["errors"][0]["msg"]


def test_traces_by_several_ids(client):
    told = _get(client, "traces", traceID=[TRACE.hex(), "5", "77"])
    assert [trace["traceID"] for trace in told["data"]] == ["0000000000000005", TRACE.hex()]
    assert told["errors"] == [{"msg": "trace not found", "traceID": "0000000000000077"}]


def test_what_is_odd_is_told():
    spans = [
        PlainSpan(trace_id(1), span_id(1), "a", NOW_NS - S, NOW_NS - S + 5, span_id(99), resource=SHOP),
        PlainSpan(trace_id(1), span_id(2), "b", NOW_NS, NOW_NS - 7, span_id(1), resource=SHOP),
        PlainSpan(trace_id(2), span_id(1), "c", NOW_NS - S, NOW_NS, span_id(2), resource=SHOP),
        PlainSpan(trace_id(2), span_id(2), "d", NOW_NS, NOW_NS, span_id(1), resource=SHOP),
    ]
    with TestClient(serve(jaeger_routes, PREFIX, spans).app) as client:
        first = _get(client, "traces/1")["data"][0]["spans"]
        assert "parent span is not here" in first[0]["warnings"][0]
        assert "clocks differ" in first[1]["warnings"][0]
        assert first[1]["duration"] == 0
        second = _get(client, "traces/2")["data"][0]["spans"]
        assert "its own ancestor" in second[0]["warnings"][0]
        assert second[1]["warnings"] is None


def test_tags_of_jaegers_own_model_come_back():
    sent = PlainSpan(
        trace_id(1), span_id(2), "op", NOW_NS - S, NOW_NS, span_id(1), kind=0, status=2, resource=SHOP, flags=1,
        attributes={"error": "boom", "jaeger.flags": 3},
        events=(PlainEvent(NOW_NS - S, "hello", {"message": "hello"}), PlainEvent(NOW_NS - S, "", {"a": True})),
        links=(PlainLink(trace_id(1), span_id(1), attributes={"opentracing.ref_type": "follows_from"}),),
    )  # fmt: skip
    with TestClient(serve(jaeger_routes, PREFIX, [sent]).app) as client:
        (span,) = _get(client, "traces/1")["data"][0]["spans"]
    assert span["tags"] == [
        {"key": "error", "type": "bool", "value": True},  # what marks an error for whoever reads tags
        {"key": "error", "type": "string", "value": "boom"},
        {"key": "otel.status_code", "type": "string", "value": "ERROR"},
    ]
    assert span["flags"] == 3
    assert span["references"] == [
        {"refType": "FOLLOWS_FROM", "traceID": "0000000000000001", "spanID": "0000000000000001"}
    ]
    assert [log["fields"] for log in span["logs"]] == [
        [{"key": "message", "type": "string", "value": "hello"}],
        [{"key": "a", "type": "bool", "value": True}],
    ]


def test_tenants_are_apart(client):
    answer = client.get(f"/jaeger/api/traces/{TRACE.hex()}", headers={"x-scope-orgid": "other"})
    assert answer.status_code == 404


def test_too_many_spans_are_refused():
    with TestClient(serve(jaeger_routes, PREFIX, SPANS, max_spans=1).app) as client:
        told = _get(client, "traces", status=400, service="shop")
    assert "too many spans" in told["errors"][0]["msg"]


def test_requests_are_recorded():
    served: Served = serve(jaeger_routes, PREFIX, SPANS)
    with TestClient(served.app) as client:
        _get(client, "services/shop/operations")
        _get(client, "traces/1", status=404)
    assert [(each.endpoint, each.status) for each in served.records] == [
        ("/jaeger/api/services/{name}/operations", 200), ("/jaeger/api/traces/{name}", 404),
    ]  # fmt: skip


def test_dependencies(client):
    told = _get(client, "dependencies", endTs=NOW_NS // MS, lookback=60_000)
    assert told["data"] == [{"parent": "shop", "child": "pay", "callCount": 1}]
    assert _get(client, "dependencies", endTs=NOW_NS // MS, lookback=60_000, service="nobody")["data"] == []
    assert _get(client, "dependencies", endTs=NOW_NS // MS - 60_000)["data"] == []
    assert len(_get(client, "dependencies")["data"]) == 1


def test_json_is_as_jaeger_writes_it(client):
    text = client.get("/jaeger/api/traces", params={"service": "nobody"}).text
    assert json.loads(text) == {"data": [], "total": 0, "limit": 0, "offset": 0, "errors": None}
