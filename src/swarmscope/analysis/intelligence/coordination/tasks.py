"""Hand-offs that worked, and tasks that were done twice."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.coordination.fleet_spans import FleetSpans

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class HandOffs(NamedTuple):
    """Work that one agent gave another; arrays [n_hand_offs]."""

    row: Integers
    """The span of the agent that took over."""
    caller: Integers
    """The agent that it took over from."""
    is_success: Flags
    """It ended well, and the caller did not hand out the same task again at once."""


def hand_offs(spans: FleetSpans, retry_window_ns: int) -> HandOffs:
    """Return the ended spans whose parent, or what they link to, is of another agent.

    A caller that hands the same task (where inputs are known) out again within `retry_window_ns` after the end has not
    used what it got.
    """
    child = np.flatnonzero(spans.parent >= 0)
    rows = np.concatenate([child, spans.link_from])
    caller = spans.agent[np.concatenate([spans.parent[child], spans.link_to])]
    crosses = (caller >= 0) & (spans.agent[rows] >= 0) & (caller != spans.agent[rows]) & spans.is_ended[rows]
    rows, caller = rows[crosses], caller[crosses]
    _, first = np.unique(np.stack([rows, caller]), axis=1, return_index=True)
    rows, caller = rows[first], caller[first]
    group = _groups([spans.trace[rows], caller, spans.task[rows]])
    next_ns = _next_start(group, spans.start_ns[rows], spans.end_ns[rows])
    is_retried = (spans.task[rows] != 0) & (next_ns >= 0) & (next_ns - spans.end_ns[rows] <= retry_window_ns)
    return HandOffs(rows, caller, spans.is_ok[rows] & ~is_retried)


def duplicates(spans: FleetSpans, window_ns: int) -> tuple[Integers, Flags]:
    """Return the rows [m] of ended tasks, and which [m] of them others had done already or were doing.

    A task counts as done from its good end on for `window_ns`; a try that failed may be repeated. A span within one of
    the same task (the caller's and the callee's view of it) is no task of its own.
    """
    above = np.maximum(spans.parent, 0)
    is_inner = (spans.parent >= 0) & (spans.task[above] == spans.task)
    rows = np.flatnonzero((spans.task != 0) & spans.is_ended & ~is_inner)
    if not len(rows):
        return rows, np.zeros(0, np.bool_)
    rows = rows[np.lexsort((spans.start_ns[rows], spans.task[rows]))]
    group = _groups([spans.task[rows]])
    start_ns, end_ns, is_ok = spans.start_ns[rows], spans.end_ns[rows], spans.is_ok[rows]
    in_flight, known = _latest_before(group, end_ns)
    done, done_known = _latest_before(group, np.where(is_ok, end_ns, np.iinfo(np.int64).min))
    return rows, (known & (in_flight > start_ns)) | (done_known & (done >= start_ns - window_ns))


def _groups(columns: list[NDArray[np.generic]]) -> Integers:
    """Which rows are equal in all columns: numbers that ascend like the columns."""
    group = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        _, which = np.unique(column, return_inverse=True)
        _, group = np.unique(group * (int(which.max(initial=0)) + 1) + which, return_inverse=True)
    return group


def _next_start(group: Integers, start_ns: Integers, from_ns: Integers) -> Integers:
    """The first start in each row's group at or after `from_ns`, but its own; -1 for none."""
    times = np.unique(start_ns)
    width = len(times) + 1
    keys = group * width + np.searchsorted(times, start_ns)
    order = np.argsort(keys, kind="stable")
    own = np.empty(len(keys), np.int64)
    own[order] = np.arange(len(keys))
    at = np.searchsorted(keys[order], group * width + np.searchsorted(times, from_ns))
    at = np.maximum(at, np.where(start_ns >= from_ns, own + 1, 0))  # a span without length would find itself
    inside = at < len(keys)
    found = order[np.where(inside, at, 0)] if len(keys) else order
    return np.where(inside & (group[found] == group), start_ns[found], -1)


def _latest_before(group: Integers, values: Integers) -> tuple[Integers, Flags]:
    """The greatest value among earlier rows of each row's group (rows in order of groups), and where there is one."""
    distinct, rank = np.unique(values, return_inverse=True)
    reached = np.maximum.accumulate(group * len(distinct) + rank)
    before = np.concatenate([[0], reached[:-1]])
    known = np.concatenate([[False], group[1:] == group[:-1]])
    latest = distinct[before % len(distinct)]
    return latest, known & (latest > np.iinfo(np.int64).min)
