from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub

from swarmscope.model.errors import LimitExceededError, UnavailableError
from swarmscope.receivers.otlp import grpc_service
from swarmscope.receivers.otlp.export import OtlpMetrics
from swarmscope.receivers.otlp.grpc_service import grpc_server
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.testing.sinks import RecordingSink

T_NS = 1_700_000_000_000_000_000


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
def channel(sink: RecordingSink) -> Iterator[Any]:
    settings = OtlpSettings(max_body_bytes_decompressed=100_000)
    server = grpc_server([OtlpMetrics(settings, sink, sink.index)], "127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel
    server.stop(1)


@pytest.fixture
def request_message(make_request: Any) -> Any:
    request = make_request({"service.name": "a"})
    request.metric("g").gauge.data_points.add(time_unix_nano=T_NS, as_int=1)
    return request.message


def status_of(error: grpc.RpcError) -> Any:
    trailer = dict(error.trailing_metadata() or ())
    return status_pb2.Status.FromString(trailer["grpc-status-details-bin"])


def test_export(channel: Any, sink: RecordingSink, request_message: Any) -> None:
    for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
        response = MetricsServiceStub(channel).Export(
            request_message, metadata=(("x-scope-orgid", "team"),), compression=compression
        )
        assert not response.HasField("partial_success")
    assert [batch.tenant for batch in sink.batches] == ["team", "team"]
    assert sink.samples()[0] == ({"__name__": "g", "job": "a"}, T_NS // 10**6, 1.0)


def test_partial_success(channel: Any, request_message: Any) -> None:
    request_message.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points.add(as_int=1)
    partial = MetricsServiceStub(channel).Export(request_message).partial_success
    assert partial.rejected_data_points == 1
    assert "time_unix_nano" in partial.error_message


@pytest.mark.parametrize(
    ("error", "code", "retry_ms"),
    [
        (LimitExceededError("busy", limit="limits.x", retry_after_s=2), "RESOURCE_EXHAUSTED", 2000),
        (LimitExceededError("big", limit="limits.x", too_large=True), "RESOURCE_EXHAUSTED", None),
        (LimitExceededError("never", limit="limits.x"), "INVALID_ARGUMENT", None),
        (UnavailableError("starting", retry_after_s=5), "UNAVAILABLE", 5000),
        (RuntimeError("secret"), "INTERNAL", None),
    ],
)
def test_failures(
    channel: Any, sink: RecordingSink, request_message: Any, error: Exception, code: str, retry_ms: int | None
) -> None:
    sink.error = error
    with pytest.raises(grpc.RpcError) as caught:
        MetricsServiceStub(channel).Export(request_message)
    assert caught.value.code().name == code
    assert "secret" not in caught.value.details()
    details = status_of(caught.value).details
    assert len(details) == (retry_ms is not None)
    if retry_ms is not None:
        retry = error_details_pb2.RetryInfo()
        assert details[0].Unpack(retry)
        assert retry.retry_delay.ToMilliseconds() == retry_ms


def test_malformed_and_oversized(channel: Any) -> None:
    export = channel.unary_unary("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export")
    with pytest.raises(grpc.RpcError) as caught:
        export(b"\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.RpcError) as caught:
        export(bytes(100_001))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_other_signals_are_refused_by_name(channel: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        LogsServiceStub(channel).Export(ExportLogsServiceRequest())
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "MetricsService" in caught.value.details()


class RefusingInterceptor(grpc.ServerInterceptor):
    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        def refuse(body: bytes, context: Any) -> bytes:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")
            return b""

        return grpc.unary_unary_rpc_method_handler(refuse)


def test_interceptors_see_a_call_first(sink: RecordingSink, request_message: Any) -> None:
    metrics = OtlpMetrics(OtlpSettings(), sink, sink.index)
    server = grpc_server([metrics], "127.0.0.1:0", interceptors=(RefusingInterceptor(),))
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel, pytest.raises(grpc.RpcError) as caught:
        MetricsServiceStub(channel).Export(request_message)
    server.stop(1)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert sink.batches == []


def test_a_port_in_use_is_an_error(sink: RecordingSink) -> None:
    metrics = OtlpMetrics(OtlpSettings(max_concurrent_requests=1), sink, sink.index)
    first = grpc_server([metrics], "127.0.0.1:0")
    try:
        with pytest.raises(OSError, match="cannot listen"):
            grpc_server([metrics], f"127.0.0.1:{first.port}")
    finally:
        first.stop(0)


@pytest.mark.parametrize(
    ("option", "spoken"),
    [
        ("grpc.server_handshake_timeout_ms", b""),
        # HTTP/2's preface and an empty SETTINGS frame (RFC 9113, 3.4): a connection without a call.
        ("grpc.max_connection_idle_ms", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))),
    ],
)
def test_connections_without_calls_are_ended(
    sink: RecordingSink, monkeypatch: pytest.MonkeyPatch, option: str, spoken: bytes
) -> None:
    monkeypatch.setitem(grpc_service._CONNECTION_OPTIONS, option, 1000)
    server = grpc_server([OtlpMetrics(OtlpSettings(), sink, sink.index)], "127.0.0.1:0")
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(spoken)
            begun_s = time.monotonic()
            while connection.recv(4096):
                pass
            assert time.monotonic() - begun_s < 8
    finally:
        server.stop(1)
