"""Hints never lose a span: everything that a brute-force look at the spans finds is among what the store gives."""

import math
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmscope.model.attributes import spell_scalar
from swarmscope.model.spans import AttributeKey, AttributeScope, Comparison, Condition, SpanColumns, SpanRequest
from tests.portion import portion
from tests.store.embedded.conftest import budget
from tests.store.embedded.spans.span_cases import EVER, T_NS, S, scanned, span, span_batch, trace

NAMES = [*(f"n{i:02}" for i in range(22)), ""]
VALUES = ["x", "y", "", 0, 1, -1, 1.0, 2.5, 0.0, -0.0, True, False, math.inf, 2**53 + 1, -(2**63), b"x", None]
SETS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=len(NAMES))


def spans_from(draws):
    return [
        span(
            i + 1, T_NS + i * S, attributes, trace_id=trace(i // 3 + 1), name=name, kind=i % 6, status=i % 3,
            end_ns=T_NS + i * S + i * 10, resource={"service.name": service, "shard": i % 2},
        )
        for i, (attributes, name, service) in enumerate(draws)
    ]  # fmt: skip


def equals(value, wanted):
    if value is None or isinstance(value, bytes):
        return False
    if isinstance(value, bool) or isinstance(wanted, bool):
        return isinstance(value, bool) and isinstance(wanted, bool) and value == wanted
    return isinstance(value, str) == isinstance(wanted, str) and value == wanted


def fulfils(one, condition):
    key = condition.key
    if key == "name":
        return one["name"] in condition.values
    if key == "duration":
        return condition.values[0] <= one["end_ns"] - one["start_ns"] <= condition.values[1]
    if isinstance(key, str):
        return one[key] in condition.values
    attributes = one["attributes"] if key.scope is AttributeScope.SPAN else one["resource"]
    if condition.comparison is Comparison.PRESENT:
        return key.name in attributes
    return any(equals(attributes.get(key.name), wanted) for wanted in condition.values)


def attribute(name, *values, scope=AttributeScope.SPAN):
    return Condition(AttributeKey(scope, name), Comparison.EQUAL if values else Comparison.PRESENT, values)


WANTED = st.sampled_from([value for value in VALUES if value is not None and not isinstance(value, bytes)])
CONDITIONS = st.one_of(
    st.builds(
        lambda name, values: attribute(name, *values), st.sampled_from([*NAMES, "none"]), st.lists(WANTED, max_size=2)
    ),
    st.builds(
        lambda value: attribute("service.name", value, scope=AttributeScope.RESOURCE), st.sampled_from(["a", "b", "z"])
    ),
    st.just(attribute("shard", 1.0, scope=AttributeScope.RESOURCE)),
    st.just(Condition("name", Comparison.EQUAL, ("op", "it's"))),
    st.just(Condition("kind", Comparison.EQUAL, (1, 4))),
    st.just(Condition("status", Comparison.EQUAL, (2,))),
    st.just(Condition("duration", Comparison.EQUAL, (15, 1 << 70))),
)


@settings(
    max_examples=portion(12, 3),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    draws=st.lists(
        st.tuples(SETS, st.sampled_from(["op", "", "it's"]), st.sampled_from(["a", "b"])), min_size=1, max_size=12
    ),
    asked=st.lists(st.lists(CONDITIONS, min_size=1, max_size=3), min_size=4, max_size=8),
    cuts=st.sets(st.integers(0, 12)),
)
def test_what_fulfils_the_conditions_is_found(open_spans, folder, draws, asked, cuts):
    store = open_spans()
    try:
        check(store, spans_from(draws), asked, cuts)
    finally:
        store.close()
        shutil.rmtree(folder)


def check(store, spans, asked, cuts):
    for i, one in enumerate(spans):
        store.span_sink.write_spans(span_batch([one]))
        if i in cuts:
            assert store.spans.flush()
    for conditions in asked:
        found = {one["span_id"] for one in scanned(store, *conditions)}
        sure = {one["span_id"] for one in spans if all(fulfils(one, each) for each in conditions)}
        assert sure <= found, conditions
    for name in NAMES[:2] + NAMES[-2:]:
        request = SpanRequest(*EVER, conditions=tuple(asked[0]))
        values = store.span_reader.attribute_values("default", name, request, budget(), 1000)
        expected = {
            spelled(one["attributes"][name])
            for one in spans
            if name in one["attributes"] and all(fulfils(one, each) for each in asked[0])
        }
        # From here on several integers are one double, and their spellings cannot be listed.
        exact = all(isinstance(value, str) or abs(value) < 2**53 for each in asked[0] for value in each.values)
        assert set(values) == expected or (not exact and expected <= set(values))


def spelled(value):
    kind, text = spell_scalar(value)
    return int(kind), text


@pytest.mark.parametrize("is_flushed", [False, True])
def test_only_what_fulfils_exact_conditions_is_read(store, is_flushed):
    spans = [span(i + 1, T_NS + i, {"route": f"r{i % 3}", "code": i % 2}) for i in range(12)]
    store.span_sink.write_spans(span_batch(spans))
    if is_flushed:
        store.spans.flush()
    conditions = (attribute("route", "r1"), attribute("code", 1))
    request = SpanRequest(*EVER, SpanColumns(ids=True), conditions=conditions)
    rows = list(store.span_reader.scan_spans("default", request, budget()))
    assert sorted(rows.start_ns[i] - T_NS for rows in rows for i in range(len(rows))) == [1, 7]


def test_values_end_no_literal(store):
    text = "'); DROP TABLE spans; --\\'"
    store.span_sink.write_spans(span_batch([span(1, attributes={"a": text}, name=text)]))
    store.spans.flush()
    assert len(scanned(store, attribute("a", text), Condition("name", Comparison.EQUAL, (text,)))) == 1
    assert scanned(store, attribute("a", text + "'")) == []
