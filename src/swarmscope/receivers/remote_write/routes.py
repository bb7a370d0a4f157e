"""Remote write over HTTP: what the headers ask for, and what the answers mean to a sender.

204 taken; 400 (some of) the data is bad and sending it again cannot help, the rest is kept; 413 too large; 415 not a
protocol that is spoken here; 429 and 503 send it again later. Sources: the specifications named in `schema`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.message import Message as HeaderMessage

import numpy as np
from numpy.typing import NDArray
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from swarmscope.model.contracts import Receipt, SeriesIndex, Sink
from swarmscope.model.errors import LimitExceededError, MalformedInputError, SwarmscopeError, UnavailableError
from swarmscope.receivers.remote_write.decode import DecodeContext, decode_bytes, decode_write_request
from swarmscope.receivers.remote_write.refusals import Refusals
from swarmscope.receivers.remote_write.schema import V1, V2
from swarmscope.receivers.remote_write.settings import RemoteWriteSettings
from swarmscope.receivers.wire.decode_room import DecodeRoom, Share, batch_bytes
from swarmscope.receivers.wire.decompression import (
    UnsupportedEncodingError,
    decompress_leniently,
    parse_encoding,
)
from swarmscope.receivers.wire.request_body import read_body
from swarmscope.receivers.wire.request_headers import TENANT_HEADER, UnsupportedMediaError, to_tenant

Run = Callable[..., Awaitable["Outcome"]]

# Content types that senders give for protobuf; the last but one is the npm client's.
_MEDIA_TYPES = ("", "application/x-protobuf", "application/vnd.google.protobuf", "application/octet-stream")
_DEFAULT_RETRY_S = 1.0
_MAX_KNOWN_METADATA = 200_000
_MAX_KNOWN_TENANTS = 1_000


@dataclass(slots=True)
class Outcome:
    """What became of one request."""

    receipt: Receipt
    refusals: Refusals = field(default_factory=Refusals)


def negotiate_proto(content_type: str | None) -> str:
    """Which message a Content-Type header announces: `schema.V1` or `schema.V2`. Raises UnsupportedMediaError."""
    if content_type in (None, "application/x-protobuf"):  # Fast path
        return V1
    header = HeaderMessage()
    header["content-type"] = content_type
    media_type = header.get_content_type() if content_type else ""
    if media_type not in _MEDIA_TYPES:
        raise UnsupportedMediaError(f"Content-Type {content_type!r} is not remote write's application/x-protobuf")
    proto = str(header.get_param("proto", V1))
    if proto not in (V1, V2):
        raise UnsupportedMediaError(f"protobuf message {proto!r} is not known here, only {V1} and {V2} are")
    return proto


class RemoteWriteReceiver:
    """Takes requests of both versions and hands batches to the sink."""

    def __init__(
        self, settings: RemoteWriteSettings, sink: Sink, index: SeriesIndex, run: Run, room: DecodeRoom | None = None
    ) -> None:
        self._settings = settings
        self._sink = sink
        self._index = index
        self._run = run
        self._room = room or DecodeRoom()
        self._known_metadata: dict[str, set[int]] = {}

    async def write(self, request: Request) -> Response:
        """POST: one WriteRequest or Request message."""
        headers = request.headers
        proto = V1
        try:
            proto = negotiate_proto(headers.get("content-type"))
            encoding = parse_encoding(headers.get("content-encoding"))
            tenant = to_tenant(headers.get(TENANT_HEADER))
            body = await read_body(request, self._settings.max_body_bytes)
            outcome = await self._run(self.process, body, proto, encoding, tenant)
        except ClientDisconnect:
            return Response(status_code=400)
        except SwarmscopeError as error:
            return _to_error_response(error, proto)
        return _to_response(outcome, proto)

    def process(self, body: bytes, proto: str, encoding: str, tenant: str) -> Outcome:
        """Unpack, decode and write one body; blocks until it is durable. Raises what decoders and sinks raise."""
        with self._room.taken() as share:
            raw = decompress_leniently(body, encoding, self._settings.max_body_bytes_decompressed, share.resize)
            share.resize(decode_bytes(len(raw)))
            return self._write(raw, proto, tenant, share)

    def _write(self, raw: NDArray[np.uint8], proto: str, tenant: str, share: Share) -> Outcome:
        # Not kept before the sink took something: a forged tenant name must cost nothing.
        known = self._known_metadata.get(tenant, set())
        settings = self._settings
        context = DecodeContext(
            self._index, tenant, settings.created_timestamp_zero_ingestion, known, bounds=settings.bounds
        )
        decoded = decode_write_request(raw, proto, context)
        share.resize(min(share.n_bytes, len(raw) + batch_bytes(decoded.batch)))
        receipt = self._sink.write_metrics(decoded.batch)
        if decoded.metadata_keys:
            if len(known) > _MAX_KNOWN_METADATA:
                known.clear()  # then everything is written once more, which is idempotent
            known.update(decoded.metadata_keys)
            if len(self._known_metadata) >= _MAX_KNOWN_TENANTS and tenant not in self._known_metadata:
                self._known_metadata.clear()
            self._known_metadata[tenant] = known
        return Outcome(receipt, decoded.refusals)


def routes(
    settings: RemoteWriteSettings, sink: Sink, index: SeriesIndex, run: Run, room: DecodeRoom | None = None
) -> list[Route]:
    """The endpoints. `run(fn, *args)` runs fn on a bounded pool of workers and awaits its result.

    `run` raises LimitExceededError with `retry_after_s` when the pool is full; `room` is shared with other receivers.
    """
    receiver = RemoteWriteReceiver(settings, sink, index, run, room)
    return [Route(path, receiver.write, methods=["POST"]) for path in settings.paths]


def _written_headers(proto: str, receipt: Receipt) -> dict[str, str]:
    """Version 2 wants these on every response, refusals included."""
    if proto != V2:
        return {}
    return {
        "X-Prometheus-Remote-Write-Samples-Written": str(receipt.samples),
        "X-Prometheus-Remote-Write-Histograms-Written": str(receipt.histograms),
        "X-Prometheus-Remote-Write-Exemplars-Written": str(receipt.exemplars),
    }


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


def _to_response(outcome: Outcome, proto: str) -> Response:
    receipt = outcome.receipt
    headers = _written_headers(proto, receipt)
    if not receipt.refused and not outcome.refusals:
        return Response(status_code=204, headers=headers)
    lines = [f"{count} samples refused: {reason}" for reason, count in receipt.refused.items()]
    if outcome.refusals:
        lines.append(outcome.refusals.to_text())
    text = "\n".join(lines) + "\n"
    if receipt.retryable:
        headers |= _retry_after(_DEFAULT_RETRY_S)
        return Response(text, 429, headers, "text/plain; charset=utf-8")
    return Response(text, 400, headers, "text/plain; charset=utf-8")


def _to_error_response(error: SwarmscopeError, proto: str) -> Response:
    headers = _written_headers(proto, Receipt())
    status = 500
    if isinstance(error, UnsupportedEncodingError | UnsupportedMediaError):
        status = 415
    elif isinstance(error, MalformedInputError):
        status = 400
    elif isinstance(error, LimitExceededError):
        status = 413 if error.too_large else 400
        if error.retry_after_s is not None and not error.too_large:
            status = 429
            headers |= _retry_after(error.retry_after_s)
    elif isinstance(error, UnavailableError):
        status = 503
        headers |= _retry_after(error.retry_after_s)
    return Response(f"{error}\n", status, headers, "text/plain; charset=utf-8")
