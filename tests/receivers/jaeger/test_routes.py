from __future__ import annotations

import gzip
from typing import Any

import anyio.to_thread
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from swarmscope.model.errors import UnavailableError
from swarmscope.receivers.jaeger.routes import routes
from swarmscope.receivers.jaeger.settings import JaegerSettings
from swarmscope.receivers.wire.span_push import PushLimits
from swarmscope.testing.sinks import RecordingSpanSink
from tests.receivers.jaeger.batches import batch, span
from tests.receivers.jaeger.thrift_writer import binary, compact

THRIFT = "application/x-thrift"
BODY = binary(batch([span(name="get")]))


async def run(work: Any, *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(work, *arguments)


class Server:
    def __init__(self, prefix: str = "/jaeger", **limits: Any) -> None:
        self.sink = RecordingSpanSink()
        settings = JaegerSettings(limits=PushLimits(**limits))
        self.client = TestClient(Starlette(routes=list(routes(prefix, settings, self.sink, run))))

    def post(self, body: bytes, content_type: str = THRIFT, path: str = "/jaeger/api/traces", **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()} | {"content-type": content_type}
        return self.client.post(path, content=body, headers=named)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.mark.parametrize("path", ["/jaeger/api/traces", "/jaeger/api/traces?format=jaeger.thrift"])
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (THRIFT, BODY),
        ("application/vnd.apache.thrift.binary", BODY),
        ("application/vnd.apache.thrift.compact", compact(batch([span(name="get")]))),
    ],
)
def test_both_protocols(server: Server, path: str, content_type: str, body: bytes) -> None:
    answer = server.post(body, content_type, path)
    assert (answer.status_code, answer.content) == (202, b"")
    assert [found.name for found in server.sink.spans()] == ["get"]


def test_gzip_and_no_prefix() -> None:
    server = Server("")
    assert server.post(gzip.compress(BODY), path="/api/traces", content_encoding="gzip").status_code == 202
    assert len(server.sink.spans()) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (BODY, "application/json", "Unsupported content type: 'application/json'"),
        (BODY, "", "Unsupported content type: ''"),
        (BODY[:20], THRIFT, "the bytes end inside a value"),
        (BODY, "application/vnd.apache.thrift.compact", "Batch.process is missing"),
        (b"", THRIFT, "Batch at byte 0"),
    ],
)
def test_bad_requests(server: Server, body: bytes, content_type: str, text: str) -> None:
    answer = server.post(body, content_type)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert text in answer.text


def test_sizes_and_what_the_sink_raises(server: Server) -> None:
    assert Server(max_body_bytes=10).post(BODY).status_code == 413
    assert Server(max_body_bytes_decompressed=10).post(gzip.compress(BODY), content_encoding="gzip").status_code == 413
    server.sink.error = UnavailableError("later", retry_after_s=4)
    answer = server.post(BODY)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "4")


def test_spans_without_ids_are_told_and_the_rest_is_kept(server: Server) -> None:
    answer = server.post(binary(batch([span(), span(number=0)])))
    assert (answer.status_code, answer.text) == (
        400, "1 span refused: the span id is zero\n1 spans of the request are kept\n",
    )  # fmt: skip
    assert len(server.sink.spans()) == 1
