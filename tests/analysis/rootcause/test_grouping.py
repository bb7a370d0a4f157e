from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.rootcause.plain_graphs import S, alert, graph
from tests.portion import portion

from swarmscope.analysis.rootcause.facts import AlertFact, nodes_of
from swarmscope.analysis.rootcause.grouping import OnlineGrouping, group_alerts
from swarmscope.analysis.rootcause.similarity import NONE, LinkSettings, similarity
from swarmscope.analysis.rootcause.topology import Node, NodeKind

EVEN = LinkSettings(threshold=0.5, merge_threshold=0.7, time_weight=1, label_weight=1, graph_weight=1)


def names(groups: list[tuple[AlertFact, ...]]) -> list[list[str]]:
    return [[str(fact.nodes[0]) for fact in group] for group in groups]


def test_similarity_by_hand() -> None:
    # A minute apart is 1/e; two of four pairs are equal; the nodes are 0.6 close.
    found = similarity(60 * S, 2, 4, 0.6, EVEN)
    assert found.total == pytest.approx((math.exp(-1) + 0.5 + 0.6) / 3)
    assert similarity(-60 * S, 2, 4, 0.6, EVEN) == found
    assert similarity(0, 0, 4, 0.0, EVEN) is NONE  # the same moment alone is nothing in common
    assert similarity(901 * S, 4, 4, 1.0, EVEN) is NONE


def test_nodes_of_labels() -> None:
    assert nodes_of({"agent_name": "b, a", "tool": "x", "service": "unknown", "alertname": "y"}) == (
        Node(NodeKind.TOOL, "x"), Node(NodeKind.AGENT, "a"), Node(NodeKind.AGENT, "b"),
    )  # fmt: skip
    assert nodes_of({"agent_name": ""}) == ()


def test_who_depends_on_whom_belongs_together() -> None:
    made = graph("r1 t:x", "r2 t:x", "q t:y")
    facts = [
        alert("ToolErrors", "t:x"), alert("AgentErrors", "r1", 5), alert("AgentErrors", "r2", 6),
        alert("Memory", "q", 7),
    ]  # fmt: skip
    assert names(group_alerts(facts, made)) == [["tool x", "agent r1", "agent r2"], ["agent q"]]


def test_time_takes_apart() -> None:
    facts = [alert("AgentErrors", "a"), alert("AgentErrors", "b", 3), alert("AgentErrors", "c", 600)]
    assert names(group_alerts(facts)) == [["agent a", "agent b"], ["agent c"]]


def test_two_causes_are_two_troubles() -> None:
    made = graph("r1 t:x", "r2 t:x")
    facts = [
        alert("ToolErrors", "t:x", signal="cause"), alert("AgentErrors", "r1", 5, signal="symptom"),
        alert("Memory", "r1", 6, signal="cause"), alert("AgentErrors", "r2", 7, signal="symptom"),
    ]  # fmt: skip
    groups = group_alerts(facts, made)
    assert [[fact.labels["alertname"] for fact in group] for group in groups] == [
        ["ToolErrors", "AgentErrors", "AgentErrors"], ["Memory"],
    ]  # fmt: skip


def test_a_cause_joins_its_symptoms() -> None:
    facts = [alert("AgentErrors", "a", 0, signal="symptom"), alert("Crash", "a", 9, signal="cause")]
    assert len(group_alerts(facts)) == 1


def test_causes_of_one_kind_are_one_trouble() -> None:
    made = graph("a b", "b a")
    facts = [
        alert("Finding", "a", kind="deadlock", signal="cause"),
        alert("Finding", "b", kind="deadlock", signal="cause"),
    ]
    assert len(group_alerts(facts, made)) == 1


def test_an_alert_between_two_groups_joins_them_into_the_older() -> None:
    grouping = OnlineGrouping(replace(EVEN, threshold=0.65), graph("a m", "b m"))
    assert grouping.add(alert("X", "a")).group == alert("X", "a").id
    # Close in time, by two hops of 0.9 each, and with no label in common: (0.98 + 0.81) / 3 = 0.6.
    young = grouping.add(alert("Y", "b", 1, zone="1"))
    assert young.group == alert("Y", "b", zone="1").id
    # (0.98 + 1/2 + 1) / 3 = 0.83 to the one, (1 + 1/3 + 1) / 3 = 0.78 to the other.
    found = grouping.add(AlertFact({"alertname": "X", "agent_name": "m,b,a", "zone": "1"}, S))
    assert found.merged == (young.group,)
    assert len(grouping.members(found.group)) == 3
    assert grouping.group_of(alert("Y", "b", zone="1").id) == alert("X", "a").id


def test_parts_that_nothing_links_any_more() -> None:
    grouping = OnlineGrouping(EVEN)
    first, last = alert("A", "a"), alert("B", "b", 2)
    bridge = AlertFact({"alertname": "A", "agent_name": "a,b"}, S)
    for fact in (first, bridge, last):
        grouping.add(fact, "g")
    assert grouping.components("g") == [(first.id, bridge.id, last.id)]
    grouping.add(AlertFact(bridge.labels, S, 9 * S))
    assert grouping.components("g", lasting_only=True) == [(first.id,), (last.id,)]
    grouping.move([last.id], "h")
    assert (grouping.group_of(last.id), len(grouping.members("g"))) == ("h", 2)
    grouping.forget(last.id)
    assert (grouping.members("h"), grouping.group_of(last.id)) == ((), None)


AGENTS = st.sampled_from("abcdef")
FACTS = st.lists(
    st.builds(
        lambda name, about, at_s, signal: alert(name, about, at_s, signal=signal),
        st.sampled_from(["X", "Y", "Z"]), AGENTS, st.integers(0, 300), st.sampled_from(["cause", "symptom", "none"]),
    ),
    max_size=25,
)  # fmt: skip
MADE = graph("a b 3", "b c", "c d 2", "d e", "e f", "f a", "a d 5")


@settings(max_examples=portion(60, 20), deadline=None)
@given(FACTS)
def test_every_alert_is_in_one_group(facts: list[AlertFact]) -> None:
    groups = group_alerts(facts, MADE)
    ids = [fact.id for group in groups for fact in group]
    assert sorted(ids) == sorted({fact.id for fact in facts})


@settings(max_examples=portion(60, 20), deadline=None)
@given(FACTS)
def test_single_link_without_causes(facts: list[AlertFact]) -> None:
    """Where joining groups is as easy as joining one, the groups are the connected parts of all similar pairs."""
    told = {fact.id: fact for fact in facts if fact.labels["signal"] != "cause"}
    once = [AlertFact(fact.labels, fact.start_ns) for fact in told.values()]
    easy = LinkSettings(merge_threshold=0.5)
    grouping = OnlineGrouping(easy, MADE)
    for fact in sorted(once, key=lambda each: (each.start_ns, each.id)):
        grouping.add(fact)
    groups = {grouping.group_of(id_) or "" for id_ in grouping.ids()}
    for group in groups:
        assert len(grouping.components(group)) == 1
    parts = OnlineGrouping(easy, MADE)
    for fact in once:
        parts.restore(fact, "all")
    assert len(parts.components("all")) == len(groups)
