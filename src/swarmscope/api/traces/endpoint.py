"""From a function that answers parameters to a route of Jaeger's or Zipkin's API; time and outcome are recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from starlette.responses import Response
from starlette.routing import Route

from swarmscope.api.answers import JSON_TYPE, ChunkedAnswer
from swarmscope.api.exchanges import Exchange, ExchangeParts, answering_route
from swarmscope.api.failures import ApiError
from swarmscope.api.traces.parts import TraceApiParts
from swarmscope.api.traces.trace_ids import trace_id_rows
from swarmscope.api.traces.whole_traces import whole_traces
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.spans import SpanRows
from swarmscope.query.deadlines import Deadline

Answering = Callable[["TraceExchange"], Awaitable[Response]]
Failed = Callable[[str, int], Response]


class TracePath:
    """What all endpoints of one API share."""

    def __init__(self, parts: TraceApiParts) -> None:
        self.parts = parts
        self.settings = settings = parts.settings
        self._exchange_parts = ExchangeParts(
            parts.clock, parts.queue, parts.on_request, settings.query_timeout_s, settings.max_spans,
            settings.max_read_bytes, query_parameter="service",
        )  # fmt: skip

    def route(self, path: str, answering: Answering, failed: Failed) -> Route:
        """A route under the prefix in which every failure becomes what `failed` makes of its text and status."""
        whole = self.settings.prefix + path

        async def answer(exchange: Exchange) -> Response:
            return await answering(TraceExchange(self.parts, exchange))

        endpoint = whole.replace("{name:path}", "{name}")
        return answering_route(whole, endpoint, answer, self._exchange_parts, failed, ("GET",))


class TraceExchange:
    """One request under way."""

    def __init__(self, parts: TraceApiParts, exchange: Exchange) -> None:
        self.parts = parts
        self.parameters = exchange.parameters
        self.tenant = exchange.parameters.tenant
        self.now_ns = exchange.now_ns
        self._exchange = exchange

    @property
    def name(self) -> str:
        """The part of the path that names a trace or a service."""
        return str(self._exchange.request.path_params["name"])

    def whole_traces(self, trace_ids: Sequence[bytes], budget: ReadBudget) -> SpanRows:
        """All spans of the traces. Raises LimitExceededError where they are too many for an answer."""
        parts = self.parts
        return whole_traces(
            parts.reader, self.tenant, trace_id_rows(list(trace_ids)), budget, parts.settings.max_whole_spans
        )

    async def answer(self, make: Callable[[ReadBudget], Any]) -> Response:
        """Answer with the JSON that a worker thread makes."""

        def chunks(deadline: Deadline) -> list[bytes]:
            found = make(self._exchange.budget(deadline))
            deadline.check()
            return [orjson.dumps(found)]

        return await self._exchange.chunks(chunks, self._exchange.deadline())


def json_answer(data: Any, status: int = 200) -> Response:
    """JSON without an envelope."""
    return ChunkedAnswer([orjson.dumps(data)], status, {"content-type": JSON_TYPE})


def refuse(message: str, status: int = 400) -> ApiError:
    """A request that cannot be answered."""
    return ApiError("bad_data", message, status=status)


def whole_number(text: str, name: str) -> int:
    """A whole number. Raises ApiError."""
    try:
        return int(text)
    except ValueError:
        raise refuse(f"unable to parse param '{name}': {text!r} is not a whole number") from None
