"""Spans through the endpoints of OTLP, over gRPC and HTTP."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import anyio.to_thread
import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from starlette.applications import Starlette
from starlette.testclient import TestClient

from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError, UnavailableError
from swarmscope.receivers.otlp.export import OtlpMetrics
from swarmscope.receivers.otlp.grpc_service import grpc_server
from swarmscope.receivers.otlp.routes import JSON, PROTOBUF, http_routes
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.otlp.span_decode import BAD_SPAN_ID
from swarmscope.receivers.otlp.span_export import OtlpTraces
from swarmscope.receivers.wire.decode_room import DecodeRoom
from swarmscope.testing.plain_spans import PlainEvent, PlainLink, PlainScope, PlainSpan
from swarmscope.testing.sinks import NullSpanSink, RecordingSink, RecordingSpanSink

T_NS = 1_700_000_000_000_000_000
TRACE, SPAN = bytes.fromhex("5b8efff798038103d269b633813fc60c"), bytes.fromhex("eee19b7ec3c1b174")


async def run(work: Any, *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(work, *arguments)


class Server:
    def __init__(self, room: DecodeRoom | None = None, **settings: Any) -> None:
        self.sink, metrics = RecordingSpanSink(), RecordingSink()
        told = OtlpSettings(**settings)
        self.traces = OtlpTraces(told, self.sink, room)
        self.signals = [OtlpMetrics(told, metrics, metrics.index), self.traces]
        self.client = TestClient(Starlette(routes=list(http_routes(self.signals, run))))

    def post(self, body: bytes, content_type: str = PROTOBUF, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/v1/traces", content=body, headers={"content-type": content_type, **named})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def request_message() -> Any:
    request = trace_service_pb2.ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "s"
    group.scope_spans.add().spans.add(trace_id=TRACE, span_id=SPAN, name="hello", start_time_unix_nano=T_NS)
    return request


def partial(answer: Any) -> tuple[int, str]:
    told = trace_service_pb2.ExportTraceServiceResponse.FromString(answer.content).partial_success
    return told.rejected_spans, told.error_message


def test_protobuf_over_http(server: Server, request_message: Any) -> None:
    body = gzip.compress(request_message.SerializeToString())
    answer = server.post(body, content_encoding="gzip", x_scope_orgid="team")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", PROTOBUF)
    assert server.sink.batches[0].tenant == "team"
    (span,) = server.sink.spans()
    assert (span.trace_id, span.span_id, span.name, span.start_ns) == (TRACE, SPAN, "hello", T_NS)
    assert span.resource == {"service.name": "s"}


def test_json_over_http(server: Server) -> None:
    text = b"""{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}],
        "droppedAttributesCount":1},"schemaUrl":"https://r","scopeSpans":[{"scope":{"name":"lib","version":"1",
        "attributes":[{"key":"my.scope","value":{"boolValue":true}}],"droppedAttributesCount":2},"schemaUrl":
        "https://s","spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174",
        "parentSpanId":"EEE19B7EC3C1B173","traceState":"a=b","name":"GET","startTimeUnixNano":"1544712660000000000",
        "endTimeUnixNano":1544712661000000000,"kind":2,"flags":257,"droppedAttributesCount":3,"droppedEventsCount":4,
        "droppedLinksCount":5,"unknown":{},"attributes":[{"key":"n","value":{"intValue":"-7"}},
        {"key":"d","value":{"doubleValue":1}},{"key":"raw","value":{"bytesValue":"/w=="}},
        {"key":"list","value":{"arrayValue":{"values":[{"intValue":1}]}}},
        {"key":"map","value":{"kvlistValue":{"values":[{"key":"k","value":{"stringValue":"v"}}]}}}],
        "status":{"code":2,"message":"bad"},
        "events":[{"timeUnixNano":"1544712660500000000","name":"e","droppedAttributesCount":6,
        "attributes":[{"key":"k","value":{"boolValue":false}}]}],
        "links":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","traceState":"c=d",
        "flags":1,"droppedAttributesCount":7,"attributes":[{"key":"k","value":{}}]}]}]}]}]}"""
    answer = server.post(text, "application/json; charset=utf-8")
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (200, {}, JSON)
    event = PlainEvent(1_544_712_660_500_000_000, "e", {"k": False}, 6)
    assert server.sink.spans() == [
        PlainSpan(
            trace_id=TRACE, span_id=SPAN, parent_id=bytes.fromhex("eee19b7ec3c1b173"), trace_state="a=b", name="GET",
            start_ns=1_544_712_660_000_000_000, end_ns=1_544_712_661_000_000_000, kind=2, flags=257, status=2,
            status_message="bad", dropped_attributes=3, dropped_events=4, dropped_links=5,
            attributes={"n": -7, "d": 1.0, "raw": b"\xff", "list": b"\x0a\x02\x18\x01",
                        "map": b"\x0a\x08\x0a\x01k\x12\x03\x0a\x01v"},
            resource={"service.name": "s"}, resource_dropped_attributes=1, resource_schema_url="https://r",
            scope=PlainScope("lib", "1", {"my.scope": True}, "https://s", 2), events=(event,),
            links=(PlainLink(TRACE, SPAN, "c=d", {"k": None}, 7, 1),),
        )
    ]  # fmt: skip


def test_spans_that_the_decoder_refuses_are_partial_success(server: Server, request_message: Any) -> None:
    spans = request_message.resource_spans[0].scope_spans[0].spans
    for _ in range(2):
        spans.add(trace_id=TRACE, span_id=b"\x01" * 7)
    answer = server.post(request_message.SerializeToString())
    assert (answer.status_code, partial(answer)) == (200, (2, f"2 spans refused: {BAD_SPAN_ID}"))
    assert [span.name for span in server.sink.spans()] == ["hello"]
    del spans[0]
    assert partial(server.post(request_message.SerializeToString()))[0] == 2
    assert len(server.sink.batches) == 1


def test_partial_success_in_both_encodings(server: Server, request_message: Any) -> None:
    server.sink.receipt = Receipt(spans=1, refused={"a span is too large": 2}, limit="limits.traces.max_span_bytes")
    request_message.resource_spans[0].scope_spans[0].spans.add()
    answer = server.post(request_message.SerializeToString())
    assert partial(answer)[0] == 3
    assert partial(answer)[1].endswith("; 2 spans refused: a span is too large")
    span = {"traceId": TRACE.hex(), "spanId": SPAN.hex()}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    told = server.post(body, JSON).json()["partialSuccess"]
    assert told == {"rejectedSpans": "2", "errorMessage": "2 spans refused: a span is too large"}


def test_all_refused_for_now_is_throttling(server: Server, request_message: Any) -> None:
    server.sink.receipt = Receipt(refused={"too many spans": 1}, retryable=True, limit="limits.traces.x")
    answer = server.post(request_message.SerializeToString())
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert "limits.traces.x" in status_pb2.Status.FromString(answer.content).message


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
    assert server.traces.room.held_bytes == 0


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xy"}]}]}]}', "spans[0].traceId"),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":[]}]}]}]}', "spans[0].kind"),
        (b'{"resourceSpans":{}}', "resourceSpans"),
        (b"{", "not JSON"),
    ],
)
def test_bad_json_is_named(server: Server, body: bytes, told: str) -> None:
    answer = server.post(body, JSON)
    assert answer.status_code == 400
    assert told in answer.json()["message"]


def test_bad_bodies(server: Server) -> None:
    assert server.post(b"\xff\xff").status_code == 400
    assert server.post(b"", "text/plain").status_code == 415
    assert server.post(b"").status_code == 200
    assert server.sink.batches == []


def test_requests_wait_for_room_to_be_decoded(request_message: Any) -> None:
    server = Server(DecodeRoom(20_000, max_wait_s=0.05))
    body = request_message.SerializeToString()
    assert server.post(body).status_code == 200
    with server.traces.room.taken(19_900):
        answer = server.post(body)
    assert (answer.status_code, "limits.max_decode_memory" in str(answer.content)) == (429, True)
    assert server.post(body).status_code == 200


def test_a_sink_that_keeps_nothing_counts(request_message: Any) -> None:
    sink = NullSpanSink()
    OtlpTraces(OtlpSettings(), sink).export(np.frombuffer(request_message.SerializeToString(), np.uint8), "t")
    assert sink.n_spans == 1


@pytest.fixture
def stub(server: Server) -> Iterator[Any]:
    served = grpc_server(server.signals, "127.0.0.1:0")
    served.start()
    with grpc.insecure_channel(f"127.0.0.1:{served.port}") as channel:
        yield trace_service_pb2_grpc.TraceServiceStub(channel)
    served.stop(1)


def test_grpc(server: Server, stub: Any, request_message: Any) -> None:
    response = stub.Export(request_message, metadata=(("x-scope-orgid", "team"),))
    assert not response.HasField("partial_success")
    assert [(batch.tenant, len(batch)) for batch in server.sink.batches] == [("team", 1)]
    request_message.resource_spans[0].scope_spans[0].spans.add(trace_id=TRACE)
    told = stub.Export(request_message).partial_success
    assert (told.rejected_spans, told.error_message) == (1, f"1 spans refused: {BAD_SPAN_ID}")


@pytest.mark.parametrize(
    ("error", "code", "retry_s"),
    [
        (LimitExceededError("busy", limit="limits.x", retry_after_s=2), grpc.StatusCode.RESOURCE_EXHAUSTED, 2),
        (UnavailableError("starting", retry_after_s=1), grpc.StatusCode.UNAVAILABLE, 1),
        (RuntimeError("secret"), grpc.StatusCode.INTERNAL, None),
    ],
)
def test_failures_over_grpc(
    server: Server, stub: Any, request_message: Any, error: Exception, code: grpc.StatusCode, retry_s: int | None
) -> None:
    server.sink.error = error
    with pytest.raises(grpc.RpcError) as caught:
        stub.Export(request_message)
    assert caught.value.code() is code
    trailer = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
    details = status_pb2.Status.FromString(trailer).details
    assert len(details) == (retry_s is not None)
    if retry_s is not None:
        retry = error_details_pb2.RetryInfo()
        details[0].Unpack(retry)
        assert retry.retry_delay.seconds == retry_s
