"""Any query that the language has: the same answer whether hints are obeyed, or how the spans are cut into batches."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmscope.model.contracts import ReadBudget
from swarmscope.model.errors import SwarmscopeError
from swarmscope.query.logql.log_answers import NeverCancelled
from swarmscope.query.traceql.engine import TraceqlEngine
from swarmscope.query.traceql.metric_requests import MetricsRequest
from swarmscope.query.traceql.search import SearchRequest
from swarmscope.query.traceql.settings import TraceqlSettings
from swarmscope.testing.memory_span_reader import MemorySpanReader
from swarmscope.testing.plain_spans import NO_SPAN, PlainEvent, PlainLink, PlainScope, PlainSpan, span_id, trace_id
from tests.lang.traceql.generation import metrics_queries, trace_queries
from tests.portion import portion
from tests.query.traceql.trees import S

NAMES = ["service.name", "http.status_code", "a", "a-b", "a+1"]
scalars = st.one_of(
    st.integers(-3, 3), st.floats(-2, 2), st.booleans(), st.sampled_from(["a", "aa", "12", ""]), st.none(),
    st.just(b"raw"), st.just(float("nan")), st.just(-(1 << 63)),
)  # fmt: skip
attributes = st.dictionaries(st.sampled_from(NAMES), scalars, max_size=3)


@st.composite
def traces(draw):
    spans = []
    for trace in range(1, draw(st.integers(1, 3)) + 1):
        for number in range(1, draw(st.integers(1, 4)) + 1):
            parent = draw(st.integers(0, 4))
            start = draw(st.integers(0, 30)) * S
            spans.append(
                PlainSpan(
                    trace_id(trace), span_id(number), draw(st.sampled_from(["a", "ab", "12"])), start,
                    start + draw(st.integers(-1, 20)), span_id(parent) if parent else NO_SPAN,
                    draw(st.integers(0, 5)), draw(st.integers(0, 2)), draw(st.sampled_from(["", "a"])),
                    draw(attributes), draw(attributes), PlainScope("lib", "1", draw(attributes)),
                    [PlainEvent(start + i, "a", draw(attributes)) for i in range(draw(st.integers(0, 2)))],
                    [PlainLink(trace_id(1), span_id(7), "", draw(attributes))] * draw(st.integers(0, 1)),
                )
            )  # fmt: skip
    return spans


SMALL = TraceqlSettings(batch_spans=1, first_traces=1, most_traces=2, many_traces=1)


def engines(spans):
    yield TraceqlEngine(MemorySpanReader(spans, obeys_hints=False))
    yield TraceqlEngine(MemorySpanReader(spans, batch_spans=1), SMALL)


def answer_or_failure(run):
    try:
        return run()
    except SwarmscopeError as error:
        return type(error), str(error)


@given(spans=traces(), query=trace_queries)
@settings(max_examples=portion(50, 16), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_search(spans, query):
    request = SearchRequest(str(query), 0, 25 * S, 100, 100, "default")
    answers = [
        answer_or_failure(lambda: engine.search(request, ReadBudget(NeverCancelled(), 10**6)).traces)  # noqa: B023
        for engine in engines(spans)
    ]
    assert repr(answers[0]) == repr(answers[1])


@given(spans=traces(), query=metrics_queries)
@settings(max_examples=portion(50, 16), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_metrics(spans, query):
    request = MetricsRequest(str(query), 0, 25 * S, 10 * S, "default")
    answers = [
        answer_or_failure(lambda: _series(engine.metrics(request, ReadBudget(NeverCancelled(), 10**6))))  # noqa: B023
        for engine in engines(spans)
    ]
    assert answers[0] == answers[1]


def _series(answer):
    return {repr(each.labels): np.round(each.values, 6).tolist().__repr__() for each in answer.series}
