"""Who calls whom: against a plain walk over the spans, and from metrics where spans are too many."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.api.served import NOW_MS, MemoryReader
from tests.portion import portion

from swarmscope.api.traces import dependencies
from swarmscope.api.traces.dependencies import Dependency, find_dependencies
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.labels import DEFAULT_TENANT
from swarmscope.query.promql import PromqlEngine
from swarmscope.testing.memory_span_reader import MemorySpanReader
from swarmscope.testing.plain_spans import NO_SPAN, PlainSpan, span_id, trace_id

RANGE_NS = (0, NOW_MS * 1_000_000)


class _Unbounded:
    remaining_s = math.inf

    def check(self) -> None:
        """Never ends."""


def _found(spans: list[PlainSpan], engine: PromqlEngine | None = None, batch_spans: int = 2) -> list[Dependency]:
    reader = MemorySpanReader(spans, batch_spans=batch_spans)
    return find_dependencies(reader, engine, DEFAULT_TENANT, RANGE_NS, ReadBudget(_Unbounded(), 10_000))


def _span(trace: int, number: int, parent: int, service: str, **more: object) -> PlainSpan:
    above = span_id(parent) if parent else NO_SPAN
    resource = {"service.name": service} if service else {}
    return PlainSpan(trace_id(trace), span_id(number), parent_id=above, resource=resource, **more)  # type: ignore[arg-type]


def test_calls_and_errors_by_weight() -> None:
    spans = [
        _span(1, 1, 0, "a"),
        _span(1, 2, 1, "b", status=2, share=0.25),
        _span(1, 3, 1, "b"),
        _span(1, 4, 3, "b"),  # within the service
        _span(1, 5, 4, "c"),
        _span(2, 6, 1, "c"),  # the parent is of another trace
        _span(1, 7, 99, "c"),  # the parent is not here
        _span(1, 8, 1, ""),  # nobody's
    ]
    assert _found(spans) == [Dependency("a", "b", 5, 4), Dependency("b", "c", 1, 0)]


def test_nothing_at_all() -> None:
    assert _found([]) == []


SERVICES = "abc"


@settings(max_examples=portion(60, 20), deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 12), st.sampled_from(SERVICES)), max_size=12))
def test_against_a_plain_walk(rows: list[tuple[int, int, str]]) -> None:
    spans = [_span(trace, number, parent, service) for number, (trace, parent, service) in enumerate(rows, 1)]
    service_of = {(trace, number): service for number, (trace, _, service) in enumerate(rows, 1)}
    expected: Counter[tuple[str, str]] = Counter()
    for trace, parent, service in rows:
        above = service_of.get((trace, parent))
        if above is not None and above != service:
            expected[above, service] += 1
    assert {(each.parent, each.child): each.calls for each in _found(spans)} == dict(expected)


def test_metrics_answer_where_spans_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependencies, "MAX_SPANS", 1)
    metrics = MemoryReader()
    points = [(NOW_MS - 60_000 * minute, float(100 - minute)) for minute in range(60, -1, -1)]
    for name, factor in (("traces_service_graph_request_total", 2.0), ("traces_service_graph_request_failed_total", 1)):
        scaled = [(ts_ms, factor * value) for ts_ms, value in points]
        metrics.add({"__name__": name, "client": "a", "server": "b"}, *scaled)
    reader = MemorySpanReader([_span(1, 1, 0, "x"), _span(1, 2, 1, "y")], batch_spans=1)
    range_ns = ((NOW_MS - 3_600_000) * 1_000_000, NOW_MS * 1_000_000)
    span = PlainSpan(trace_id(3), span_id(1), start_ns=range_ns[0] + 1)
    reader.add([span, PlainSpan(trace_id(3), span_id(2), start_ns=range_ns[0] + 1)])
    found = find_dependencies(reader, PromqlEngine(metrics), DEFAULT_TENANT, range_ns, ReadBudget(_Unbounded(), 100))
    # 60 steps of 2 and of 1 in the hour, whose ends are samples.
    assert found == [Dependency("a", "b", 120, 60)]
