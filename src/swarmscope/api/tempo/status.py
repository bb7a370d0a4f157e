"""What clients ask about the program: an echo, readiness, build, services."""

from __future__ import annotations

import platform

import orjson
from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.answers import JSON_TYPE, ChunkedAnswer, plain
from swarmscope.api.tempo.endpoint import TempoExchange, TempoPath

# Grafana looks at the version to know what it may ask: this is the Tempo whose API is spoken.
TEMPO_VERSION = "2.9.0"


def status_routes(path: TempoPath) -> list[BaseRoute]:
    """The endpoints that read no spans."""
    return [
        path.route("/api/echo", _echo, ("GET",)),
        path.route("/api/status/buildinfo", _build, ("GET",)),
        *state_routes(path),
    ]


def state_routes(path: TempoPath) -> list[BaseRoute]:
    """What Tempo has beside its API."""
    return [path.route("/ready", _ready, ("GET",)), path.route("/status", _status, ("GET",))]


async def _echo(exchange: TempoExchange) -> Response:
    return plain("echo")


async def _ready(exchange: TempoExchange) -> Response:
    return plain("ready\n") if exchange.parts.is_ready() else plain("Starting\n", 503)


async def _status(exchange: TempoExchange) -> Response:
    return plain("Tempo's API, served by Swarmscope\nall: Running\n")


async def _build(exchange: TempoExchange) -> Response:
    build = {
        "version": TEMPO_VERSION,
        "revision": f"swarmscope-{exchange.path.settings.version}",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": f"python{platform.python_version()}",
    }
    return ChunkedAnswer([orjson.dumps(build)], 200, {"content-type": JSON_TYPE})
