"""How agents' runs ended, as results in which milestones of learning are looked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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


class RunLedger:
    """Counts each run of a tenant's agents once, those too whose spans come late. Not thread-safe."""

    def __init__(self, since_ns: int) -> None:
        """Runs that ended before are not looked at."""
        self._since_ns = since_ns
        self._known: NDArray[np.uint64] = np.zeros(0, np.uint64)  # of the window before

    def take(self, window: AgentWindow) -> list[Result]:
        """Results of runs that were not in any window before."""
        columns = window.columns
        is_run = (columns["operation"] == AgentOperation.INVOKE_AGENT) & (columns["end_ns"] >= self._since_ns)
        runs = columns["span_key"][is_run]
        is_new = is_run & ~np.isin(columns["span_key"], self._known)
        self._known = runs
        return list(run_results(window, np.flatnonzero(is_new)))


def run_results(window: AgentWindow, rows: NDArray[np.int64]) -> Iterator[Result]:
    """Success and length of some runs, in order of their ends; of the newest 2,000."""
    columns = window.columns
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
