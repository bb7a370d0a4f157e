"""Agents that reach one another in a circle, round after round, within one run: cycles and ping-pong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.agents.pathologies.evidence import shown, surplus, to_finding
from swarmscope.analysis.agents.pathologies.near import is_near
from swarmscope.analysis.agents.pathologies.window import FleetWindow, run_keys, run_name
from swarmscope.model.agents import NO_TEXT, AgentOperation, AgentSpans
from swarmscope.model.fleet import Finding, FindingKind

_ENTRIES = np.array(
    [
        operation in (AgentOperation.INVOKE_AGENT, AgentOperation.NONE, AgentOperation.CHAIN, AgentOperation.OTHER)
        for operation in AgentOperation
    ],
    np.bool_,
)
_QUIET_NS = 60 * 10**9


@dataclass(frozen=True, slots=True)
class Hops:
    """Interactions [n] by run and start; ended ones and those that last. Rows of open spans follow the settled."""

    run: NDArray[np.uint64]
    source: NDArray[np.uint32]
    target: NDArray[np.uint32]
    start_ns: NDArray[np.int64]
    seen_ns: NDArray[np.int64]  # the end, or the last announcement
    content: NDArray[np.uint64]
    similarity: NDArray[np.uint64]
    row: NDArray[np.int64]


def find_cycles(window: FleetWindow, quiet_ns: int = _QUIET_NS) -> list[Finding]:
    """Both kinds; of one run the circle with most rounds. Two agents are ping-pong where nothing new passes.

    A circle whose last hop is older than `quiet_ns` has come to its end.
    """
    hops, settings = _hops(window), window.settings
    if len(hops.run) < 2 * settings.min_rounds:
        return []
    found = []
    best = _circles(
        hops.run, hops.source, hops.target, hops.content, hops.similarity,
        np.array([settings.max_cycle_length, settings.near_bits]),
    )  # fmt: skip
    for first, last, length, n_same in best.tolist():
        rounds = (last - first + 1) // length
        if rounds < settings.min_rounds or window.now_ns - int(hops.seen_ns[last]) > quiet_ns:
            continue
        finding = _finding(window, hops, (first, last, length), n_same)
        if finding is not None:
            found.append(finding)
    return found


def _finding(window: FleetWindow, hops: Hops, circle: tuple[int, int, int], n_same: int) -> Finding | None:
    settings, (first, last, length) = window.settings, circle
    n_hops = last - first + 1
    rounds = n_hops // length
    here = slice(first, last + 1)
    same_share = n_same / max(n_hops - length, 1)
    is_told = bool((hops.content[here] != 0).mean() > 0.5)
    n_work = _work_between(window, hops, circle)
    if same_share >= 0.8:
        least = settings.min_rounds
    else:
        least = settings.min_rounds_with_news if is_told and n_work else settings.min_rounds_without_content
    if rounds < least:
        return None
    is_ping_pong = length == 2 and (same_share >= 0.8 or n_work == 0)
    kind = FindingKind.PING_PONG if is_ping_pong else FindingKind.CYCLE
    agents = hops.source[last - length + 1 : last + 1].tolist()
    smallest = agents.index(min(agents))  # the same circle whichever hop was the last
    agents = agents[smallest:] + agents[:smallest]
    names = [window.name(code) for code in agents]
    spans, row = _spans_of(window, int(hops.row[last]))
    run = run_name(spans, row)
    settled = [each for each in hops.row[here].tolist() if each < len(window.spans)]
    evidence: dict[str, object] = {
        "run": run, "rounds": rounds, "threshold": least, "length": length, "same_content_share": same_share,
        "other_steps": n_work, **shown(window.spans, settled),
    }  # fmt: skip
    way = " → ".join([*names, names[0]])
    summary = f"{way}: {rounds} rounds in one run" + (" with the same content" if same_share >= 0.8 else "")
    confidence = surplus(rounds, least) - (0.0 if same_share >= 0.8 else 0.1)
    return to_finding(window, kind, agents, int(hops.start_ns[first]), confidence, (summary, evidence, (run,)))


def _spans_of(window: FleetWindow, row: int) -> tuple[AgentSpans, int]:
    n = len(window.spans)
    return (window.spans, row) if row < n else (window.opened.spans, row - n)


def _work_between(window: FleetWindow, hops: Hops, circle: tuple[int, int, int]) -> int:
    """How many steps were done in the run while the circle lasted."""
    first, last, _ = circle
    spans = window.spans
    mine = window.is_step & (window.run_key == hops.run[last])
    mine &= (spans.end_ns >= hops.start_ns[first]) & (spans.start_ns <= hops.seen_ns[last])
    return int(mine.sum())


def _hops(window: FleetWindow) -> Hops:
    opened = window.opened
    parts = [
        _hops_of(window.spans, window.caller, window.run_key, window.spans.end_ns),
        _hops_of(opened.spans, opened.caller, run_keys(opened.spans), opened.seen_ns),
    ]
    parts[1].row[:] += len(window.spans)
    names = ("run", "source", "target", "start_ns", "seen_ns", "content", "similarity", "row")
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    order = np.lexsort((columns["start_ns"], columns["run"]))
    columns = {name: column[order] for name, column in columns.items()}
    run, source, target = columns["run"], columns["source"], columns["target"]
    # One interaction is often told by both sides, by a span of the caller and one of the called inside or after it;
    # and who turns to the same agent twice has not come round.
    again = np.zeros(len(run), np.bool_)
    again[1:] = (run[1:] == run[:-1]) & (source[1:] == source[:-1]) & (target[1:] == target[:-1])
    return Hops(**{name: column[~again] for name, column in columns.items()})


def _hops_of(
    spans: AgentSpans, caller: NDArray[np.uint32], run: NDArray[np.uint64], seen_ns: NDArray[np.int64]
) -> Hops:
    told = spans.target != NO_TEXT
    source = np.where(told & (spans.source != NO_TEXT), spans.source, spans.agent)
    source = np.where(told, source, caller)
    target = np.where(told, spans.target, spans.agent)
    entry = _ENTRIES[spans.operation] & (caller != NO_TEXT)
    rows = np.flatnonzero((told | entry) & (source != target) & (source != NO_TEXT) & (target != NO_TEXT))
    return Hops(
        run[rows], source[rows], target[rows], spans.start_ns[rows], seen_ns[rows], spans.content[rows],
        spans.similarity[rows], rows,
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _circles(
    run: NDArray[np.uint64],
    source: NDArray[np.uint32],
    target: NDArray[np.uint32],
    content: NDArray[np.uint64],
    similarity: NDArray[np.uint64],
    bounds: NDArray[np.int64],  # longest circle, bits
) -> NDArray[np.int64]:
    """Of each run the circle with most rounds [m, 4]: first and last hop, length, hops as in the round before."""
    best = np.zeros((len(run), 4), np.int64)
    n_best = 0
    at = 0
    while at < len(run):
        end = at + 1
        while end < len(run) and run[end] == run[at]:
            end += 1
        most = 1
        is_new = True
        for length in range(2, min(bounds[0], (end - at) // 2) + 1):
            first = at
            n_same = 0
            for hop in range(at + 1, end):
                # Each hop starts where the last one led.
                goes_on = source[hop] == target[hop - 1]
                if goes_on and hop - first >= length:
                    goes_on = source[hop] == source[hop - length] and target[hop] == target[hop - length]
                if not goes_on:
                    first, n_same = hop, 0
                    continue
                if hop - first < length:
                    continue
                same = content[hop] != 0 and content[hop] == content[hop - length]
                n_same += same or is_near(similarity[hop], similarity[hop - length], bounds[1])
                rounds = (hop - first + 1) // length
                if rounds > most or (rounds == most and rounds > 1 and length == best[n_best, 2]):
                    most = rounds
                    best[n_best, 0], best[n_best, 1] = first, hop
                    best[n_best, 2], best[n_best, 3] = length, n_same
                    is_new = False
        if not is_new:
            n_best += 1
        at = end
    return best[:n_best]
