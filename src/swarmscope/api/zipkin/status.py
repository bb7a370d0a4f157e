"""/health, /info and /config.json: what Zipkin's UI and probes ask."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.answers import plain
from swarmscope.api.traces.endpoint import TraceExchange, TracePath, json_answer
from swarmscope.api.zipkin.parameters import DEFAULT_LIMIT

# This is the Zipkin whose API is spoken.
ZIPKIN_VERSION = "3.5.0"
_UI_LOOKBACK_MS = 900_000


def status_routes(path: TracePath) -> list[BaseRoute]:
    """The endpoints that read no spans."""
    return [
        path.route("/health", _health, plain),
        path.route("/info", _info, plain),
        path.route("/config.json", _config, plain),
    ]


async def _health(exchange: TraceExchange) -> Response:
    ready = exchange.parts.is_ready()
    state = "UP" if ready else "DOWN"
    return json_answer(
        {"status": state, "zipkin": {"status": state, "details": {"swarmscope": {"status": state}}}},
        200 if ready else 503,
    )


async def _info(exchange: TraceExchange) -> Response:
    revision = f"swarmscope-{exchange.parts.settings.version}"
    return json_answer({"git": {"branch": "", "commit": {"id": revision}}, "zipkin": {"version": ZIPKIN_VERSION}})


async def _config(exchange: TraceExchange) -> Response:
    """What Zipkin's UI is told."""
    return json_answer(
        {
            "environment": "",
            "queryLimit": DEFAULT_LIMIT,
            "defaultLookback": _UI_LOOKBACK_MS,
            "searchEnabled": True,
            "logsUrl": None,
            "supportUrl": None,
            "archivePostUrl": None,
            "archiveUrl": None,
            "dependency": {"enabled": True, "lowErrorRate": 0.5, "highErrorRate": 0.75},
        }
    )
