"""From a function that answers parameters to a route of Loki's API: errors in Loki's form, time and outcome recorded.

Loki answers an error with its text alone; the status tells the kind.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from swarmscope.api.answers import JSON_TYPE, accepts_gzip, plain, to_answer
from swarmscope.api.deadlines import Deadline
from swarmscope.api.failures import ApiError, note_failure
from swarmscope.api.label_text import LabelTexts
from swarmscope.api.loki.parameters import NS_PER_S, duration_of
from swarmscope.api.loki.parts import LokiParts
from swarmscope.api.parameters import Parameters, read_parameters
from swarmscope.api.parts import RequestRecord
from swarmscope.instrument.metrics import QUERIES_IN_FLIGHT
from swarmscope.lang.logql import parse_selector
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.errors import (
    LimitExceededError,
    QueryCancelledError,
    QueryFailedError,
    QuerySyntaxError,
    QueryTimeoutError,
    UnavailableError,
    UnsupportedQueryError,
)
from swarmscope.model.matchers import Matcher

T = TypeVar("T")
Answering = Callable[["LokiExchange"], Awaitable[Response]]
BOTH = ("GET", "POST")
_CLIENT_GONE = 499
# The first class that fits decides.
_STATUS_OF_ERROR: tuple[tuple[type[Exception], int], ...] = (
    (QueryTimeoutError, 504),
    (QueryCancelledError, _CLIENT_GONE),
    (QuerySyntaxError, 400),
    (UnsupportedQueryError, 400),
    (QueryFailedError, 400),
    (UnavailableError, 503),
)


def status_of(error: Exception) -> int:
    """The status that Loki gives such a failure."""
    if isinstance(error, LimitExceededError):
        return 400 if error.retry_after_s is None else 429
    return next((status for kind, status in _STATUS_OF_ERROR if isinstance(error, kind)), 0)


def refusal_of(error: Exception, endpoint: str) -> tuple[str, int]:
    """What to say of a failure that is being handled, and its status."""
    told = note_failure(error, endpoint)
    return str(told), status_of(error) or told.status


class LokiPath:
    """What all endpoints share."""

    def __init__(self, parts: LokiParts) -> None:
        self.parts = parts
        self.settings = parts.settings
        self.label_texts = LabelTexts()

    def route(self, path: str, answering: Answering, methods: Sequence[str] = BOTH) -> Route:
        """A route under `/loki` in which every failure becomes plain text."""
        endpoint = self.settings.prefix + path.replace("/{name:path}", "")

        async def answer(request: Request) -> Response:
            began_s = time.perf_counter()
            exchange: LokiExchange | None = None
            QUERIES_IN_FLIGHT.inc()
            try:
                exchange = LokiExchange(self, request, await read_parameters(request))
                response = await answering(exchange)
            except Exception as error:
                text, status = refusal_of(error, endpoint)
                response = plain(f"{text}\n", status)
            finally:
                QUERIES_IN_FLIGHT.dec()
            self.record(endpoint, request.method, response.status_code, began_s, exchange)
            return response

        return Route(f"{self.settings.prefix}{path}", answer, methods=list(methods))

    def record(self, endpoint: str, method: str, status: int, began_s: float, exchange: LokiExchange | None) -> None:
        """Count one answered request."""
        tenant = exchange.parameters.tenant if exchange else ""
        query = exchange.parameters.text("query") if exchange else ""
        took_s = time.perf_counter() - began_s
        self.parts.on_request(RequestRecord(endpoint, method, status, took_s, tenant, query))


class LokiExchange:
    """One request under way."""

    def __init__(self, path: LokiPath, request: Request, parameters: Parameters) -> None:
        self.path = path
        self.request = request
        self.parameters = parameters

    @property
    def now_ns(self) -> int:
        """The clock."""
        return self.path.parts.clock.now_ns()

    def deadline(self) -> Deadline:
        """The server's time limit, or the client's `timeout` where that is shorter."""
        limit_s = self.path.settings.query_timeout_s
        asked_s = duration_of(self.parameters, "timeout", round(limit_s * NS_PER_S)) / NS_PER_S
        return Deadline(min(limit_s, max(0.0, asked_s)))

    def budget(self, deadline: Deadline) -> ReadBudget:
        """What one request may read."""
        settings = self.path.parts.engine.settings
        return ReadBudget(deadline, settings.max_samples, max_bytes=settings.max_bytes)

    async def work(self, deadline: Deadline, work: Callable[[], T]) -> T:
        """Do `work` in a worker thread, ended when the client leaves."""
        return await self.path.parts.queue.run(self.request, deadline, work)

    async def chunks(self, make: Callable[[Deadline], Sequence[bytes]]) -> Response:
        """Answer with JSON that a worker thread makes."""
        deadline, gzip = self.deadline(), accepts_gzip(self.request)
        return await self.work(deadline, lambda: to_answer(make(deadline), JSON_TYPE, gzip=gzip))

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
