"""From a function that answers parameters to a route of Loki's API: errors in Loki's form, time and outcome recorded.

Loki answers an error with its text alone; the status tells the kind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from swarmscope.api.answers import plain
from swarmscope.api.exchanges import BOTH, Exchange, ExchangeParts, answering_route
from swarmscope.api.failures import ApiError
from swarmscope.api.label_text import LabelTexts
from swarmscope.api.loki.parts import LokiParts
from swarmscope.api.parameters import Parameters
from swarmscope.api.request_times import NS_PER_S, duration_of
from swarmscope.lang.logql import parse_selector
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.matchers import Matcher
from swarmscope.query.deadlines import Deadline

T = TypeVar("T")
Answering = Callable[["LokiExchange"], Awaitable[Response]]


class LokiPath:
    """What all endpoints share."""

    def __init__(self, parts: LokiParts) -> None:
        self.parts = parts
        self.settings = parts.settings
        self.label_texts = LabelTexts()
        limits = parts.engine.settings
        self._exchange_parts = ExchangeParts(
            parts.clock, parts.queue, parts.on_request, self.settings.query_timeout_s, limits.max_samples,
            limits.max_bytes,
        )  # fmt: skip

    def route(self, path: str, answering: Answering, methods: Sequence[str] = BOTH) -> Route:
        """A route under `/loki` in which every failure becomes plain text."""
        endpoint = self.settings.prefix + path.replace("/{name:path}", "")

        async def answer(exchange: Exchange) -> Response:
            return await answering(LokiExchange(self, exchange))

        full_path = f"{self.settings.prefix}{path}"
        return answering_route(full_path, endpoint, answer, self._exchange_parts, _failed, methods)


def _failed(text: str, status: int) -> Response:
    return plain(f"{text}\n", status)


class LokiExchange:
    """One request under way."""

    def __init__(self, path: LokiPath, exchange: Exchange) -> None:
        self.path = path
        self._exchange = exchange

    @property
    def request(self) -> Request:
        """As it came."""
        return self._exchange.request

    @property
    def parameters(self) -> Parameters:
        """Of the URL and the form."""
        return self._exchange.parameters

    @property
    def now_ns(self) -> int:
        """The clock."""
        return self._exchange.now_ns

    def deadline(self) -> Deadline:
        """The server's time limit, or the client's `timeout` where that is shorter."""
        limit_s = self.path.settings.query_timeout_s
        return self._exchange.deadline(duration_of(self.parameters, "timeout", round(limit_s * NS_PER_S)) / NS_PER_S)

    def budget(self, deadline: Deadline) -> ReadBudget:
        """What one request may read."""
        return self._exchange.budget(deadline)

    async def work(self, deadline: Deadline, work: Callable[[], T]) -> T:
        """Do `work` in a worker thread, ended when the client leaves."""
        return await self._exchange.work(deadline, work)

    async def chunks(self, make: Callable[[Deadline], Sequence[bytes]]) -> Response:
        """Answer with JSON that a worker thread makes."""
        return await self._exchange.chunks(make, self.deadline())

    def selectors(self) -> list[tuple[Matcher, ...]]:
        """Matchers of `match[]`, `match` and `query`; () chooses every stream, none at all stands for that too."""
        texts = [text for name in ("match[]", "match", "query") for text in self.parameters.texts(name)]
        return [parse_selector(text) for text in texts]

    def selector(self) -> tuple[Matcher, ...]:
        """Matchers of `query`, as the endpoints of the index take them."""
        return parse_selector(self.parameters.text("query"))


def refuse(message: str, status: int = 400) -> ApiError:
    """A request that cannot be answered."""
    return ApiError("bad_data", message, status=status)
