from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from typing import Any

import anyio.to_thread
import cramjam
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError, UnavailableError
from swarmscope.receivers.loki.routes import NO_STREAMS, routes
from swarmscope.receivers.loki.settings import LokiSettings
from swarmscope.receivers.wire.decode_room import DecodeRoom
from swarmscope.testing.sinks import RecordingLogSink
from tests.receivers.loki.conftest import T_NS, Streams, as_json, as_protobuf

PROTOBUF, JSON = "application/x-protobuf", "application/json"
STREAMS: Streams = [({"app": "a"}, [(T_NS, "x" * 100, {"k": "v"})])]


async def run(work: Any, *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(work, *arguments)


class Server:
    def __init__(self, room: DecodeRoom | None = None, **settings: Any) -> None:
        self.sink = RecordingLogSink()
        found = routes(LokiSettings(**settings), self.sink, self.sink.index, run, room)
        self.client = TestClient(Starlette(routes=list(found)))

    def post(self, body: bytes, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/loki/api/v1/push", content=body, headers=named)

    def texts(self) -> list[str]:
        return [line.line for line in self.sink.lines()]


@pytest.fixture
def server() -> Server:
    return Server()


def snappy(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(data))


def zstd(data: bytes) -> bytes:
    return bytes(cramjam.zstd.compress(data))


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("snappy", snappy),
        ("", snappy),
        ("gzip", gzip.compress),
        ("zstd", zstd),
        ("deflate", zlib.compress),
        ("", bytes),
    ],
)
@pytest.mark.parametrize("content_type", [PROTOBUF, ""])
def test_protobuf(server: Server, encoding: str, pack: Callable[[bytes], bytes], content_type: str) -> None:
    answer = server.post(pack(as_protobuf(STREAMS)), content_type=content_type, content_encoding=encoding)
    assert (answer.status_code, answer.content) == (204, b"")
    assert server.texts() == ["x" * 100]


@pytest.mark.parametrize(
    ("encoding", "pack"), [("", bytes), ("gzip", gzip.compress), ("zstd", zstd), ("deflate", zlib.compress)]
)
@pytest.mark.parametrize("content_type", [JSON, "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"])
def test_json(server: Server, encoding: str, pack: Callable[[bytes], bytes], content_type: str) -> None:
    answer = server.post(pack(as_json(STREAMS)), content_type=content_type, content_encoding=encoding)
    assert (answer.status_code, answer.content) == (204, b"")
    assert server.texts() == ["x" * 100]


def test_the_tenant_is_a_header(server: Server) -> None:
    server.post(as_json(STREAMS), content_type=JSON, x_scope_orgid="team")
    server.post(as_json(STREAMS), content_type=JSON)
    assert [line.tenant for line in server.sink.lines()] == ["team", "default"]


def test_what_cannot_be_kept_is_named_and_the_rest_is_kept(server: Server) -> None:
    server.sink.receipt = Receipt(lines=1, refused={"entry for stream '{a=\"b\"}' has timestamp too old": 2})
    body = as_json([*STREAMS, ({"b-c": "1"}, [(T_NS, "y", {})])])
    answer = server.post(body, content_type=JSON)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.splitlines() == [
        "error parsing labels '{b-c=\"1\"}' with error: 'b-c' is not a label name (1 line)",
        "entry for stream '{a=\"b\"}' has timestamp too old (2 lines)",
        "1 lines of the request are kept",
    ]
    assert server.texts() == ["x" * 100]


def test_a_limit_that_may_pass_asks_to_come_again(server: Server) -> None:
    server.sink.receipt = Receipt(refused={"too many streams": 1}, retryable=True, limit="limits.max_streams")
    answer = server.post(as_json(STREAMS), content_type=JSON)
    assert (answer.status_code, answer.headers["retry-after"], answer.text) == (429, "1", "too many streams (1 line)\n")


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (LimitExceededError("busy", limit="limits.x", retry_after_s=2.5), 429, "3"),
        (LimitExceededError("never", limit="limits.x"), 400, None),
        (LimitExceededError("large", limit="limits.x", too_large=True), 413, None),
        (UnavailableError("starting", retry_after_s=5), 503, "5"),
    ],
)
def test_failures_of_the_sink(server: Server, error: Exception, status: int, retry_after: str | None) -> None:
    server.sink.error = error
    answer = server.post(as_json(STREAMS), content_type=JSON)
    assert (answer.status_code, answer.headers.get("retry-after"), answer.text) == (status, retry_after, f"{error}\n")


@pytest.mark.parametrize(
    ("content", "headers", "status", "told"),
    [
        (b"\xff\xff", {}, 400, "PushRequest at byte 0"),
        (b"not gzip", {"content_encoding": "gzip"}, 400, "gzip"),
        (b"", {"content_encoding": "br"}, 415, "'br' is not supported"),
        (b"{", {"content_type": JSON}, 400, "at byte 1: this is not JSON"),
        (b"{}", {"content_type": JSON}, 422, NO_STREAMS),
        (b"", {"content_type": PROTOBUF}, 422, NO_STREAMS),
        (b"{}", {"content_type": JSON, "x_scope_orgid": "x" * 200}, 400, "X-Scope-OrgID"),
    ],
)
def test_bad_requests(server: Server, content: bytes, headers: dict[str, str], status: int, told: str) -> None:
    answer = server.post(content, **headers)
    assert answer.status_code == status
    assert told in answer.text
    assert server.sink.batches == []


def test_bodies_are_bounded_before_and_after_unpacking() -> None:
    server = Server(max_body_bytes=1000, max_body_bytes_decompressed=10_000)
    assert server.post(b"\0" * 1001).status_code == 413
    assert server.post(gzip.compress(b"\0" * 20_000), content_encoding="gzip").status_code == 413
    assert server.post(as_json(STREAMS), content_type=JSON).status_code == 204


def test_memory_for_decoding_is_shared_and_given_back() -> None:
    room = DecodeRoom(1 << 20, max_wait_s=0.05)
    server = Server(room)
    with room.taken((1 << 20) - 1000):
        answer = server.post(as_json(STREAMS), content_type=JSON)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert server.post(as_json(STREAMS), content_type=JSON).status_code == 204
    assert room.held_bytes == 0


def test_get_is_no_push(server: Server) -> None:
    assert server.client.get("/loki/api/v1/push").status_code == 405
