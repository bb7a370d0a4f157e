from __future__ import annotations

import pytest
from tests.analysis.agents.pathologies.made_windows import ERROR, NOW, step, window

from swarmscope.analysis.agents.pathologies import detect
from swarmscope.analysis.agents.pathologies.shares import wilson
from swarmscope.analysis.agents.status import judge_agents
from swarmscope.model.fleet import AgentState as State
from swarmscope.model.fleet import Finding, FindingKind

NS = 10**9


def judged(rows=(), opened=(), seen: float = NOW - 5, findings=()):
    return judge_agents(window(rows, opened), {"a": round(seen * NS)}, list(findings))["a"]


def test_by_time():
    assert judged().state == State.ACTIVE
    assert judged(seen=NOW - 100).state == State.IDLE
    offline = judged(seen=NOW - 700)
    assert offline.state == State.OFFLINE
    assert offline.reason == "nothing was heard of it for 700 s"


def test_open_spans_keep_it_alive_until_it_is_stalled():
    assert judged(opened=[step("a", NOW - 100, 0)], seen=NOW - 800).state == State.ACTIVE
    assert judged(opened=[step("a", NOW - 400, 0)], seen=NOW - 800).state == State.STALLED


def test_degraded_against_its_own_past():
    past = [step("a", NOW - 700 + at, NOW - 699 + at) for at in range(100)]
    failed = [step("a", NOW - 60 + at, NOW - 59 + at, status=ERROR) for at in range(6)]
    told = judged(past + failed)
    assert told.state == State.DEGRADED
    assert told.reason == "6 of its last 6 steps failed, far more than before"
    assert judged([row | {"status": ERROR} for row in past] + failed).state == State.ACTIVE


@pytest.mark.parametrize(
    ("kind", "state"),
    [(FindingKind.DEADLOCK, State.DEADLOCKED), (FindingKind.REPEAT, State.LOOPING), (FindingKind.CRASH, State.OFFLINE),
     (FindingKind.STARVATION, State.STALLED)],
)  # fmt: skip
def test_findings(kind, state):
    finding = Finding("x", kind, ("a", "b"), 1, 0, 0.9, "this is why")
    told = judged(findings=[finding])
    assert (told.state, told.reason) == (state, "this is why")
    over = Finding("x", kind, ("a", "b"), 1, 2, 0.9, "this was why")
    assert judged(findings=[over]).state == State.ACTIVE


def test_a_deadlock_as_it_is_detected():
    opened = [step("a", NOW - 60, 0, target="b", operation=13), step("b", NOW - 60, 0, target="a", operation=13)]
    seen = window([step("x", NOW - 2, NOW - 1)], opened)
    told = judge_agents(seen, dict.fromkeys("abx", round(NOW * NS)), detect(seen))
    assert [told[name].state for name in "abx"] == [State.DEADLOCKED, State.DEADLOCKED, State.ACTIVE]


def test_wilson():
    import numpy as np

    low, high = wilson(np.array([0, 5, 10]), np.array([0, 10, 10]))
    # By hand for 5 of 10: 1.96 / 1.38416 · √(0.25 / 10 + 3.8416 / 400) = 0.263407 around a half
    assert low.tolist() == pytest.approx([0, 0.236593, 0.722467], abs=1e-5)
    assert high.tolist() == pytest.approx([1, 0.763407, 1], abs=1e-5)
