"""An agent that fell silent in the middle of its work while the others go on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.agents.pathologies.evidence import shown, to_finding
from swarmscope.analysis.agents.pathologies.window import FleetWindow
from swarmscope.model.agents import NO_TEXT
from swarmscope.model.fleet import Finding, FindingKind
from swarmscope.model.spans import SpanStatus

_MIN_STEPS = 20  # of an agent whose silence after errors says something
_AT_WORK_NS = 120 * 10**9  # who was heard of so shortly before it was asked was at work
_LONGER = 2  # silence is long when it is so many times the longest pause before


def find_crashes(window: FleetWindow) -> list[Finding]:
    """One finding for an agent: open spans no longer announced, or nothing more after a row of errors."""
    settings, opened = window.settings, window.opened
    limit_ns = settings.missed_announcements * settings.announce_interval_ns + settings.crash_slack_ns
    heard = window.last_end_ns.copy()
    np.maximum.at(heard, opened.spans.agent, opened.seen_ns)
    heard[NO_TEXT] = 0
    going_on = heard > window.now_ns - settings.announce_interval_ns - settings.crash_slack_ns
    if int(going_on.sum()) < settings.min_others:
        return []
    found = []
    lasting = _lasting(window, heard)
    for agent in np.unique(opened.spans.agent[lasting]).tolist():
        silent_ns = window.now_ns - int(heard[agent])
        if agent == NO_TEXT or silent_ns <= limit_ns:
            continue
        rows = np.flatnonzero(lasting & (opened.spans.agent == agent))
        evidence: dict[str, object] = {
            "open_spans": len(rows), "silent_s": silent_ns / 1e9, "threshold_s": limit_ns / 1e9,
            "others_going_on": int(going_on.sum()), **shown(opened.spans, rows.tolist()),
        }  # fmt: skip
        summary = f"{window.name(agent)} fell silent in the middle of {len(rows)} open spans, the others go on"
        # 0.8 at the limit, towards 1 with every further announcement that does not come.
        confidence = 1 - 0.2 * limit_ns / silent_ns
        told = (summary, evidence, ())
        found.append(to_finding(window, FindingKind.CRASH, [agent], int(heard[agent]), confidence, told))
    found += _unanswering(window, heard, lasting)
    return found + _after_errors(window, heard, {finding.agents[0] for finding in found})


def _lasting(window: FleetWindow, heard: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[n_open] open spans that their agents were in when they were last heard of.

    The others are what an earlier process left behind: its agent has been at work since without announcing them.
    """
    opened, settings = window.opened, window.settings
    slack_ns = settings.announce_interval_ns + settings.crash_slack_ns
    lasting: NDArray[np.bool_] = opened.seen_ns >= heard[opened.spans.agent] - slack_ns
    return lasting


def _unanswering(window: FleetWindow, heard: NDArray[np.int64], lasting: NDArray[np.bool_]) -> list[Finding]:
    """Agents that were at work, were asked by others, and gave no sign of life: they died before announcing a span."""
    spans, settings = window.opened.spans, window.settings
    limit_ns = settings.missed_announcements * settings.announce_interval_ns + settings.crash_slack_ns
    asked = (spans.target != NO_TEXT) & (spans.target != spans.agent) & (spans.start_ns < window.now_ns - limit_ns)
    found = []
    for agent in np.unique(spans.target[asked]).tolist():
        rows = np.flatnonzero(asked & (spans.target == agent))
        since_ns, last_ns = int(spans.start_ns[rows].min()), int(heard[agent])
        if (lasting & (spans.agent == agent)).any() or not since_ns - _AT_WORK_NS < last_ns < window.now_ns - limit_ns:
            continue
        silent_ns = window.now_ns - max(last_ns, since_ns)
        if silent_ns <= limit_ns:
            continue
        evidence: dict[str, object] = {
            "waiting_spans": len(rows), "silent_s": silent_ns / 1e9, "threshold_s": limit_ns / 1e9,
            **shown(spans, rows.tolist()),
        }  # fmt: skip
        told = (f"{window.name(agent)} was at work and answers no more, {len(rows)} spans wait for it", evidence, ())
        begin_ns = max(last_ns, since_ns)
        # As where spans are no longer announced, but a little less sure.
        confidence = 0.9 - 0.2 * limit_ns / silent_ns
        found.append(to_finding(window, FindingKind.CRASH, [agent], begin_ns, confidence, told))
    return found


def _after_errors(window: FleetWindow, heard: NDArray[np.int64], known: set[str]) -> list[Finding]:
    spans, settings = window.spans, window.settings
    quiet = (heard > 0) & (heard < window.now_ns - settings.error_silence_ns)
    failed = (spans.status == SpanStatus.ERROR) & window.is_step & quiet[spans.agent]
    found = []
    for agent in np.flatnonzero(np.bincount(spans.agent[failed]) >= settings.min_last_errors).tolist():
        rows = window.order[(window.is_step & (spans.agent == agent))[window.order]]
        last = rows[-settings.min_last_errors :]
        silent_ns = window.now_ns - int(heard[agent])
        # Steps come in bursts, one for a job: the longest of the pauses is the one to compare with.
        longest_ns = int(np.diff(spans.end_ns[rows]).max()) if len(rows) > 1 else silent_ns
        is_long = len(rows) >= _MIN_STEPS and silent_ns > _LONGER * longest_ns
        if not is_long or not bool((spans.status[last] == SpanStatus.ERROR).all()) or window.name(agent) in known:
            continue
        evidence: dict[str, object] = {
            "last_errors": len(last), "silent_s": silent_ns / 1e9, "longest_pause_s": longest_ns / 1e9,
            "threshold_s": max(settings.error_silence_ns, _LONGER * longest_ns) / 1e9,
            **shown(spans, last.tolist()),
        }  # fmt: skip
        summary = f"{window.name(agent)} failed {len(last)} times in a row and has been silent since"
        told = (summary, evidence, ())
        found.append(to_finding(window, FindingKind.CRASH, [agent], int(heard[agent]), 0.6, told))
    return found
