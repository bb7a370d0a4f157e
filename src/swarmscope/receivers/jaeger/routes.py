"""Jaeger's collector endpoint for Thrift over HTTP.

Senders may append `?format=jaeger.thrift`, which says nothing that the content type does not. Source:
https://www.jaegertracing.io/docs/latest/apis/#thrift-over-http.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from swarmscope.model.contracts import SpanSink
from swarmscope.model.errors import MalformedInputError
from swarmscope.receivers.jaeger.decode import BatchDecoder
from swarmscope.receivers.jaeger.settings import JaegerSettings
from swarmscope.receivers.wire.decode_room import DecodeRoom, Share
from swarmscope.receivers.wire.span_push import PushedSpans, Run, SpanPush

PROTOCOL = "jaeger"
# Whether what a content type names is the compact protocol.
_IS_COMPACT = {
    "application/x-thrift": False,
    "application/vnd.apache.thrift.binary": False,
    "application/vnd.apache.thrift.compact": True,
}
_LONGEST_SHOWN = 100


def _is_compact(content_type: str | None) -> bool:
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type not in _IS_COMPACT:
        known = ", ".join(_IS_COMPACT)
        raise MalformedInputError(f"Unsupported content type: {media_type[:_LONGEST_SHOWN]!r} is none of {known}")
    return _IS_COMPACT[media_type]


class JaegerReceiver:
    """Takes batches over HTTP."""

    def __init__(self, push: SpanPush) -> None:
        self._push = push
        self._decoder = BatchDecoder()

    async def post(self, request: Request) -> Response:
        """POST: one Batch."""
        try:
            compact = _is_compact(request.headers.get("content-type"))
        except MalformedInputError as error:
            return self._push.to_error(error)
        return await self._push.answer(request, partial(self._decode, compact))

    def _decode(self, compact: bool, body: NDArray[np.uint8], tenant: str, share: Share) -> PushedSpans:
        return self._decoder.decode(body, tenant, share.resize, compact=compact)


def routes(
    prefix: str, settings: JaegerSettings, sink: SpanSink, run: Run, room: DecodeRoom | None = None
) -> list[Route]:
    """The endpoint, under "/jaeger" on the main port and under "" on Jaeger's own (14268).

    `run(fn, *args)` runs fn on a bounded pool of workers and awaits its result; it raises LimitExceededError with
    `retry_after_s` when the pool is full. `room` is shared with other receivers.
    """
    receiver = JaegerReceiver(SpanPush(PROTOCOL, settings.limits, sink, run, room))
    return [Route(f"{prefix}/api/traces", receiver.post, methods=["POST"])]
