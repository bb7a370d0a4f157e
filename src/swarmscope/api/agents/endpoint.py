"""From a function that answers parameters to a route of the fleet's API; time and outcome are recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from starlette.responses import Response
from starlette.routing import Route

from swarmscope.api.answers import JSON_TYPE, ChunkedAnswer
from swarmscope.api.exchanges import Exchange, ExchangeParts, answering_route
from swarmscope.api.failures import ApiError
from swarmscope.api.parts import RequestRecord
from swarmscope.api.request_times import TimeRange, duration_of, time_of
from swarmscope.api.work import QueryQueue
from swarmscope.fleet.queries import FleetView
from swarmscope.model.contracts import Clock
from swarmscope.query.deadlines import Deadline

_NS_PER_S = 1_000_000_000
DEFAULT_SINCE_NS = 3600 * _NS_PER_S
_KINDS = {400: "bad_request", 404: "not_found", 429: "too_much", 499: "canceled", 503: "unavailable", 504: "timeout"}


class UnpricedModel(Protocol):
    """A model for which no price is known."""

    @property
    def provider(self) -> str:
        """Who runs it."""
        ...

    @property
    def model(self) -> str:
        """Its name."""
        ...

    @property
    def calls(self) -> int:
        """How often it was called."""
        ...

    @property
    def tokens(self) -> int:
        """With how many tokens."""
        ...


@dataclass(frozen=True, slots=True)
class FleetApiParts:
    """Everything that the fleet's API works with. Without `view` nobody watches over agents, and all is refused."""

    view: FleetView | None
    unknown_models: Callable[[], list[Any]]  # of `UnpricedModel`
    clock: Clock
    queue: QueryQueue
    query_timeout_s: float = 120.0
    on_request: Callable[[RequestRecord], None] = lambda record: None


class FleetExchange:
    """One request under way."""

    def __init__(self, parts: FleetApiParts, view: FleetView, exchange: Exchange) -> None:
        self.parts = parts
        self.view = view
        self.parameters = exchange.parameters
        self.tenant = exchange.parameters.tenant
        self.now_ns = exchange.now_ns
        self._exchange = exchange

    @property
    def name(self) -> str:
        """The part of the path that names what is asked for."""
        return str(self._exchange.request.path_params["name"])

    def range(self, prefix: str = "") -> TimeRange:
        """`start` and `end`, or `since` before the end; an hour where nothing is said. Raises ApiError."""
        end_ns = time_of(self.parameters, f"{prefix}end", self.now_ns)
        since_ns = duration_of(self.parameters, f"{prefix}since", DEFAULT_SINCE_NS)
        start_ns = time_of(self.parameters, f"{prefix}start", end_ns - since_ns)
        if start_ns >= end_ns:
            raise refuse(f"'{prefix}start' must be before '{prefix}end'")
        return TimeRange(start_ns, end_ns)

    async def answer(self, make: Callable[[], Any]) -> Response:
        """Answer with the JSON that a worker thread makes."""

        def chunks(deadline: Deadline) -> list[bytes]:
            found = make()
            deadline.check()
            return [orjson.dumps(found)]

        return await self._exchange.chunks(chunks, self._exchange.deadline())


Answering = Callable[[FleetExchange], Awaitable[Response]]


class FleetPath:
    """What all endpoints share."""

    def __init__(self, parts: FleetApiParts) -> None:
        self._parts = parts
        self._exchange_parts = ExchangeParts(parts.clock, parts.queue, parts.on_request, parts.query_timeout_s, 0, None)

    def route(self, path: str, answering: Answering) -> Route:
        """A GET route; every failure becomes an object `error` with a type and a message."""

        async def answer(exchange: Exchange) -> Response:
            if self._parts.view is None:
                raise refuse("agents are not watched: agents.enabled is false", 404)
            return await answering(FleetExchange(self._parts, self._parts.view, exchange))

        endpoint = path.replace("{name:path}", "{name}")
        return answering_route(path, endpoint, answer, self._exchange_parts, failed, ("GET",))


def failed(message: str, status: int) -> Response:
    """The answer to a request that failed."""
    kind = _KINDS.get(status, "internal")
    body = orjson.dumps({"error": {"type": kind, "message": message}})
    return ChunkedAnswer([body], status, {"content-type": JSON_TYPE})


def refuse(message: str, status: int = 400) -> ApiError:
    """A request that cannot be answered."""
    return ApiError("bad_data", message, status=status)
