"""All routes of Tempo's API."""

from __future__ import annotations

from starlette.routing import BaseRoute

from swarmscope.api.tempo.endpoint import TempoPath
from swarmscope.api.tempo.mcp import McpServer
from swarmscope.api.tempo.metrics import metrics_routes
from swarmscope.api.tempo.parts import TempoParts
from swarmscope.api.tempo.search import search_routes
from swarmscope.api.tempo.status import status_routes
from swarmscope.api.tempo.tags import tag_routes
from swarmscope.api.tempo.traces import trace_routes


def tempo_routes(parts: TempoParts) -> list[BaseRoute]:
    """Everything under `/tempo`."""
    path = TempoPath(parts)
    return [
        *trace_routes(path),
        *search_routes(path),
        *tag_routes(path),
        *metrics_routes(path),
        *status_routes(path),
        *McpServer(path).routes(),
    ]
