"""/services, /spans, /remoteServices, /dependencies and the completion of tags."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.answers import plain
from swarmscope.api.request_times import NS_PER_MS, TimeRange
from swarmscope.api.traces.dependencies import find_dependencies
from swarmscope.api.traces.endpoint import TraceExchange, TracePath, refuse
from swarmscope.api.traces.span_views import SERVICE_NAME
from swarmscope.api.traces.value_text import value_text
from swarmscope.api.zipkin.parameters import DEFAULT_LOOKBACK_MS, asked_range
from swarmscope.model import zipkin_conventions
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.spans import AttributeKey, AttributeScope, Comparison, Condition, SpanRequest

EVER = TimeRange(-(1 << 62), 1 << 62)
_MAX_VALUES = 1_000
# They are fields of a span, not tags.
_FIELDS = frozenset(
    {
        zipkin_conventions.LOCAL_IP, zipkin_conventions.LOCAL_IPV6, zipkin_conventions.LOCAL_PORT,
        zipkin_conventions.REMOTE_SERVICE, zipkin_conventions.REMOTE_IP, zipkin_conventions.REMOTE_IPV6,
        zipkin_conventions.REMOTE_PORT, zipkin_conventions.SHARED, zipkin_conventions.DEBUG,
        zipkin_conventions.NO_TIMESTAMP,
    }
)  # fmt: skip


def catalogue_routes(path: TracePath) -> list[BaseRoute]:
    """The endpoints that give no traces."""
    return [
        path.route("/api/v2/services", _services, plain),
        path.route("/api/v2/spans", _span_names, plain),
        path.route("/api/v2/remoteServices", _remote_services, plain),
        path.route("/api/v2/dependencies", _dependencies, plain),
        path.route("/api/v2/autocompleteKeys", _keys, plain),
        path.route("/api/v2/autocompleteValues", _values, plain),
    ]


def spelled_services(exchange: TraceExchange, service: str) -> tuple[str, ...]:
    """The services of this name: Zipkin does not tell capital letters from small ones."""
    return tuple(name for name in _service_names(exchange) if name.lower() == service.lower())


def spelled_remotes(exchange: TraceExchange, service: str, budget: ReadBudget) -> tuple[str, ...]:
    """The remote services of this name, as sent; the name itself where none is known."""
    known = _texts(exchange, zipkin_conventions.REMOTE_SERVICE, (), budget)
    return tuple(name for name in known if name.lower() == service.lower()) or (service,)


def _service_names(exchange: TraceExchange) -> list[str]:
    operations = exchange.parts.reader.operations(exchange.tenant, *EVER)
    return sorted({each.service for each in operations if each.service})


async def _services(exchange: TraceExchange) -> Response:
    return await exchange.answer(lambda budget: _service_names(exchange))


async def _span_names(exchange: TraceExchange) -> Response:
    service = _required(exchange, "serviceName").lower()

    def make(budget: ReadBudget) -> list[str]:
        operations = exchange.parts.reader.operations(exchange.tenant, *EVER)
        return sorted({each.name for each in operations if each.name and each.service.lower() == service})

    return await exchange.answer(make)


async def _remote_services(exchange: TraceExchange) -> Response:
    service = _required(exchange, "serviceName")

    def make(budget: ReadBudget) -> list[str]:
        services = spelled_services(exchange, service)
        if not services:
            return []
        of_service = Condition(AttributeKey(AttributeScope.RESOURCE, SERVICE_NAME), Comparison.EQUAL, services)
        return _texts(exchange, zipkin_conventions.REMOTE_SERVICE, (of_service,), budget)

    return await exchange.answer(make)


async def _dependencies(exchange: TraceExchange) -> Response:
    range_ns, parts = asked_range(exchange), exchange.parts

    def make(budget: ReadBudget) -> list[dict[str, Any]]:
        return [
            {"parent": each.parent, "child": each.child, "callCount": each.calls}
            | ({"errorCount": each.errors} if each.errors else {})
            for each in find_dependencies(parts.reader, parts.metrics, exchange.tenant, range_ns, budget)
        ]

    return await exchange.answer(make)


async def _keys(exchange: TraceExchange) -> Response:
    def make(budget: ReadBudget) -> list[str]:
        names = exchange.parts.reader.attribute_names(exchange.tenant, AttributeScope.SPAN, *_lately(exchange))
        return sorted(set(names) - _FIELDS)

    return await exchange.answer(make)


async def _values(exchange: TraceExchange) -> Response:
    name = _required(exchange, "key")
    return await exchange.answer(lambda budget: _texts(exchange, name, (), budget))


def _texts(exchange: TraceExchange, name: str, conditions: tuple[Condition, ...], budget: ReadBudget) -> list[str]:
    """The values of a span attribute of late, sorted."""
    request = SpanRequest(*_lately(exchange), conditions=conditions)
    values = exchange.parts.reader.attribute_values(exchange.tenant, name, request, budget, _MAX_VALUES)
    return sorted({text for kind, value in values if (text := value_text(kind, value))})


def _lately(exchange: TraceExchange) -> TimeRange:
    return TimeRange(exchange.now_ns - DEFAULT_LOOKBACK_MS * NS_PER_MS, EVER.end_ns)


def _required(exchange: TraceExchange, name: str) -> str:
    text = exchange.parameters.text(name)
    if not text:
        raise refuse(f"{name} parameter is empty")
    return text
