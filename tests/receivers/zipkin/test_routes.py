from __future__ import annotations

import gzip
import json
import threading
from typing import Any

import anyio.to_thread
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError, UnavailableError
from swarmscope.receivers.wire.decode_room import DecodeRoom
from swarmscope.receivers.wire.span_push import PushLimits
from swarmscope.receivers.zipkin.routes import routes
from swarmscope.receivers.zipkin.settings import ZipkinSettings
from swarmscope.testing.sinks import RecordingSpanSink
from tests.receivers.zipkin.test_decode import EVERYTHING, EVERYTHING_PLAIN, ListOfSpans

BODY = json.dumps([EVERYTHING]).encode()


async def run(work: Any, *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(work, *arguments)


class Server:
    def __init__(self, prefix: str = "/zipkin", room: DecodeRoom | None = None, **limits: Any) -> None:
        self.sink = RecordingSpanSink()
        settings = ZipkinSettings(limits=PushLimits(**limits))
        self.client = TestClient(Starlette(routes=list(routes(prefix, settings, self.sink, run, room))))

    def post(self, body: bytes, path: str = "/zipkin/api/v2/spans", **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, content=body, headers=named)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.mark.parametrize("path", ["/zipkin/api/v1/spans", "/zipkin/api/v2/spans"])
@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", ""])
def test_json(server: Server, path: str, content_type: str) -> None:
    answer = server.post(BODY, path, content_type=content_type)
    assert (answer.status_code, answer.content) == (202, b"")
    assert server.sink.spans() == [EVERYTHING_PLAIN]


def test_protobuf(server: Server) -> None:
    body = ListOfSpans(spans=[{"trace_id": b"\1" * 8, "id": b"\1" * 8, "name": "work"}]).SerializeToString()
    assert server.post(body, content_type="application/x-protobuf").status_code == 202
    assert [span.name for span in server.sink.spans()] == ["work"]


def test_gzip_tenant_and_no_prefix() -> None:
    server = Server("")
    answer = server.post(
        gzip.compress(BODY), "/api/v2/spans", content_type="application/json", content_encoding="gzip",
        x_scope_orgid="team",
    )  # fmt: skip
    assert answer.status_code == 202
    assert [batch.tenant for batch in server.sink.batches] == ["team"]


def test_an_empty_list_is_taken(server: Server) -> None:
    assert server.post(b"[]").status_code == 202
    assert server.sink.batches == []


@pytest.mark.parametrize(
    ("body", "headers", "status", "text"),
    [
        (b"{", {}, 400, "the body is not JSON"),
        (BODY, {"content_type": "application/x-thrift"}, 400, "Content-Type 'application/x-thrift' is neither"),
        (BODY, {"content_encoding": "br"}, 415, "'br' is not supported"),
        (BODY, {"content_encoding": "gzip"}, 400, "not gzip"),
        (BODY, {"x_scope_orgid": "x" * 151}, 400, "X-Scope-OrgID"),
        (b"\xff", {"content_type": "application/x-protobuf"}, 400, "ListOfSpans"),
    ],
)
def test_bad_requests(server: Server, body: bytes, headers: dict[str, str], status: int, text: str) -> None:
    answer = server.post(body, **headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert text in answer.text


def test_sizes() -> None:
    assert Server(max_body_bytes=10).post(BODY).status_code == 413
    bomb = gzip.compress(b"[" + b" " * 100_000 + b"]")
    answer = Server(max_body_bytes_decompressed=50_000).post(bomb, content_encoding="gzip")
    assert (answer.status_code, "unpacks to more than 50000 bytes" in answer.text) == (413, True)


def test_spans_with_bad_ids_are_told_and_the_rest_is_kept(server: Server) -> None:
    answer = server.post(json.dumps([EVERYTHING, EVERYTHING | {"id": "x"}]).encode())
    assert answer.status_code == 400
    assert answer.text.splitlines()[0].startswith("1 span refused: the span id is not hexadecimal")
    assert answer.text.splitlines()[1] == "1 spans of the request are kept"
    assert len(server.sink.spans()) == 1


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (LimitExceededError("too many", limit="l", retry_after_s=2.5), 429, "3"),
        (LimitExceededError("never", limit="l"), 400, None),
        (UnavailableError("later", retry_after_s=4), 503, "4"),
        (RuntimeError("secret"), 500, None),
    ],
)
def test_what_the_sink_raises(server: Server, error: Exception, status: int, retry: str | None) -> None:
    server.sink.error = error
    answer = server.post(BODY)
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry)
    assert "secret" not in answer.text


def test_what_the_sink_refuses(server: Server) -> None:
    server.sink.receipt = Receipt(spans=0, refused={"too fast": 1}, retryable=True)
    answer = server.post(BODY)
    assert (answer.status_code, answer.text, answer.headers["retry-after"]) == (429, "1 span refused: too fast\n", "1")
    server.sink.receipt = Receipt(spans=1, refused={f"reason {number}": 1 for number in range(12)}, retryable=True)
    answer = server.post(BODY)
    assert answer.status_code == 400  # sending it again would double what is kept
    assert answer.text.splitlines()[-2:] == ["2 more spans for other reasons", "1 spans of the request are kept"]


def test_decoding_waits_for_room_and_gives_it_back() -> None:
    room = DecodeRoom(1000, 0.05)
    server = Server(room=room)
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with room.taken(900):
            inside.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(10)
    answer = server.post(BODY)
    leave.set()
    holder.join()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert server.post(BODY).status_code == 202
    assert room.held_bytes == 0
