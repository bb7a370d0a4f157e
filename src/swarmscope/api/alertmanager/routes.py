"""All routes of Alertmanager's API."""

from __future__ import annotations

import platform
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from swarmscope.api.alertmanager.alerts import alert_routes
from swarmscope.api.alertmanager.endpoint import Exchange, api_route
from swarmscope.api.alertmanager.moments import spell_moment
from swarmscope.api.alertmanager.parts import ALERTMANAGER_VERSION, AlertmanagerParts
from swarmscope.api.alertmanager.refusals import refuse_form
from swarmscope.api.alertmanager.silences import silence_routes
from swarmscope.api.answers import plain
from swarmscope.model.errors import SwarmscopeError


def alertmanager_routes(parts: AlertmanagerParts) -> list[BaseRoute]:
    """The endpoints under the prefix, health pages among them."""
    return [
        api_route(parts, "/status", {"GET": _status}),
        *alert_routes(parts),
        *silence_routes(parts),
        *_pages(parts),
        Route(f"{parts.prefix}/api/v2/{{name:path}}", _nothing, methods=["GET", "POST", "PUT", "DELETE"]),
    ]


async def _status(exchange: Exchange) -> Response:
    parts = exchange.parts

    def make() -> object:
        return {
            # One process stands alone: what several would tell each other is in its own state.
            "cluster": {"peers": [], "status": "disabled"},
            "config": {"original": exchange.house.config_text()},
            "uptime": spell_moment(parts.started_ns),
            "versionInfo": {
                "branch": "HEAD",
                "buildDate": "",
                "buildUser": "swarmscope",
                "goVersion": f"python{platform.python_version()}",
                "revision": f"swarmscope-{parts.version}",
                "version": ALERTMANAGER_VERSION,
            },
        }

    return await exchange.answer(make)


async def _nothing(request: Request) -> Response:
    return refuse_form(f"path {request.url.path} was not found", 404).answer()


def _pages(parts: AlertmanagerParts) -> list[BaseRoute]:
    async def healthy(request: Request) -> Response:
        return plain("OK")

    async def ready(request: Request) -> Response:
        return plain("OK") if parts.is_ready() else plain("Service Unavailable", 503)

    return [
        Route(f"{parts.prefix}/-/healthy", healthy),
        Route(f"{parts.prefix}/-/ready", ready),
        reload_route(f"{parts.prefix}/-/reload", parts),
    ]


def reload_route(path: str, parts: AlertmanagerParts) -> Route:
    """POST (or PUT, as in Prometheus) reads the files anew; a broken one leaves all as it was."""
    reload: Callable[[], None] = parts.reload

    async def answer(request: Request) -> Response:
        try:
            await parts.run(reload)
        except SwarmscopeError as error:
            return plain(f"failed to reload config: {error}\n", 500)
        return plain("")

    return Route(path, answer, methods=["POST", "PUT"])
