"""/api/search: traces that a TraceQL query finds.

Manual: https://grafana.com/docs/tempo/latest/api_docs/#search
"""

from __future__ import annotations

import sys
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.tempo.endpoint import TempoExchange, TempoPath, Work, refuse
from swarmscope.api.tempo.parameters import count_of, query_of, search_ranges
from swarmscope.api.tempo.value_json import labels_json
from swarmscope.model.contracts import ReadBudget
from swarmscope.query.traceql.answers import FoundSpan, FoundSpanSet, FoundTrace, SearchAnswer
from swarmscope.query.traceql.search import SearchRequest

_DEFAULT_LIMIT = 20
_DEFAULT_SPANS_PER_SET = 3
_NS_PER_MS = 1_000_000
_MAX_UINT32 = (1 << 32) - 1
# Tempo's words where the root span is not there (yet).
NO_ROOT = "<root span not yet received>"


def search_routes(path: TempoPath) -> list[BaseRoute]:
    """The endpoint that searches traces."""
    return [path.route("/api/search", _search)]


async def _search(exchange: TempoExchange) -> Response:
    return await exchange.answer("SearchResponse", search_work(exchange))


def search_work(exchange: TempoExchange) -> Work:
    """The search that the parameters ask for. Raises ApiError."""
    parameters, most = exchange.parameters, exchange.path.settings.max_traces
    query, ranges = query_of(parameters), search_ranges(parameters, exchange.now_ns)
    limit = count_of(parameters, "limit", _DEFAULT_LIMIT)
    if limit > most:
        raise refuse(f"limit {limit} exceeds max limit {most} (query.max_traces)")
    per_set = count_of(parameters, "spss", _DEFAULT_SPANS_PER_SET, least=0) or sys.maxsize

    def make(budget: ReadBudget) -> dict[str, Any]:
        answer = SearchAnswer(())
        for span in ranges:
            request = SearchRequest(query, span.start_ns, span.end_ns, limit, per_set, exchange.tenant)
            answer = exchange.parts.engine.search(request, budget)
            if answer.traces:
                break
        return search_json(answer)

    return make


def search_json(answer: SearchAnswer) -> dict[str, Any]:
    """Traces, newest first."""
    return {
        "traces": [_trace(each) for each in answer.traces],
        "metrics": {"inspectedTraces": answer.traces_read, "inspectedBytes": "0"},
    }


def _trace(trace: FoundTrace) -> dict[str, Any]:
    sets = [_span_set(each) for each in trace.span_sets]
    services = {name: {"spanCount": each.spans, "errorCount": each.errors} for name, each in trace.services.items()}
    found: dict[str, Any] = {
        "traceID": trace.trace_id.hex(),
        "rootServiceName": NO_ROOT if trace.root_service is None else trace.root_service,
        "rootTraceName": trace.root_name or "",
        "startTimeUnixNano": str(max(trace.start_ns, 0)),
        "durationMs": min(max(trace.duration_ns, 0) // _NS_PER_MS, _MAX_UINT32),
        "spanSets": sets,
        "serviceStats": services,
    }
    # Older clients know one set alone.
    return found | {"spanSet": sets[0]} if sets else found


def _span_set(found: FoundSpanSet) -> dict[str, Any]:
    shown: dict[str, Any] = {"spans": [_span(each) for each in found.spans], "matched": found.matched}
    return shown | {"attributes": labels_json(found.attributes)} if found.attributes else shown


def _span(span: FoundSpan) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "spanID": span.span_id.hex(),
        "name": span.name,
        "startTimeUnixNano": str(max(span.start_ns, 0)),
        "durationNanos": str(max(span.duration_ns, 0)),
    }
    return shown | {"attributes": labels_json(span.attributes)} if span.attributes else shown
