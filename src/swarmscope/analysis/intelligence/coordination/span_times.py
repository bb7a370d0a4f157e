"""Work, waiting and dependency chains of spans, in one sweep over their begins and ends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.coordination.fleet_spans import FleetSpans, depths

Integers = NDArray[np.int64]

# Columns of a span's state during the sweep.
_SELF, _WAIT, _CHAIN, _LAST, _OPEN, _LOCAL, _REMOTE = range(7)


class SpanTimes(NamedTuple):
    """What each span did with its time; arrays [n] in nanoseconds."""

    self_ns: Integers
    """Open, and none of its children."""
    wait_ns: Integers
    """Open, and of its children only some of other agents, or that wait for a queue."""
    chain_ns: Integers
    """The longest chain of self-times that had to be before its end, its own included: each span begins after what its
    parent has done so far and after the spans that it links to, and ends after the children that ended before it."""


class _Sweep(NamedTuple):
    time_ns: Integers  # [2n] begins, then ends
    order: Integers  # [2n] in which they are gone through
    parent: Integers  # [n]
    is_remote: NDArray[np.bool_]  # [n] of another agent than the parent, or waiting for a queue
    is_queue_wait: NDArray[np.bool_]  # [n]
    link_first: Integers  # [n + 1]
    link_to: Integers  # [n_links]


def span_times(spans: FleetSpans) -> SpanTimes:
    """Return the times of spans: Σ self is the work T₁ of a trace and the greatest chain its span T∞.

    R. P. Brent, J. ACM 21 (1974), and R. D. Blumofe & C. E. Leiserson, J. ACM 46 (1999), for work and span. A child
    that outlives its parent is not waited for. Raises ModelError where parents go in a circle.
    """
    n = len(spans.parent)
    depth = depths(spans.parent)
    time_ns = np.concatenate([spans.start_ns, spans.end_ns])
    # At one instant: ends (children first), begins (parents first), then ends of what has no length.
    phase = np.concatenate([np.ones(n, np.int64), np.where(spans.end_ns > spans.start_ns, 0, 2)])
    order = np.lexsort((np.concatenate([depth, -depth]), phase, time_ns))
    above = np.maximum(spans.parent, 0)
    by_row = np.argsort(spans.link_from, kind="stable")
    state = _swept(
        _Sweep(
            time_ns=time_ns,
            order=order,
            parent=np.ascontiguousarray(spans.parent, np.int64),
            is_remote=((spans.parent >= 0) & (spans.agent != spans.agent[above])) | spans.is_queue_wait,
            is_queue_wait=np.ascontiguousarray(spans.is_queue_wait, np.bool_),
            link_first=np.searchsorted(spans.link_from[by_row], np.arange(n + 1)),
            link_to=spans.link_to[by_row],
        )
    )
    return SpanTimes(state[:, _SELF], state[:, _WAIT], state[:, _CHAIN])


@njit(nogil=True, cache=True)
def _advance(state: Integers, row: int, time_ns: int, is_queue_wait: bool) -> None:
    """Count a span's time since it was last looked at."""
    if not state[row, _OPEN]:
        return
    passed_ns = time_ns - state[row, _LAST]
    state[row, _LAST] = time_ns
    if state[row, _LOCAL] > 0:
        return
    if state[row, _REMOTE] > 0 or is_queue_wait:
        state[row, _WAIT] += passed_ns
        return
    state[row, _SELF] += passed_ns
    state[row, _CHAIN] += passed_ns


@njit(nogil=True, cache=True)
def _swept(sweep: _Sweep) -> Integers:
    n = len(sweep.parent)
    state = np.zeros((n, 7), np.int64)
    for event in sweep.order:
        time_ns = sweep.time_ns[event]
        row = event if event < n else event - n
        above = sweep.parent[row]
        children = _REMOTE if sweep.is_remote[row] else _LOCAL
        if above >= 0:
            _advance(state, above, time_ns, sweep.is_queue_wait[above])
        if event < n:
            if above >= 0:
                state[above, children] += 1
                state[row, _CHAIN] = state[above, _CHAIN]
            for link in range(sweep.link_first[row], sweep.link_first[row + 1]):
                linked = sweep.link_to[link]
                _advance(state, linked, time_ns, sweep.is_queue_wait[linked])
                state[row, _CHAIN] = max(state[row, _CHAIN], state[linked, _CHAIN])
            state[row, _OPEN] = 1
            state[row, _LAST] = time_ns
            continue
        _advance(state, row, time_ns, sweep.is_queue_wait[row])
        state[row, _OPEN] = 0
        if above >= 0:
            state[above, children] -= 1
            if state[above, _OPEN]:
                state[above, _CHAIN] = max(state[above, _CHAIN], state[row, _CHAIN])
    return state
