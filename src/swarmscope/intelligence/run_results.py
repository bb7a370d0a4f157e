"""How agents' runs ended, as results in which milestones of learning are looked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from swarmscope.intelligence.agent_window import AgentWindow
from swarmscope.intelligence.learning import Task
from swarmscope.model.agents import AgentOperation
from swarmscope.model.spans import SpanStatus

DOMAIN = "runs"
_NS_PER_S = 1_000_000_000
_MAX_RUNS = 2_000  # of one look: a result costs up to half a millisecond


class Result(NamedTuple):
    """One more value of a task."""

    task: Task
    value: float
    time_ns: int


def run_results(window: AgentWindow, since_ns: int) -> Iterator[Result]:
    """Success and length of each run that ended at `since_ns` or later, in order of their ends; the newest 2,000."""
    columns = window.columns
    is_run = (columns["operation"] == AgentOperation.INVOKE_AGENT) & (columns["end_ns"] >= since_ns)
    rows = np.flatnonzero(is_run)
    rows = rows[np.argsort(columns["end_ns"][rows], kind="stable")][-_MAX_RUNS:]
    for row in rows.tolist():
        agent = window.agents.get(int(columns["agent"][row]))
        if agent is None:
            continue
        end_ns = int(columns["end_ns"][row])
        is_ok = columns["status"][row] != SpanStatus.ERROR
        yield Result(Task(agent, DOMAIN, "success", higher_is_better=True, is_success=True), float(is_ok), end_ns)
        if is_ok:
            length_s = (end_ns - int(columns["start_ns"][row])) / _NS_PER_S
            yield Result(Task(agent, DOMAIN, "duration", higher_is_better=False), length_s, end_ns)
