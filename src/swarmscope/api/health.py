"""Liveness, readiness, the program's own metrics and the front page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from swarmscope.api.answers import plain
from swarmscope.api.parts import ApiParts

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Swarmscope</title></head>
<body><h1>Swarmscope</h1>
<p>Observability for fleets of AI agents. This address serves the Prometheus API under <code>{prefix}/api/v1</code>,
so it can be added to Grafana as a Prometheus data source with the URL of <code>{prefix}</code>.</p>
<ul><li><a href="/-/healthy">health</a></li><li><a href="/-/ready">readiness</a></li>
<li><a href="/metrics">metrics of this program</a></li>
<li><a href="{prefix}/api/v1/status/buildinfo">build</a></li></ul></body></html>
"""


def health_routes(parts: ApiParts) -> list[BaseRoute]:
    """`/-/healthy` and `/-/ready` at the root and under the prefix, `/metrics`, `/`."""
    prefix = parts.settings.prefix

    async def healthy(request: Request) -> Response:
        return plain("Swarmscope is Healthy.\n")

    async def ready(request: Request) -> Response:
        if parts.is_ready():
            return plain("Swarmscope is Ready.\n")
        return plain("Service Unavailable", 503)

    async def metrics(request: Request) -> Response:
        body, content_type = await parts.run(lambda: parts.exposition(request.headers.get("accept", "")))
        return Response(body, headers={"content-type": content_type})

    async def front_page(request: Request) -> Response:
        return HTMLResponse(_PAGE.format(prefix=prefix))

    routes: list[BaseRoute] = [Route("/metrics", metrics)]
    for root in dict.fromkeys(("", prefix)):
        routes += [
            Route(f"{root}/-/healthy", healthy),
            Route(f"{root}/-/ready", ready),
            Route(f"{root}/", front_page),
            Route(f"{root}/graph", front_page),
            Route(f"{root}/query", front_page),
        ]
    if prefix:
        routes.append(Route(prefix, front_page))
    return routes
