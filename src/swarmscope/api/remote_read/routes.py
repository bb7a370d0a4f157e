"""`/api/v1/read`.

Manual: https://prometheus.io/docs/prometheus/latest/querying/remote_read_api/
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from swarmscope.api.answers import ChunkedAnswer, plain
from swarmscope.api.failures import note_failure
from swarmscope.api.parts import RequestRecord
from swarmscope.api.prometheus.endpoint import ReadPath
from swarmscope.api.remote_read.answering import ReadSource, sampled_answer, streamed_groups
from swarmscope.api.remote_read.request import MAX_REQUEST_BYTES, ReadRequest, decode_read_request
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.errors import MalformedInputError, QueryCancelledError
from swarmscope.model.labels import DEFAULT_TENANT
from swarmscope.query.deadlines import Deadline

_SAMPLED_HEADERS = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
_STREAMED_TYPE = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"


def remote_read_routes(path: ReadPath) -> list[BaseRoute]:
    """`<prefix>/api/v1/read`."""

    async def read(request: Request) -> Response:
        began_s = time.perf_counter()
        tenant = request.headers.get("x-scope-orgid", "") or DEFAULT_TENANT
        try:
            response = await _answer(path, request, tenant)
        except Exception as error:
            known = note_failure(error, "/read")
            # Prometheus answers a failed read with plain text, and an evaluation failure with 500.
            response = plain(f"{known}\n", 500 if known.kind == "execution" else known.status)
        duration_s = time.perf_counter() - began_s
        path.parts.on_request(RequestRecord("/read", request.method, response.status_code, duration_s, tenant))
        return response

    return [Route(f"{path.settings.prefix}/api/v1/read", read, methods=["POST"])]


async def _answer(path: ReadPath, request: Request, tenant: str) -> Response:
    asked = decode_read_request(await _read_body(request))
    source = ReadSource(path.parts.reader, tenant, path.settings.external_labels)
    deadline = Deadline(path.settings.query_timeout_s)
    budget = ReadBudget(deadline, path.engine_settings.max_samples)
    if not asked.streamed:
        body = await path.queue.run(request, deadline, lambda: sampled_answer(source, asked.queries, budget))
        return ChunkedAnswer([body], 200, _SAMPLED_HEADERS)
    return await _streamed(path, request, asked, source, budget, deadline)


async def _streamed(
    path: ReadPath, request: Request, asked: ReadRequest, source: ReadSource, budget: ReadBudget, deadline: Deadline
) -> Response:
    groups = streamed_groups(source, asked.queries, budget, path.settings.remote_read_frame_bytes)
    # The first group is made before the status is sent, so that most failures still have one.
    first = await path.queue.run(request, deadline, lambda: next(groups, None))
    return StreamedFrames(path, request, deadline, first, groups)


async def _read_body(request: Request) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_REQUEST_BYTES:
            raise MalformedInputError(f"request body is larger than {MAX_REQUEST_BYTES} bytes")
        pieces.append(piece)
    return b"".join(pieces)


class StreamedFrames(Response):
    """Sends group after group; the next is read when the one before has been handed to the connection."""

    def __init__(
        self, path: ReadPath, request: Request, deadline: Deadline, first: bytes | None, groups: Iterator[bytes]
    ) -> None:
        super().__init__(status_code=200)
        self.raw_headers = [(b"content-type", _STREAMED_TYPE.encode())]
        self._path = path
        self._request = request
        self._deadline = deadline
        self._first = first
        self._groups = groups

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A failure after the first byte cuts the connection: an incomplete answer must not look complete."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        group = self._first
        while group is not None:
            await send({"type": "http.response.body", "body": group, "more_body": True})
            try:
                group = await self._path.queue.run(self._request, self._deadline, lambda: next(self._groups, None))
            except QueryCancelledError:
                return  # nobody is there to see that the answer ends early
        await send({"type": "http.response.body", "body": b""})
