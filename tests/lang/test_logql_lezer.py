"""Grafana's editor grammar and ours take and refuse the same queries, but for what is listed here with its reason."""

import pytest

from swarmscope.lang.logql import parse_logql
from swarmscope.model.errors import QuerySyntaxError
from tests.lang.lezer_grammar import accepted_by_grafana
from tests.lang.logql_queries import BROKEN, METRICS, SELECTORS, STAGES

QUERIES = (
    SELECTORS
    + [f'{{app="x"}} {stage}' for stage in STAGES]
    + [f'count_over_time({{app="x"}} {stage}\n[5m])' for stage in STAGES]
    + METRICS
    + BROKEN
)
DIFFERENT = {
    'SUM(RATE({app="x"}[5m])) BY (a)': "words match in any case here, as Loki's lexer lowers them; Grafana's do not",
    'approx_topk(3, sum by (name) (rate({app="x"}[5m])))': "documented since Loki 3.3, newer than Grafana's grammar",
    'sum({app="x"}': "Grafana's grammar takes an unfinished aggregation of a selector without complaint",
    'sum_over_time({app="x"} | json | unwrap size | __error__="" | size>5 [1m] offset 5m)': (
        "an offset may follow any range; Grafana's grammar takes none behind stages with an unwrap"
    ),
}


def _accepted(query: str) -> bool:
    try:
        parse_logql(query)
    except QuerySyntaxError:
        return False
    return True


@pytest.fixture(scope="module")
def grafana():
    return dict(zip(QUERIES, accepted_by_grafana(QUERIES), strict=True))


def test_there_are_enough_queries_of_both_kinds(grafana):
    assert len(grafana) >= 300
    assert sum(grafana.values()) > 150
    assert sum(not taken for taken in grafana.values()) > 60


def test_same_queries_are_accepted(grafana):
    differ = {query: taken for query, taken in grafana.items() if _accepted(query) != taken and query not in DIFFERENT}
    assert differ == {}


@pytest.mark.parametrize("query", DIFFERENT, ids=str)
def test_listed_differences_are_real(grafana, query):
    assert _accepted(query) != grafana[query], DIFFERENT[query]
