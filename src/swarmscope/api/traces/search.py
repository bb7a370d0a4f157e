"""Searching traces as Jaeger and Zipkin do: the newest with a span of some service, operation, duration and tags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmscope.api.traces.span_views import SERVICE_NAME
from swarmscope.api.traces.tag_tests import Tag, TagTest, equal_texts, places_of, tag_tests
from swarmscope.model.contracts import ReadBudget, SpanReader
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import (
    AttributeKey,
    AttributeScope,
    Comparison,
    Condition,
    SpanColumns,
    SpanRequest,
    SpanRows,
)

MAX_DURATION_NS = (1 << 63) - 1
# Spans that a first slice of time should have: most traces have some ten spans that match.
_SPANS_PER_TRACE = 20
_LEAST_BATCH = 2_000


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """What one span of a wanted trace fulfils, all of it: start_ns <= its start < end_ns, and the rest.

    `services` and `names`: any of them; None where it does not matter.
    """

    start_ns: int
    end_ns: int
    limit: int
    services: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None
    durations_ns: tuple[int, int] | None = None  # least and most, both inclusive
    tags: tuple[Tag, ...] = ()
    event_name: str = ""  # the tag that stands for an event's name


def find_trace_ids(reader: SpanReader, tenant: str, query: TraceQuery, budget: ReadBudget) -> list[bytes]:
    """The newest `query.limit` traces at most, newest first by their newest span that fulfils the query."""
    if query.limit <= 0 or query.services == () or query.names == ():
        return []
    tests: list[TagTest] = []
    if query.tags:
        tests = tag_tests(query.tags, places_of(reader, tenant, query.start_ns, query.end_ns), query.event_name)
    request = _to_request(query, tests, reader)
    found: dict[bytes, None] = {}
    batch_spans = max(query.limit * _SPANS_PER_TRACE, _LEAST_BATCH)
    for rows in reader.walk_spans(tenant, request, budget, batch_spans=batch_spans):
        budget.cancellation.check()
        held = np.flatnonzero(_mask(rows, query, tests, reader))
        for trace_id in _newest_first(rows, held):
            found.setdefault(trace_id)
            if len(found) == query.limit:
                return list(found)
    return list(found)


def _to_request(query: TraceQuery, tests: list[TagTest], reader: SpanReader) -> SpanRequest:
    conditions = []
    if query.services is not None:
        service = AttributeKey(AttributeScope.RESOURCE, SERVICE_NAME)
        conditions.append(Condition(service, Comparison.EQUAL, query.services))
    if query.names is not None:
        conditions.append(Condition("name", Comparison.EQUAL, query.names))
    if query.durations_ns is not None:
        conditions.append(Condition("duration", Comparison.EQUAL, query.durations_ns))
    conditions.extend(hint for test in tests if (hint := test.hint(reader)) is not None)
    columns = SpanColumns(
        duration=query.durations_ns is not None,
        name=query.names is not None,
        kind=bool(tests),
        status_message=bool(tests),
        scope=bool(tests),
        events=any(test.needs_events for test in tests),
    )
    names = tuple(test.tag.name for test in tests)
    return SpanRequest(query.start_ns, query.end_ns, columns, names, tuple(conditions))


def _mask(rows: SpanRows, query: TraceQuery, tests: list[TagTest], reader: SpanReader) -> NDArray[np.bool_]:
    """Which spans [n] fulfil the query."""
    found = np.ones(len(rows), np.bool_)
    if query.services is not None:
        found &= _any_of(reader.resources().attributes.column(SERVICE_NAME).text, query.services)[rows.resource]
    if query.names is not None:
        found &= _any_of(rows.name, query.names)
    if query.durations_ns is not None:
        least_ns, most_ns = query.durations_ns
        found &= (rows.duration_ns >= least_ns) & (rows.duration_ns <= most_ns)
    for test, column in zip(tests, rows.attributes, strict=True):
        found &= test.mask(rows, column, reader)
    return found


def _any_of(column: Utf8Column, wanted: tuple[str, ...]) -> NDArray[np.bool_]:
    found = np.zeros(len(column), np.bool_)
    for text in wanted:
        found |= equal_texts(column, text.encode())
    return found


def _newest_first(rows: SpanRows, held: NDArray[np.int64]) -> list[bytes]:
    """The distinct traces of these rows."""
    ordered = held[np.argsort(-rows.start_ns[held], kind="stable")]
    ids = np.ascontiguousarray(rows.trace_id[ordered]).view("V16").reshape(-1)
    _, first = np.unique(ids, return_index=True)
    return [ids[at].tobytes() for at in np.sort(first).tolist()]
