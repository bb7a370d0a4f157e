"""The test kit's spans: to batches and back, and what the reader gives."""

from __future__ import annotations

import math

import pytest

from swarmscope.model.contracts import ReadBudget
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.labels import DEFAULT_TENANT
from swarmscope.model.spans import (
    AttributeKey,
    AttributeScope,
    Comparison,
    Condition,
    Operation,
    SpanColumns,
    SpanKind,
    SpanRequest,
)
from swarmscope.testing.memory_span_reader import MemorySpanReader
from swarmscope.testing.plain_spans import (
    PlainEvent,
    PlainLink,
    PlainScope,
    PlainSpan,
    from_batch,
    from_rows,
    ids_of,
    span_id,
    to_batch,
    trace_id,
)


class _Unbounded:
    remaining_s = math.inf

    def check(self) -> None:
        """Never ends."""


def _budget(max_samples: int = 1000) -> ReadBudget:
    return ReadBudget(_Unbounded(), max_samples)


SPANS = [
    PlainSpan(
        trace_id(1), span_id(1), "GET /", 10, 40, kind=2, status=2, status_message="no", trace_state="a=b", flags=257,
        attributes={"http.code": 500, "ok": False}, resource={"service.name": "web"},
        scope=PlainScope("lib", "1.0", {"x": 1.5}, "https://schema", 2), dropped_attributes=1, dropped_events=2,
        dropped_links=3, resource_schema_url="https://r", resource_dropped_attributes=4,
        events=(PlainEvent(11, "boom", {"e": "f"}, 5), PlainEvent(12, "again")),
        links=(PlainLink(trace_id(9), span_id(9), "c=d", {"l": True}, 6, 7),),
    ),
    PlainSpan(trace_id(1), span_id(2), "query", 20, 30, span_id(1), 3, resource={"service.name": "db"}),
    PlainSpan(trace_id(2), span_id(1), "GET /", 5, 6, kind=2, resource={"service.name": "web"}),
]  # fmt: skip


def test_spans_come_back_from_a_batch_as_they_were() -> None:
    assert from_batch(to_batch(SPANS)) == SPANS


def test_whole_traces() -> None:
    reader = MemorySpanReader(SPANS)
    rows = reader.find_traces(DEFAULT_TENANT, ids_of([trace_id(1)], 16), _budget())
    assert from_rows(rows, reader.resources(), reader.scopes()) == SPANS[:2]


def test_a_repeated_span_stands_once() -> None:
    reader = MemorySpanReader(SPANS)
    reader.write_spans(to_batch(SPANS))
    assert reader.find_traces(DEFAULT_TENANT, ids_of([trace_id(2)], 16), _budget()).start_ns.tolist() == [5]


@pytest.mark.parametrize(
    ("condition", "starts"),
    [
        (Condition("name", Comparison.EQUAL, ("GET /",)), [10, 5]),
        (Condition("kind", Comparison.EQUAL, (3,)), [20]),
        (Condition("status", Comparison.EQUAL, (2,)), [10]),
        (Condition("duration", Comparison.EQUAL, (10, 30)), [10, 20]),
        (Condition(AttributeKey(AttributeScope.SPAN, "http.code"), Comparison.EQUAL, (500.0,)), [10]),
        (Condition(AttributeKey(AttributeScope.SPAN, "ok"), Comparison.EQUAL, (0,)), []),
        (Condition(AttributeKey(AttributeScope.SPAN, "ok"), Comparison.PRESENT), [10]),
        (Condition(AttributeKey(AttributeScope.RESOURCE, "service.name"), Comparison.EQUAL, ("web", "x")), [10, 5]),
    ],
)
def test_conditions(condition: Condition, starts: list[int]) -> None:
    request = SpanRequest(0, 100, conditions=(condition,))
    obeying, other = MemorySpanReader(SPANS), MemorySpanReader(SPANS, obeys_hints=False)
    assert [r.start_ns.tolist() for r in obeying.scan_spans(DEFAULT_TENANT, request, _budget())] == (
        [starts] if starts else []
    )
    assert [r.start_ns.tolist() for r in other.scan_spans(DEFAULT_TENANT, request, _budget())] == [[10, 20, 5]]


def test_a_walk_goes_from_the_newest_on() -> None:
    walk = MemorySpanReader(SPANS).walk_spans(DEFAULT_TENANT, SpanRequest(0, 20), _budget(), batch_spans=1)
    assert [rows.start_ns.tolist() for rows in walk] == [[10], [5]]


def test_names_values_and_operations() -> None:
    reader = MemorySpanReader(SPANS)
    assert reader.operations(DEFAULT_TENANT, 0, 100) == [
        Operation("db", "query", SpanKind.CLIENT),
        Operation("web", "GET /", SpanKind.SERVER),
    ]
    names = [reader.attribute_names(DEFAULT_TENANT, scope, 0, 100) for scope in AttributeScope]
    assert names == [["http.code", "ok"], ["service.name"], ["e"], ["l"], ["x"]]
    values = reader.attribute_values(DEFAULT_TENANT, "ok", SpanRequest(0, 100), _budget(), 5)
    assert values == [(2, b"\0")]


def test_columns_that_were_asked_for() -> None:
    request = SpanRequest(0, 100, SpanColumns(ids=True), ("ok", "nothing"))
    (rows,) = MemorySpanReader(SPANS).scan_spans(DEFAULT_TENANT, request, _budget())
    assert [[column.scalar(i) for i in range(3)] for column in rows.attributes] == [[False, None, None], [None] * 3]


def test_the_budget_is_held() -> None:
    with pytest.raises(LimitExceededError, match="too many spans"):
        list(MemorySpanReader(SPANS).scan_spans(DEFAULT_TENANT, SpanRequest(0, 100), _budget(2)))
