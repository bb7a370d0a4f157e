"""A step that fails and is tried again at once, and again; or fails far more often than it used to."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.agents.pathologies.evidence import shown, surplus, to_finding
from swarmscope.analysis.agents.pathologies.shares import wilson
from swarmscope.analysis.agents.pathologies.window import FleetWindow
from swarmscope.analysis.agents.row_groups import grouped_rows
from swarmscope.model.agents import NO_TEXT, AgentOperation
from swarmscope.model.fleet import Finding, FindingKind
from swarmscope.model.spans import SpanStatus


def find_retry_storms(window: FleetWindow) -> list[Finding]:
    """One finding for an agent and tool: by failures in a row within one run, else by the share of failures."""
    spans, settings = window.spans, window.settings
    chosen = window.is_step & (spans.agent != NO_TEXT)
    rows = window.order[chosen[window.order]]
    if not len(rows):
        return []
    failed = spans.status[rows] == SpanStatus.ERROR
    if int(failed.sum()) < settings.min_retries:
        return []
    found: dict[str, Finding] = {}
    columns = (window.run_key, spans.agent, spans.operation, spans.tool)
    firsts, group = grouped_rows([column[rows] for column in columns])
    best = _rows_of_failures(
        group, failed, spans.start_ns[rows], spans.end_ns[rows], np.array([len(firsts), settings.retry_gap_ns])
    )
    for count, first, last in best[best[:, 0] >= settings.min_retries].tolist():
        if window.now_ns - spans.end_ns[rows[last]] <= settings.retry_gap_ns:
            mine = rows[first : last + 1][(group[first : last + 1] == group[last])]
            finding = _finding(window, mine, surplus(count, settings.min_retries), {"failures_in_a_row": count})
            found.setdefault(finding.id, finding)
    for finding in _by_share(window, rows, failed):
        found.setdefault(finding.id, finding)
    return list(found.values())


def _by_share(window: FleetWindow, rows: NDArray[np.int64], failed: NDArray[np.bool_]) -> list[Finding]:
    spans, settings = window.spans, window.settings
    firsts, group = grouped_rows([spans.agent[rows], spans.operation[rows], spans.tool[rows]])
    recent = spans.end_ns[rows] > window.now_ns - settings.storm_ns
    n = len(firsts)
    steps, errors = np.bincount(group[recent], minlength=n), np.bincount(group[recent & failed], minlength=n)
    base_steps = np.bincount(group[~recent], minlength=n)
    base_errors = np.bincount(group[~recent & failed], minlength=n)
    low, _ = wilson(errors, steps)
    # A base of nothing has an upper bound of 1: then only failures in a row tell.
    _, base_high = wilson(base_errors, base_steps)
    storm = (errors >= settings.min_storm_errors) & (low > settings.storm_ratio * base_high)
    found = []
    for number in np.flatnonzero(storm).tolist():
        mine = rows[(group == number) & recent & failed]
        counts: dict[str, object] = {
            "errors": int(errors[number]), "steps": int(steps[number]),
            "base_errors": int(base_errors[number]), "base_steps": int(base_steps[number]),
        }  # fmt: skip
        confidence = surplus(float(low[number]), settings.storm_ratio * float(base_high[number]))
        found.append(_finding(window, mine, confidence, counts))
    return found


def _finding(window: FleetWindow, rows: NDArray[np.int64], confidence: float, counts: dict[str, object]) -> Finding:
    spans, last = window.spans, int(rows[-1])
    operation, tool = AgentOperation(int(spans.operation[last])).label, window.name(spans.tool[last])
    name, error = window.name(spans.agent[last]), window.name(spans.error_type[last])
    step = f"{operation} {tool}".strip()
    evidence: dict[str, object] = {
        "operation": operation, "tool": tool, "error_type": error, **counts,
        "threshold": window.settings.min_retries if "failures_in_a_row" in counts else window.settings.storm_ratio,
        **shown(spans, rows.tolist()),
    }  # fmt: skip
    how_often = counts.get("failures_in_a_row", counts.get("errors"))
    summary = f"{step} of {name} failed {how_often} times" + (f" with {error}" if error else "")
    told = (summary, evidence, (operation, tool))
    begin_ns = int(spans.start_ns[rows[0]])
    return to_finding(window, FindingKind.RETRY_STORM, [int(spans.agent[last])], begin_ns, confidence, told)


@njit(nogil=True, cache=True)
def _rows_of_failures(
    group: NDArray[np.int64],
    failed: NDArray[np.bool_],
    start_ns: NDArray[np.int64],
    end_ns: NDArray[np.int64],
    bounds: NDArray[np.int64],  # number of groups, longest gap
) -> NDArray[np.int64]:
    """Of each group [n_groups, 3]: the last row of failures that is long enough to be the longest, first and last."""
    now = np.zeros((bounds[0], 4), np.int64)  # count, first, last, end
    best = np.zeros((bounds[0], 3), np.int64)
    for row in range(len(group)):
        state = now[group[row]]
        if not failed[row]:
            state[0] = 0
            continue
        if state[0] > 0 and start_ns[row] - state[3] > bounds[1]:
            state[0] = 0
        if state[0] == 0:
            state[1] = row
        state[0] += 1
        state[2], state[3] = row, end_ns[row]
        if state[0] >= best[group[row], 0]:
            best[group[row]] = state[:3]
    return best
