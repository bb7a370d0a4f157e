"""The whole of HTTP out as one ASGI application."""

from __future__ import annotations

import re2  # type: ignore[import-untyped]
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from swarmscope.api.answers import plain
from swarmscope.api.health import health_routes
from swarmscope.api.parts import ApiParts
from swarmscope.api.prometheus.administration import administration_routes
from swarmscope.api.prometheus.catalogue import catalogue_routes
from swarmscope.api.prometheus.endpoint import ReadPath
from swarmscope.api.prometheus.federation import federation_routes
from swarmscope.api.prometheus.queries import query_routes
from swarmscope.api.prometheus.rules import rule_routes
from swarmscope.api.prometheus.status import status_routes
from swarmscope.api.prometheus.targets import target_routes
from swarmscope.api.remote_read.routes import remote_read_routes

# The headers that Prometheus sends to a browser on another origin.
_CROSS_ORIGIN = {
    "access-control-allow-headers": "Accept, Authorization, Content-Type, Origin",
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-expose-headers": "Date",
    "vary": "Origin",
}


def create_app(parts: ApiParts) -> Starlette:
    """The routes of the Prometheus API, health pages and `parts.extra_routes`, which come first."""
    path = ReadPath(parts)
    routes = [
        *parts.extra_routes,
        *query_routes(path),
        *catalogue_routes(path),
        *target_routes(path),
        *rule_routes(path),
        *status_routes(path),
        *administration_routes(path),
        *remote_read_routes(path),
        *federation_routes(path),
        *health_routes(parts),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(CrossOrigin, prefix=f"{parts.settings.prefix}/", origins=parts.settings.cors_origin)],
        exception_handlers={404: _refused, 405: _refused},
    )


async def _refused(request: Request, error: Exception) -> Response:
    """Prometheus' plain words for an unknown path and a wrong method."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        response = plain("Method Not Allowed\n", 405)
        if error.headers and "Allow" in error.headers:
            response.raw_headers.append((b"allow", error.headers["Allow"].encode()))
        return response
    return plain("404 page not found\n", 404)


class CrossOrigin:
    """Lets browsers on other origins read the API: the headers where an Origin came, 204 for a preflight."""

    def __init__(self, app: ASGIApp, prefix: str, origins: str) -> None:
        """`origins`: a regular expression that allowed origins match whole; `.*` allows any."""
        self._app = app
        self._prefix = prefix
        self._origins = None if origins == ".*" else re2.compile(origins)

    def _allowed(self, origin: str) -> str | None:
        """What Access-Control-Allow-Origin says; None: nothing, so that the browser refuses."""
        if self._origins is None:
            return "*"
        return origin if self._origins.fullmatch(origin) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with the headers added."""
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        origin = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"), "")

        async def send_with_headers(message: Message) -> None:
            if origin and message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if (allowed := self._allowed(origin)) is not None:
                    headers["access-control-allow-origin"] = allowed
                for name, value in _CROSS_ORIGIN.items():
                    if name == "vary":
                        headers.add_vary_header(value)
                    else:
                        headers[name] = value
            await send(message)

        if scope["method"] == "OPTIONS":
            await Response(status_code=204)(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)
