"""/traces, /trace/<id> and /traceMany: traces by what they have, and by their ids."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.answers import plain
from swarmscope.api.traces.endpoint import TraceExchange, TracePath, refuse
from swarmscope.api.traces.search import TraceQuery, find_trace_ids
from swarmscope.api.traces.span_views import to_traces
from swarmscope.api.traces.tag_tests import Tag
from swarmscope.api.traces.trace_ids import trace_id_text
from swarmscope.api.zipkin.catalogue import EVER, spelled_remotes, spelled_services
from swarmscope.api.zipkin.parameters import annotation_query, asked_range, durations_of, limit_of, trace_id_of
from swarmscope.api.zipkin.span_json import span_json
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.spans import SpanRows
from swarmscope.model.zipkin_conventions import REMOTE_SERVICE

Trace = list[dict[str, Any]]


def trace_routes(path: TracePath) -> list[BaseRoute]:
    """The endpoints that give whole traces."""
    return [
        path.route("/api/v2/traces", _traces, plain),
        path.route("/api/v2/trace/{name}", _trace, plain),
        path.route("/api/v2/traceMany", _trace_many, plain),
    ]


async def _trace(exchange: TraceExchange) -> Response:
    trace_id = trace_id_of(exchange.name)

    def make(budget: ReadBudget) -> Trace:
        rows = exchange.whole_traces([trace_id], budget)
        if not len(rows):
            raise refuse(f"{trace_id_text(trace_id)} not found", 404)
        return _traces_json(exchange, rows)[0]

    return await exchange.answer(make)


async def _trace_many(exchange: TraceExchange) -> Response:
    text = exchange.parameters.text("traceIds")
    if not text:
        raise refuse("traceIds parameter is empty")
    ids = [trace_id_of(each) for each in text.split(",")]
    if len(set(ids)) < len(ids):
        raise refuse("redundant traceId in traceIds")

    def make(budget: ReadBudget) -> list[Trace]:
        rows = exchange.whole_traces(ids, budget)
        return _traces_json(exchange, rows)

    return await exchange.answer(make)


async def _traces(exchange: TraceExchange) -> Response:
    range_ns, durations_ns = asked_range(exchange), durations_of(exchange.parameters)
    limit = min(limit_of(exchange.parameters), exchange.parts.settings.max_traces)
    service, name, remote, annotations = (
        exchange.parameters.text(each) for each in ("serviceName", "spanName", "remoteServiceName", "annotationQuery")
    )
    tags = annotation_query(annotations)

    def make(budget: ReadBudget) -> list[Trace]:
        reader = exchange.parts.reader
        query = TraceQuery(
            *range_ns,
            limit=limit,
            services=spelled_services(exchange, service) if service else None,
            names=_spelled_names(exchange, name) if name and name != "all" else None,
            durations_ns=durations_ns,
            tags=(*tags, Tag(REMOTE_SERVICE, spelled_remotes(exchange, remote, budget))) if remote else tags,
        )
        ids = find_trace_ids(reader, exchange.tenant, query, budget)
        return _traces_json(exchange, exchange.whole_traces(ids, budget)) if ids else []

    return await exchange.answer(make)


def _spelled_names(exchange: TraceExchange, name: str) -> tuple[str, ...]:
    """The operations of this name: Zipkin does not tell capital letters from small ones."""
    operations = exchange.parts.reader.operations(exchange.tenant, *EVER)
    return tuple(sorted({each.name for each in operations if each.name.lower() == name.lower()}))


def _traces_json(exchange: TraceExchange, rows: SpanRows) -> list[Trace]:
    reader = exchange.parts.reader
    return [[span_json(span) for span in spans] for spans in to_traces(rows, reader.resources(), reader.scopes())]
