"""Zipkin's collector endpoints. Source: https://zipkin.io/zipkin-api/."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from swarmscope.model.contracts import SpanSink
from swarmscope.model.errors import MalformedInputError
from swarmscope.receivers.wire.decode_room import DecodeRoom
from swarmscope.receivers.wire.span_push import Run, SpanPush
from swarmscope.receivers.zipkin.decode import Format, SpansDecoder
from swarmscope.receivers.zipkin.settings import ZipkinSettings

PROTOCOL = "zipkin"
_PROTOBUF = ("application/x-protobuf", "application/protobuf")
_JSON = ("application/json", "")  # senders that say nothing send JSON
_LONGEST_SHOWN = 100


def _format_of(content_type: str | None, json_format: Format) -> Format:
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type in _PROTOBUF:
        return Format.PROTOBUF
    if media_type in _JSON:
        return json_format
    raise MalformedInputError(f"Content-Type {media_type[:_LONGEST_SHOWN]!r} is neither {_JSON[0]} nor {_PROTOBUF[0]}")


class ZipkinReceiver:
    """Takes lists of spans."""

    def __init__(self, push: SpanPush, decoder: SpansDecoder) -> None:
        self._push = push
        self._decoder = decoder

    async def post_v1(self, request: Request) -> Response:
        """POST: spans, in JSON of version 1."""
        return await self._post(request, Format.JSON_V1)

    async def post_v2(self, request: Request) -> Response:
        """POST: spans, in JSON of version 2 or in protobuf."""
        return await self._post(request, Format.JSON_V2)

    async def _post(self, request: Request, json_format: Format) -> Response:
        try:
            found = _format_of(request.headers.get("content-type"), json_format)
        except MalformedInputError as error:
            return self._push.to_error(error)
        return await self._push.answer(request, partial(self._decoder.decode, found))


def routes(
    prefix: str, settings: ZipkinSettings, sink: SpanSink, run: Run, room: DecodeRoom | None = None
) -> list[Route]:
    """The endpoints, under "/zipkin" on the main port and under "" on Zipkin's own (9411).

    `run(fn, *args)` runs fn on a bounded pool of workers and awaits its result; it raises LimitExceededError with
    `retry_after_s` when the pool is full. `room` is shared with other receivers.
    """
    receiver = ZipkinReceiver(SpanPush(PROTOCOL, settings.limits, sink, run, room), SpansDecoder(settings))
    return [
        Route(f"{prefix}/api/v1/spans", receiver.post_v1, methods=["POST"]),
        Route(f"{prefix}/api/v2/spans", receiver.post_v2, methods=["POST"]),
    ]
