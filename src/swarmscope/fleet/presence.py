"""The plainest judge: who is there, and who is not."""

from __future__ import annotations

import numpy as np

from swarmscope.fleet.judgement import FleetMoment, Verdict
from swarmscope.model.fleet import AgentState

_NS_PER_S = 1_000_000_000
_ACTIVE_NS = 60 * _NS_PER_S
_OFFLINE_NS = 600 * _NS_PER_S


def judge_presence(moment: FleetMoment) -> Verdict:
    """Active is who works now or did so in the last minute, offline who was silent for ten."""
    codes, counts = np.unique(moment.opened.spans.agent, return_counts=True)
    opened = {moment.vocabulary.text(code): count for code, count in zip(codes.tolist(), counts.tolist(), strict=True)}
    states = {}
    for record in moment.agents:
        silent_ns = moment.now_ns - record.last_seen_ns
        if opened.get(record.name):
            states[record.name] = AgentState.ACTIVE, f"{opened[record.name]} spans are open"
        elif silent_ns < _ACTIVE_NS:
            states[record.name] = AgentState.ACTIVE, "was at work in the last minute"
        elif silent_ns < _OFFLINE_NS:
            states[record.name] = AgentState.IDLE, f"has not been at work for {silent_ns // _NS_PER_S // 60} min"
        else:
            states[record.name] = AgentState.OFFLINE, "no signal has shown it for ten minutes or more"
    return Verdict(states, ())
