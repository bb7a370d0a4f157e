"""Every limit of the settings, from the sender's and the asker's side: status, the limit's name, when to come back."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import cramjam
import grpc
import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from tests.integration.processes import Series, SwarmscopeServer, remote_write, write_request

pytestmark = pytest.mark.slow

T_MS = 1_700_000_000_000
LONG = "long"  # a series of 3,000 samples, one a second
EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
SETTINGS = {
    "RETENTION__METRICS": "infinite",
    "LIMITS__MAX_ACTIVE_SERIES": "10",
    "LIMITS__MAX_SERIES_PER_METRIC": "5",
    "LIMITS__MAX_TOTAL_SERIES": "200",
    "LIMITS__MAX_LABEL_NAMES": "6",
    "LIMITS__MAX_LABEL_NAME_BYTES": "20",
    "LIMITS__MAX_LABEL_VALUE_BYTES": "30",
    "LIMITS__MAX_BODY_BYTES": "64KiB",
    "LIMITS__MAX_BODY_BYTES_DECOMPRESSED": "256KiB",
    "LIMITS__MAX_QUERY_SAMPLES": "2000",
    "LIMITS__MAX_QUERY_MEMORY": "8KiB",
    "LIMITS__TENANTS": json.dumps({"large": {"max_active_series": 100, "max_series_per_metric": 50}}),
    "OTLP__TARGET_INFO": "false",
    "OTLP__MAX_JSON_BYTES": "32KiB",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmscopeServer]:
    made = SwarmscopeServer(tmp_path_factory.mktemp("limits"), SETTINGS)
    made.start()
    for begin in range(0, 3000, 1000):
        samples = [(T_MS + 1000 * number, float(number)) for number in range(begin, begin + 1000)]
        remote_write(made, write_request([({"__name__": LONG}, samples)]), "query")
    yield made
    made.stop_cleanly()


def write(server: SwarmscopeServer, series: list[Series], tenant: str) -> httpx.Response:
    headers = {
        "content-encoding": "snappy", "content-type": "application/x-protobuf", "x-scope-orgid": tenant,
    }  # fmt: skip
    wire = bytes(cramjam.snappy.compress_raw(write_request(series)))
    return httpx.post(f"{server.prometheus_api}/api/v1/write", content=wire, headers=headers, timeout=60)


def request(series: list[Series]) -> ExportMetricsServiceRequest:
    made = ExportMetricsServiceRequest()
    metrics = made.resource_metrics.add().scope_metrics.add().metrics
    for labels, samples in series:
        gauge = metrics.add(name=labels["__name__"]).gauge
        for ts_ms, value in samples:
            point = gauge.data_points.add(as_double=value, time_unix_nano=ts_ms * 1_000_000)
            for name in labels.keys() - {"__name__"}:
                point.attributes.add(key=name).value.string_value = labels[name]
    return made


def export(server: SwarmscopeServer, series: list[Series], tenant: str) -> httpx.Response:
    headers = {"content-type": "application/x-protobuf", "x-scope-orgid": tenant}
    body = request(series).SerializeToString()
    return httpx.post(f"{server.address}/v1/metrics", content=body, headers=headers, timeout=60)


def names(server: SwarmscopeServer, tenant: str) -> list[str]:
    """`metric` or `metric/n` of each series of a tenant."""
    asked = {"match[]": '{__name__=~".+"}', "start": "0", "end": str(T_MS // 1000 + 60)}
    answer = httpx.get(f"{server.prometheus_api}/api/v1/series", params=asked, headers={"x-scope-orgid": tenant})
    return sorted("/".join([labels["__name__"], *([labels["n"]] if "n" in labels else [])])
                  for labels in answer.json()["data"])  # fmt: skip


def series_of(metric: str, numbers: range) -> list[Series]:
    return [({"__name__": metric, "n": str(number)}, [(T_MS, float(number))]) for number in numbers]


def test_series_per_metric_by_remote_write(server: SwarmscopeServer) -> None:
    answer = write(server, [*series_of("wide", range(8)), *series_of("beside", range(2))], "write")
    assert answer.status_code == 429
    assert "limits.max_series_per_metric is 5: 3 series refused" in answer.text
    assert int(answer.headers["retry-after"]) >= 1
    assert names(server, "write") == ["beside/0", "beside/1", *(f"wide/{n}" for n in range(5))]
    # What is known goes on, whatever is full.
    assert write(server, series_of("wide", range(5)), "write").status_code == 204


def test_series_per_metric_by_otlp_is_a_partial_success(server: SwarmscopeServer) -> None:
    answer = export(server, [*series_of("wide", range(8)), *series_of("beside", range(2))], "otlp")
    assert answer.status_code == 200
    partial = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_data_points == 3
    assert "limits.max_series_per_metric is 5" in partial.error_message
    assert names(server, "otlp") == ["beside/0", "beside/1", *(f"wide/{n}" for n in range(5))]


def test_active_series(server: SwarmscopeServer) -> None:
    assert write(server, [*series_of("a", range(5)), *series_of("b", range(5))], "full").status_code == 204
    answer = write(server, series_of("c", range(3)), "full")
    assert answer.status_code == 429
    assert "limits.max_active_series is 10: 3 series refused" in answer.text
    assert int(answer.headers["retry-after"]) >= 1
    answer = export(server, series_of("c", range(3)), "full")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    status = status_pb2.Status.FromString(answer.content)
    assert status.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert "limits.max_active_series" in status.message
    body = request(series_of("c", range(3))).SerializeToString()
    with grpc.insecure_channel(f"127.0.0.1:{server.otlp_grpc_port}") as channel, pytest.raises(grpc.RpcError) as told:
        channel.unary_unary(EXPORT)(body, metadata=(("x-scope-orgid", "full"),), timeout=60)
    assert told.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    details = dict(told.value.trailing_metadata())["grpc-status-details-bin"]
    retry = error_details_pb2.RetryInfo()
    assert status_pb2.Status.FromString(details).details[0].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() > 0


def test_a_tenant_with_limits_of_its_own(server: SwarmscopeServer) -> None:
    assert write(server, [*series_of("a", range(40)), *series_of("b", range(40))], "large").status_code == 204
    answer = write(server, series_of("a", range(40, 60)), "large")
    assert answer.status_code == 429
    assert "limits.max_series_per_metric is 50: 10 series refused" in answer.text
    # What is not its own is as for everybody.
    answer = write(server, [({"__name__": "a", "l": "v" * 31}, [(T_MS, 1.0)])], "large")
    assert (answer.status_code, "limits.max_label_value_bytes is 30" in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("labels", "limit"),
    [
        ({f"l{number}": "v" for number in range(6)}, "limits.max_label_names is 6"),
        ({"l" * 21: "v"}, "limits.max_label_name_bytes is 20"),
        ({"l": "v" * 31}, "limits.max_label_value_bytes is 30"),
    ],
)
def test_shape_of_labels(server: SwarmscopeServer, labels: dict[str, str], limit: str) -> None:
    tenant = f"shape {limit}"
    series: list[Series] = [({"__name__": "bad", **labels}, [(T_MS, 1.0)]), ({"__name__": "good"}, [(T_MS, 1.0)])]
    answer = write(server, series, tenant)
    # Sending it again cannot help.
    assert (answer.status_code, limit in answer.text, "retry-after" in answer.headers) == (400, True, False)
    answer = export(server, series, tenant)
    partial = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_data_points) == (200, 1)
    assert limit in partial.error_message
    assert names(server, tenant) == ["good"]


def test_total_series_of_all_tenants(server: SwarmscopeServer) -> None:
    answers = [write(server, series_of("t", range(5)), f"tenant {number}") for number in range(40)]
    assert answers[0].status_code == 204
    assert answers[-1].status_code == 429
    assert "limits.max_total_series is 200" in answers[-1].text


@pytest.mark.parametrize("path", ["/prometheus/api/v1/write", "/v1/metrics"])
def test_sizes_of_bodies(server: SwarmscopeServer, path: str) -> None:
    headers = {"content-type": "application/x-protobuf"}
    answer = httpx.post(f"{server.address}{path}", content=bytes(65 << 10), headers=headers)
    assert answer.status_code == 413
    assert b"larger than 65536 bytes" in answer.content
    answer = httpx.post(
        f"{server.address}{path}", content=bytes(cramjam.gzip.compress(bytes(300 << 10))),
        headers=headers | {"content-encoding": "gzip"},
    )  # fmt: skip
    assert answer.status_code == 413
    assert b"more than 262144 bytes" in answer.content


def test_size_of_json(server: SwarmscopeServer) -> None:
    body = b'{"resourceMetrics": []' + b" " * (33 << 10) + b"}"
    answer = httpx.post(f"{server.address}/v1/metrics", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert "otlp.max_json_bytes" in answer.text


def ask(server: SwarmscopeServer, path: str, tenant: str = "query", **parameters: Any) -> httpx.Response:
    headers = {"x-scope-orgid": tenant}
    return httpx.get(f"{server.prometheus_api}/api/v1/{path}", params=parameters, headers=headers, timeout=60)


def test_samples_of_a_query(server: SwarmscopeServer) -> None:
    answer = ask(server, "query", query=f"count_over_time({LONG}[10m])", time=T_MS // 1000 + 1000)
    assert answer.status_code == 200, answer.text
    answer = ask(server, "query", query=f"{LONG}[2h]", time=T_MS // 1000 + 3000)
    assert answer.status_code == 422
    assert answer.json()["errorType"] == "execution"
    assert "too many samples" in answer.json()["error"]
    assert "more than 2000 (limits.max_query_samples)" in answer.json()["error"], answer.text


def test_memory_of_a_query(server: SwarmscopeServer) -> None:
    asked = {"query": f"{LONG} + 1", "start": T_MS // 1000, "step": "1"}
    assert ask(server, "query_range", end=T_MS // 1000 + 100, **asked).status_code == 200
    # 1,501 steps of eight bytes are over 8 KiB, and below the limit of samples.
    answer = ask(server, "query_range", end=T_MS // 1000 + 1500, **asked)
    assert answer.status_code == 422, answer.text[:300]
    assert answer.json()["errorType"] == "execution"
    assert "limits.max_query_memory" in answer.json()["error"], answer.text


def test_time_of_a_query(server: SwarmscopeServer) -> None:
    answer = ask(server, "query", query=LONG, time=T_MS // 1000, timeout="0.000001")
    assert answer.status_code == 503
    assert answer.json()["errorType"] == "timeout"


def test_samples_in_flight(tmp_path) -> None:
    """Two large requests at once where only one fits: the second is told when to come back."""
    server = SwarmscopeServer(tmp_path, {"LIMITS__MAX_SAMPLES_IN_FLIGHT": "1000", "RETENTION__METRICS": "infinite"})
    server.start()
    answers: list[httpx.Response] = []
    try:

        def send(number: int) -> None:
            for k in range(20):
                samples = [(T_MS + 1000 * k * n, 1.0) for n in range(1, 900)]
                answers.append(write(server, [({"__name__": "m", "sender": str(number)}, samples)], "flight"))

        threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {answer.status_code for answer in answers} == {204, 429}
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert "limits.max_samples_in_flight is 1000" in refused.text
        assert int(refused.headers["retry-after"]) >= 1
        # One that is larger than the limit is taken alone.
        alone = write(server, [({"__name__": "alone"}, [(T_MS + n, 1.0) for n in range(1500)])], "flight")
        assert alone.status_code == 204
    finally:
        server.stop_cleanly()


def test_concurrent_queries_wait_for_their_turn(tmp_path) -> None:
    server = SwarmscopeServer(tmp_path, {"LIMITS__MAX_CONCURRENT_QUERIES": "1", "RETENTION__METRICS": "infinite"})
    server.start()
    try:
        remote_write(server, write_request([({"__name__": "m"}, [(T_MS, 1.0)])]), "query")
        answers: list[int] = []
        threads = [
            threading.Thread(
                target=lambda: answers.append(ask(server, "query", query="m", time=T_MS // 1000).status_code)
            )
            for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [200] * 16
    finally:
        server.stop_cleanly()
