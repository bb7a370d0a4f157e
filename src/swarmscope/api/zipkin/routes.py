"""All routes of Zipkin's API."""

from __future__ import annotations

from starlette.routing import BaseRoute

from swarmscope.api.traces.endpoint import TracePath
from swarmscope.api.traces.parts import TraceApiParts
from swarmscope.api.zipkin.catalogue import catalogue_routes
from swarmscope.api.zipkin.status import status_routes
from swarmscope.api.zipkin.traces import trace_routes

PREFIX = "/zipkin"


def zipkin_routes(parts: TraceApiParts) -> list[BaseRoute]:
    """Everything under `/zipkin` but what takes spans in, which is a receiver's."""
    path = TracePath(parts)
    return [*trace_routes(path), *catalogue_routes(path), *status_routes(path)]
