"""Zipkin's API over spans in memory, against answers worked out by hand from Zipkin's API page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from swarmscope.api.zipkin.routes import PREFIX, zipkin_routes
from swarmscope.testing.plain_spans import PlainEvent, PlainLink, PlainScope, PlainSpan, span_id, trace_id
from tests.api.traces.served import NOW_NS, S, serve

MS = 1_000_000
US = 1_000
TRACE = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
ZIPKIN = PlainSpan(
    trace_id(5), span_id(3), "get /users", NOW_NS - 5 * S, NOW_NS - 5 * S + 207 * MS, span_id(2), kind=3,
    attributes={
        "net.host.ip": "10.0.0.1", "zipkin.local.ipv6": "2001:db8::1", "net.host.port": 8080,
        "peer.service": "Users", "net.peer.ip": "2001:db8::c001", "net.peer.port": 443,
        "zipkin.shared": True, "zipkin.debug": True,
        "http.method": "GET", "http.status_code": "200",
    },
    resource={"service.name": "Frontend"},
    events=(PlainEvent(NOW_NS - 5 * S + 7 * US, "ws"),),
)  # fmt: skip
OTEL = PlainSpan(
    TRACE, span_id(1), "POST /checkout", NOW_NS - 10 * S, NOW_NS - 10 * S + 250 * MS + 999, kind=2, status=2,
    status_message="card declined",
    attributes={"http.status_code": 402, "retry": False, "ratio": 0.5, "nothing": None, "raw": b"\x01\x02"},
    resource={"service.name": "shop", "host.name": "h1", "retry": "of the resource"},
    scope=PlainScope("flask", "1.2", {"kind": "auto"}, "https://x/1"),
    events=(PlainEvent(NOW_NS - 10 * S, "exception", {"exception.type": "Declined", "n": 1}, 2),),
    links=(PlainLink(trace_id(9), span_id(8), "c=d", {"why": "retry"}, 1),),
    trace_state="a=b", flags=1, dropped_attributes=3, dropped_events=4, dropped_links=5,
)  # fmt: skip
CHARGE = PlainSpan(TRACE, span_id(2), "charge", NOW_NS - 10 * S + MS, NOW_NS - 10 * S + 2 * MS, span_id(1), 1, status=2,
                   attributes={"error": "boom"}, resource={"service.name": "pay"})  # fmt: skip
SPANS = (ZIPKIN, OTEL, CHARGE)


@pytest.fixture(params=[True, False], ids=["hints obeyed", "hints ignored"], name="client")
def _client(request):
    with TestClient(serve(zipkin_routes, PREFIX, SPANS, obeys_hints=request.param).app) as client:
        yield client


def _get(client: TestClient, path: str, **params: Any) -> Any:
    answer = client.get(f"/zipkin/api/v2/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _refused(client: TestClient, path: str, status: int, **params: Any) -> str:
    answer = client.get(f"/zipkin/api/v2/{path}", params=params)
    assert answer.status_code == status, answer.text
    return answer.text


def test_every_field_of_a_zipkin_span(client):
    assert _get(client, "trace/5") == [
        {
            "traceId": "0000000000000005",
            "id": "0000000000000003",
            "parentId": "0000000000000002",
            "kind": "CLIENT",
            "name": "get /users",
            "timestamp": 1_699_999_995_000_000,
            "duration": 207_000,
            "localEndpoint": {"serviceName": "Frontend", "ipv4": "10.0.0.1", "ipv6": "2001:db8::1", "port": 8080},
            "remoteEndpoint": {"serviceName": "Users", "ipv6": "2001:db8::c001", "port": 443},
            "annotations": [{"timestamp": 1_699_999_995_000_007, "value": "ws"}],
            "tags": {"http.method": "GET", "http.status_code": "200"},
            "shared": True,
            "debug": True,
        }
    ]


def test_every_field_of_an_opentelemetry_span(client):
    first, second = _get(client, f"trace/{TRACE.hex()}")
    assert first == {
        "traceId": TRACE.hex(),
        "id": "0000000000000001",
        "kind": "SERVER",
        "name": "POST /checkout",
        "timestamp": 1_699_999_990_000_000,
        "duration": 250_000,
        "localEndpoint": {"serviceName": "shop"},
        "annotations": [
            {
                "timestamp": 1_699_999_990_000_000,
                "value": '{"exception":{"exception.type":"Declined","n":1,"otel.dropped_attributes_count":2}}',
            }
        ],
        "tags": {
            "http.status_code": "402",
            "retry": "false",
            "ratio": "0.5",
            "nothing": "",
            "raw": "AQI=",
            "host.name": "h1",
            "otel.scope.name": "flask",
            "otel.scope.version": "1.2",
            "otel.scope.schema_url": "https://x/1",
            "otel.scope.kind": "auto",
            "w3c.tracestate": "a=b",
            "otel.status_code": "ERROR",
            "error": "card declined",
            "otel.dropped_attributes_count": "3",
            "otel.dropped_events_count": "4",
            "otel.dropped_links_count": "5",
            "otlp.link.0": '0000000000000009|0000000000000008|c=d|{"why":"retry"}|1',
        },
    }
    assert second == {
        "traceId": TRACE.hex(),
        "id": "0000000000000002",
        "parentId": "0000000000000001",
        "name": "charge",
        "timestamp": 1_699_999_990_001_000,
        "duration": 1_000,
        "localEndpoint": {"serviceName": "pay"},
        "tags": {"error": "boom", "span.kind": "internal"},
    }


def test_a_span_with_next_to_nothing():
    bare = PlainSpan(trace_id(1), span_id(1), "", NOW_NS - S, NOW_NS - S, kind=0,
                     attributes={"zipkin.no_timestamp": True})  # fmt: skip
    with TestClient(serve(zipkin_routes, PREFIX, [bare]).app) as client:
        assert _get(client, "trace/1") == [{"traceId": "0000000000000001", "id": "0000000000000001"}]


def test_attributes_that_are_no_endpoint_stay_tags():
    odd = PlainSpan(
        trace_id(1), span_id(1), "a", NOW_NS - S, NOW_NS - S + 1, status=1, resource={"service.name": "x"}, kind=0,
        attributes={"net.host.ip": "somewhere", "net.peer.port": "80", "net.host.port": 70_000, "zipkin.debug": "yes"},
    )  # fmt: skip
    with TestClient(serve(zipkin_routes, PREFIX, [odd]).app) as client:
        (span,) = _get(client, "trace/1")
    assert span["localEndpoint"] == {"serviceName": "x"}
    assert "remoteEndpoint" not in span
    assert span["duration"] == 1  # there is nothing shorter
    assert span["tags"] == {
        "net.host.ip": "somewhere",
        "net.peer.port": "80",
        "net.host.port": "70000",
        "zipkin.debug": "yes",
        "otel.status_code": "OK",
    }


def test_unknown_traces(client):
    assert "0000000000000077 not found" in _refused(client, "trace/77", 404)
    assert "lower-hex" in _refused(client, "trace/xyz", 400)


def test_several_traces(client):
    found = _get(client, "traceMany", traceIds=f"{TRACE.hex()},5,77")
    assert [trace[0]["traceId"] for trace in found] == ["0000000000000005", TRACE.hex()]
    assert "empty" in _refused(client, "traceMany", 400)
    assert "redundant" in _refused(client, "traceMany", 400, traceIds="5,0000000000000005")


A, B = ["get /users"], ["POST /checkout", "charge"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, [A, B]),
        ({"limit": 1}, [A]),
        ({"serviceName": "frontend"}, [A]),
        ({"serviceName": "FRONTEND"}, [A]),
        ({"serviceName": "pay"}, [B]),
        ({"serviceName": "nobody"}, []),
        ({"spanName": "post /checkout"}, [B]),
        ({"spanName": "all"}, [A, B]),
        ({"serviceName": "pay", "spanName": "get /users"}, []),
        ({"remoteServiceName": "Users"}, [A]),
        ({"remoteServiceName": "users"}, [A]),
        ({"annotationQuery": "http.method=GET"}, [A]),
        ({"annotationQuery": "http.status_code=402"}, [B]),
        ({"annotationQuery": "http.method=GET and http.status_code=402"}, []),
        ({"annotationQuery": "http.method and http.status_code=200"}, [A]),
        ({"annotationQuery": "error"}, [B]),
        ({"annotationQuery": "error=boom"}, [B]),
        ({"annotationQuery": "ws"}, [A]),
        ({"annotationQuery": "exception"}, [B]),
        ({"annotationQuery": "nothing-of-this-name"}, []),
        ({"minDuration": 207_000}, [A, B]),
        ({"minDuration": 207_001}, [B]),
        ({"minDuration": 1, "maxDuration": 207_000}, [A, B]),  # `charge` is as short
        ({"minDuration": 2_000, "maxDuration": 207_000}, [A]),
        ({"endTs": (NOW_NS - 7 * S) // MS}, [B]),
        ({"lookback": 7_000}, [A]),
    ],
)
def test_search(client, params, expected):
    assert [[span["name"] for span in trace] for trace in _get(client, "traces", **params)] == expected


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"limit": 0}, "limit <= 0"),
        ({"limit": "x"}, "limit"),
        ({"lookback": -1}, "lookback <= 0"),
        ({"endTs": "soon"}, "endTs"),
        ({"maxDuration": 5}, "maxDuration is only valid with minDuration"),
        ({"minDuration": 5, "maxDuration": 4}, "maxDuration < minDuration"),
    ],
)
def test_refusals(client, params, words):
    assert words in _refused(client, "traces", 400, **params)


def test_catalogue(client):
    assert _get(client, "services") == ["Frontend", "pay", "shop"]
    assert _get(client, "spans", serviceName="frontend") == ["get /users"]
    assert _get(client, "spans", serviceName="nobody") == []
    assert _get(client, "remoteServices", serviceName="frontend") == ["Users"]
    assert _get(client, "remoteServices", serviceName="pay") == []
    assert _get(client, "autocompleteKeys") == [
        "error", "http.method", "http.status_code", "nothing", "ratio", "raw", "retry",
    ]  # fmt: skip
    assert _get(client, "autocompleteValues", key="http.status_code") == ["200", "402"]
    for path in ("spans", "remoteServices", "autocompleteValues"):
        assert "parameter is empty" in _refused(client, path, 400)


def test_dependencies(client):
    assert _get(client, "dependencies", endTs=NOW_NS // MS, lookback=60_000) == [
        {"parent": "shop", "child": "pay", "callCount": 1, "errorCount": 1}
    ]
    assert _get(client, "dependencies", endTs=NOW_NS // MS - 60_000, lookback=1) == []


def test_state(client):
    assert client.get("/zipkin/health").json()["status"] == "UP"
    assert client.get("/zipkin/info").json()["zipkin"]["version"]
    assert client.get("/zipkin/config.json").json()["searchEnabled"] is True
    with TestClient(serve(zipkin_routes, PREFIX, ready=False).app) as starting:
        assert starting.get("/zipkin/health").status_code == 503


def test_the_same_at_the_root():
    with TestClient(serve(zipkin_routes, "", SPANS).app) as client:
        assert client.get("/api/v2/services").json() == ["Frontend", "pay", "shop"]


def test_two_halves_of_a_call_share_an_id():
    client_half = replace(ZIPKIN, attributes={}, parent_id=bytes(8))
    server_half = replace(client_half, kind=2, start_ns=NOW_NS - 5 * S + MS, attributes={"zipkin.shared": True},
                          resource={"service.name": "users"})  # fmt: skip
    database = PlainSpan(trace_id(5), span_id(9), "query", NOW_NS - 4 * S, NOW_NS, span_id(3), 3,
                         resource={"service.name": "db"})  # fmt: skip
    with TestClient(serve(zipkin_routes, PREFIX, [client_half, server_half, database]).app) as client:
        spans = _get(client, "trace/5")
        assert [(span["id"], span.get("shared", False)) for span in spans] == [
            ("0000000000000003", False), ("0000000000000003", True), ("0000000000000009", False),
        ]  # fmt: skip
        assert _get(client, "dependencies") == [
            {"parent": "Frontend", "child": "users", "callCount": 1},
            {"parent": "users", "child": "db", "callCount": 1},
        ]
