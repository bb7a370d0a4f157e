"""Traces that are too large for an answer are refused by name, whichever API is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.api.traces.served import NOW_NS, S, serve

from swarmscope.api.jaeger import routes as jaeger
from swarmscope.api.zipkin.routes import zipkin_routes
from swarmscope.testing.plain_spans import PlainSpan, span_id, trace_id

SPANS = [
    PlainSpan(trace_id(1), span_id(at + 1), "a", NOW_NS - S, NOW_NS, resource={"service.name": "x"}) for at in range(5)
]
ID = trace_id(1).hex()


@pytest.mark.parametrize(
    ("routes", "prefix", "path"),
    [
        (jaeger.jaeger_routes, jaeger.PREFIX, f"/api/traces/{ID}"),
        (jaeger.jaeger_routes, jaeger.PREFIX, f"/api/traces?traceID={ID}"),
        (jaeger.jaeger_routes, jaeger.PREFIX, "/api/traces?service=x"),
        (jaeger.jaeger_routes, jaeger.PREFIX, f"/api/v3/traces/{ID}"),
        (zipkin_routes, "/zipkin", f"/api/v2/trace/{ID}"),
        (zipkin_routes, "/zipkin", f"/api/v2/traceMany?traceIds={ID}"),
        (zipkin_routes, "/zipkin", "/api/v2/traces?serviceName=x"),
    ],
)
def test_a_trace_that_is_too_large_is_refused(routes: Callable[..., Any], prefix: str, path: str) -> None:
    for limit, status in ((5, 200), (4, 400)):
        with TestClient(serve(routes, prefix, SPANS, max_whole_spans=limit).app) as client:
            answer = client.get(prefix + path)
        assert answer.status_code == status, answer.text
    assert "more than 4 spans" in answer.text
    assert "query.max_trace_spans" in answer.text
