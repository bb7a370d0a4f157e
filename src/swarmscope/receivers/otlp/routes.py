"""OTLP over HTTP, protobuf or JSON: one endpoint a signal, one gate for all of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from swarmscope.model.errors import LimitExceededError, SwarmscopeError
from swarmscope.receivers.otlp.answers import to_body, to_failure
from swarmscope.receivers.otlp.exporter import ExportResult, OtlpExporter
from swarmscope.receivers.wire.decompression import (
    SNAPPY,
    SNAPPY_FRAMED,
    UnsupportedEncodingError,
    parse_encoding,
)
from swarmscope.receivers.wire.request_body import read_body
from swarmscope.receivers.wire.request_headers import TENANT_HEADER, UnsupportedMediaError, to_tenant

PROTOBUF, JSON = "application/x-protobuf", "application/json"
_LOG = logging.getLogger(__name__)

Run = Callable[..., Awaitable[Any]]


class RequestGate:
    """Lets a bounded number of requests in at once; thread-safe."""

    def __init__(self, max_requests: int, retry_after_s: float) -> None:
        self._free = threading.Semaphore(max_requests)
        self._retry_after_s = retry_after_s

    @contextmanager
    def passed(self) -> Iterator[None]:
        """While the context lives the request counts. Raises LimitExceededError when there are too many."""
        if not self._free.acquire(blocking=False):
            raise LimitExceededError(
                "too many requests at once", limit="otlp.max_concurrent_requests", retry_after_s=self._retry_after_s
            )
        try:
            yield
        finally:
            self._free.release()


def _is_json(content_type: str | None) -> bool:
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type not in (PROTOBUF, JSON):
        raise UnsupportedMediaError(f"Content-Type {content_type!r} is neither {PROTOBUF} nor {JSON}")
    return media_type == JSON


def _encoding_of(request: Request) -> str:
    encoding = parse_encoding(request.headers.get("content-encoding"))
    if encoding in (SNAPPY, SNAPPY_FRAMED):
        raise UnsupportedEncodingError(f"Content-Encoding {encoding!r} is not part of OTLP")
    return encoding


class _Endpoint:
    def __init__(self, signal: OtlpExporter, run: Run, gate: RequestGate) -> None:
        self._signal = signal
        self._run = run
        self._gate = gate

    async def post(self, request: Request) -> Response:
        as_json = False
        try:
            as_json = _is_json(request.headers.get("content-type"))
            encoding = _encoding_of(request)
            tenant = to_tenant(request.headers.get(TENANT_HEADER))
            # Before the gate: senders that trickle must not keep others out.
            body = await read_body(request, self._signal.settings.max_body_bytes)
            with self._gate.passed():
                result = await self._run(self._export, body, encoding, as_json, tenant)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return _to_error_response(error, as_json)
        return Response(
            to_body(self._signal.to_response(result), as_json=as_json), media_type=JSON if as_json else PROTOBUF
        )

    def _export(self, body: bytes, encoding: str, as_json: bool, tenant: str) -> ExportResult:
        return self._signal.export_packed(body, encoding, tenant, as_json=as_json)


def _to_error_response(error: Exception, as_json: bool) -> Response:
    if not isinstance(error, SwarmscopeError):
        _LOG.exception("an OTLP request failed")
    failure = to_failure(error)
    return Response(
        to_body(failure.to_status(), as_json=as_json),
        failure.http_status,
        failure.to_retry_header(),
        JSON if as_json else PROTOBUF,
    )


def http_routes(signals: Sequence[OtlpExporter], run: Run) -> list[Route]:
    """The endpoints, for any number of ports. `run(fn, *args)` runs fn in a bounded pool of worker threads.

    The first signal's settings say how many requests of all signals are worked on at once.
    """
    settings = signals[0].settings
    gate = RequestGate(settings.max_concurrent_requests, settings.retry_after_s)
    return [
        Route(path, _Endpoint(signal, run, gate).post, methods=["POST"]) for signal in signals for path in signal.paths
    ]
