"""Loki's push endpoint: what the headers ask for, and what the answers mean to a sender.

204 taken; 400 (some of) the data is bad and sending it again cannot help, the rest is kept; 413 too large; 415 an
encoding that is not spoken here; 422 no stream at all; 429 and 503 send it again later. Sources:
https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs and
https://grafana.com/docs/loki/latest/operations/request-validation-rate-limits/.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from swarmscope.instrument import metrics
from swarmscope.model.contracts import LogSink, Receipt, SeriesIndex
from swarmscope.model.errors import LimitExceededError, MalformedInputError, SwarmscopeError, UnavailableError
from swarmscope.receivers.loki.decode import PushContext, decode_push
from swarmscope.receivers.loki.settings import LokiSettings
from swarmscope.receivers.wire.decode_room import DecodeRoom, array_bytes
from swarmscope.receivers.wire.decompression import (
    UnsupportedEncodingError,
    decompress,
    decompress_leniently,
    parse_encoding,
)
from swarmscope.receivers.wire.log_memory import scan_bytes
from swarmscope.receivers.wire.request_body import read_body
from swarmscope.receivers.wire.request_headers import TENANT_HEADER, to_tenant

Run = Callable[..., Awaitable["Outcome"]]

JSON = "application/json"
NO_STREAMS = "error at least one valid stream is required for ingestion"
_DEFAULT_RETRY_S = 1.0
_MAX_REASONS = 10


class NoStreamsError(MalformedInputError):
    """A request without any stream; HTTP 422."""


@dataclass(slots=True)
class Outcome:
    """What became of one request: the sink's receipt, and lines that the decoder refused, by reason."""

    receipt: Receipt
    refused: dict[str, int]


class LokiReceiver:
    """Takes pushes and hands batches to the sink."""

    def __init__(
        self, settings: LokiSettings, sink: LogSink, index: SeriesIndex, run: Run, room: DecodeRoom | None = None
    ) -> None:
        self._settings = settings
        self._sink = sink
        self._index = index
        self._run = run
        self._room = room or DecodeRoom()

    async def push(self, request: Request) -> Response:
        """POST: one PushRequest, or its like in JSON."""
        headers = request.headers
        try:
            # As Loki has it, everything that is not JSON is protobuf.
            as_json = headers.get("content-type", "").partition(";")[0].strip().lower() == JSON
            encoding = parse_encoding(headers.get("content-encoding"))
            tenant = to_tenant(headers.get(TENANT_HEADER))
            body = await read_body(request, self._settings.max_body_bytes)
            outcome = await self._run(self.process, body, encoding, tenant, as_json)
        except ClientDisconnect:
            return Response(status_code=400)
        except SwarmscopeError as error:
            return _to_error_response(error)
        return _to_response(outcome)

    def process(self, body: bytes, encoding: str, tenant: str, as_json: bool) -> Outcome:
        """Unpack, decode and write one body; blocks until it is durable. Raises what decoders and sinks raise."""
        unpack = decompress if as_json else decompress_leniently
        with self._room.taken() as share:
            raw: NDArray[np.uint8] = unpack(body, encoding, self._settings.max_body_bytes_decompressed, share.resize)
            share.resize(scan_bytes(len(raw)))
            context = PushContext(self._index, tenant, share.resize, self._settings.discover_service_name)
            decoded = decode_push(raw, context, as_json=as_json)
            share.resize(min(share.n_bytes, len(raw) + array_bytes(decoded.batch)))
            if not decoded.n_streams:
                raise NoStreamsError(NO_STREAMS)
            metrics.REPAIRED_TEXTS.labels(protocol="loki").inc(decoded.n_repaired)
            receipt = self._sink.write_logs(decoded.batch) if len(decoded.batch) else Receipt()
        return Outcome(receipt, decoded.refused)


def routes(
    settings: LokiSettings, sink: LogSink, index: SeriesIndex, run: Run, room: DecodeRoom | None = None
) -> list[Route]:
    """The endpoints. `run(fn, *args)` runs fn on a bounded pool of workers and awaits its result.

    `run` raises LimitExceededError with `retry_after_s` when the pool is full; `room` is shared with other receivers.
    """
    receiver = LokiReceiver(settings, sink, index, run, room)
    return [Route(path, receiver.push, methods=["POST"]) for path in settings.paths]


def _to_response(outcome: Outcome) -> Response:
    refused = [*outcome.refused.items(), *outcome.receipt.refused.items()]
    if not refused:
        return Response(status_code=204)
    lines = [f"{reason} ({count} line{'s' if count != 1 else ''})" for reason, count in refused[:_MAX_REASONS]]
    if len(refused) > _MAX_REASONS:
        lines.append(f"{sum(count for _, count in refused[_MAX_REASONS:])} more lines for other reasons")
    if outcome.receipt.lines:
        lines.append(f"{outcome.receipt.lines} lines of the request are kept")
    retryable = outcome.receipt.retryable
    return _to_text("\n".join(lines), 429 if retryable else 400, _DEFAULT_RETRY_S if retryable else None)


def _to_text(text: str, status: int, retry_after_s: float | None = None) -> Response:
    headers = {} if retry_after_s is None else {"Retry-After": str(max(1, math.ceil(retry_after_s)))}
    return Response(f"{text}\n", status, headers, "text/plain; charset=utf-8")


def _to_error_response(error: SwarmscopeError) -> Response:
    if isinstance(error, UnsupportedEncodingError):
        return _to_text(str(error), 415)
    if isinstance(error, NoStreamsError):
        return _to_text(str(error), 422)
    if isinstance(error, MalformedInputError):
        return _to_text(str(error), 400)
    if isinstance(error, LimitExceededError):
        if error.too_large:
            return _to_text(str(error), 413)
        return _to_text(str(error), 400 if error.retry_after_s is None else 429, error.retry_after_s)
    if isinstance(error, UnavailableError):
        return _to_text(str(error), 503, error.retry_after_s)
    return _to_text(str(error), 500)
