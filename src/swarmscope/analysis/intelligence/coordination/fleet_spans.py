"""What coordination is measured from: spans by row, with their agents, tasks and causes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.model.agents import NO_TEXT, AgentOperation, AgentSpans
from swarmscope.model.spans import SpanStatus

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_TOOL_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd: it mixes small codes into all bits of a hash
_OPERATION_FACTOR = np.uint64(0xC2B2AE3D27D4EB4F)


class FleetSpans(NamedTuple):
    """Spans of a window, in any order; arrays [n] unless said."""

    trace: Integers
    """From 0; traces that links join are one."""
    parent: Integers
    """A row of the same trace, or -1."""
    agent: Integers
    """From 0; -1 for nobody's."""
    task: NDArray[np.uint64]
    """Hash of the operation and its normalised input; 0 where there is none."""
    start_ns: Integers
    end_ns: Integers
    """Of open spans the end of the window."""
    is_ended: Flags
    is_ok: Flags
    """Ended, and not with an error."""
    is_queue_wait: Flags
    """The span does nothing but wait for a queue."""
    link_from: Integers
    """[n_links] rows that link."""
    link_to: Integers
    """[n_links] rows that they link to."""


def fleet_spans(spans: AgentSpans, window_end_ns: int) -> tuple[FleetSpans, NDArray[np.uint32]]:
    """Return the columns of normalised spans, and the vocabulary's codes [n_agents] of the agents that they number.

    Spans without an agent are their parents' agent's. Parents and links outside of the window do not count, and later
    rows of one span neither. What waits for a queue cannot be told from these columns: `is_queue_wait` is false.
    """
    keys, rows = np.unique(spans.span_key, return_index=True)
    spans = spans.take(np.sort(rows).astype(np.int64))
    order = np.argsort(spans.span_key)
    parent = _rows_of(spans.parent_key, keys, order)
    link_from = np.repeat(np.arange(len(spans)), np.diff(spans.link_offsets))
    link_to = _rows_of(spans.link_key, keys, order)
    held = (link_to >= 0) & (link_to != link_from)
    _, trace = np.unique(np.ascontiguousarray(spans.trace_id).view("V16").ravel(), return_inverse=True)
    joined_from = np.concatenate([trace[link_from[held]], trace[parent >= 0]])
    joined_to = np.concatenate([trace[link_to[held]], trace[parent[parent >= 0]]])
    told = _inherited(spans.agent, parent)
    codes = np.unique(told[told != NO_TEXT])
    is_ended = spans.end_ns > 0
    end_ns = np.where(is_ended, spans.end_ns, np.maximum(window_end_ns, spans.start_ns))
    found = FleetSpans(
        trace=_joined(trace, joined_from, joined_to),
        parent=parent,
        agent=np.where(told == NO_TEXT, -1, np.searchsorted(codes, told)),
        task=_tasks(spans),
        start_ns=spans.start_ns,
        end_ns=np.maximum(end_ns, spans.start_ns),
        is_ended=is_ended,
        is_ok=is_ended & (spans.status != SpanStatus.ERROR),
        is_queue_wait=np.zeros(len(spans), np.bool_),
        link_from=link_from[held],
        link_to=link_to[held],
    )
    return found, codes


def depths(parent: Integers) -> Integers:
    """Return how many ancestors each row has. Raises ModelError, which names a row, where parents go in a circle."""
    depth, above = (parent >= 0).astype(np.int64), parent.copy()
    for _ in range(len(parent).bit_length() + 1):
        climbing = np.flatnonzero(above >= 0)
        if not len(climbing):
            return depth
        depth[climbing] += depth[above[climbing]]
        above[climbing] = above[above[climbing]]
    raise ModelError(f"the parents of span {np.flatnonzero(above >= 0)[0]} go in a circle")


def without_agent(spans: FleetSpans, agent: int) -> FleetSpans:
    """Return what is left when an agent's spans are taken out; what these caused hangs from their own parents then.

    Agents after it move up by one number. Raises ModelError where parents go in a circle.
    """
    kept = spans.agent != agent
    parent = spans.parent.copy()
    depths(parent)  # circles would never end below
    while len(inside := np.flatnonzero((parent >= 0) & ~kept[parent])):
        parent[inside] = parent[parent[inside]]
    new_row = np.where(kept, np.cumsum(kept) - 1, -1)
    links = kept[spans.link_from] & kept[spans.link_to]
    columns = {name: getattr(spans, name)[kept] for name in FleetSpans._fields[:-2]}
    left = parent[kept]
    columns["parent"] = np.where(left >= 0, new_row[left], -1)
    columns["agent"] = columns["agent"] - (columns["agent"] > agent)
    return FleetSpans(**columns, link_from=new_row[spans.link_from[links]], link_to=new_row[spans.link_to[links]])


def _rows_of(wanted: NDArray[np.uint64], keys: NDArray[np.uint64], order: Integers) -> Integers:
    """The row of each wanted key, -1 where there is none; `order` sorts rows into `keys`."""
    if not len(keys):
        return np.full(len(wanted), -1, np.int64)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where((keys[at] == wanted) & (wanted != 0), order[at], -1)


def _inherited(agent: NDArray[np.uint32], parent: Integers) -> NDArray[np.uint32]:
    """Each row's agent, else that of the nearest ancestor that has one."""
    told, above = agent.copy(), parent.copy()
    for _ in range(len(parent).bit_length() + 1):
        asking = np.flatnonzero((told == NO_TEXT) & (above >= 0))
        if not len(asking):
            break
        # The ancestor's answer and how far it has looked, both as of before this round.
        answers, further = told[above[asking]], above[above[asking]]
        told[asking], above[asking] = answers, further
    return told


def _joined(trace: Integers, one: Integers, other: Integers) -> Integers:
    n = int(trace.max()) + 1 if len(trace) else 0
    if not n:
        return trace.astype(np.int64)
    _, group = connected_components(coo_array((np.ones(len(one), np.int8), (one, other)), shape=(n, n)), directed=False)
    return np.asarray(group[trace], np.int64)


def _tasks(spans: AgentSpans) -> NDArray[np.uint64]:
    step = spans.operation.astype(np.uint64) * _OPERATION_FACTOR ^ spans.tool.astype(np.uint64) * _TOOL_FACTOR
    is_task = (spans.content != 0) & (spans.operation != AgentOperation.NONE)
    return np.where(is_task, np.maximum(spans.content ^ step, np.uint64(1)), np.uint64(0))
