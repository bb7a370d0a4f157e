"""/api/services, /api/operations and /api/dependencies: what sends traces, and who calls whom."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.jaeger.answers import enveloped, failed
from swarmscope.api.jaeger.parameters import EVER, dependency_range
from swarmscope.api.traces.dependencies import find_dependencies
from swarmscope.api.traces.endpoint import TraceExchange, TracePath, refuse
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.jaeger_conventions import SPAN_KINDS
from swarmscope.model.spans import Operation

_KIND_TEXTS = {kind: text for text, kind in SPAN_KINDS.items()}


def catalogue_routes(path: TracePath) -> list[BaseRoute]:
    """The endpoints that give no traces."""
    return [
        path.route("/api/services", _services, failed),
        path.route("/api/services/{name:path}/operations", _operation_names, failed),
        path.route("/api/operations", _operations, failed),
        path.route("/api/dependencies", _dependencies, failed),
    ]


def service_names(exchange: TraceExchange) -> list[str]:
    """Every service that has sent spans, sorted."""
    return sorted({each.service for each in _every_operation(exchange) if each.service})


def operations_of(exchange: TraceExchange, service: str, kind: str) -> list[dict[str, str]]:
    """Operations of a service by name and kind, those of one kind unless it is "", in Jaeger's shape."""
    found = [each for each in _every_operation(exchange) if each.service == service]
    named = [{"name": each.name, "spanKind": _KIND_TEXTS.get(each.kind, "")} for each in found]
    return [each for each in named if kind in ("", each["spanKind"])]


def _every_operation(exchange: TraceExchange) -> list[Operation]:
    return exchange.parts.reader.operations(exchange.tenant, EVER.start_ns, EVER.end_ns)


async def _services(exchange: TraceExchange) -> Response:
    def make(budget: ReadBudget) -> dict[str, Any]:
        names = service_names(exchange)
        return enveloped(names, len(names))

    return await exchange.answer(make)


async def _operation_names(exchange: TraceExchange) -> Response:
    def make(budget: ReadBudget) -> dict[str, Any]:
        names = sorted({each["name"] for each in operations_of(exchange, exchange.name, "")})
        return enveloped(names, len(names))

    return await exchange.answer(make)


async def _operations(exchange: TraceExchange) -> Response:
    service, kind = (exchange.parameters.text(name) for name in ("service", "spanKind"))
    if not service:
        raise refuse("parameter 'service' is required")

    def make(budget: ReadBudget) -> dict[str, Any]:
        found = operations_of(exchange, service, kind)
        return enveloped(found, len(found))

    return await exchange.answer(make)


async def _dependencies(exchange: TraceExchange) -> Response:
    range_ns, service = dependency_range(exchange), exchange.parameters.text("service")
    parts = exchange.parts

    def make(budget: ReadBudget) -> dict[str, Any]:
        found = find_dependencies(parts.reader, parts.metrics, exchange.tenant, range_ns, budget)
        return enveloped(
            [
                {"parent": each.parent, "child": each.child, "callCount": each.calls}
                for each in found
                if service in ("", each.parent, each.child)
            ]
        )

    return await exchange.answer(make)
