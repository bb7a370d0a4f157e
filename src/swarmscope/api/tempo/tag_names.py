"""Names of attributes of the spans that a filter chooses, for completion behind a condition."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from swarmscope.api.tempo.parts import TempoParts
from swarmscope.api.tempo.trace_rows import taken
from swarmscope.model.attributes import AttributeSets
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.logs import TRACE_ID_BYTES
from swarmscope.model.spans import AttributeScope, SpanRows
from swarmscope.query.traceql.answers import FoundTrace
from swarmscope.query.traceql.search import SearchRequest
from swarmscope.query.traceql.tags import TagRequest

# What spans have in common is seen in few of them.
_MOST_TRACES = 100


def names_of_chosen(parts: TempoParts, request: TagRequest, scope: str, budget: ReadBudget) -> dict[str, list[str]]:
    """Sorted names by scope, of one scope or with "" of all, in the newest traces that have spans of the filter."""
    search = SearchRequest(
        request.filter_text, request.start_ns, request.end_ns, _MOST_TRACES, sys.maxsize, request.tenant
    )
    traces = parts.engine.search(search, budget).traces
    wanted = [each for each in AttributeScope if scope in ("", each)]
    if not traces:
        return {each.value: [] for each in wanted}
    ids = np.frombuffer(b"".join(each.trace_id for each in traces), np.uint8).reshape(len(traces), TRACE_ID_BYTES)
    rows = parts.reader.find_traces(request.tenant, ids, budget)
    chosen = taken(rows, _chosen_rows(rows, traces))
    return {each.value: _names(parts, chosen, each) for each in wanted}


def _chosen_rows(rows: SpanRows, traces: Iterable[FoundTrace]) -> NDArray[np.int64]:
    """The rows of the spans that the search gave."""
    given = {
        trace.trace_id + span.span_id for trace in traces for span_set in trace.span_sets for span in span_set.spans
    }
    ids = np.concatenate([rows.trace_id, rows.span_id], axis=1)
    return np.array([row for row, each in enumerate(ids) if each.tobytes() in given], np.int64)


def _names(parts: TempoParts, rows: SpanRows, scope: AttributeScope) -> list[str]:
    match scope:
        case AttributeScope.RESOURCE:
            sets = parts.reader.resources().attributes.take(np.unique(rows.resource))
        case AttributeScope.INSTRUMENTATION:
            sets = parts.reader.scopes().attributes.take(np.unique(rows.scope))
        case AttributeScope.EVENT:
            sets = rows.events.attributes
        case AttributeScope.LINK:
            sets = rows.links.attributes
        case _:
            sets = AttributeSets.empty() if rows.details is None else rows.details.attributes
    return sorted(set(sets.names.to_strings()))
