"""Columns of coordination from normalised spans, and spans without an agent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.analysis.agents.made_spans import SECOND_NS, make_spans
from tests.analysis.intelligence.coordination.made_fleets import make_fleet

from swarmscope.analysis.intelligence.coordination.fleet_spans import depths, fleet_spans, without_agent
from swarmscope.model.agents import AgentOperation, AgentSpans, Vocabulary
from swarmscope.model.spans import SpanStatus


def test_from_normalised_spans() -> None:
    vocabulary = Vocabulary()
    spans = make_spans(
        [
            {"key": "a", "agent": "planner", "start": 0, "end": 9},
            {"key": "b", "parent": "a", "start": 1, "end": 8},
            {"key": "c", "parent": "b", "start": 2, "end": 7},
            {"key": "d", "parent": "c", "agent": "coder", "start": 3, "end": 6, "status": SpanStatus.ERROR},
            {"key": "e", "parent": "elsewhere", "agent": "tester", "trace": 2, "start": 10, "end": 12, "links": ["d"]},
            {"key": "f", "trace": 3, "start": 20, "end": 0, "links": ["unknown"]},
        ],
        vocabulary,
    )
    spans.end_ns[5] = 0
    for row, tool in ((1, "search"), (2, "search"), (3, "read"), (4, "search")):
        spans.content[row] = 77
        spans.operation[row] = AgentOperation.EXECUTE_TOOL
        spans.tool[row] = vocabulary.code_of(tool)
    found, codes = fleet_spans(spans, 30 * SECOND_NS)
    names = [vocabulary.text(int(code)) for code in codes]
    assert [names[agent] if agent >= 0 else "" for agent in found.agent] == [
        "planner", "planner", "planner", "coder", "tester", "",
    ]  # fmt: skip
    assert found.parent.tolist() == [-1, 0, 1, 2, -1, -1]
    assert (found.link_from.tolist(), found.link_to.tolist()) == ([4], [3])
    assert len(set(found.trace[:5].tolist())) == 1  # the link joins two traces
    assert found.trace[5] != found.trace[0]
    assert found.end_ns[5] == 30 * SECOND_NS
    assert found.is_ended.tolist() == [True] * 5 + [False]
    assert found.is_ok.tolist() == [True, True, True, False, True, False]
    assert found.task[1] == found.task[2] == found.task[4] != found.task[3]
    assert (found.task[[0, 5]] == 0).all()


def test_spans_that_came_twice_count_once_and_none_are_none() -> None:
    spans = make_spans([{"key": "a", "agent": "x"}, {"key": "b", "parent": "a"}], Vocabulary())
    found, _ = fleet_spans(AgentSpans.concat([spans, spans]), 0)
    assert found.parent.tolist() == [-1, 0]
    empty, codes = fleet_spans(AgentSpans.blank(0), 0)
    assert len(empty.trace) == len(codes) == 0


@given(st.lists(st.integers(0, 40), min_size=1, max_size=40))
def test_depth_is_the_number_of_ancestors(above: list[int]) -> None:
    parent = np.array([min(p, at) - 1 for at, p in enumerate(above)])
    found = depths(parent)
    for at, up in enumerate(parent.tolist()):
        assert found[at] == (0 if up < 0 else found[up] + 1)


def test_children_hang_from_their_grandparents() -> None:
    rows = [(-1, 0, 0, 9), (0, 1, 1, 8), (1, 1, 2, 7), (2, 2, 3, 6), (-1, 1, 0, 5), (4, 0, 1, 2)]
    left = without_agent(make_fleet(rows, [(3, 0), (5, 4), (5, 3)]), 1)
    assert left.agent.tolist() == [0, 1, 0]  # agent 2 moved up
    assert left.parent.tolist() == [-1, 0, -1]
    assert left.link_from.tolist() == [1, 2]
    assert left.link_to.tolist() == [0, 1]
    assert left.start_ns.tolist() == [0, 3 * SECOND_NS, SECOND_NS]


@pytest.mark.parametrize("agent", [0, 1, 2])
def test_nothing_of_the_agent_is_left(agent: int) -> None:
    rng = np.random.default_rng(agent)
    rows = [(int(rng.integers(-1, at)) if at else -1, int(rng.integers(0, 3)), at, at + 1) for at in range(60)]
    fleet = make_fleet(rows)
    left = without_agent(fleet, agent)
    assert len(left.trace) == (fleet.agent != agent).sum()
    assert left.agent.max() == 1
    assert left.parent.max() < len(left.parent)
