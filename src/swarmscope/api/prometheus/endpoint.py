"""From a function that answers parameters to a route: parameters in, errors mapped, time and outcome recorded."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from swarmscope.api.answers import failure
from swarmscope.api.failures import ApiError, note_failure
from swarmscope.api.label_text import LabelTexts
from swarmscope.api.parameters import Parameters, parse_duration_ms, read_parameters
from swarmscope.api.parts import ApiParts, RequestRecord
from swarmscope.api.prometheus.expressions import series_matchers
from swarmscope.api.work import QueryQueue
from swarmscope.instrument.metrics import QUERIES_IN_FLIGHT
from swarmscope.model.errors import QuerySyntaxError, UnsupportedQueryError
from swarmscope.model.matchers import Matcher
from swarmscope.query.deadlines import Deadline
from swarmscope.query.promql import EngineSettings

Answering = Callable[["Exchange"], Awaitable[Response]]


class ReadPath:
    """What all endpoints share: the parts, the queue of queries, the cache of label text."""

    def __init__(self, parts: ApiParts) -> None:
        self.parts = parts
        self.settings = parts.settings
        self.queue = parts.queue or QueryQueue(parts.run, parts.settings.max_concurrent_queries)
        self.label_texts = LabelTexts()

    @property
    def engine_settings(self) -> EngineSettings:
        """Limits and defaults of the engine, which hold for all that is read."""
        return self.parts.engine.settings

    def now_ms(self) -> int:
        """The clock, in milliseconds."""
        return self.parts.clock.now_ns() // 1_000_000

    def route(self, path: str, answering: Answering, methods: Sequence[str] = ("GET",)) -> Route:
        """A route under `<prefix>/api/v1` in which every failure becomes the error envelope."""
        endpoint = path.split("{")[0].rstrip("/") if "{name" not in path else "/label/values"
        handler = self.counted(endpoint, answering, failure)
        return Route(f"{self.settings.prefix}/api/v1{path}", handler, methods=list(methods))

    def counted(
        self, endpoint: str, answering: Answering, refusal: Callable[[ApiError], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        """A handler of requests whose time and outcome are recorded under `endpoint`."""

        async def answer(request: Request) -> Response:
            began_s = time.perf_counter()
            exchange: Exchange | None = None
            QUERIES_IN_FLIGHT.inc()
            try:
                exchange = Exchange(self, request, await read_parameters(request))
                response = await answering(exchange)
            except Exception as error:
                response = refusal(note_failure(error, endpoint))
            finally:
                QUERIES_IN_FLIGHT.dec()
            self.parts.on_request(
                RequestRecord(
                    endpoint,
                    request.method,
                    response.status_code,
                    time.perf_counter() - began_s,
                    exchange.parameters.tenant if exchange else "",
                    exchange.parameters.text("query") if exchange else "",
                )
            )
            return response

        return answer


class Exchange:
    """One request under way."""

    def __init__(self, path: ReadPath, request: Request, parameters: Parameters) -> None:
        self.path = path
        self.request = request
        self.parameters = parameters

    def deadline(self) -> Deadline:
        """The server's time limit, or the client's `timeout` where that is shorter."""
        limit_s = self.path.settings.query_timeout_s
        if self.parameters.text("timeout"):
            limit_s = min(limit_s, max(0.0, self.parameters.duration_ms("timeout") / 1000))
        return Deadline(limit_s)

    def lookback_ms(self) -> int:
        """`lookback_delta`, or the setting."""
        text = self.parameters.text("lookback_delta")
        if not text:
            return self.path.engine_settings.lookback_ms
        try:
            lookback_ms = round(parse_duration_ms(text))
        except ValueError as error:
            raise ApiError("bad_data", f"error parsing lookback delta duration: {error}") from None
        # As in Prometheus, nothing at all means the default.
        return lookback_ms if lookback_ms > 0 else self.path.engine_settings.lookback_ms

    def matchers(self, selectors: Sequence[str]) -> list[Sequence[Matcher]]:
        """The matcher lists of `match[]` parameters."""
        try:
            return [series_matchers(selector) for selector in selectors]
        except (QuerySyntaxError, UnsupportedQueryError) as error:
            raise ApiError("bad_data", f'invalid parameter "match[]": {error}') from None
