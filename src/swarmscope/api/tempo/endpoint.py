"""From a function that answers parameters to a route of Tempo's API, with errors as plain text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from starlette.responses import Response
from starlette.routing import Route

from swarmscope.api.answers import JSON_TYPE, plain
from swarmscope.api.exchanges import BOTH, Exchange, ExchangeParts, answering_route
from swarmscope.api.failures import ApiError
from swarmscope.api.tempo.messages import to_message_bytes
from swarmscope.api.tempo.parts import TempoParts
from swarmscope.model.contracts import ReadBudget
from swarmscope.query.deadlines import Deadline

PROTOBUF_TYPE = "application/protobuf"
Answering = Callable[["TempoExchange"], Awaitable[Response]]
Work = Callable[[ReadBudget], dict[str, Any]]  # done in a worker thread; gives an answer in JSON's form


class TempoPath:
    """What all endpoints share."""

    def __init__(self, parts: TempoParts) -> None:
        self.parts = parts
        self.settings = parts.settings
        self.exchange_parts = ExchangeParts(
            parts.clock, parts.queue, parts.on_request, self.settings.query_timeout_s, self.settings.max_spans,
            self.settings.max_read_bytes, query_parameter="q",
        )  # fmt: skip

    def route(self, path: str, answering: Answering, methods: Sequence[str] = BOTH) -> Route:
        """A route under `/tempo` in which every failure becomes plain text."""
        endpoint = self.settings.prefix + path.replace("/{name:path}", "")

        async def answer(exchange: Exchange) -> Response:
            return await answering(TempoExchange(self, exchange))

        return answering_route(f"{self.settings.prefix}{path}", endpoint, answer, self.exchange_parts, plain, methods)


class TempoExchange:
    """One request under way."""

    def __init__(self, path: TempoPath, exchange: Exchange, name: str | None = None) -> None:
        """`name`: what trace or tag is asked for, where the path does not tell it."""
        self.path = path
        self._name = name
        self.parts = path.parts
        self.exchange = exchange
        self.parameters = exchange.parameters
        self.tenant = exchange.parameters.tenant
        self.now_ns = exchange.now_ns

    @property
    def name(self) -> str:
        """The trace or the tag that is asked for."""
        return str(self.exchange.request.path_params["name"]) if self._name is None else self._name

    @property
    def wants_protobuf(self) -> bool:
        """Whether the client takes nothing but protobuf, as Grafana does for whole traces."""
        return PROTOBUF_TYPE in self.exchange.request.headers.get("accept", "")

    async def answer(self, message: str, make: Work) -> Response:
        """Answer with the JSON that a worker thread makes, or with the same as a protobuf `message`."""
        protobuf = self.wants_protobuf

        def make_body(deadline: Deadline) -> Sequence[bytes]:
            found = make(self.exchange.budget(deadline))
            deadline.check()
            return [to_message_bytes(message, found) if protobuf else orjson.dumps(found)]

        content_type = PROTOBUF_TYPE if protobuf else JSON_TYPE
        return await self.exchange.chunks(make_body, self.exchange.deadline(), content_type)


def refuse(message: str, status: int = 400) -> ApiError:
    """A request that cannot be answered."""
    return ApiError("bad_data", message, status=status)
