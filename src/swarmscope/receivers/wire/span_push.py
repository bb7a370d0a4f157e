"""Pushes of spans over protocols without partial success (Zipkin, Jaeger): from a body to the sink and an answer.

202 taken; 400 (some of) the data is bad and sending it again cannot help, the rest is kept; 413 too large; 415 an
encoding that is not spoken here; 429 and 503 send it again later. Errors are plain text.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from swarmscope.instrument import metrics
from swarmscope.model.contracts import Receipt, SpanSink
from swarmscope.model.errors import LimitExceededError, MalformedInputError, SwarmscopeError, UnavailableError
from swarmscope.model.spans import SpanBatch
from swarmscope.receivers.wire.decode_room import DecodeRoom, Share, array_bytes
from swarmscope.receivers.wire.decompression import IDENTITY, UnsupportedEncodingError, decompress, parse_encoding
from swarmscope.receivers.wire.request_body import read_body
from swarmscope.receivers.wire.request_headers import TENANT_HEADER, to_tenant

Run = Callable[..., Awaitable[Any]]
_MAX_REASONS = 10
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PushLimits:
    """Sizes of one body in bytes, and when senders who came too early may come again."""

    max_body_bytes: int = 16 << 20
    max_body_bytes_decompressed: int = 64 << 20
    retry_after_s: float = 1.0


@dataclass(slots=True)
class PushedSpans:
    """What a decoder made of a body: a batch, texts that it repaired, spans that it refused by reason."""

    batch: SpanBatch
    n_repaired: int
    refused: dict[str, int]


@dataclass(slots=True)
class Outcome:
    """What became of one body: the sink's receipt, and spans that the decoder refused, by reason."""

    receipt: Receipt
    refused: dict[str, int]


# Raises MalformedInputError and LimitExceededError; tells the share what memory decoding may take.
Decode = Callable[[NDArray[np.uint8], str, Share], PushedSpans]


class SpanPush:
    """Takes bodies of one protocol and hands batches to the sink; thread-safe."""

    def __init__(
        self, protocol: str, limits: PushLimits, sink: SpanSink, run: Run, room: DecodeRoom | None = None
    ) -> None:
        self._protocol = protocol
        self._limits = limits
        self._sink = sink
        self._run = run
        self._room = room or DecodeRoom()

    async def answer(self, request: Request, decode: Decode) -> Response:
        """Take a request in and answer it."""
        headers = request.headers
        try:
            encoding = parse_encoding(headers.get("content-encoding"))
            tenant = to_tenant(headers.get(TENANT_HEADER))
            body = await read_body(request, self._limits.max_body_bytes)
            outcome = await self._run(self.take, body, decode, tenant, encoding)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return self.to_error(error)
        return self._to_response(outcome)

    def take(self, body: bytes, decode: Decode, tenant: str, encoding: str = IDENTITY) -> Outcome:
        """Unpack, decode and write one body; blocks until it is durable. Raises what decoders and sinks raise."""
        with self.taken() as share:
            raw = decompress(body, encoding, self._limits.max_body_bytes_decompressed, share.resize)
            pushed = decode(raw, tenant, share)
            share.resize(min(share.n_bytes, len(raw) + array_bytes(pushed.batch)))
            return self.write(pushed)

    def taken(self) -> AbstractContextManager[Share]:
        """A share of the memory for decoding; raises as `DecodeRoom.taken`."""
        return self._room.taken()

    def write(self, pushed: PushedSpans) -> Outcome:
        """Hand decoded spans to the sink; blocks until they are durable. Raises what sinks raise."""
        metrics.REPAIRED_TEXTS.labels(protocol=self._protocol).inc(pushed.n_repaired)
        receipt = self._sink.write_spans(pushed.batch) if len(pushed.batch) else Receipt()
        return Outcome(receipt, pushed.refused)

    def _to_response(self, outcome: Outcome) -> Response:
        refused = [*outcome.refused.items(), *outcome.receipt.refused.items()]
        if not refused:
            return Response(status_code=202)
        lines = [f"{count} span{'s' if count != 1 else ''} refused: {why}" for why, count in refused[:_MAX_REASONS]]
        if len(refused) > _MAX_REASONS:
            lines.append(f"{sum(count for _, count in refused[_MAX_REASONS:])} more spans for other reasons")
        if outcome.receipt.spans:
            lines.append(f"{outcome.receipt.spans} spans of the request are kept")
        again = outcome.receipt.retryable and not outcome.receipt.spans
        return _to_text("\n".join(lines), 429 if again else 400, self._limits.retry_after_s if again else None)

    def to_error(self, error: Exception) -> Response:
        """The answer to an exception; what is not foreseen is told without its text."""
        if isinstance(error, UnsupportedEncodingError):
            return _to_text(str(error), 415)
        if isinstance(error, MalformedInputError):
            return _to_text(str(error), 400)
        if isinstance(error, LimitExceededError):
            if error.too_large:
                return _to_text(str(error), 413)
            return _to_text(str(error), 400 if error.retry_after_s is None else 429, error.retry_after_s)
        if isinstance(error, UnavailableError):
            return _to_text(str(error), 503, error.retry_after_s)
        if not isinstance(error, SwarmscopeError):
            _LOG.error("a request with spans (%s) failed", self._protocol, exc_info=error)
        return _to_text("the request could not be processed; the server's log says why", 500)


def _to_text(text: str, status: int, retry_after_s: float | None = None) -> Response:
    headers = {} if retry_after_s is None else {"Retry-After": str(max(1, math.ceil(retry_after_s)))}
    return Response(f"{text}\n", status, headers, "text/plain; charset=utf-8")
