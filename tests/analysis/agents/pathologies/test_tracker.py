from __future__ import annotations

from dataclasses import replace

from swarmscope.analysis.agents.pathologies.tracker import FindingTracker
from swarmscope.model.fleet import Finding, FindingKind

S = 10**9
FOUND = Finding("deadlock-1", FindingKind.DEADLOCK, ("a", "b"), 100 * S, 0, 0.8, "they wait")


def test_begins_lasts_and_ends():
    tracker = FindingTracker(quiet_ns=30 * S, keep_ns=100 * S)
    (begun,) = tracker.update([FOUND], 110 * S)
    assert begun.id == "deadlock-1-64"  # 100 s, in hexadecimal
    assert tracker.update([replace(FOUND, begin_ns=105 * S, confidence=0.7)], 120 * S) == []
    (lasting,) = tracker.lasting()
    assert (lasting.id, lasting.begin_ns, lasting.confidence) == (begun.id, 100 * S, 0.8)
    assert tracker.update([], 150 * S) == []
    (ended,) = tracker.update([], 151 * S)
    assert (ended.id, ended.end_ns) == (begun.id, 120 * S)
    assert tracker.lasting() == ()
    assert tracker.findings() == (ended,)
    tracker.update([], 221 * S)
    assert tracker.findings() == ()


def test_again_later_is_another():
    tracker = FindingTracker(quiet_ns=30 * S)
    tracker.update([FOUND], 110 * S)
    tracker.update([], 200 * S)
    (again,) = tracker.update([replace(FOUND, begin_ns=300 * S)], 310 * S)
    assert again.id == "deadlock-1-12c"


def test_bounded():
    tracker = FindingTracker(max_findings=2)
    assert len(tracker.update([replace(FOUND, id=str(at)) for at in range(5)], 110 * S)) == 2
    for round_s in range(200, 1000, 100):
        tracker.update([replace(FOUND, id=str(round_s))], round_s * S)
    assert len(tracker.findings()) <= 3
