"""Structural operators against looking at every pair of spans, on random traces."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.lang.traceql.registry import SPANSET_OPERATORS
from swarmscope.model.contracts import ReadBudget
from swarmscope.query.logql.log_answers import NeverCancelled
from swarmscope.query.traceql.engine import TraceqlEngine
from swarmscope.query.traceql.search import SearchRequest
from swarmscope.query.traceql.settings import TraceqlSettings
from swarmscope.testing.memory_span_reader import MemorySpanReader
from swarmscope.testing.plain_spans import NO_SPAN, PlainSpan, span_id, trace_id
from tests.portion import portion
from tests.query.traceql.trees import S, forests, related

STRUCTURAL = [name for name, each in SPANSET_OPERATORS.items() if each.relation]


SMALL = TraceqlSettings(batch_spans=2, first_traces=1, most_traces=2)


def search(spans, query, limits=None, limit=10**6, **reader):
    """Ids of all spans found, by set."""
    engine = TraceqlEngine(MemorySpanReader(spans, **reader), limits)
    request = SearchRequest(query, 0, 10**6 * S, limit, 10**6, "default")
    answer = engine.search(request, ReadBudget(NeverCancelled(), 10**9))
    return [
        (trace.trace_id, sorted(span.span_id for span in each.spans))
        for trace in answer.traces
        for each in trace.span_sets
    ]


def flat(sets):
    return {(trace, span) for trace, spans in sets for span in spans}


@pytest.mark.parametrize("op", STRUCTURAL)
@given(spans=forests())
@settings(max_examples=portion(40, 15), deadline=None)
def test_operator_gives_what_pairs_give(op, spans):
    lefts = [at for at, span in enumerate(spans) if span.name == "a"]
    rights = [at for at, span in enumerate(spans) if span.resource["service.name"] == "x"]
    wanted = {(spans[at].trace_id, spans[at].span_id) for at in related(op, spans, lefts, rights)}
    query = f'{{ name = "a" }} {op} {{ resource.service.name = "x" }}'
    assert flat(search(spans, query)) == wanted
    assert flat(search(spans, query, SMALL, obeys_hints=False, batch_spans=3)) == wanted


@pytest.mark.parametrize("op", STRUCTURAL)
@given(spans=forests(max_traces=1))
@settings(max_examples=portion(20, 8), deadline=None)
def test_operator_inside_groups(op, spans):
    """Behind `by` only spans of one group are related."""
    wanted = set()
    for service in "xy":
        mine = [at for at, span in enumerate(spans) if span.resource["service.name"] == service]
        found = related(op, spans, [at for at in mine if spans[at].name == "a"], mine)
        wanted |= {(spans[at].trace_id, spans[at].span_id) for at in found}
    assert flat(search(spans, f'{{ }} | by(resource.service.name) | {{ name = "a" }} {op} {{ }}')) == wanted


def chain(n):
    return [
        PlainSpan(trace_id(1), span_id(i), f"n{i}", i, i + 1, span_id(i - 1) if i > 1 else NO_SPAN)
        for i in range(1, n + 1)
    ]


def test_deep_trace_is_walked_once():
    spans = chain(5_000)
    assert len(search(spans, '{ name = "n1" } >> { }')[0][1]) == 4_999
    assert len(search(spans, '{ } << { name =~ "n.*" }')[0][1]) == 4_999


def test_circle_alone_is_cut_at_its_earliest_span():
    spans = [
        PlainSpan(trace_id(1), span_id(1), "late", 5, 6, span_id(2)),
        PlainSpan(trace_id(1), span_id(2), "early", 1, 2, span_id(1)),
    ]
    assert flat(search(spans, '{ name = "early" } > { name = "late" }')) == {(trace_id(1), span_id(1))}
    assert search(spans, '{ name = "late" } > { name = "early" }') == []


def test_span_ids_that_stand_twice_have_the_earlier_as_parent():
    spans = [
        PlainSpan(trace_id(1), span_id(1), "second", 5, 6),
        PlainSpan(trace_id(1), span_id(1), "first", 1, 2),
        PlainSpan(trace_id(1), span_id(2), "child", 6, 7, span_id(1)),
    ]
    assert flat(search(spans, '{ name = "first" } > { name = "child" }')) == {(trace_id(1), span_id(2))}
    assert search(spans, '{ name = "second" } > { name = "child" }') == []


@given(spans=forests(max_traces=12, max_spans=5), limit=st.integers(1, 6))
@settings(max_examples=portion(60, 20), deadline=None)
def test_most_recent_gives_the_newest(spans, limit):
    """Whatever is read in slices: the newest of all that fulfil the query."""
    query = '{ name = "a" } && { resource.service.name = "x" }'
    every = [trace for trace, _ in search(spans, query)]
    newest = sorted(every, key=lambda each: (-min(s.start_ns for s in spans if s.trace_id == each), each))
    assert every == newest
    found = [trace for trace, _ in search(spans, query + " with (most_recent=true)", SMALL, limit)]
    starts = {each: min(s.start_ns for s in spans if s.trace_id == each) for each in every}
    assert [starts[each] for each in found] == [starts[each] for each in newest[:limit]]


@given(spans=forests(max_traces=12, max_spans=5), limit=st.integers(1, 6))
@settings(max_examples=portion(60, 20), deadline=None)
def test_a_limit_gives_as_many_as_there_are(spans, limit):
    for query in ('{ name = "a" } | count() > 1', '{ name = "a" } >> { resource.service.name = "x" }'):
        every = search(spans, query)
        found = search(spans, query, SMALL, limit)
        assert len(found) == min(limit, len(every))
        assert all(each in every for each in found)
