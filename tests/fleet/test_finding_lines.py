"""Findings as lines of a log that everybody reads."""

from __future__ import annotations

import json

from swarmscope.fleet.finding_lines import to_lines
from swarmscope.model.fleet import Finding, FindingKind
from swarmscope.testing.sinks import RecordingLogSink


def test_a_finding_is_a_line_with_its_evidence() -> None:
    sink = RecordingLogSink()
    begun = Finding("f1", FindingKind.PING_PONG, ("a", "b"), 5, 0, 0.75, "a and b …", {"spans": 7}, "t")
    ended = Finding("f2", FindingKind.CRASH, (), 5, 9, 1.0, "gone", {}, "t")
    for now_ns in (1000, 2000):
        sink.write_logs(to_lines([begun, ended], sink.index, "t", now_ns))
    assert len(set(sink.labels)) == 1  # one stream
    first, second, third, _ = sink.lines()
    assert (first.tenant, first.labels, first.ts_ns, second.ts_ns, third.ts_ns) == (
        "t", {"service_name": "swarmscope"}, 1000, 1001, 2000,
    )  # fmt: skip
    assert (first.level, first.severity, second.level, second.severity) == (4, 13, 3, 9)
    assert first.metadata == {
        "event_name": "agent.finding", "finding_id": "f1", "finding_kind": "ping_pong", "finding_state": "active",
        "agent_name": "a,b",
    }  # fmt: skip
    assert "agent_name" not in second.metadata
    assert second.metadata["finding_state"] == "resolved"
    assert json.loads(first.line) == {
        "id": "f1", "kind": "ping_pong", "state": "active", "agents": ["a", "b"], "summary": "a and b …",
        "confidence": 0.75, "begin_ns": 5, "end_ns": 0, "evidence": {"spans": 7},
    }  # fmt: skip
