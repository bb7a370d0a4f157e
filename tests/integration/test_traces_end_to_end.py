"""What is promised of traces, against the running program: found at once, odd ones marked, a map, links, nothing leaks.

Each test has a tenant of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.integration.log_reading import wait_until
from tests.integration.processes import SwarmscopeServer
from tests.integration.span_sending import EXPORT, SentSpan, export_request, send_export
from tests.integration.trace_reading import CLIENT, get, get_json, read_trace, trace_ids
from tests.receivers.jaeger import batches as jaeger
from tests.receivers.jaeger.thrift_writer import binary

pytestmark = pytest.mark.slow

NS_PER_MS, NS_PER_S = 1_000_000, 1_000_000_000


@pytest.fixture
def now_ns() -> int:
    """Some seconds ago, in whole microseconds."""
    return (time.time_ns() // 1000 - 5_000_000) * 1000


def send_zipkin(server: SwarmscopeServer, spans: list[dict[str, Any]], tenant: str) -> httpx.Response:
    headers = {"x-scope-orgid": tenant}
    return CLIENT.post(f"{server.address}/zipkin/api/v2/spans", json=spans, headers=headers)


def send_jaeger(server: SwarmscopeServer, spans: list[jaeger.Struct], tenant: str) -> httpx.Response:
    headers = {"x-scope-orgid": tenant, "content-type": "application/vnd.apache.thrift.binary"}
    body = binary(jaeger.batch(spans, "shop"))
    return CLIENT.post(f"{server.address}/jaeger/api/traces", content=body, headers=headers)


# Found


def test_a_trace_is_found_as_soon_as_it_is_acknowledged(swarmscope_server: SwarmscopeServer, now_ns: int) -> None:
    server, tenant = swarmscope_server, "at-once"
    for number in range(1, 201):
        trace_id = f"{number:032x}"
        match number % 3:
            case 0:
                answer = send_export(server, [SentSpan(number, 1, now_ns)], tenant)
            case 1:
                told = {"traceId": trace_id, "id": f"{1:016x}", "name": "work", "timestamp": now_ns // 1000}
                answer = send_zipkin(server, [told | {"localEndpoint": {"serviceName": "shop"}}], tenant)
            case _:
                answer = send_jaeger(server, [jaeger.span((0, number), start_us=now_ns // 1000)], tenant)
        assert answer.status_code in (200, 202), answer.text
        api = ("/tempo/api/v2/traces", "/jaeger/api/traces", "/zipkin/api/v2/trace", "/jaeger/api/v3/traces")[
            number % 4
        ]
        assert get(server, f"{api}/{trace_id}", tenant).status_code == 200, (number, api)
    assert trace_ids(server, '{ resource.service.name = "shop" && name = "work" }', tenant) == {
        f"{number:032x}" for number in range(1, 201)
    }


def test_a_trace_in_two_requests(swarmscope_server: SwarmscopeServer, now_ns: int) -> None:
    """The children come first; until the root is here the trace says that it is not whole."""
    server, tenant, trace_id = swarmscope_server, "late", f"{77:032x}"
    send_export(server, [SentSpan(77, 2, now_ns, parent=1), SentSpan(77, 3, now_ns + 1000, parent=2)], tenant)
    told = get_json(server, f"/tempo/api/v2/traces/{trace_id}", tenant)
    assert (told["status"], told["message"]) == ("PARTIAL", "1 of its 2 spans name a parent that is not here")
    (found,) = get_json(server, f"/jaeger/api/traces/{trace_id}", tenant)["data"]
    warnings = {span["spanID"]: span["warnings"] for span in found["spans"]}
    assert ("the parent span is not here" in warnings[f"{2:016x}"][0], warnings[f"{3:016x}"]) == (True, None)
    send_export(server, [SentSpan(77, 1, now_ns - 1000)], tenant)
    assert get_json(server, f"/tempo/api/v2/traces/{trace_id}", tenant)["status"] == "COMPLETE"
    assert [int.from_bytes(span.span_id, "big") for span in read_trace(server, trace_id, tenant)] == [1, 2, 3]
    # The one that came last is the root that lists show.
    (listed,) = get_json(server, "/tempo/api/search", tenant, q="{ } > { }")["traces"]
    assert (listed["rootTraceName"], listed["rootServiceName"]) == ("work", "shop")


# Odd


def run_trace_command(server: SwarmscopeServer, trace_id: str, tenant: str) -> str:
    program = "from swarmscope.app.cli import main; main()"
    command = [sys.executable, "-c", program, "trace", trace_id, "--url", server.address, "--tenant", tenant]
    environment = {**os.environ, "COLUMNS": "160"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment).stdout


ODD: dict[str, tuple[Callable[[int], list[SentSpan]], str, str]] = {
    "missing parent": (
        lambda now_ns: [SentSpan(1, 1, now_ns), SentSpan(1, 2, now_ns + 1000, parent=9)],
        "the parent span is not here", "parent is missing",
    ),
    "cycle": (
        lambda now_ns: [SentSpan(2, 1, now_ns, parent=3), SentSpan(2, 2, now_ns + 1000, parent=1),
                        SentSpan(2, 3, now_ns + 2000, parent=2)],
        "the span is its own ancestor", "its own ancestor",
    ),
    "own parent": (
        lambda now_ns: [SentSpan(3, 1, now_ns, parent=1)], "the span is its own ancestor", "its own ancestor",
    ),
    "skew": (
        lambda now_ns: [SentSpan(4, 1, now_ns), SentSpan(4, 2, now_ns - NS_PER_S, parent=1)],
        "the clocks differ", "clocks differ",
    ),
    "repeated id": (
        lambda now_ns: [SentSpan(5, 1, now_ns), SentSpan(5, 2, now_ns + 1000, parent=1),
                        SentSpan(5, 2, now_ns + 2000, parent=1)],
        "another span of the trace has the same id", "id is repeated",
    ),
}  # fmt: skip


@pytest.mark.parametrize("oddity", ODD)
def test_odd_traces_are_shown_and_marked(swarmscope_server: SwarmscopeServer, now_ns: int, oddity: str) -> None:
    make, warning, mark = ODD[oddity]
    spans, server, tenant = make(now_ns), swarmscope_server, "odd"
    send_export(server, spans, tenant)
    trace_id = f"{spans[0].trace:032x}"
    # Every span, in all three.
    assert len(read_trace(server, trace_id, tenant)) == len(spans)
    (found,) = get_json(server, f"/jaeger/api/traces/{trace_id}", tenant)["data"]
    assert any(warning in each for span in found["spans"] for each in span["warnings"] or ())
    printed = run_trace_command(server, trace_id, tenant)
    assert f"[{mark}]" in printed
    lines = [line for line in printed.splitlines() if "shop work" in line and "the first is" not in line]
    assert len(lines) == len(spans)
    # Nothing goes round for ever.
    for query in ("{ } >> { }", "{ } << { }", "{ } ~ { }", "{ } !>> { }", "{ nestedSetParent < 0 }"):
        assert get(server, "/tempo/api/search", tenant, q=query).status_code == 200
    for path in ("/zipkin/api/v2/dependencies", "/jaeger/api/dependencies"):
        assert get(server, path, tenant, endTs=time.time_ns() // NS_PER_MS, lookback=86_400_000).status_code == 200


# Derived


def instant(server: SwarmscopeServer, query: str, tenant: str) -> dict[tuple[tuple[str, str], ...], float]:
    found = get_json(server, "/prometheus/api/v1/query", tenant, query=query)["data"]["result"]
    return {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in found}


def test_what_grafana_asks_for_its_service_map(swarmscope_server: SwarmscopeServer, now_ns: int) -> None:
    """Two services that know each other, a database, and a service that sends no spans; one request in three fails.

    The expressions are those of Grafana's Tempo data source (datasource.ts, makePromServiceMapRequest).
    """
    server, tenant = swarmscope_server, "map"
    for number in range(1, 7):
        at, is_error = now_ns + number * NS_PER_MS, number % 3 == 0
        send_export(server, [SentSpan(number, 1, at, kind=3, service="web", duration_ns=40 * NS_PER_MS)], tenant)
        called = SentSpan(number, 2, at, parent=1, kind=2, service="api", duration_ns=30 * NS_PER_MS, is_error=is_error)
        query = SentSpan(number, 3, at, parent=2, kind=3, service="api", attributes={"db.system": "postgresql"})
        other = SentSpan(number, 4, at, parent=2, kind=3, service="api", attributes={"peer.service": "bank"})
        send_export(server, [called, query, other], tenant)

    def asked(metric: str) -> dict[tuple[str, str, str], float]:
        query = f"sum by (client, server, connection_type) ({metric})"
        found = ((dict(key), value) for key, value in instant(server, query, tenant).items())
        return {(key["client"], key["server"], key.get("connection_type", "")): value for key, value in found}

    edges = {("web", "api", ""), ("api", "postgresql", "database"), ("api", "bank", "virtual_node")}
    total = "traces_service_graph_request_total"
    wait_until(lambda: asked(total) == dict.fromkeys(edges, 6.0), "every edge")
    failed = asked("traces_service_graph_request_failed_total")
    assert {edge: count for edge, count in failed.items() if count} == {("web", "api", ""): 2.0}
    seconds = asked("traces_service_graph_request_server_seconds_sum")
    assert seconds["web", "api", ""] == pytest.approx(6 * 0.03)
    assert asked("traces_service_graph_request_server_seconds_bucket{le='0.1'}")["web", "api", ""] == 6
    # As the view asks, with rates over its range: series begin at nothing, so the first requests count as well.
    for metric in (total, "traces_service_graph_request_server_seconds_sum"):
        wait_until(lambda metric=metric: asked(f"rate({metric}[5m])")["web", "api", ""] > 0, metric)  # type: ignore[misc]
    calls = instant(server, 'sum by (span_name) (traces_spanmetrics_calls_total{span_kind="SPAN_KIND_SERVER"})', tenant)
    assert calls == {(("span_name", "work"),): 6.0}
    # The table of services below the map.
    wait_until(lambda: bool(instant(server, 'histogram_quantile(.9, sum(rate(traces_spanmetrics_latency_bucket{'
               'span_kind="SPAN_KIND_SERVER"}[5m])) by (le))', tenant)), "a quantile")  # fmt: skip


def test_exemplars_lead_to_traces(swarmscope_server: SwarmscopeServer, now_ns: int) -> None:
    server, tenant = swarmscope_server, "exemplars"
    sent = {f"{number:032x}" for number in range(1, 21)}
    send_export(server, [SentSpan(number, 1, now_ns, kind=2, duration_ns=number * 10 * NS_PER_MS)
                         for number in range(1, 21)], tenant)  # fmt: skip
    asked = {"query": "traces_spanmetrics_latency_bucket", "start": time.time() - 60, "end": time.time() + 60}

    def exemplars() -> list[dict[str, Any]]:
        found = get_json(server, "/prometheus/api/v1/query_exemplars", tenant, **asked)["data"]
        return [each for series in found for each in series["exemplars"]]

    wait_until(lambda: bool(exemplars()), "an exemplar")
    for exemplar in exemplars():
        trace_id = exemplar["labels"]["traceID"]
        assert trace_id in sent
        (span,) = read_trace(server, trace_id, tenant)
        assert float(exemplar["value"]) == pytest.approx((span.end_ns - span.start_ns) / NS_PER_S)


# Kept from everybody

SECRETS = {
    "attribute": "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8",
    "prompt": "AKIA" + "QWERTYUIOPASDFGH",
    "nested": "hunter2-nested-value-9",
    "status": "hunter2-status-value-9",
    "resource": "hunter2-resource-value-9",
    "zipkin": "hunter2-zipkin-value-9",
    "annotation": "hunter2-annotation-value-9",
    "jaeger": "hunter2-jaeger-value-9",
    "log": "hunter2-jaeger-log-value-9",
    "link": "hunter2-link-value-9",
    "state": "hunter2-state-value-9",
}
MARKER = "plain-text-beside-the-secrets"


def send_secrets(server: SwarmscopeServer, tenant: str, now_ns: int) -> None:
    request = export_request([SentSpan(1, 1, now_ns, attributes={"note": MARKER, "header": SECRETS["attribute"]})])
    of_resource = request.resource_spans[0]
    span = of_resource.scope_spans[0].spans[0]
    of_resource.resource.attributes.add(key="db.password").value.string_value = SECRETS["resource"]
    nested = AnyValue(kvlist_value={"values": [  # type: ignore[arg-type]
        {"key": "inner", "value": {"array_value": {"values": [{"kvlist_value": {"values": [
            {"key": "password", "value": {"string_value": SECRETS["nested"]}}]}}]}}}]})  # fmt: skip
    span.attributes.add(key="settings").value.CopyFrom(nested)
    event = span.events.add(name="gen_ai.content.prompt", time_unix_nano=now_ns)
    prompt = json.dumps([{"role": "user", "content": f"use the key {SECRETS['prompt']} for it"}])
    event.attributes.add(key="gen_ai.prompt").value.string_value = prompt
    span.status.message = f"login with password={SECRETS['status']} failed"
    span.trace_state = f"password={SECRETS['state']}"
    link = span.links.add(trace_id=(9).to_bytes(16, "big"), span_id=(9).to_bytes(8, "big"))
    link.attributes.add(key="api_key").value.string_value = SECRETS["link"]
    assert send_export(server, request, tenant).status_code == 200
    zipkin = {
        "traceId": f"{2:032x}", "id": f"{1:016x}", "name": "work", "timestamp": now_ns // 1000,
        "localEndpoint": {"serviceName": "shop"}, "tags": {"password": SECRETS["zipkin"], "note": MARKER},
        "annotations": [{"timestamp": now_ns // 1000, "value": f"password: {SECRETS['annotation']}"}],
    }  # fmt: skip
    assert send_zipkin(server, [zipkin], tenant).status_code == 202
    logs = [jaeger.log(now_ns // 1000, {"event": "login", "password": SECRETS["log"]})]
    tags = {"client_secret": SECRETS["jaeger"], "note": MARKER}
    sent = jaeger.span((0, 3), start_us=now_ns // 1000, tags=tags, logs=logs)
    assert send_jaeger(server, [sent], tenant).status_code == 202


def found_in(folder: Path, texts: list[str]) -> set[str]:
    """Which of the texts stand in the bytes of any file below."""
    found: set[str] = set()
    for path in folder.rglob("*"):
        try:
            content = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:
            continue  # merged meanwhile
        found.update(text for text in texts if text.encode() in content)
    return found


def test_secrets_are_nowhere(swarmscope_server: SwarmscopeServer, now_ns: int) -> None:
    server, tenant = swarmscope_server, "secrets"
    send_secrets(server, tenant, now_ns)
    given = [*SECRETS.values(), MARKER]
    # The marker tells that what was sent can be found in the journal at all.
    assert found_in(server.data, given) == {MARKER}
    answer = httpx.post(f"{server.address}/prometheus/api/v1/admin/tsdb/snapshot", timeout=60)
    assert answer.status_code == 200, answer.text
    assert found_in(server.data, given) <= {MARKER}
    day = {"endTs": time.time_ns() // NS_PER_MS, "lookback": 86_400_000}
    told = [get(server, f"{path}/{number:032x}", tenant).text for number in (1, 2, 3) for path in (
        "/tempo/api/traces", "/tempo/api/v2/traces", "/jaeger/api/traces", "/jaeger/api/v3/traces",
        "/zipkin/api/v2/trace")]  # fmt: skip
    told += [run_trace_command(server, f"{number:032x}", tenant) for number in (1, 2, 3)]
    for name in ("span.header", "span.password", "span.client_secret", "resource.db.password", "statusMessage",
                 "event.gen_ai.prompt", "event.password", "link.api_key"):  # fmt: skip
        told.append(get(server, f"/tempo/api/v2/search/tag/{name}/values", tenant).text)
        told.append(get(server, "/tempo/api/search", tenant, q=f"{{ }} | select({name})").text)
        told.append(get(server, "/tempo/api/metrics/query_range", tenant, q=f"{{ }} | rate() by ({name})").text)
    told.append(get(server, "/jaeger/api/traces", tenant, service="shop", lookback="1h").text)
    told.append(get(server, "/zipkin/api/v2/traces", tenant, **day).text)
    told.append(get(server, "/prometheus/api/v1/series", tenant, **{"match[]": '{__name__=~"traces_.*"}'}).text)
    assert any(MARKER in each for each in told)
    assert [(name, each) for each in told for name, secret in SECRETS.items() if secret in each] == []
    masked = get(server, f"/tempo/api/v2/traces/{1:032x}", tenant).text
    assert masked.count("[REDACTED:") == 7, masked  # of the marker's first span


# Refused


def partial_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.status_code == 200, answer.text
    found = ExportTraceServiceResponse.FromString(answer.content).partial_success
    return found.rejected_spans, found.error_message


MANY = {f"a{number}": number for number in range(5)}
LIMIT = "limits.traces.max_attributes is 4: 1 spans refused, the largest has 5"


def test_refusals_over_otlp(swarmscope_server: SwarmscopeServer, now_ns: int) -> None:
    server, tenant = swarmscope_server, "span-limits"
    spans = [SentSpan(1, 1, now_ns), SentSpan(1, 2, now_ns, attributes=MANY)]
    assert partial_of(send_export(server, spans, tenant)) == (1, f"1 spans refused: {LIMIT}")
    told = json_format.MessageToDict(export_request(spans))
    for number, span in enumerate(told["resourceSpans"][0]["scopeSpans"][0]["spans"], 1):
        span |= {"traceId": f"{2:032x}", "spanId": f"{number:016x}", "kind": 1}
    answer = httpx.post(f"{server.address}/v1/traces", json=told, headers={"x-scope-orgid": tenant}, timeout=60)
    assert answer.json() == {"partialSuccess": {"rejectedSpans": "1", "errorMessage": f"1 spans refused: {LIMIT}"}}
    body = export_request([SentSpan(3, 1, now_ns), SentSpan(3, 2, now_ns, attributes=MANY)]).SerializeToString()
    with grpc.insecure_channel(f"127.0.0.1:{server.otlp_grpc_port}") as channel:
        given = channel.unary_unary(EXPORT)(body, metadata=(("x-scope-orgid", tenant),), timeout=60)
    assert ExportTraceServiceResponse.FromString(given).partial_success.rejected_spans == 1
    for number in (1, 2, 3):
        assert len(read_trace(server, f"{number:032x}", tenant)) == 1


def test_refusals_over_zipkin_and_jaeger(swarmscope_server: SwarmscopeServer, now_ns: int) -> None:
    server, tenant = swarmscope_server, "span-limits"
    span = {"traceId": f"{4:032x}", "timestamp": now_ns // 1000, "localEndpoint": {"serviceName": "shop"}}
    tags = {name: str(value) for name, value in MANY.items()}
    answers = [
        send_zipkin(server, [span | {"id": f"{1:016x}"}, span | {"id": f"{2:016x}", "tags": tags}], tenant),
        send_jaeger(server, [jaeger.span((0, 5), 1, start_us=now_ns // 1000),
                             jaeger.span((0, 5), 2, start_us=now_ns // 1000, tags=MANY)], tenant),
    ]  # fmt: skip
    for answer, number in zip(answers, (4, 5), strict=True):
        assert answer.status_code == 400
        assert answer.text == f"1 span refused: {LIMIT}\n1 spans of the request are kept\n"
        assert len(get_json(server, f"/zipkin/api/v2/trace/{number:032x}", tenant)) == 1


def test_senders_that_are_too_fast_are_told_when_to_come_back(swarmscope_server: SwarmscopeServer, now_ns: int) -> None:
    """Ten bytes a second are a hundred in ten seconds."""
    server, tenant, name = swarmscope_server, "span-rate", "x" * 90
    assert send_export(server, [SentSpan(1, 1, now_ns, name=name)], tenant).status_code == 200
    span = {"traceId": "7", "id": "7", "name": name, "timestamp": now_ns // 1000}
    answers = [
        send_export(server, [SentSpan(2, 1, now_ns, name=name)], tenant),
        send_zipkin(server, [span], tenant),
        send_jaeger(server, [jaeger.span((0, 8), name=name, start_us=now_ns // 1000)], tenant),
    ]
    for answer in answers:
        assert (answer.status_code, 1 <= int(answer.headers["retry-after"]) <= 10) == (429, True), answer.text
        assert b"limits.traces.max_bytes_per_second is 10" in answer.content
    assert trace_ids(server, tenant=tenant) == {f"{1:032x}"}


def test_spans_before_and_after_all_bounds(swarmscope_server: SwarmscopeServer, now_ns: int) -> None:
    server, tenant = swarmscope_server, "bounds"
    spans = [SentSpan(1, 1, now_ns), SentSpan(1, 2, now_ns + 400 * 86_400 * NS_PER_S)]
    rejected, message = partial_of(send_export(server, spans, tenant))
    assert (rejected, "future" in message) == (1, True), message
    assert len(read_trace(server, f"{1:032x}", tenant)) == 1
