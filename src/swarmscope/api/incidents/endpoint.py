"""From a function that answers a call to a route that takes and gives JSON; time and outcome are recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from swarmscope.api.agents.endpoint import failed, refuse
from swarmscope.api.answers import JSON_TYPE, ChunkedAnswer
from swarmscope.api.exchanges import refusal_of
from swarmscope.api.parts import RequestRecord
from swarmscope.api.work import QueryQueue
from swarmscope.instrument.metrics import QUERIES_IN_FLIGHT
from swarmscope.model.labels import DEFAULT_TENANT
from swarmscope.query.deadlines import Deadline

_MAX_BODY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class JsonApiParts:
    """What every route works with."""

    queue: QueryQueue
    timeout_s: float = 30.0
    on_request: Callable[[RequestRecord], None] = lambda record: None
    max_body_bytes: int = _MAX_BODY_BYTES


@dataclass(frozen=True, slots=True)
class Call:
    """One call: what stands in its path, query and body."""

    tenant: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any] = field(default_factory=dict)

    def text(self, name: str, *, required: bool = False) -> str:
        """A text of the body, "" where there is none. Raises ApiError."""
        value = self.body.get(name, "")
        if not isinstance(value, str):
            raise refuse(f"'{name}' is text")
        if required and not value:
            raise refuse(f"'{name}' is missing")
        return value

    def texts(self, name: str) -> dict[str, str]:
        """An object of texts of the body. Raises ApiError."""
        value = self.body.get(name, {})
        if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
            raise refuse(f"'{name}' is an object of texts")
        return value

    def listed(self, name: str) -> list[str]:
        """A list of texts of the body. Raises ApiError."""
        value = self.body.get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise refuse(f"'{name}' is a list of texts")
        return value

    def flag(self, name: str) -> bool | None:
        """A flag of the body; None where there is none. Raises ApiError."""
        value = self.body.get(name)
        if value is not None and not isinstance(value, bool):
            raise refuse(f"'{name}' is true or false")
        return value

    def chosen(self, name: str, known: Callable[[], list[str]]) -> str:
        """A parameter that is one of some words, or empty. Raises ApiError."""
        value = self.query.get(name, "")
        if value and value not in known():
            raise refuse(f"'{name}' is one of {', '.join(known())}, not {value!r}")
        return value

    def limit(self, default: int, most: int) -> int:
        """The parameter `limit`. Raises ApiError."""
        text = self.query.get("limit", "") or str(default)
        if not text.isascii() or not text.isdigit() or not 0 < int(text) <= most:
            raise refuse(f"'limit' is a whole number from 1 to {most}, not {text!r}")
        return int(text)


Answering = Callable[[Call], Any]


def json_route(path: str, answering: Answering, parts: JsonApiParts, method: str = "GET") -> Route:
    """A route; `answering` works in a thread and raises ApiError (`refuse`) for what cannot be done.

    A body has to say that it is JSON: pages of other origins cannot send such without being asked about first.
    """

    async def answer(request: Request) -> Response:
        began_s = time.perf_counter()
        QUERIES_IN_FLIGHT.inc()
        tenant = request.headers.get("x-scope-orgid", "") or DEFAULT_TENANT
        try:
            body = await _body(request, parts.max_body_bytes) if method == "POST" else {}
            call = Call(tenant, request.path_params, dict(request.query_params), body)
            deadline = Deadline(parts.timeout_s)
            found = await parts.queue.run(request, deadline, lambda: orjson.dumps(answering(call)))
            response: Response = ChunkedAnswer([found], 200, {"content-type": JSON_TYPE})
        except Exception as error:
            response = failed(*refusal_of(error, path))
        finally:
            QUERIES_IN_FLIGHT.dec()
        took_s = time.perf_counter() - began_s
        parts.on_request(RequestRecord(path, request.method, response.status_code, took_s, tenant))
        return response

    return Route(path, answer, methods=[method])


async def _body(request: Request, max_bytes: int) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise refuse("the body has to be JSON, and to say so (content-type: application/json)", 415)
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > max_bytes:
            raise refuse("the body is too long", 413)
        pieces.append(piece)
    try:
        found = orjson.loads(b"".join(pieces) or b"{}")
    except orjson.JSONDecodeError as error:
        raise refuse(f"the body is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise refuse("the body is an object")
    return found
