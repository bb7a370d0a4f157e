"""/api/v3: services, operations, traces as OpenTelemetry's JSON.

Parameters: https://github.com/jaegertracing/jaeger-idl/blob/main/proto/api_v3/query_service.proto, as query strings
name them, in camel case or with underscores.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.jaeger.answers import TRACE_NOT_FOUND, failed_v3
from swarmscope.api.jaeger.catalogue import operations_of, service_names
from swarmscope.api.jaeger.parameters import (
    EVER,
    durations_of,
    first_given,
    json_tags,
    limit_of,
    rfc3339_ns,
)
from swarmscope.api.jaeger.traces import asked_trace, whole_trace
from swarmscope.api.request_times import TimeRange
from swarmscope.api.traces.endpoint import TraceExchange, TracePath, refuse
from swarmscope.api.traces.otlp import to_traces_data
from swarmscope.api.traces.otlp_json import resource_spans_json
from swarmscope.api.traces.search import TraceQuery, find_trace_ids
from swarmscope.api.traces.tag_tests import Tag
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.jaeger_conventions import EVENT_NAME
from swarmscope.model.spans import SpanRows

_DURATION_MIN = ("query.durationMin", "query.duration_min")
_DURATION_MAX = ("query.durationMax", "query.duration_max")
_DEPTH = ("query.searchDepth", "query.search_depth", "query.num_traces")


def version_3_routes(path: TracePath) -> list[BaseRoute]:
    """The endpoints of version 3."""
    return [
        path.route("/api/v3/services", _services, failed_v3),
        path.route("/api/v3/operations", _operations, failed_v3),
        path.route("/api/v3/traces", _traces, failed_v3),
        path.route("/api/v3/traces/{name}", _trace, failed_v3),
    ]


async def _services(exchange: TraceExchange) -> Response:
    return await exchange.answer(lambda budget: {"services": service_names(exchange)})


async def _operations(exchange: TraceExchange) -> Response:
    service = exchange.parameters.text("service")
    kind = first_given(exchange.parameters, ("spanKind", "span_kind"))[1]
    return await exchange.answer(lambda budget: {"operations": operations_of(exchange, service, kind)})


async def _trace(exchange: TraceExchange) -> Response:
    trace_id, parameters = asked_trace(exchange), exchange.parameters
    range_ns = TimeRange(
        rfc3339_ns(parameters, ("startTime", "start_time"), EVER.start_ns),
        rfc3339_ns(parameters, ("endTime", "end_time"), EVER.end_ns),
    )
    return await exchange.answer(lambda budget: _result(exchange, whole_trace(exchange, trace_id, range_ns, budget)))


async def _traces(exchange: TraceExchange) -> Response:
    query = _query(exchange)

    def make(budget: ReadBudget) -> dict[str, Any]:
        ids = find_trace_ids(exchange.parts.reader, exchange.tenant, query, budget)
        if not ids:
            raise refuse("No traces found", 404)
        return _result(exchange, exchange.whole_traces(ids, budget))

    return await exchange.answer(make)


def _query(exchange: TraceExchange) -> TraceQuery:
    parameters = exchange.parameters
    service = first_given(parameters, ("query.serviceName", "query.service_name"))[1]
    operation = first_given(parameters, ("query.operationName", "query.operation_name"))[1]
    depth_name, depth = first_given(parameters, _DEPTH)
    tags = json_tags(parameters.text("query.attributes"), "malformed parameter query.attributes")
    start_ns = rfc3339_ns(parameters, ("query.startTimeMin", "query.start_time_min"), None)
    end_ns = rfc3339_ns(parameters, ("query.startTimeMax", "query.start_time_max"), None)
    return TraceQuery(
        start_ns=start_ns,
        end_ns=end_ns + 1,
        limit=min(limit_of(depth, depth_name), exchange.parts.settings.max_traces),
        services=(service,) if service else None,
        names=(operation,) if operation else None,
        durations_ns=durations_of(first_given(parameters, _DURATION_MIN), first_given(parameters, _DURATION_MAX)),
        tags=tuple(Tag(name, (value,)) for name, value in tags.items()),
        event_name=EVENT_NAME,
    )


def _result(exchange: TraceExchange, rows: SpanRows) -> dict[str, Any]:
    if not len(rows):
        raise refuse(TRACE_NOT_FOUND, 404)
    reader = exchange.parts.reader
    data = to_traces_data(rows, reader.resources(), reader.scopes())
    return {"result": {"resourceSpans": resource_spans_json(data)}}
