"""The same step again and again: equal or nearly equal content, by one agent with one tool in one run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.agents.pathologies.evidence import shown, surplus, to_finding
from swarmscope.analysis.agents.pathologies.near import is_near
from swarmscope.analysis.agents.pathologies.window import IS_INFERENCE, FleetWindow
from swarmscope.analysis.agents.row_groups import grouped_rows
from swarmscope.model.agents import NO_TEXT, AgentOperation
from swarmscope.model.fleet import Finding, FindingKind
from swarmscope.model.spans import SpanStatus

_REPEATABLE = np.array(
    [
        operation not in (AgentOperation.NONE, AgentOperation.INVOKE_WORKFLOW, AgentOperation.CHAIN)
        for operation in AgentOperation
    ],
    np.bool_,
)
_SLOTS = 4  # contents that alternate within one loop


class _Streaks(NamedTuple):
    """Of each group and slot [n_groups, _SLOTS]; `best` are those of the longest streak [n_groups, 4]."""

    content: NDArray[np.uint64]
    similarity: NDArray[np.uint64]
    exact: NDArray[np.int64]
    near: NDArray[np.int64]
    first: NDArray[np.int64]
    end_ns: NDArray[np.int64]
    best: NDArray[np.int64]  # exact, near, first row, last row


class _Steps(NamedTuple):
    """Rows [m], by time."""

    group: NDArray[np.int64]
    content: NDArray[np.uint64]
    similarity: NDArray[np.uint64]
    start_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]


def find_repeats(window: FleetWindow, quiet_ns: int | None = None) -> list[Finding]:
    """One finding for an agent in a run, whatever step it repeats; older than `quiet_ns` (three gaps) it is over."""
    spans, settings = window.spans, window.settings
    inference = IS_INFERENCE[spans.operation]
    short = inference & (spans.output_tokens >= 0) & (spans.output_tokens < settings.min_answer_tokens)
    # What fails is a retry, which is found elsewhere.
    chosen = (spans.content != 0) & _REPEATABLE[spans.operation] & ~short & (spans.status != SpanStatus.ERROR)
    chosen &= spans.agent != NO_TEXT
    rows = window.order[chosen[window.order]]
    if len(rows) < settings.min_repeats:
        return []
    quiet_ns = 3 * settings.repeat_gap_ns if quiet_ns is None else quiet_ns
    columns = (window.run_key, spans.agent, spans.operation, spans.tool)
    firsts, group = grouped_rows([column[rows] for column in columns])
    steps = _Steps(group, spans.content[rows], spans.similarity[rows], spans.start_ns[rows], spans.end_ns[rows])
    best = _streaks(steps, len(firsts), settings.near_bits, settings.repeat_gap_ns)
    found: dict[str, Finding] = {}
    for exact, near, first, last in best[
        (best[:, 0] >= settings.min_repeats) | (best[:, 1] >= settings.min_near_repeats)
    ].tolist():
        if window.now_ns - steps.end_ns[last] > quiet_ns:
            continue  # it came to its end
        finding = _finding(window, rows[group == group[last]], (int(rows[first]), int(rows[last])), (exact, near))
        known = found.get(finding.id)
        if known is None or known.confidence < finding.confidence:
            found[finding.id] = finding
    return list(found.values())


def _finding(window: FleetWindow, rows: NDArray[np.int64], ends: tuple[int, int], counts: tuple[int, int]) -> Finding:
    spans, settings, (first, last), (exact, near) = window.spans, window.settings, ends, counts
    is_exact = exact >= settings.min_repeats
    count, least = (exact, settings.min_repeats) if is_exact else (near, settings.min_near_repeats)
    tool = window.name(spans.tool[last])
    step = AgentOperation(int(spans.operation[last])).label + (f" {tool}" if tool else "")
    name, run = window.name(spans.agent[last]), window.run_name(last)
    same = rows[spans.content[rows] == spans.content[last]]
    evidence = {
        "run": run, "operation": AgentOperation(int(spans.operation[last])).label, "tool": tool,
        "exact": exact, "near_exact": near, "threshold": least, **shown(spans, same.tolist()),
    }  # fmt: skip
    word = "the same" if is_exact else "nearly the same"
    summary = f"{name} did {word} {step} {count} times in one run"
    confidence = surplus(count, least) - (0.0 if is_exact else 0.1)
    told = (summary, evidence, (run,))
    return to_finding(
        window, FindingKind.REPEAT, [int(spans.agent[last])], int(spans.start_ns[first]), confidence, told
    )


def _streaks(steps: _Steps, n_groups: int, near_bits: int, gap_ns: int) -> NDArray[np.int64]:
    """The longest streaks [n_groups, 4]: exact and near count, first and last row."""
    shape = (n_groups, _SLOTS)
    streaks = _Streaks(
        np.zeros(shape, np.uint64), np.zeros(shape, np.uint64), np.zeros(shape, np.int64), np.zeros(shape, np.int64),
        np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros((n_groups, 4), np.int64),
    )  # fmt: skip
    _follow(steps, streaks, near_bits, gap_ns)
    return streaks.best


@njit(nogil=True, cache=True)
def _follow(steps: _Steps, streaks: _Streaks, near_bits: int, gap_ns: int) -> None:
    for row in range(len(steps.group)):
        group = steps.group[row]
        slot, oldest = -1, 0
        for at in range(_SLOTS):
            if streaks.end_ns[group, at] < streaks.end_ns[group, oldest]:
                oldest = at
            if streaks.near[group, at] == 0 or slot >= 0:
                continue
            same = streaks.content[group, at] == steps.content[row]
            near = is_near(streaks.similarity[group, at], steps.similarity[row], near_bits)
            if (same or near) and steps.start_ns[row] - streaks.end_ns[group, at] <= gap_ns:
                slot = at
        if slot < 0:
            slot = oldest
            streaks.exact[group, slot] = 0
            streaks.near[group, slot] = 0
            streaks.first[group, slot] = row
        # An exact streak goes on only while nothing else comes between its contents.
        is_same = streaks.near[group, slot] == 0 or streaks.content[group, slot] == steps.content[row]
        streaks.exact[group, slot] = streaks.exact[group, slot] + 1 if is_same else 1
        streaks.near[group, slot] += 1
        streaks.content[group, slot] = steps.content[row]
        streaks.similarity[group, slot] = steps.similarity[row]
        streaks.end_ns[group, slot] = steps.end_ns[row]
        best = streaks.best[group]
        if streaks.near[group, slot] >= best[1] or streaks.exact[group, slot] > best[0]:
            best[0] = max(best[0], streaks.exact[group, slot])
            best[1] = streaks.near[group, slot]
            best[2] = streaks.first[group, slot]
            best[3] = row
