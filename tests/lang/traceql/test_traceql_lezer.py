"""Grafana's editor grammar and ours take and refuse the same queries, but for what is listed here with its reason."""

import pytest

from swarmscope.lang.traceql import parse_traceql
from swarmscope.model.errors import QuerySyntaxError
from tests.lang.lezer_grammar import accepted_by_grafana

QUERIES = """
{ }
{ .a } // a comment
/* a comment */ { .a }
{ .a || .b && .c }
{ .a > -1 }
{ -.a > 1 }
{ span.a-b = 2 }
{ .a = `x` }
{ span."a b" = 1 }
{ parent = nil }
{ parent.span.a = 1 }
{ instrumentation:name = "x" && instrumentation.a = "x" }
{ event:name = "x" && event:timeSinceStart > 1s && event.a != nil }
{ link:traceID = "x" || link:spanID = "y" || link.a = 1 }
{ trace:rootService = "x" && trace:rootName =~ "y.*" && trace:duration > 1s && trace:id = "1" }
{ span:parentID = "x" && span:id != "y" && span:kind = server && span:status = ok }
{ name = "a" && duration > 1.5s && kind != client && status = error && statusMessage !~ "x" }
{ traceDuration > 2m && rootName = "a" && rootServiceName = "b" }
{ 1 + 2 * 3 ^ 4 % 5 / 6 - 7 = .a }
{ !(.a = 1) && !.b }
{ .a = 1 } | { .b = 2 }
{ .a } && { .b } || { .c }
{ .a } > { .b } >> { .c } < { .d } << { .e } ~ { .f }
{ .a } !> { .b } !>> { .c } !< { .d } !<< { .e } !~ { .f }
{ .a } &> { .b } &>> { .c } &< { .d } &<< { .e } &~ { .f }
({ .a } >> { .b }) && { .c }
count() > 2
2 < count()
by(.a) | count() > 1
{ } | avg(duration) > 1s | max(.a) <= 2 | min(.b) != 3 | sum(.a + .b) >= 4
{ } | count() + 1 > 2
({ .a } | count() > 1) && ({ .b } | count() > 1)
{ } | select(.a, name) | coalesce()
{ } | by(.a + 1)
{ } | rate()
{ } | rate() by (.a, name) | topk(5)
{ } | count_over_time() | bottomk(5)
{ } | min_over_time(duration) by (name)
{ } | max_over_time(.a)
{ } | avg_over_time(.a)
{ } | sum_over_time(span.a)
{ } | histogram_over_time(duration) by (span.foo)
{ } | quantile_over_time(duration, 0.99)
{ } | compare({ status = error })
{ } | compare({ status = error }, 10, 1, 2)
{ } with (most_recent=true)
{
{ .a = }
{ = 1 }
{ .a 1 }
{ .a = 1 && }
{ .a = 'x' }
{ nme = 1 }
{ .a } { .b }
{ .a } + { .b }
{ .a } && .b
{ } | count()
{ } | rate
{ } | rate() | { }
{ } | by()
{ } | select()
{ } | avg() > 1
{ } | topk()
{ } | unknown()
{ } |
| { }
count() > "x"
{ .a = 1h30m }
{ .a = 1d }
{ .a = 1e5 }
{ .a = .5 }
{ .a = minInt }
{ span:childCount = 1 }
{ childCount = 1 }
({ .a } | count()) > ({ .b } | count())
{ } | rate() > 10
{ } | quantile_over_time(duration, .99, .5)
{ } | rate() with (sample=0.1, exemplars=true)
{ nestedSetParent < 0 }
{ } | select(.a + 1)
{ 1 }
{ name = 1 }
""".strip().splitlines()
_OLDER = "documented, and newer than Grafana's grammar"
DIFFERENT = {
    "{ .a = 1h30m }": "durations of several units are Go's; Grafana's grammar knows one unit",
    "{ .a = 1d }": "days are read here as in the other languages",
    "{ .a = 1e5 }": "exponents are Go's numbers; Grafana's grammar knows none",
    "{ .a = .5 }": "the documentation writes .99; Grafana's grammar wants a digit before the point",
    "{ .a = minInt }": _OLDER,
    "{ span:childCount = 1 }": _OLDER,
    "{ childCount = 1 }": _OLDER,
    "({ .a } | count()) > ({ .b } | count())": "Tempo compares pipelines; Grafana's grammar does not know that",
    "{ } | rate() > 10": _OLDER,
    "{ } | quantile_over_time(duration, .99, .5)": "the documentation's own example; Grafana's grammar wants 0.99",
    "{ } | rate() with (sample=0.1, exemplars=true)": _OLDER,
    "{ nestedSetParent < 0 }": "Grafana's own Traces Drilldown sends it",
    "{ } | select(.a + 1)": "only fields can be selected; Grafana's grammar takes any expression",
    "{ } | rate() | { }": "behind a metrics function stand functions of series alone",
    "{ 1 }": "no boolean: types are none of a grammar's business",
    "{ name = 1 }": "a string is no number: types are none of a grammar's business",
}


def _accepted(query):
    try:
        parse_traceql(query)
    except QuerySyntaxError:
        return False
    return True


@pytest.fixture(scope="module")
def grafana():
    return dict(zip(QUERIES, accepted_by_grafana(QUERIES, "traceql"), strict=True))


def test_there_are_enough_queries_of_both_kinds(grafana):
    assert sum(grafana.values()) > 40
    assert sum(not taken for taken in grafana.values()) > 20


def test_same_queries_are_accepted(grafana):
    differ = {query: taken for query, taken in grafana.items() if _accepted(query) != taken and query not in DIFFERENT}
    assert differ == {}


@pytest.mark.parametrize("query", DIFFERENT, ids=str)
def test_listed_differences_are_real(grafana, query):
    assert _accepted(query) != grafana[query], DIFFERENT[query]
