"""Spending that runs away: far above what an agent is used to, or what runs cost.

Bases are medians, deviations from them the median's (MAD; Hampel 1974): a runaway does not lift its own base.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.agents.pathologies.evidence import shown, surplus, to_finding
from swarmscope.analysis.agents.pathologies.window import FleetWindow
from swarmscope.model.agents import NO_TEXT
from swarmscope.model.fleet import GRAIN_NS, Finding, FindingKind, UsageMeasure

_MAD_TO_SIGMA = 1.4826  # of a normal distribution
_LEAST_DEVIATION = 0.1  # of the median: a base that never varies would make any change an alarm


def find_runaway_costs(window: FleetWindow) -> list[Finding]:
    """One finding for an agent, and one for a run."""
    return _of_agents(window) + _of_runs(window)


def _of_agents(window: FleetWindow) -> list[Finding]:
    usage, settings = window.usage, window.settings
    if not len(usage):
        return []
    end_minute = window.now_ns // GRAIN_NS
    minute = usage.minute_ns // GRAIN_NS
    n_minutes = int(end_minute - minute.min()) + 1
    agents, which = np.unique(usage.agent, return_inverse=True)
    inside = (minute <= end_minute) & (minute > end_minute - n_minutes)
    at = (which[inside], (minute[inside] - (end_minute - n_minutes + 1)).astype(np.int64))
    cost, calls = np.zeros((2, len(agents), n_minutes))
    np.add.at(cost, at, usage.measures[inside, UsageMeasure.COST_USD])
    np.add.at(calls, at, usage.measures[inside, UsageMeasure.INFERENCES])
    width = settings.spend_minutes
    spend = cost[:, -width:].sum(axis=1)
    # Minutes before an agent's first only lower this median: whom it does not suspect is below the real limit too.
    running = np.cumsum(np.pad(cost[:, :-width], ((0, 0), (1, 0))), axis=1)
    sums = running[:, width:] - running[:, :-width]
    median = np.median(sums, axis=1) if sums.shape[1] else np.zeros(len(agents))
    suspects = (spend >= settings.min_runaway_usd) & (spend > settings.cost_ratio * median * (1 - 1e-9))
    suspects |= spend > settings.max_usd_per_minute * width
    found = []
    for row in np.flatnonzero(suspects).tolist():
        if agents[row] != NO_TEXT:
            finding = _of_agent(window, int(agents[row]), cost[row], calls[row])
            if finding is not None:
                found.append(finding)
    return found


def _of_agent(window: FleetWindow, agent: int, cost: NDArray[np.float64], calls: NDArray[np.float64]) -> Finding | None:
    settings, width = window.settings, window.settings.spend_minutes
    spend = float(cost[-width:].sum())
    # Minutes before the agent's first do not belong to its base.
    first = int(np.flatnonzero(cost)[0])
    base_cost, base_calls = cost[first:-width], calls[first:-width]
    is_absolute = spend > settings.max_usd_per_minute * width
    sums = np.convolve(base_cost, np.ones(width), "valid") if len(base_cost) >= width else np.zeros(0)
    median, limit = 0.0, settings.max_usd_per_minute * width
    dearer = one_run = 0.0
    if len(base_cost) >= settings.min_base_minutes:
        median = float(np.median(sums))
        sigma = max(_MAD_TO_SIGMA * float(np.median(np.abs(sums - median))), _LEAST_DEVIATION * median)
        limit = max(median + settings.cost_deviations * sigma, settings.cost_ratio * median, settings.min_runaway_usd)
        per_call = spend / max(float(calls[-width:].sum()), 1)
        base_per_call = float(base_cost.sum()) / max(float(base_calls.sum()), 1)
        dearer = per_call / base_per_call if base_per_call > 0 else 0.0
        one_run = _share_of_one_run(window, agent) if spend > limit else 0.0
    is_burst = dearer < settings.step_cost_ratio and one_run < 0.5
    if not is_absolute and (spend <= limit or is_burst):
        return None
    name = window.name(agent)
    evidence: dict[str, object] = {
        "spent_usd": spend, "minutes": width, "base_median_usd": median, "threshold_usd": limit,
        "cost_per_call_ratio": dearer, "share_of_one_run": one_run,
    }  # fmt: skip
    summary = f"{name} spent {spend:.2f} USD in {width} minutes, where {median:.2f} are usual"
    begin_ns = (window.now_ns // GRAIN_NS - width + 1) * GRAIN_NS
    told = (summary, evidence, ("agent",))
    return to_finding(window, FindingKind.RUNAWAY_COST, [agent], begin_ns, surplus(spend, limit), told)


def _share_of_one_run(window: FleetWindow, agent: int) -> float:
    """How much of what an agent spends just now it spends on its dearest run."""
    spans = window.spans
    since_ns = window.now_ns - window.settings.spend_minutes * GRAIN_NS
    mine = (spans.agent == agent) & (spans.end_ns > since_ns) & (spans.cost_usd > 0)
    if not mine.any():
        return 0.0
    _, which = np.unique(window.run[mine], return_inverse=True)
    costs = np.bincount(which, weights=spans.cost_usd[mine])
    # Of few calls one run has most in any case.
    return float(costs.max() / costs.sum()) if int(mine.sum()) >= window.settings.min_repeats else 0.0


def _of_runs(window: FleetWindow) -> list[Finding]:
    spans, settings = window.spans, window.settings
    cost = np.where(window.is_step & (spans.cost_usd > 0), spans.cost_usd, 0)
    if not cost.any():
        return []
    costs = np.bincount(window.run, weights=cost)
    paid = costs[costs > 0]
    if len(paid) < settings.min_base_runs:
        return []
    median = float(np.median(paid))
    sigma = max(_MAD_TO_SIGMA * float(np.median(np.abs(paid - median))), _LEAST_DEVIATION * median)
    # Runs are of several sorts, many cheap ones and some dear: what one of the dear sort costs is no runaway.
    usual_most = float(np.quantile(paid, 0.95))
    limit = max(
        median + settings.cost_deviations * sigma,
        settings.run_cost_ratio * median,
        settings.cost_ratio * usual_most,
        settings.min_runaway_run_usd,
    )
    found = []
    for number in np.flatnonzero(costs > limit).tolist():
        rows = window.order[((window.run == number) & (cost > 0))[window.order]]
        if window.now_ns - int(spans.end_ns[rows[-1]]) > settings.spend_minutes * GRAIN_NS:
            continue  # it was dear, and is over
        spent = np.bincount(spans.agent[rows], weights=cost[rows])
        agents = [code for code in np.flatnonzero(spent > 0.2 * spent.sum()).tolist() if code != NO_TEXT]
        run, total = window.run_name(int(rows[-1])), float(costs[number])
        evidence: dict[str, object] = {
            "run": run, "spent_usd": total, "base_median_usd": median, "threshold_usd": limit,
            **shown(spans, rows.tolist()),
        }  # fmt: skip
        summary = f"one run has cost {total:.2f} USD, where {median:.2f} are usual"
        told = (summary, evidence, ("run", run))
        begin_ns = int(spans.start_ns[rows[0]])
        found.append(to_finding(window, FindingKind.RUNAWAY_COST, agents, begin_ns, surplus(total, limit), told))
    return found
