"""Answers over the embedded store, from memory and from parts, are those over plain objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.api.jaeger.test_jaeger_http import SPANS
from tests.api.test_span_round_trips import run_work
from tests.api.traces.served import NOW_NS, S, serve
from tests.api.zipkin.test_zipkin_http import ZIPKIN
from tests.receivers.jaeger.batches import batch, span
from tests.receivers.jaeger.thrift_writer import binary
from tests.receivers.zipkin.test_decode import EVERYTHING

from swarmscope.api.jaeger.routes import jaeger_routes
from swarmscope.api.zipkin.routes import zipkin_routes
from swarmscope.app.clock import SystemClock
from swarmscope.receivers.jaeger.routes import routes as jaeger_receiver
from swarmscope.receivers.jaeger.settings import JaegerSettings
from swarmscope.receivers.zipkin.routes import routes as zipkin_receiver
from swarmscope.receivers.zipkin.settings import ZipkinSettings
from swarmscope.store.embedded.spans.span_store import SpanStoreSettings
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from swarmscope.testing.plain_spans import PlainSpan, span_id, to_batch, trace_id

MANY = [
    PlainSpan(
        trace_id(100 + number), span_id(number + 1), f"op{number % 7}", NOW_NS - (1000 + number) * S,
        NOW_NS - (1000 + number) * S + number * 1_000_000, kind=2 + number % 2, status=number % 3,
        attributes={"n": number % 5, "user": f"u{number % 3}"}, resource={"service.name": f"s{number % 4}"},
    )
    for number in range(60)
]  # fmt: skip
CHAIN = [
    PlainSpan(trace_id(50), span_id(number), "hop", NOW_NS - 20 * S + number, NOW_NS - 10 * S,
              span_id(number - 1) if number > 1 else bytes(8), 2, resource={"service.name": f"c{number}"})
    for number in range(1, 5)
]  # fmt: skip
EVERY = [*SPANS, replace(ZIPKIN, trace_id=trace_id(6)), *MANY, *CHAIN]
ASKED = [
    "/jaeger/api/services",
    "/jaeger/api/services/s1/operations",
    "/jaeger/api/operations?service=shop",
    "/jaeger/api/traces?service=shop",
    "/jaeger/api/traces?service=s1&limit=3",
    "/jaeger/api/traces?service=s1&tag=n:3",
    "/jaeger/api/traces?service=s1&operation=op5&tag=user:u2",
    "/jaeger/api/traces?service=s2&tags={%22error%22:%22true%22}",
    "/jaeger/api/traces?service=s2&minDuration=20ms&maxDuration=40ms",
    "/jaeger/api/traces?service=shop&tags={%22http.status_code%22:%22402%22}",
    "/jaeger/api/traces?service=shop&tags={%22event%22:%22exception%22}",
    "/jaeger/api/traces?service=shop&tags={%22host.name%22:%22h1%22}",
    "/jaeger/api/traces?service=shop&tags={%22otel.scope.name%22:%22flask%22}",
    "/jaeger/api/traces/0af7651916cd43dd8448eb211c80319c",
    "/jaeger/api/traces?traceID=5&traceID=50&traceID=777",
    "/jaeger/api/dependencies",
    "/zipkin/api/v2/services",
    "/zipkin/api/v2/spans?serviceName=S1",
    "/zipkin/api/v2/remoteServices?serviceName=frontend",
    "/zipkin/api/v2/traces?serviceName=S3&limit=4",
    "/zipkin/api/v2/traces?annotationQuery=ws&limit=50",
    "/zipkin/api/v2/traces?remoteServiceName=USERS",
    "/zipkin/api/v2/traces?spanName=OP3&minDuration=10000&limit=50",
    "/zipkin/api/v2/trace/6",
    "/zipkin/api/v2/traceMany?traceIds=5,6,50",
    "/zipkin/api/v2/dependencies",
    "/zipkin/api/v2/autocompleteKeys",
    "/zipkin/api/v2/autocompleteValues?key=user",
]


def _answers(reader: Any = None) -> dict[str, Any]:
    found = {}
    for routes, prefix in ((jaeger_routes, "/jaeger"), (zipkin_routes, "/zipkin")):
        served = serve(routes, prefix, EVERY, **({} if reader is None else {"reader": reader}))
        with TestClient(served.app) as client:
            for path in ASKED:
                if path.startswith(prefix):
                    answer = client.get(path)
                    assert answer.status_code == 200, (path, answer.text)
                    found[path] = _without_order(answer.json())
    return found


def _without_order(data: Any) -> Any:
    """Tags by name: the store keeps the attributes of a span sorted. Resources' numbers are the store's own."""
    if isinstance(data, dict):
        return {name: _without_order(value) for name, value in data.items()}
    if isinstance(data, list):
        told = [_without_order(each) for each in data]
        is_tags = bool(told) and all(isinstance(each, dict) and "key" in each for each in told)
        return sorted(told, key=lambda each: (each["key"], str(each["value"]))) if is_tags else told
    return data


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    settings = StoreSettings(tmp_path, metrics_retention_s=None, spans=SpanStoreSettings(None))
    store = EmbeddedStore(settings, SystemClock())
    yield store
    store.close()


@pytest.mark.parametrize("flushed", ["memory", "half", "parts"])
def test_answers_are_the_same_wherever_spans_are(store: EmbeddedStore, flushed: str) -> None:
    half = len(EVERY) // 2
    for part in (EVERY[:half], EVERY[half:]):
        store.span_sink.write_spans(to_batch(part))
        if flushed == "parts" or (flushed == "half" and part[0] is EVERY[0]):
            assert store.spans.flush()
    stored, plain = _answers(store.span_reader), _answers()
    for path, expected in plain.items():
        assert stored[path] == expected, path


def test_what_receivers_bring_is_found_at_once(store: EmbeddedStore) -> None:
    sink = store.span_sink
    receivers = [*zipkin_receiver("/zipkin", ZipkinSettings(), sink, run_work),
                 *jaeger_receiver("/jaeger", JaegerSettings(), sink, run_work)]  # fmt: skip
    apis = [serve(routes, prefix, reader=store.span_reader).app.routes
            for routes, prefix in ((jaeger_routes, "/jaeger"), (zipkin_routes, "/zipkin"))]  # fmt: skip
    with TestClient(Starlette(routes=[*receivers, *apis[0], *apis[1]])) as client:
        sent = client.post("/zipkin/api/v2/spans", json=[EVERYTHING])
        assert sent.status_code == 202, sent.text
        (found,) = client.get(f"/zipkin/api/v2/trace/{EVERYTHING['traceId']}").json()
        assert {name: found[name] for name in ("localEndpoint", "remoteEndpoint", "tags")} == {
            name: EVERYTHING[name] for name in ("localEndpoint", "remoteEndpoint", "tags")
        }
        body = binary(batch([span((0, 77), 1, tags={"k": 1.5})], "thrift"))
        kind = {"content-type": "application/x-thrift"}
        assert client.post("/jaeger/api/traces", content=body, headers=kind).is_success
        (trace,) = client.get("/jaeger/api/traces/4d").json()["data"]
        assert trace["spans"][0]["tags"] == [{"key": "k", "type": "float64", "value": 1.5}]
        assert client.get("/jaeger/api/services").json()["data"] == ["shop", "thrift"]
