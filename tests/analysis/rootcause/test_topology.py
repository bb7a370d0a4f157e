from __future__ import annotations

import pytest
from tests.analysis.rootcause.plain_graphs import graph, node

from swarmscope.analysis.rootcause.closeness import Closeness
from swarmscope.analysis.rootcause.impact import Impact, predict_impact
from swarmscope.analysis.rootcause.topology import NOTHING, Dependency, Node, NodeKind, to_topology


def test_equal_edges_are_summed_up_and_loops_left_out() -> None:
    made = graph("a b 2", "a b 3", "a a 9", "a t:x 5")
    assert [str(each) for each in made.nodes] == ["agent a", "agent b", "tool x"]
    assert made.weight.tolist() == [5.0, 5.0]
    assert made.needs().tolist() == [0.5, 0.5]
    # b and x are reached by nobody else.
    assert made.strength().tolist() == [1.0, 1.0]


def test_an_agent_and_a_tool_of_one_name_are_two() -> None:
    made = graph("a x", "a t:x")
    assert len(made) == 3


def test_weights_are_above_zero() -> None:
    with pytest.raises(ValueError, match="above 0"):
        to_topology([Dependency(node("a"), node("b"), 0.0)])


def test_closeness_is_the_best_short_path() -> None:
    # a → b with all of a's work and half of b's: strength 1. c → b: strength 1. So each hop costs 0.5.
    close = Closeness(graph("a b", "c b", "d a"), max_hops=2, decay=0.5)
    assert close.around(node("a")) == {node("a"): 1.0, node("b"): 0.5, node("c"): 0.25, node("d"): 0.5}
    assert close.around(node("e")) == {node("e"): 1.0}


def test_weak_edges_are_far() -> None:
    # a gives b a quarter of its work, and b has that from a in four parts of four … of b's five: max(1/4, 1/5) = 1/4.
    made = graph("a b 1", "a c 3", "x b 4")
    close = Closeness(made, max_hops=1, decay=1.0)
    assert close.around(node("a"))[node("b")] == pytest.approx(0.5)  # the root of 1/4
    assert close.around(node("a"))[node("c")] == 1.0


def test_impact_by_hand() -> None:
    # t fails. a needs it for half of its work, b for all. p leans on a with 1/4 and on b with 3/4:
    # 1 - (1 - 1/4 · 1/2) (1 - 3/4 · 1) = 1 - 7/8 · 1/4 = 25/32.
    made = graph("a t:t 1", "a t:u 1", "b t:t 2", "p a 1", "p b 3")
    assert predict_impact(made, node("t:t")) == [
        Impact(node("b"), 1, 1.0), Impact(node("p"), 2, 25 / 32), Impact(node("a"), 1, 0.5),
    ]  # fmt: skip
    assert predict_impact(made, node("t:t"), max_hops=1) == [Impact(node("b"), 1, 1.0), Impact(node("a"), 1, 0.5)]
    assert predict_impact(made, node("p")) == []
    assert predict_impact(NOTHING, Node(NodeKind.AGENT, "x")) == []


def test_impact_does_not_go_round() -> None:
    assert predict_impact(graph("a b", "b c", "c a"), node("a")) == [
        Impact(node("c"), 1, 1.0), Impact(node("b"), 2, 1.0),
    ]  # fmt: skip
