from __future__ import annotations

import gzip
import zlib
from typing import Any

import anyio.to_thread
import cramjam
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from starlette.applications import Starlette
from starlette.testclient import TestClient

from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError, UnavailableError
from swarmscope.receivers.otlp.export import OtlpMetrics
from swarmscope.receivers.otlp.routes import JSON, PROTOBUF, http_routes
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.testing.sinks import RecordingSink

T_NS = 1_700_000_000_000_000_000


async def run(work: Any, *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(work, *arguments)


class Server:
    def __init__(self, **settings: Any) -> None:
        self.sink = RecordingSink()
        metrics = OtlpMetrics(OtlpSettings(**settings), self.sink, self.sink.index)
        self.client = TestClient(Starlette(routes=list(http_routes([metrics], run))))

    def post(self, body: bytes, content_type: str = PROTOBUF, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/v1/metrics", content=body, headers={"content-type": content_type, **named})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def body(make_request: Any) -> bytes:
    request = make_request({"service.name": "a"})
    request.metric("g").gauge.data_points.add(time_unix_nano=T_NS, as_int=1)
    return request.SerializeToString()


def deflate_raw(data: bytes) -> bytes:
    return zlib.compress(data)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("", bytes), ("identity", bytes), ("gzip", gzip.compress), ("deflate", deflate_raw),
     ("zstd", lambda data: bytes(cramjam.zstd.compress(data)))],
)  # fmt: skip
def test_encodings(server: Server, body: bytes, encoding: str, pack: Any) -> None:
    answer = server.post(pack(body), content_encoding=encoding, x_scope_orgid="team")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", PROTOBUF)
    assert server.sink.batches[0].tenant == "team"
    assert server.sink.samples()[0][0] == {"__name__": "g", "job": "a"}


def test_json(server: Server) -> None:
    text = (
        b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"g","gauge":{"dataPoints":'
        b'[{"timeUnixNano":"1700000000000000000","asDouble":2.5}]}}]}]}]}'
    )
    answer = server.post(text, "application/json; charset=utf-8")
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (200, {}, JSON)
    assert server.sink.samples() == [({"__name__": "g"}, 1_700_000_000_000, 2.5)]


def test_partial_success_in_both_encodings(server: Server, make_request: Any) -> None:
    request = make_request()
    request.metric("bad").gauge.data_points.add(time_unix_nano=T_NS)
    request.metric("good").gauge.data_points.add(time_unix_nano=T_NS, as_int=1)
    answer = server.post(request.SerializeToString())
    partial = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_data_points) == (200, 1)
    assert "'bad'" in partial.error_message
    text = (
        b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"n","gauge":{"dataPoints":'
        b'[{"timeUnixNano":"5"}]}}]}]}]}'
    )
    in_json = server.post(text, JSON).json()["partialSuccess"]
    assert in_json["rejectedDataPoints"] == "1"
    assert "no value" in in_json["errorMessage"]


def test_the_sinks_refusals_are_partial_success(server: Server, body: bytes) -> None:
    server.sink.receipt = Receipt(samples=1, refused={"label too long": 1}, limit="limits.max_label_length")
    partial = ExportMetricsServiceResponse.FromString(server.post(body).content).partial_success
    assert (partial.rejected_data_points, partial.error_message) == (1, "1 samples refused: label too long")


def test_all_refused_for_now_is_throttling(server: Server, body: bytes) -> None:
    server.sink.receipt = Receipt(refused={"too many series": 1}, retryable=True, limit="limits.max_active_series")
    answer = server.post(body)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert "limits.max_active_series" in status_pb2.Status.FromString(answer.content).message


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (LimitExceededError("busy", limit="limits.x", retry_after_s=2.5), 429, "3"),
        (LimitExceededError("never", limit="limits.x"), 400, None),
        (UnavailableError("starting", retry_after_s=5), 503, "5"),
        (RuntimeError("secret"), 500, None),
    ],
)
def test_failures_of_the_sink(
    server: Server, body: bytes, error: Exception, status: int, retry_after: str | None
) -> None:
    server.sink.error = error
    answer = server.post(body)
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
    told = status_pb2.Status.FromString(answer.content)
    assert told.message
    assert "secret" not in told.message
    assert bool(told.details) == (retry_after is not None)
    if told.details:
        retry = error_details_pb2.RetryInfo()
        assert told.details[0].Unpack(retry)
        assert retry.retry_delay.ToMilliseconds() in (2500, 5000)


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"\xff\xff", {}, 400),
        (b"not gzip", {"content_encoding": "gzip"}, 400),
        (b"", {"content_encoding": "br"}, 415),
        (b"", {"content_encoding": "snappy"}, 415),
        (b"", {"content_type": "text/plain"}, 415),
        (b"", {"x_scope_orgid": "x" * 200}, 400),
        (b"{", {"content_type": JSON}, 400),
    ],
)
def test_bad_requests(server: Server, content: bytes, headers: dict[str, str], status: int) -> None:
    answer = server.post(content, **headers)
    assert answer.status_code == status
    if headers.get("content_type") == JSON:
        assert answer.json()["code"] == 3
    else:
        assert status_pb2.Status.FromString(answer.content).code == 3


def test_an_empty_request_is_a_success(server: Server) -> None:
    assert server.post(b"").status_code == 200
    assert server.post(b"{}", JSON).status_code == 200
    assert server.sink.batches == []


def test_bodies_are_bounded_before_and_after_unpacking(body: bytes) -> None:
    server = Server(max_body_bytes=1000, max_body_bytes_decompressed=10_000, max_json_bytes=100)
    assert server.post(b"\0" * 1001).status_code == 413
    assert server.post(gzip.compress(b"\0" * 20_000), content_encoding="gzip").status_code == 413
    assert server.post(b" " * 101, JSON).status_code == 413
    assert server.post(body).status_code == 200


def test_too_many_at_once_are_sent_away(body: bytes) -> None:
    server = Server(max_concurrent_requests=0)
    answer = server.post(body)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
