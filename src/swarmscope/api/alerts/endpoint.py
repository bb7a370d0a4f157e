"""From functions that answer to routes; failures are an object `error`, time and outcome are recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.responses import Response
from starlette.routing import Route

from swarmscope.api.agents.endpoint import failed, refuse
from swarmscope.api.alerts.parts import AlertsApiParts
from swarmscope.api.exchanges import Exchange, ExchangeParts, answering_route
from swarmscope.api.request_times import TimeRange, duration_of, time_of
from swarmscope.lang.matchers import parse_matcher
from swarmscope.model.errors import QuerySyntaxError
from swarmscope.model.matchers import Matcher
from swarmscope.query.deadlines import Deadline

_HOUR_NS = 3600 * 1_000_000_000


class AlertsExchange:
    """One request under way."""

    def __init__(self, parts: AlertsApiParts, exchange: Exchange) -> None:
        self.parts = parts
        self.parameters = exchange.parameters
        self.tenant = exchange.parameters.tenant
        self.now_ns = exchange.now_ns
        self._exchange = exchange

    def matchers(self) -> list[Matcher]:
        """Those of `filter`. Raises ApiError."""
        try:
            return [parse_matcher(text) for text in self.parameters.texts("filter")]
        except QuerySyntaxError as error:
            raise refuse(f"'filter': {error}") from None

    def range(self) -> TimeRange:
        """`start` and `end`, or `since` before the end; an hour where nothing is said. Raises ApiError."""
        end_ns = time_of(self.parameters, "end", self.now_ns)
        start_ns = time_of(self.parameters, "start", end_ns - duration_of(self.parameters, "since", _HOUR_NS))
        if start_ns >= end_ns:
            raise refuse("'start' must be before 'end'")
        return TimeRange(start_ns, end_ns)

    def deadline(self) -> Deadline:
        """The server's time limit."""
        return self._exchange.deadline()

    async def answer(self, make: Callable[[], Any], deadline: Deadline | None = None) -> Response:
        """Answer with the JSON that a worker thread makes."""
        return await self._exchange.chunks(lambda _: [orjson.dumps(make())], deadline or self.deadline())


def alerts_route(parts: AlertsApiParts, path: str, answering: Callable[[AlertsExchange], Awaitable[Response]]) -> Route:
    """A GET route."""
    shared = ExchangeParts(parts.clock, parts.queue, parts.on_request, parts.timeout_s, 0, None, "filter")

    async def answer(exchange: Exchange) -> Response:
        return await answering(AlertsExchange(parts, exchange))

    return answering_route(path, path, answer, shared, failed, ("GET",))
