"""What each agent is doing: its state and why, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.agents.pathologies.shares import wilson
from swarmscope.analysis.agents.pathologies.window import FleetWindow
from swarmscope.model.agents import NO_TEXT
from swarmscope.model.fleet import AgentState, Finding, FindingKind
from swarmscope.model.spans import SpanStatus

_S = 1_000_000_000
# The state that a finding puts its agents in; of several the first here wins.
_STATE_OF = (
    (FindingKind.CRASH, AgentState.OFFLINE),
    (FindingKind.DEADLOCK, AgentState.DEADLOCKED),
    (FindingKind.CYCLE, AgentState.LOOPING),
    (FindingKind.PING_PONG, AgentState.LOOPING),
    (FindingKind.REPEAT, AgentState.LOOPING),
    (FindingKind.NO_PROGRESS, AgentState.LOOPING),
    (FindingKind.STARVATION, AgentState.STALLED),
    (FindingKind.RETRY_STORM, AgentState.DEGRADED),
    (FindingKind.RUNAWAY_COST, AgentState.DEGRADED),
)


@dataclass(frozen=True, slots=True)
class StatusSettings:
    """From where on an agent is in a state. Times are nanoseconds."""

    active_ns: int = 60 * _S  # after its last sign of life it is active for so long
    offline_ns: int = 600 * _S  # and idle until then
    stalled_ns: int = 300 * _S  # open spans, and none finished for so long
    recent_ns: int = 120 * _S  # whose errors are compared with those before
    min_errors: int = 3


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """The state of one agent."""

    state: AgentState
    reason: str


@dataclass(frozen=True, slots=True)
class _Signs:
    """By an agent's code [n_texts]."""

    heard_ns: NDArray[np.int64]  # when a span ended or was announced last
    ended_ns: NDArray[np.int64]
    n_open: NDArray[np.int64]
    oldest_ns: NDArray[np.int64]  # start of the oldest open span
    steps: NDArray[np.int64]  # of the recent time
    errors: NDArray[np.int64]
    is_degraded: NDArray[np.bool_]


def judge_agents(
    window: FleetWindow,
    last_seen_ns: Mapping[str, int],
    findings: Sequence[Finding],
    settings: StatusSettings | None = None,
) -> dict[str, AgentStatus]:
    """The status of each agent in `last_seen_ns` (any signal of it, not spans alone), by its name.

    Findings that have ended do not count.
    """
    settings = settings or StatusSettings()
    signs = _signs(window, settings)
    worst = _worst(findings)
    codes = {window.name(code): code for code in np.flatnonzero(signs.heard_ns).tolist() if code != NO_TEXT}
    statuses = {}
    for name, seen_ns in last_seen_ns.items():
        code = codes.get(name, NO_TEXT)
        statuses[name] = worst.get(name) or _by_signs(code, seen_ns, window.now_ns, signs, settings)
    return statuses


def _worst(findings: Sequence[Finding]) -> dict[str, AgentStatus]:
    """By name, of those that a finding touches."""
    worst: dict[str, AgentStatus] = {}
    for kind, state in _STATE_OF:
        for finding in findings:
            if finding.kind == kind and finding.end_ns == 0:
                for name in finding.agents:
                    worst.setdefault(name, AgentStatus(state, finding.summary))
    return worst


def _by_signs(code: int, seen_ns: int, now_ns: int, signs: _Signs, settings: StatusSettings) -> AgentStatus:
    heard_ns = max(seen_ns, int(signs.heard_ns[code])) if code != NO_TEXT else seen_ns
    silent_ns = max(now_ns - heard_ns, 0)
    if silent_ns >= settings.offline_ns:
        return AgentStatus(AgentState.OFFLINE, f"nothing was heard of it for {silent_ns // _S} s")
    n_open = int(signs.n_open[code]) if code != NO_TEXT else 0
    stuck_ns = now_ns - max(int(signs.ended_ns[code]), int(signs.oldest_ns[code])) if n_open else 0
    if stuck_ns >= settings.stalled_ns:
        spans = "span is" if n_open == 1 else "spans are"
        return AgentStatus(AgentState.STALLED, f"{n_open} {spans} open and none has ended for {stuck_ns // _S} s")
    if code != NO_TEXT and signs.is_degraded[code]:
        errors, steps = int(signs.errors[code]), int(signs.steps[code])
        return AgentStatus(AgentState.DEGRADED, f"{errors} of its last {steps} steps failed, far more than before")
    if n_open:
        return AgentStatus(AgentState.ACTIVE, f"{n_open} open {'span' if n_open == 1 else 'spans'}")
    told = f"last heard of {silent_ns // _S} s ago"
    return AgentStatus(AgentState.ACTIVE if silent_ns < settings.active_ns else AgentState.IDLE, told)


def _signs(window: FleetWindow, settings: StatusSettings) -> _Signs:
    spans, opened, n = window.spans, window.opened, window.n_codes
    heard = window.last_end_ns.copy()
    np.maximum.at(heard, opened.spans.agent, opened.seen_ns)
    oldest = np.full(n, window.now_ns)
    np.minimum.at(oldest, opened.spans.agent, opened.spans.start_ns)
    recent = window.is_step & (spans.end_ns > window.now_ns - settings.recent_ns)
    before = window.is_step & ~recent
    failed = spans.status == SpanStatus.ERROR
    steps, errors = (np.bincount(spans.agent[rows], minlength=n) for rows in (recent, recent & failed))
    base = [np.bincount(spans.agent[rows], minlength=n) for rows in (before & failed, before)]
    low, _ = wilson(errors, steps)
    _, high = wilson(base[0], base[1])
    # Who has no past is compared with an agent of which a tenth fails.
    high = np.where(base[1] == 0, 0.1, high)
    degraded = (errors >= settings.min_errors) & (low > high)
    n_open = np.bincount(opened.spans.agent, minlength=n)
    return _Signs(heard, window.last_end_ns, n_open, oldest, steps, errors, degraded)
