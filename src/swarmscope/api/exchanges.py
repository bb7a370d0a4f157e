"""Requests under way, for every API whose queries share the queue, the clock and the limits of time and memory."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from swarmscope.api.answers import JSON_TYPE, accepts_gzip, to_answer
from swarmscope.api.failures import note_failure
from swarmscope.api.parameters import Parameters, read_parameters
from swarmscope.api.parts import RequestRecord
from swarmscope.api.work import QueryQueue
from swarmscope.instrument.metrics import QUERIES_IN_FLIGHT
from swarmscope.model.contracts import Clock, ReadBudget
from swarmscope.model.errors import (
    LimitExceededError,
    QueryCancelledError,
    QueryFailedError,
    QuerySyntaxError,
    QueryTimeoutError,
    UnavailableError,
    UnsupportedQueryError,
)
from swarmscope.query.deadlines import Deadline

T = TypeVar("T")
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


@dataclass(frozen=True, slots=True)
class ExchangeParts:
    """What every request of one API works with."""

    clock: Clock
    queue: QueryQueue
    on_request: Callable[[RequestRecord], None]
    timeout_s: float
    max_samples: int
    max_bytes: int | None
    query_parameter: str = "query"  # whose text is recorded


class Exchange:
    """One request under way."""

    def __init__(self, parts: ExchangeParts, request: Request, parameters: Parameters) -> None:
        self.parts = parts
        self.request = request
        self.parameters = parameters

    @property
    def now_ns(self) -> int:
        """The clock."""
        return self.parts.clock.now_ns()

    def deadline(self, asked_s: float | None = None) -> Deadline:
        """The server's time limit, or what the client asks for where that is shorter."""
        limit_s = self.parts.timeout_s
        return Deadline(limit_s if asked_s is None else min(limit_s, max(0.0, asked_s)))

    def budget(self, deadline: Deadline) -> ReadBudget:
        """What one request may read."""
        return ReadBudget(deadline, self.parts.max_samples, max_bytes=self.parts.max_bytes)

    async def work(self, deadline: Deadline, work: Callable[[], T]) -> T:
        """Do `work` in a worker thread, ended when the client leaves."""
        return await self.parts.queue.run(self.request, deadline, work)

    async def chunks(
        self, make: Callable[[Deadline], Sequence[bytes]], deadline: Deadline, content_type: str = JSON_TYPE
    ) -> Response:
        """Answer with a body that a worker thread makes."""
        gzip = accepts_gzip(self.request)
        return await self.work(deadline, lambda: to_answer(make(deadline), content_type, gzip=gzip))


def answering_route(
    path: str,
    endpoint: str,
    answering: Callable[[Exchange], Awaitable[Response]],
    parts: ExchangeParts,
    failed: Callable[[str, int], Response],
    methods: Sequence[str],
) -> Route:
    """A route where every failure becomes what `failed` makes of its text and status; time and outcome are recorded."""

    async def answer(request: Request) -> Response:
        began_s = time.perf_counter()
        parameters: Parameters | None = None
        QUERIES_IN_FLIGHT.inc()
        try:
            parameters = await read_parameters(request)
            response = await answering(Exchange(parts, request, parameters))
        except Exception as error:
            response = failed(*refusal_of(error, endpoint))
        finally:
            QUERIES_IN_FLIGHT.dec()
        tenant, query = (parameters.tenant, parameters.text(parts.query_parameter)) if parameters else ("", "")
        took_s = time.perf_counter() - began_s
        parts.on_request(RequestRecord(endpoint, request.method, response.status_code, took_s, tenant, query))
        return response

    return Route(path, answer, methods=list(methods))


def status_of(error: Exception) -> int:
    """The status that Grafana's databases give such a failure; 0 where they have none of their own."""
    if isinstance(error, LimitExceededError):
        return 400 if error.retry_after_s is None else 429
    return next((status for kind, status in _STATUS_OF_ERROR if isinstance(error, kind)), 0)


def refusal_of(error: Exception, endpoint: str) -> tuple[str, int]:
    """What to say of a failure that is being handled, and its status."""
    told = note_failure(error, endpoint)
    return str(told), status_of(error) or told.status
