import numpy as np
import pytest
from tests.analysis.agents.made_spans import SECOND_NS, make_spans

from swarmscope.analysis.agents.edges import duration_buckets, to_edges
from swarmscope.analysis.agents.forest import SpanForest
from swarmscope.analysis.agents.graph_difference import difference, two_proportion_p_value
from swarmscope.analysis.agents.graphs import to_graph
from swarmscope.analysis.agents.usage import to_usage
from swarmscope.model.agents import AgentOperation, Vocabulary


def graph_of(target, n, seconds, n_errors=0):
    vocabulary = Vocabulary()
    rows = [
        {"key": f"m{i}", "source": "a", "target": target, "operation": AgentOperation.MESSAGE, "start": 1,
         "end": 1 + seconds, "status": 2 if i < n_errors else 0, "payload_bytes": 10}
        for i in range(n)
    ]  # fmt: skip
    settled = SpanForest(vocabulary).settle(make_spans(rows, vocabulary), 0)
    return to_graph(to_edges(settled), vocabulary, 10.0, to_usage(settled), {"a": "red"})


def test_an_edge_tells_rate_errors_and_percentiles():
    graph = graph_of("b", 40, 2, n_errors=4)
    (edge,) = graph.edges
    assert (edge.source, edge.target, edge.type, edge.count, edge.errors) == ("a", "b", "message", 40, 4)
    assert (edge.rate, edge.payload_bytes, edge.mean_s) == (4, 400, 2)
    assert edge.p50_s == pytest.approx(2, rel=0.26)
    assert edge.p50_s < edge.p90_s < edge.p99_s
    assert [(node.id, node.team, node.spans, node.calls_in) for node in graph.nodes] == [
        ("a", "red", 40, 0),
        ("b", "", 0, 40),
    ]


def test_durations_on_bounds_are_in_the_bucket_above():
    # Bucket 0 holds those below 1 ms, 3 those from 1.587 to 2 ms, 4 begins at 2 ms.
    assert duration_buckets(np.array([0, 999_999, 1_000_000, 1_999_999, 2_000_000, 10**15])).tolist() == [
        0,
        0,
        1,
        3,
        4,
        63,
    ]


def test_a_difference_tells_what_came_went_and_changed():
    found = difference(graph_of("b", 100, 1), graph_of("b", 100, 4, n_errors=20))
    (change,) = found.changed_edges
    assert change.reasons == ("errors", "latency")
    assert change.error_share_change == pytest.approx(0.2)
    assert change.p50_ratio == pytest.approx(4, rel=0.3)
    moved = difference(graph_of("b", 5, 1), graph_of("c", 5, 1))
    assert [edge.target for edge in moved.appeared_edges] == ["c"]
    assert [node.id for node in moved.vanished_nodes] == ["b"]
    assert not difference(graph_of("b", 30, 1, 1), graph_of("b", 31, 1, 2)).changed_edges


def test_two_proportions_by_hand():
    # 10 of 100 and 20 of 100: the pooled share is 0.15, z = 0.1 / sqrt(0.15 * 0.85 * 0.02) = 1.980, p = 0.0477.
    assert two_proportion_p_value((10, 20), (100, 100)) == pytest.approx(0.0477, abs=1e-4)
    assert two_proportion_p_value((0, 0), (5, 0)) == 1
    assert SECOND_NS == 10**9
