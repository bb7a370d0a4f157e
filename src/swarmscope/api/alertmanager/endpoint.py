"""From functions that answer to routes whose failures have go-openapi's forms; time and outcome are recorded."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from swarmscope.api.alertmanager.parts import AlertmanagerParts
from swarmscope.api.alertmanager.refusals import Refusal, refuse, refuse_form
from swarmscope.api.answers import JSON_TYPE, ChunkedAnswer, accepts_gzip, to_answer
from swarmscope.api.exchanges import refusal_of
from swarmscope.api.parts import RequestRecord
from swarmscope.model.labels import DEFAULT_TENANT

T = TypeVar("T")
_MAX_FIELDS = 10_000
_TRUE = ("true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled")  # what go-openapi takes for true
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Exchange:
    """One request under way."""

    def __init__(self, parts: AlertmanagerParts, request: Request) -> None:
        self.parts = parts
        self.house = parts.house
        self.request = request
        self.tenant = request.headers.get("x-scope-orgid", "") or DEFAULT_TENANT
        try:
            self._values = parse_qs(request.url.query, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
        except ValueError as error:
            raise refuse_form(f"parsing the query failed: {error}", 400) from None

    def texts(self, name: str) -> list[str]:
        """All values of a parameter."""
        return self._values.get(name, [])

    def text(self, name: str) -> str | None:
        """The last value of a parameter, as go-openapi has it; None where there is none or it is empty."""
        return (self._values.get(name) or [""])[-1] or None

    def flag(self, name: str, *, default: bool) -> bool:
        """A parameter that is true or false; what is not known for true is false."""
        text = self.text(name)
        return default if text is None else text.lower() in _TRUE

    async def work(self, work: Callable[[], T]) -> T:
        """Do it in a worker thread."""
        return await self.parts.run(work)

    async def answer(self, make: Callable[[], Any]) -> Response:
        """Answer with the JSON that a worker thread makes."""
        gzip = accepts_gzip(self.request)

        def respond() -> Response:
            answer = to_answer([orjson.dumps(make()) + b"\n"], JSON_TYPE, gzip=gzip)
            answer.raw_headers.append((b"cache-control", b"no-store"))
            return answer

        return await self.parts.run(respond)


Answering = Callable[[Exchange], Awaitable[Response]]


def done() -> Response:
    """Success without a body."""
    return ChunkedAnswer([])


def api_route(parts: AlertmanagerParts, path: str, by_method: Mapping[str, Answering]) -> Route:
    """A path under `<prefix>/api/v2` with its methods; every other one is refused with the list of these."""
    endpoint = f"{parts.prefix}/api/v2{path}"
    shown = path.replace(":path", "")

    async def answer(request: Request) -> Response:
        began_s = time.perf_counter()
        try:
            response = await _answered(parts, request, by_method)
        except Refusal as refusal:
            response = refusal.answer()
        except Exception as error:
            response = refuse(*refusal_of(error, f"/alertmanager/api/v2{shown}")).answer()
        took_s = time.perf_counter() - began_s
        tenant = request.headers.get("x-scope-orgid", "") or DEFAULT_TENANT
        record = RequestRecord(f"/alertmanager/api/v2{shown}", request.method, response.status_code, took_s, tenant)
        parts.on_request(record)
        return response

    return Route(endpoint, answer, methods=list(_METHODS))


async def _answered(parts: AlertmanagerParts, request: Request, by_method: Mapping[str, Answering]) -> Response:
    answering = by_method.get("GET" if request.method == "HEAD" else request.method)
    if answering is None:
        allowed = ",".join(by_method)
        message = f"method {request.method} is not allowed, but [{allowed}] are"
        raise Refusal({"code": 405, "message": message}, 405, {"allow": allowed})
    return await answering(Exchange(parts, request))
