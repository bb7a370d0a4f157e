"""A run that goes on without getting anywhere: many steps, and hardly any that was not done before."""

from __future__ import annotations

import numpy as np

from swarmscope.analysis.agents.pathologies.evidence import shown, to_finding
from swarmscope.analysis.agents.pathologies.window import FleetWindow
from swarmscope.analysis.agents.row_groups import grouped_rows
from swarmscope.model.agents import NO_TEXT
from swarmscope.model.fleet import Finding, FindingKind


def find_no_progress(window: FleetWindow) -> list[Finding]:
    """A step is new where its agent, tool and content were not seen in the run within the window."""
    spans, settings = window.spans, window.settings
    told = window.is_step & (spans.content != 0) & (spans.agent != NO_TEXT)
    rows = window.order[told[window.order]]
    if len(rows) < settings.min_steps:
        return []
    firsts, _ = grouped_rows([window.run_key[rows], spans.content[rows]])
    is_new = np.zeros(len(rows), np.bool_)
    is_new[firsts] = True
    recent = spans.end_ns[rows] > window.now_ns - settings.progress_ns
    rows, is_new = rows[recent], is_new[recent]
    run = window.run[rows]
    n_steps = np.bincount(run)
    n_new = np.bincount(run, weights=is_new, minlength=len(n_steps))
    stuck = (n_steps >= settings.min_steps) & (n_new <= settings.max_new_share * n_steps)
    found = []
    for number in np.flatnonzero(stuck).tolist():
        mine = rows[run == number]
        lasted_ns = int(spans.end_ns[mine].max() - spans.start_ns[mine].min())
        if lasted_ns < settings.min_stuck_ns:
            continue
        agents = np.unique(spans.agent[mine]).tolist()
        name = window.run_name(int(mine[-1]))
        steps, new = int(n_steps[number]), int(n_new[number])
        evidence: dict[str, object] = {
            "run": name, "steps": steps, "new_steps": new, "threshold_new_share": settings.max_new_share,
            "lasted_s": lasted_ns / 1e9, **shown(spans, mine.tolist()),
        }  # fmt: skip
        summary = f"{steps} steps in one run and only {new} of them new"
        # Surer the fewer are new: 0.6 at the threshold, 0.9 where there are none.
        confidence = 0.9 - 0.3 * (new / steps) / settings.max_new_share
        told_of = (summary, evidence, (name,))
        finding = to_finding(
            window, FindingKind.NO_PROGRESS, agents, int(spans.start_ns[mine].min()), confidence, told_of
        )
        found.append(finding)
    return found
