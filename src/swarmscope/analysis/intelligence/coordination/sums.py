"""What each trace adds to the components of coordination."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.coordination.fleet_spans import FleetSpans
from swarmscope.analysis.intelligence.coordination.span_times import span_times
from swarmscope.analysis.intelligence.coordination.tasks import duplicates, hand_offs

Floats = NDArray[np.float64]


class Measure(IntEnum):
    """Columns of `FleetSums.by_trace`."""

    HAND_OFFS = 0
    HAND_OFFS_OK = 1
    SPANS = 2  # of agents
    WORK_NS = 3
    WAIT_NS = 4
    TEAM_SPANS = 5  # in traces of two agents or more
    EXCESS_NS = 6  # T₁ − T∞: work that was done beside other work
    ROOM_NS = 7  # T∞·(A − 1): what could have been
    TASKS = 8
    DUPLICATES = 9


class FleetSums(NamedTuple):
    """Sums from which components and their intervals are made."""

    by_trace: Floats
    """[n_traces, 10], columns by `Measure`."""
    self_ns: Floats
    """[n_agents] work of each agent."""


def fleet_sums(spans: FleetSpans, n_agents: int, retry_window_ns: int, duplicate_window_ns: int) -> FleetSums:
    """Return the sums of spans of the agents 0 to `n_agents` − 1. Raises ModelError where parents go in a circle."""
    n_traces = int(spans.trace.max(initial=-1)) + 1
    sums = np.zeros((n_traces, len(Measure)))
    times = span_times(spans)
    named = spans.agent >= 0

    def add(measure: Measure, rows: NDArray[np.int64], values: NDArray[np.generic] | None = None) -> None:
        sums[:, measure] = np.bincount(spans.trace[rows], values, minlength=n_traces)

    rows = np.flatnonzero(named)
    add(Measure.SPANS, rows)
    add(Measure.WORK_NS, rows, times.self_ns[rows])
    add(Measure.WAIT_NS, rows, times.wait_ns[rows])
    given = hand_offs(spans, retry_window_ns)
    add(Measure.HAND_OFFS, given.row)
    add(Measure.HAND_OFFS_OK, given.row[given.is_success])
    tasks, is_duplicate = duplicates(spans, duplicate_window_ns)
    add(Measure.TASKS, tasks)
    add(Measure.DUPLICATES, tasks[is_duplicate])
    pairs = np.unique(spans.trace[rows] * max(n_agents, 1) + spans.agent[rows])
    agents = np.bincount(pairs // max(n_agents, 1), minlength=n_traces)
    work = np.bincount(spans.trace, times.self_ns, minlength=n_traces)
    chain = np.zeros(n_traces)
    np.maximum.at(chain, spans.trace, times.chain_ns.astype(np.float64))
    is_team = agents > 1
    sums[:, Measure.TEAM_SPANS] = np.where(is_team, sums[:, Measure.SPANS], 0.0)
    sums[:, Measure.EXCESS_NS] = np.where(is_team, work - chain, 0.0)
    sums[:, Measure.ROOM_NS] = np.where(is_team, chain * (agents - 1), 0.0)
    self_ns = np.bincount(spans.agent[rows], times.self_ns[rows], minlength=n_agents)
    return FleetSums(sums, self_ns.astype(np.float64))
