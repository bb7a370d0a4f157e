"""An agent that gets no turn while others of its team do, though work waits for it."""

from __future__ import annotations

import numpy as np

from swarmscope.analysis.agents.pathologies.crashes import find_crashes
from swarmscope.analysis.agents.pathologies.deadlocks import find_deadlocks
from swarmscope.analysis.agents.pathologies.evidence import shown, surplus, to_finding
from swarmscope.analysis.agents.pathologies.window import FleetWindow
from swarmscope.model.agents import NO_TEXT
from swarmscope.model.fleet import Finding, FindingKind


def find_starvation(window: FleetWindow) -> list[Finding]:
    """One finding for an agent; who is part of a deadlock or has crashed is not starved."""
    settings, opened = window.settings, window.opened
    spans = opened.spans
    waiting = (spans.target != NO_TEXT) & (spans.target != spans.agent)
    waiting &= spans.start_ns < window.now_ns - settings.starvation_ns
    targets = np.unique(spans.target[waiting]).tolist()
    if not targets:
        return []
    known = [*find_deadlocks(window), *find_crashes(window)]
    excused = {name for finding in known for name in finding.agents}
    teams = _teams(window)
    found = []
    for agent in targets:
        rows = np.flatnonzero(waiting & (spans.target == agent))
        since_ns = int(spans.start_ns[rows].min())
        is_busy = bool((spans.agent == agent).any()) or window.last_end_ns[agent] > since_ns
        team = int(teams[agent])
        if is_busy or team == NO_TEXT or window.name(agent) in excused:
            continue
        theirs = window.is_step & (window.spans.end_ns > since_ns) & (teams[window.spans.agent] == team)
        n_steps = int(theirs.sum())
        if n_steps < settings.min_peer_steps:
            continue
        waited_ns = window.now_ns - since_ns
        evidence: dict[str, object] = {
            "waited_s": waited_ns / 1e9, "threshold_s": settings.starvation_ns / 1e9, "waiting_spans": len(rows),
            "steps_of_its_team": n_steps, "team": window.name(team), **shown(spans, rows.tolist()),
        }  # fmt: skip
        name = window.name(agent)
        summary = f"{name} has had no turn for {waited_ns // 10**9} s while its team did {n_steps} steps"
        confidence = min(surplus(waited_ns, settings.starvation_ns), surplus(n_steps, settings.min_peer_steps))
        told = (summary, evidence, ())
        found.append(to_finding(window, FindingKind.STARVATION, [agent], since_ns, confidence, told))
    return found


def _teams(window: FleetWindow) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    """The team [n_texts] of each agent, by its code."""
    teams = np.full(window.n_codes, NO_TEXT, np.uint32)
    for spans in (window.spans, window.opened.spans):
        told = spans.team != NO_TEXT
        teams[spans.agent[told]] = spans.team[told]
    return teams
