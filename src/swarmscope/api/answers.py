"""Responses: Prometheus' envelope, compression, bodies in chunks."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from swarmscope.api.failures import ApiError

JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain; charset=utf-8"
# Below one network packet compression saves nothing.
_MIN_COMPRESSED_BYTES = 1400
_SMALL_CHUNK_BYTES = 1 << 16
_FAST_LEVEL = 1
_GZIP_WINDOW = 31


class ChunkedAnswer(Response):
    """A body that is held in pieces and sent piece by piece, with its length known."""

    def __init__(self, chunks: Sequence[bytes], status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.chunks = chunks
        self.status_code = status
        self.background = None
        self.body = b""
        known = {"content-length": str(sum(map(len, chunks))), **(headers or {})}
        self.raw_headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in known.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all; the connection's own back pressure paces the pieces."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        *others, last = _packets(self.chunks)
        for chunk in others:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": last})


def _packets(chunks: Sequence[bytes]) -> list[bytes]:
    """The chunks, the small ones joined with their neighbours: a write for each costs more than the copy."""
    packets: list[bytes] = []
    small: list[bytes] = []
    for chunk in chunks:
        if len(chunk) < _SMALL_CHUNK_BYTES:
            small.append(chunk)
            continue
        packets += [b"".join(small)] if small else []
        packets.append(chunk)
        small = []
    return [*packets, b"".join(small)] if small or not packets else packets


def accepts_gzip(request: Request) -> bool:
    """Whether the client takes gzip."""
    for offer in request.headers.get("accept-encoding", "").split(","):
        coding, _, weight = offer.partition(";")
        if coding.strip().lower() in ("gzip", "*"):
            return weight.replace(" ", "").lower() not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def compress(chunks: Iterable[bytes]) -> list[bytes]:
    """One gzip stream at the fast level; the interpreter lock is free while a chunk is worked on."""
    packer = zlib.compressobj(_FAST_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    packed = [packer.compress(chunk) for chunk in chunks]
    packed.append(packer.flush())
    return [piece for piece in packed if piece]


def to_answer(chunks: Sequence[bytes], content_type: str, *, gzip: bool, status: int = 200) -> ChunkedAnswer:
    """A response with these chunks for a body, compressed where the client takes it and it pays. Runs in a worker."""
    headers = {"content-type": content_type}
    if gzip and sum(map(len, chunks)) >= _MIN_COMPRESSED_BYTES:
        chunks = compress(chunks)
        headers["content-encoding"] = "gzip"
        headers["vary"] = "accept-encoding"
    return ChunkedAnswer(chunks, status, headers)


def envelope(data: Sequence[bytes], warnings: Sequence[str] = (), infos: Sequence[str] = ()) -> list[bytes]:
    """`{"status":"success","data":…}` around JSON text, with the annotations after it."""
    tail = b""
    if warnings:
        tail += b',"warnings":' + orjson.dumps(list(warnings))
    if infos:
        tail += b',"infos":' + orjson.dumps(list(infos))
    return [b'{"status":"success","data":', *data, tail + b"}"]


def success(data: Any, warnings: Sequence[str] = (), *, gzip: bool = False) -> ChunkedAnswer:
    """A success with data that orjson can write."""
    return to_answer(envelope([orjson.dumps(data)], warnings), JSON_TYPE, gzip=gzip)


def failure(error: ApiError) -> ChunkedAnswer:
    """The error envelope."""
    body = orjson.dumps({"status": "error", "errorType": error.kind, "error": str(error)})
    headers = {"content-type": JSON_TYPE}
    if error.status == 503 and error.kind == "unavailable":
        headers["retry-after"] = "1"
    return ChunkedAnswer([body], error.status, headers)


def plain(text: str, status: int = 200) -> ChunkedAnswer:
    """Plain text."""
    return ChunkedAnswer([text.encode()], status, {"content-type": TEXT_TYPE})
