"""All routes of Jaeger's API."""

from __future__ import annotations

from starlette.routing import BaseRoute

from swarmscope.api.jaeger.catalogue import catalogue_routes
from swarmscope.api.jaeger.span_metrics import metric_routes
from swarmscope.api.jaeger.traces import trace_routes
from swarmscope.api.jaeger.version_3 import version_3_routes
from swarmscope.api.traces.endpoint import TracePath
from swarmscope.api.traces.parts import TraceApiParts

PREFIX = "/jaeger"


def jaeger_routes(parts: TraceApiParts) -> list[BaseRoute]:
    """Everything under `/jaeger` but what takes spans in, which is a receiver's."""
    path = TracePath(parts)
    return [*trace_routes(path), *catalogue_routes(path), *metric_routes(path), *version_3_routes(path)]
