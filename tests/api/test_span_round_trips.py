"""What came in by Zipkin's and Jaeger's protocols comes back through their APIs, field by field."""

from __future__ import annotations

import json
from typing import Any

import anyio.to_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from swarmscope.api.jaeger.routes import jaeger_routes
from swarmscope.api.zipkin.routes import zipkin_routes
from swarmscope.receivers.jaeger.routes import routes as jaeger_receiver
from swarmscope.receivers.jaeger.settings import JaegerSettings
from swarmscope.receivers.zipkin.routes import routes as zipkin_receiver
from swarmscope.receivers.zipkin.settings import ZipkinSettings
from tests.api.traces.served import NOW_NS, serve
from tests.portion import portion
from tests.receivers.jaeger.batches import Struct, batch, log, reference, span
from tests.receivers.jaeger.thrift_writer import binary, compact
from tests.receivers.zipkin.test_decode import EVERYTHING

NOW_US = NOW_NS // 1000
TRACE = (0x0AF7651916CD43DD, 0x0448EB211C80319C)
TRACE_HEX = "0af7651916cd43dd0448eb211c80319c"
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
# Names that say something to OpenTelemetry have tests of their own.
NAMES = st.sampled_from(["a", "b.c", "http.method", "ünïcode", "with space", "x" * 30])
IDS = st.integers(1, 2**63 - 1)


async def run_work(work: Any, *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(work, *arguments)


def _zipkin_round(spans: list[dict[str, Any]], trace: str) -> list[dict[str, Any]]:
    served = serve(zipkin_routes, "/zipkin")
    receiver = zipkin_receiver("/zipkin", ZipkinSettings(), served.spans, run_work)
    # The receiver's routes come first, as on the main port: both have /api/v2/spans.
    with TestClient(Starlette(routes=[*receiver, *served.app.routes])) as client:
        sent = client.post(
            "/zipkin/api/v2/spans", content=json.dumps(spans), headers={"content-type": "application/json"}
        )
        assert sent.status_code == 202, sent.text
        answer = client.get(f"/zipkin/api/v2/trace/{trace}")
        assert client.get("/zipkin/api/v2/spans", params={"serviceName": "nobody"}).json() == []
    assert answer.status_code == 200, answer.text
    return answer.json()


def _jaeger_round(struct: Struct, is_compact: bool = False, trace: str = TRACE_HEX) -> dict[str, Any]:
    served = serve(jaeger_routes, "/jaeger")
    receiver = jaeger_receiver("/jaeger", JaegerSettings(), served.spans, run_work)
    kind = "application/vnd.apache.thrift.compact" if is_compact else "application/x-thrift"
    body = (compact if is_compact else binary)(struct)
    with TestClient(Starlette(routes=[*receiver, *served.app.routes])) as client:
        assert client.post("/jaeger/api/traces", content=body, headers={"content-type": kind}).status_code == 202
        answer = client.get(f"/jaeger/api/traces/{trace}")
        assert client.get("/jaeger/api/traces", params={"service": "nobody"}).json()["data"] == []
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["data"]
    return found


def test_a_zipkin_span_with_everything() -> None:
    (found,) = _zipkin_round([EVERYTHING], EVERYTHING["traceId"])
    first, second = EVERYTHING["annotations"]
    # What has attributes is spelled without spaces.
    assert found == EVERYTHING | {
        "parentId": "0000000000000005",
        "annotations": [first, second | {"value": '{"failed":{"code":7}}'}],
    }


ENDPOINTS = st.fixed_dictionaries(
    {"serviceName": st.text("abcXYZ-.", min_size=1, max_size=8)},
    optional={
        "ipv4": st.ip_addresses(v=4).map(str),
        "ipv6": st.ip_addresses(v=6).filter(lambda each: each.ipv4_mapped is None and each.scope_id is None).map(str),
        "port": st.integers(1, 65_535),
    },
)
ZIPKIN_SPANS = st.fixed_dictionaries(
    {"traceId": IDS.map(lambda each: f"{each:016x}"), "id": IDS.map(lambda each: f"{each:016x}"),
     "timestamp": st.integers(NOW_US - 10**9, NOW_US)},
    optional={
        "parentId": IDS.map(lambda each: f"{each:016x}"),
        "kind": st.sampled_from(["CLIENT", "SERVER", "PRODUCER", "CONSUMER"]),
        "name": st.text("abcXYZ /", min_size=1, max_size=10),
        "duration": st.integers(1, 10**10),
        "localEndpoint": ENDPOINTS,
        "remoteEndpoint": ENDPOINTS,
        "annotations": st.lists(
            st.fixed_dictionaries({"timestamp": st.integers(1, NOW_US), "value": st.text("abc xyz", min_size=1)}),
            min_size=1, max_size=3,
        ),
        "shared": st.just(True),
        "debug": st.just(True),
        "tags": st.dictionaries(NAMES, WORDS, min_size=1, max_size=4),
    },
)  # fmt: skip


@settings(max_examples=portion(80, 26), deadline=None)
@given(ZIPKIN_SPANS)
def test_any_zipkin_span(sent: dict[str, Any]) -> None:
    (found,) = _zipkin_round([sent], sent["traceId"])
    if sent.get("parentId") == sent["id"]:  # a span is not its own parent: Zipkin leaves that out too
        del sent["parentId"]
    assert found == sent


@pytest.mark.parametrize(
    "tags",
    [
        {"error": "boom"},
        {"error": ""},
        {"error": "false"},
        {"otel.status_code": "ERROR", "error": "card declined"},
        {"otel.status_code": "OK"},
        {"otel.scope.name": "flask", "otel.scope.version": "1.2"},
        {"span.kind": "internal"},
        {"w3c.tracestate": "a=b"},
        {"otel.dropped_attributes_count": "3"},
        {"net.host.ip": "somewhere", "peer.service": "x"},
    ],
)
def test_tags_of_zipkin_that_say_something(tags: dict[str, str]) -> None:
    sent = {"traceId": "0000000000000001", "id": "0000000000000002", "timestamp": NOW_US, "tags": tags}
    (found,) = _zipkin_round([sent], "1")
    if "peer.service" in tags:
        # By either way it came, it is the other side of the call.
        assert found.pop("remoteEndpoint") == {"serviceName": "x"}
        sent = sent | {"tags": {"net.host.ip": "somewhere"}}
    assert found == sent


def test_a_zipkin_span_without_times() -> None:
    sent = {"traceId": "0000000000000001", "id": "0000000000000002"}
    assert _zipkin_round([sent], "1") == [sent]


def _typed(tags: dict[str, Any]) -> list[dict[str, Any]]:
    """Tags as Jaeger's JSON has them."""
    names = {str: "string", bool: "bool", int: "int64", float: "float64"}
    return [
        {"key": key, "type": names[type(value)],
         "value": str(value) if type(value) is int and abs(value) >= 2**53 else value}
        for key, value in tags.items()
    ]  # fmt: skip


VALUES = st.one_of(
    WORDS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)
)
TAGS = st.dictionaries(NAMES, VALUES, max_size=4)


@settings(max_examples=portion(80, 26), deadline=None)
@given(
    TAGS, TAGS, st.lists(TAGS.filter(bool), max_size=2),
    st.lists(st.tuples(st.integers(0, 1), IDS, IDS), max_size=3, unique_by=lambda each: each[1:]),
    st.integers(0, 3), IDS, st.integers(0, 10**9), st.booleans(),
)  # fmt: skip
def test_any_jaeger_span(
    tags: dict[str, Any], process: dict[str, Any], logs: list[dict[str, Any]], references: list[tuple[int, int, int]],
    flags: int, number: int, duration_us: int, is_compact: bool,
) -> None:  # fmt: skip
    sent = span(
        TRACE, number, 0, "GET /", flags=flags, start_us=NOW_US, duration_us=duration_us, tags=tags,
        references=[reference(kind, (0, trace), target) for kind, trace, target in references],
        logs=[log(NOW_US + at, fields) for at, fields in enumerate(logs)],
    )  # fmt: skip
    trace = _jaeger_round(batch([sent], "shop", process), is_compact)
    assert trace["processes"] == {"p1": {"serviceName": "shop", "tags": _typed(process)}}
    (found,) = trace["spans"]
    assert found == {
        "traceID": TRACE_HEX,
        "spanID": f"{number:016x}",
        "flags": flags,
        "operationName": "GET /",
        "references": [
            {"refType": ("CHILD_OF", "FOLLOWS_FROM")[kind], "traceID": f"{trace_id:016x}", "spanID": f"{target:016x}"}
            for kind, trace_id, target in references
        ],
        "startTime": NOW_US,
        "duration": duration_us,
        "tags": _typed(tags),
        "logs": [{"timestamp": NOW_US + at, "fields": _typed(fields)} for at, fields in enumerate(logs)],
        "processID": "p1",
        "warnings": None,
    }


@pytest.mark.parametrize(
    "tags",
    [
        {"span.kind": "server"},
        {"span.kind": "odd"},
        {"error": "boom", "otel.status_code": "ERROR"},
        {"otel.status_code": "ERROR", "error": True},
        {"error": False},
        {"otel.status_code": "OK", "otel.status_description": "fine"},
        {"otel.scope.name": "flask", "otel.scope.version": "1.2"},
        {"w3c.tracestate": "a=b"},
    ],
)
def test_tags_of_jaeger_that_say_something(tags: dict[str, Any]) -> None:
    trace = _jaeger_round(batch([span(TRACE, 1, tags=tags, start_us=NOW_US)]))
    assert {tag["key"]: tag["value"] for tag in trace["spans"][0]["tags"]} == tags


def test_references_of_jaeger() -> None:
    children = [
        span(TRACE, 1, 0, start_us=NOW_US),
        span(TRACE, 2, 1, start_us=NOW_US, references=[reference(0, TRACE, 1)]),
        span(TRACE, 3, 0, start_us=NOW_US, references=[reference(0, TRACE, 1), reference(0, TRACE, 2)]),
        span(TRACE, 4, 1, start_us=NOW_US, references=[reference(1, TRACE, 1)]),
    ]
    found = {each["spanID"][-1]: each["references"] for each in _jaeger_round(batch(children))["spans"]}
    assert {
        number: [(each["refType"], each["spanID"][-1]) for each in references] for number, references in found.items()
    } == {
        "1": [],
        "2": [("CHILD_OF", "1")],
        "3": [("CHILD_OF", "1"), ("CHILD_OF", "2")],
        "4": [("FOLLOWS_FROM", "1")],
    }


def test_events_of_jaeger() -> None:
    logs = [{"event": "failed", "code": 7}, {"message": "hello"}, {"code": 1}, {"event": "x", "message": "y"}]
    sent = span(TRACE, 1, start_us=NOW_US, logs=[log(NOW_US, fields) for fields in logs])
    (found,) = _jaeger_round(batch([sent]))["spans"]
    assert [{field["key"]: field["value"] for field in each["fields"]} for each in found["logs"]] == logs
