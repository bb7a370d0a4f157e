from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.rootcause.plain_graphs import alert, graph, node
from tests.portion import portion

from swarmscope.analysis.rootcause.facts import AlertFact
from swarmscope.analysis.rootcause.ranking import RankSettings, rank_causes
from swarmscope.analysis.rootcause.topology import NOTHING


def first(facts: list[AlertFact], *edges: str) -> str:
    return str(rank_causes(facts, graph(*edges))[0].node)


def test_the_tool_that_all_who_suffer_use() -> None:
    edges = ["p r1", "p r2", "r1 t:x", "r2 t:x", "r1 t:y", "r2 t:y"]
    facts = [alert("Errors", "p", 9), alert("Errors", "r1", 1), alert("Errors", "r2"), alert("ToolErrors", "t:x", 5)]
    assert first(facts, *edges) == "tool x"
    found = rank_causes(facts, graph(*edges))[0]
    assert [each.kind for each in found.evidence] == ["alerts", "explains", "walk"]
    assert found.evidence[0].text == "ToolErrors of tool x came 5 s after the first"
    assert found.evidence[1].text == "3 others with alerts depend on it (r2, r1, p)"


def test_what_depends_is_no_cause() -> None:
    # The caller's alert came first, as it waits for less; still the one that it calls is the likelier cause.
    assert first([alert("Slow", "p"), alert("Errors", "r", 3)], "p r") == "agent r"


def test_who_came_first_where_the_graph_says_nothing() -> None:
    facts = [alert("Errors", "b", 30), alert("Errors", "a", 60), alert("Errors", "c")]
    found = rank_causes(facts)
    assert [cause.node.name for cause in found] == ["c", "b", "a"]
    assert found[0].evidence[0].kind == "first_alert"


def test_a_common_dependency_without_alerts_is_named() -> None:
    facts = [alert("Errors", f"r{at}") for at in range(4)]
    edges = [f"r{at} t:x" for at in range(4)] + ["r0 t:y", "s t:y", "u t:y", "w t:y"]
    found = {str(cause.node): cause for cause in rank_causes(facts, graph(*edges), RankSettings(max_causes=9))}
    assert found["tool x"].evidence[0].kind == "common_dependency"
    assert "tool y" not in found  # most who use it are well


def test_symptoms_weigh_less() -> None:
    facts = [alert("Queue", "a", signal="symptom"), alert("Crash", "b", 5, signal="cause")]
    assert str(rank_causes(facts)[0].node) == "agent b"
    assert str(rank_causes([alert("Queue", "a"), alert("Crash", "b", 5)])[0].node) == "agent a"


def test_severity_weighs() -> None:
    assert (
        str(rank_causes([alert("X", "a", severity="info"), alert("X", "b", severity="critical")])[0].node) == "agent b"
    )


def test_the_walk_by_hand() -> None:
    """Two nodes, a depends on b, both with weight 1/2 of wrong; no precedence, no explanation.

    From a: to b with 1 · 1/2, back from b with 0.2 · 1/2; b's own edge is 1/2 (it depends on nobody), a's is 10⁻⁶.
    So a → b surely; b → a with 0.1 / 0.6 = 1/6. With restart 0.3 at both alike, in the long run
    a = 0.15 + 0.7 · b / 6 and a + b = 1: a = 0.15 + 0.7 (1 - a) / 6, so a = (0.9 + 0.7) / 6.7.
    """
    plain = RankSettings(early_share=0, explain_share=0, rounds=200)
    found = rank_causes([alert("X", "a"), alert("X", "b")], graph("a b"), plain)
    assert {cause.node.name: cause.score for cause in found} == pytest.approx(
        {"a": 1.6 / 6.7, "b": 5.1 / 6.7}, abs=1e-5
    )


def test_confidence_is_less_where_not_all_is_explained() -> None:
    alone = rank_causes([alert("X", "a")])[0]
    assert (alone.score, alone.confidence) == (1.0, 1.0)
    split = rank_causes([alert("X", "a"), alert("X", "b")])[0]
    assert split.confidence == pytest.approx(0.5 * 0.75)


def test_alerts_about_nothing_have_no_cause() -> None:
    assert rank_causes([AlertFact({"alertname": "Watchdog"}, 0)]) == []
    assert rank_causes([]) == []


def test_many_nodes_are_bounded() -> None:
    found = rank_causes([alert("X", f"a{at}", at) for at in range(1500)], NOTHING)
    assert len(found) == 5
    assert found[0].node == node("a0")


NAMES = st.sampled_from(["a", "b", "c", "t:x", "m:y", "s:z"])
EDGES = st.lists(st.tuples(NAMES, NAMES, st.integers(1, 9)), max_size=15)
ALERTS = st.lists(st.tuples(NAMES, st.integers(0, 99)), min_size=1, max_size=12)


@settings(max_examples=portion(100, 33), deadline=None)
@given(EDGES, ALERTS)
def test_scores_are_shares(edges: list[tuple[str, str, int]], told: list[tuple[str, int]]) -> None:
    facts = [alert(f"A{at}", about, at_s) for at, (about, at_s) in enumerate(told)]
    made = graph(*(f"{source} {target} {weight}" for source, target, weight in edges))
    found = rank_causes(facts, made, RankSettings(max_causes=99))
    scores = [cause.score for cause in found]
    assert sum(scores) == pytest.approx(1)
    assert scores == sorted(scores, reverse=True)
    assert all(0 < cause.confidence <= cause.score + 1e-12 for cause in found)
    assert {node(about) for about, _ in told} <= {cause.node for cause in found}
    assert np.isfinite(scores).all()
    assert rank_causes(facts[::-1], made, RankSettings(max_causes=99)) == found
