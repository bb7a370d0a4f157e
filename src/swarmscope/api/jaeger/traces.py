"""/api/traces and /api/traces/<id>: traces by what they have, and by their ids."""

from __future__ import annotations

from typing import Any

import numpy as np
from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.jaeger.answers import TRACE_NOT_FOUND, enveloped, failed
from swarmscope.api.jaeger.parameters import given_range, trace_ids, trace_query
from swarmscope.api.jaeger.trace_json import trace_json
from swarmscope.api.request_times import TimeRange
from swarmscope.api.traces.endpoint import TraceExchange, TracePath, refuse
from swarmscope.api.traces.search import find_trace_ids
from swarmscope.api.traces.span_views import to_traces
from swarmscope.api.traces.trace_ids import parse_trace_id, trace_id_text
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.spans import SpanRows


def trace_routes(path: TracePath) -> list[BaseRoute]:
    """The endpoints that give whole traces."""
    return [
        path.route("/api/traces", _traces, failed),
        path.route("/api/traces/{name}", _trace, failed),
    ]


def asked_trace(exchange: TraceExchange) -> bytes:
    """The id in the path. Raises ApiError."""
    try:
        return parse_trace_id(exchange.name)
    except ValueError as error:
        raise refuse(str(error)) from None


def whole_trace(exchange: TraceExchange, trace_id: bytes, range_ns: TimeRange, budget: ReadBudget) -> SpanRows:
    """All spans of the trace. Raises ApiError where there is none, or none that touches the range."""
    rows = exchange.whole_traces([trace_id], budget)
    end_ns = rows.start_ns + np.maximum(rows.duration_ns, 0)
    if not ((rows.start_ns < range_ns.end_ns) & (end_ns >= range_ns.start_ns)).any():
        raise refuse(TRACE_NOT_FOUND, 404)
    return rows


async def _trace(exchange: TraceExchange) -> Response:
    trace_id, range_ns = asked_trace(exchange), given_range(exchange.parameters)

    def make(budget: ReadBudget) -> dict[str, Any]:
        return enveloped(_traces_json(exchange, whole_trace(exchange, trace_id, range_ns, budget)))

    return await exchange.answer(make)


async def _traces(exchange: TraceExchange) -> Response:
    if ids := trace_ids(exchange.parameters):
        return await _traces_by_id(exchange, ids)
    query = trace_query(exchange)

    def make(budget: ReadBudget) -> dict[str, Any]:
        ids = find_trace_ids(exchange.parts.reader, exchange.tenant, query, budget)
        return enveloped(_traces_json(exchange, exchange.whole_traces(ids, budget)) if ids else [])

    return await exchange.answer(make)


async def _traces_by_id(exchange: TraceExchange, ids: list[bytes]) -> Response:
    def make(budget: ReadBudget) -> dict[str, Any]:
        rows = exchange.whole_traces(ids, budget)
        found = _traces_json(exchange, rows)
        there = {trace["traceID"] for trace in found}
        missing = [name for name in map(trace_id_text, ids) if name not in there]
        return enveloped(found, errors=[{"msg": TRACE_NOT_FOUND, "traceID": name} for name in missing])

    return await exchange.answer(make)


def _traces_json(exchange: TraceExchange, rows: SpanRows) -> list[dict[str, Any]]:
    reader = exchange.parts.reader
    return [trace_json(spans) for spans in to_traces(rows, reader.resources(), reader.scopes())]
