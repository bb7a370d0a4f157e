"""Logs through the endpoints of OTLP, over gRPC and HTTP."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import anyio.to_thread
import grpc
import pytest
from google.rpc import status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from starlette.applications import Starlette
from starlette.testclient import TestClient

from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError, UnavailableError
from swarmscope.receivers.otlp.export import OtlpMetrics
from swarmscope.receivers.otlp.grpc_service import grpc_server
from swarmscope.receivers.otlp.log_export import OtlpLogs
from swarmscope.receivers.otlp.routes import JSON, PROTOBUF, http_routes
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.testing.sinks import RecordingLogSink, RecordingSink

T_NS = 1_700_000_000_000_000_000


async def run(work: Any, *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(work, *arguments)


class Server:
    def __init__(self, **settings: Any) -> None:
        self.sink, metrics = RecordingLogSink(), RecordingSink()
        told = OtlpSettings(**settings)
        self.signals = [OtlpMetrics(told, metrics, metrics.index), OtlpLogs(told, self.sink, self.sink.index)]
        self.client = TestClient(Starlette(routes=list(http_routes(self.signals, run))))

    def post(self, body: bytes, content_type: str = PROTOBUF, path: str = "/v1/logs", **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, content=body, headers={"content-type": content_type, **named})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def request_message() -> Any:
    request = logs_service_pb2.ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.add(key="service.name").value.string_value = "s"
    group.scope_logs.add().log_records.add(time_unix_nano=T_NS).body.string_value = "hello"
    return request


@pytest.mark.parametrize("path", ["/v1/logs", "/otlp/v1/logs", "/loki/otlp/v1/logs"])
def test_protobuf_over_http(server: Server, request_message: Any, path: str) -> None:
    body = gzip.compress(request_message.SerializeToString())
    answer = server.post(body, path=path, content_encoding="gzip", x_scope_orgid="team")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", PROTOBUF)
    line = server.sink.lines()[0]
    assert (line.tenant, line.labels, line.ts_ns, line.line) == ("team", {"service_name": "s"}, T_NS, "hello")


def test_json_over_http(server: Server) -> None:
    text = b"""{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},
        "scopeLogs":[{"scope":{"name":"lib"},"logRecords":[{"timeUnixNano":"1700000000000000000","severityNumber":9,
        "severityText":"INFO","body":{"kvlistValue":{"values":[{"key":"a","value":{"intValue":"1"}}]}},
        "traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","flags":1,"eventName":"e",
        "attributes":[{"key":"k","value":{"doubleValue":1.5}},{"key":"l","value":{"boolValue":true}}]}]}]}]}"""
    answer = server.post(text, "application/json; charset=utf-8")
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (200, {}, JSON)
    line = server.sink.lines()[0]
    assert (line.line, line.severity, line.ts_ns) == ('{"a":1}', 9, T_NS)
    assert (line.trace_id, line.span_id) == ("5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174")
    assert line.metadata == {
        "scope_name": "lib", "k": "1.5", "l": "true", "flags": "1", "event_name": "e", "severity_text": "INFO",
    }  # fmt: skip


def test_partial_success_in_both_encodings(server: Server, request_message: Any) -> None:
    server.sink.receipt = Receipt(lines=1, refused={"a line is too long": 2}, limit="limits.max_line_size")
    answer = server.post(request_message.SerializeToString())
    partial = logs_service_pb2.ExportLogsServiceResponse.FromString(answer.content).partial_success
    assert (partial.rejected_log_records, partial.error_message) == (2, "2 log records refused: a line is too long")
    in_json = server.post(b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}', JSON).json()["partialSuccess"]
    assert in_json == {"rejectedLogRecords": "2", "errorMessage": "2 log records refused: a line is too long"}


def test_records_that_the_decoder_refuses_are_partial_success(request_message: Any) -> None:
    server = Server(log_stream_attributes=(), discover_service_name=())
    answer = server.post(request_message.SerializeToString())
    partial = logs_service_pb2.ExportLogsServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_log_records == 1
    assert "no attribute that names a stream" in partial.error_message
    assert server.sink.batches == []


def test_all_refused_for_now_is_throttling(server: Server, request_message: Any) -> None:
    server.sink.receipt = Receipt(refused={"too many streams": 1}, retryable=True, limit="limits.max_streams")
    answer = server.post(request_message.SerializeToString())
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert "limits.max_streams" in status_pb2.Status.FromString(answer.content).message


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LimitExceededError("busy", limit="limits.x", retry_after_s=2.5), 429),
        (UnavailableError("starting", retry_after_s=5), 503),
        (RuntimeError("secret"), 500),
    ],
)
def test_failures_of_the_sink(server: Server, request_message: Any, error: Exception, status: int) -> None:
    server.sink.error = error
    answer = server.post(request_message.SerializeToString())
    assert answer.status_code == status
    assert b"secret" not in answer.content


def test_bad_bodies(server: Server) -> None:
    assert server.post(b"\xff\xff").status_code == 400
    assert server.post(b"{", JSON).status_code == 400
    assert server.post(b"", "text/plain").status_code == 415
    assert server.post(b"").status_code == 200


def test_metrics_and_logs_share_one_gate(request_message: Any) -> None:
    server = Server(max_concurrent_requests=0)
    for path in ("/v1/logs", "/v1/metrics"):
        assert server.post(b"", path=path).status_code == 429


@pytest.fixture
def channel(server: Server) -> Iterator[grpc.Channel]:
    served = grpc_server(server.signals, "127.0.0.1:0")
    served.start()
    with grpc.insecure_channel(f"127.0.0.1:{served.port}") as opened:
        yield opened
    served.stop(1)


def test_grpc(server: Server, channel: grpc.Channel, request_message: Any) -> None:
    stub = logs_service_pb2_grpc.LogsServiceStub(channel)
    response = stub.Export(request_message, metadata=(("x-scope-orgid", "team"),))
    assert not response.HasField("partial_success")
    assert [(line.tenant, line.line) for line in server.sink.lines()] == [("team", "hello")]
    server.sink.receipt = Receipt(refused={"too old": 1})
    assert stub.Export(request_message).partial_success.rejected_log_records == 1
    server.sink.receipt, server.sink.error = None, UnavailableError("starting")
    with pytest.raises(grpc.RpcError) as caught:
        stub.Export(request_message)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_services_that_are_not_served_are_named(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        trace_service_pb2_grpc.TraceServiceStub(channel).Export(trace_service_pb2.ExportTraceServiceRequest())
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "MetricsService/Export and LogsService/Export" in caught.value.details()
