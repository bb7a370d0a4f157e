import pytest
from tests.analysis.agents.made_spans import SECOND_NS, make_spans

from swarmscope.analysis.agents.runs import to_run
from swarmscope.model.agents import Vocabulary
from swarmscope.model.fleet import StoredAgentSpans


def run_of(rows, now_s=0):
    vocabulary = Vocabulary()
    spans = make_spans(rows, vocabulary)
    return to_run(StoredAgentSpans(spans, spans.agent, vocabulary), now_s * SECOND_NS)


def test_the_path_goes_through_the_child_that_finished_last():
    # a runs 0 … 10 and starts b (1 … 4) and c (2 … 8) side by side: c is what is waited for, b is not.
    run = run_of(
        [
            {"key": "r", "agent": "a", "start": 0, "end": 10},
            {"key": "x", "parent": "r", "agent": "b", "start": 1, "end": 4},
            {"key": "y", "parent": "r", "agent": "c", "start": 2, "end": 8},
        ]
    )
    path = [(step.agent, step.begin_ns // SECOND_NS, step.end_ns // SECOND_NS) for step in run.path]
    # Before c began, at 2, no child had finished: the rest is a's own.
    assert path == [("a", 0, 2), ("c", 2, 8), ("a", 8, 10)]
    times = {time.agent: time for time in run.agents}
    assert times["c"].critical_share == pytest.approx(0.6)
    assert (times["a"].work_s, times["a"].waiting_s, times["a"].idle_s) == (3, 7, 0)
    assert (times["b"].work_s, times["b"].waiting_s, times["b"].idle_s) == (3, 0, 7)


def test_children_one_after_the_other_and_one_that_outlives_its_parent():
    run = run_of(
        [
            {"key": "r", "agent": "a", "start": 0, "end": 10},
            {"key": "x", "parent": "r", "agent": "b", "start": 1, "end": 4},
            {"key": "y", "parent": "r", "agent": "c", "start": 5, "end": 12},
        ]
    )
    path = [(step.agent, step.begin_ns // SECOND_NS, step.end_ns // SECOND_NS) for step in run.path]
    # From 10 on no span of the root is open: that time is the run's own.
    assert path == [("a", 0, 1), ("b", 1, 4), ("a", 4, 5), ("c", 5, 10), ("", 10, 12)]


def test_plain_spans_work_for_the_agent_above_and_open_ones_last_until_now():
    run = run_of(
        [{"key": "r", "agent": "a", "start": 0, "end": 0}, {"key": "x", "parent": "r", "start": 1, "end": 3}], 5
    )
    assert [(time.agent, time.work_s) for time in run.agents] == [("a", 5)]


def test_circles_and_doubles_end():
    rows = [
        {"key": "p", "parent": "q"},
        {"key": "q", "parent": "p"},
        {"key": "r", "agent": "a"},
        {"key": "r", "agent": "a"},
    ]
    assert run_of(rows).agents[0].work_s == 1
    with pytest.raises(ValueError, match="spans"):
        run_of([])
