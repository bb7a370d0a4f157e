"""What whole traces tell of their spans: parents, roots, depth, duration, nested sets.

Anything may be missing or wrong in what senders say: parents that are nowhere, spans that are their own ancestors, ids
that stand twice. Links that would close a circle are cut, so everything behind sees a forest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.spans import SpanRows
from swarmscope.query.traceql.trace_numbers import number_ids


class NestedSets(NamedTuple):
    """A walk through each trace from its roots, counted from 1; all 0 for a span that no root leads to.

    https://grafana.com/docs/tempo/latest/traceql/construct-traceql-queries/#intrinsic-fields
    """

    left: NDArray[np.int64]  # [n] when the walk comes to the span
    right: NDArray[np.int64]  # [n] when it leaves the span
    parent: NDArray[np.int64]  # [n] the parent's left, -1 for a root


@dataclass(slots=True)
class TraceFacts:
    """Of n spans of n_traces traces, all of them complete."""

    trace: NDArray[np.int64]  # [n] which trace
    parent: NDArray[np.int64]  # [n] the parent's row, -1 where there is none or it is not here
    family: NDArray[np.int64]  # [n] equal for spans of one parent, -1 for spans without
    order: NDArray[np.int64]  # [n] rows, every parent before its children
    root: NDArray[np.int64]  # [n_traces] row of the first span without parent, -1 where there is none
    trace_start_ns: NDArray[np.int64]  # [n_traces]
    trace_duration_ns: NDArray[np.int64]  # [n_traces] from the first start to the last end
    is_root: NDArray[np.bool_]  # [n] no parent is named
    start_ns: NDArray[np.int64]  # [n]
    _nested: list[NestedSets] = field(default_factory=list)

    def child_count(self) -> NDArray[np.int64]:
        """Number [n] of direct children."""
        linked = self.parent[self.parent >= 0]
        return np.bincount(linked, minlength=len(self.parent)).astype(np.int64)

    def nested_sets(self) -> NestedSets:
        """Made once."""
        if not self._nested:
            by_start = np.lexsort((self.start_ns, self.trace))
            self._nested.append(NestedSets(*_nested_sets(self.trace, self.parent, self.is_root, by_start)))
        return self._nested[0]


def has_parent(rows: SpanRows) -> NDArray[np.bool_]:
    """Which spans [n] name a parent, whether that is there or not."""
    there: NDArray[np.bool_] = np.ascontiguousarray(rows.parent_id).view(np.uint64).reshape(-1) != 0
    return there


def gather_facts(rows: SpanRows) -> TraceFacts:
    """Facts of all rows; ids and durations MUST be there."""
    trace, first = number_ids(rows.trace_id)
    n_traces = len(first)
    is_root = ~has_parent(rows)
    # Of spans that share an id the one that began first is the parent; its number is that of the id.
    own = number_ids(np.hstack([rows.trace_id, rows.span_id]))
    both = np.vstack([np.hstack([rows.trace_id, rows.span_id])[own.first], np.hstack([rows.trace_id, rows.parent_id])])
    numbers = number_ids(both).number
    family = numbers[len(own.first) :].copy()
    family[is_root] = -1
    parent = _link(own.number, family, len(own.first), rows.start_ns)
    _cut_circles(parent, rows.start_ns, np.ascontiguousarray(rows.span_id))
    ends = rows.start_ns + np.maximum(rows.duration_ns, 0)
    least, most = _extremes(trace, n_traces, rows.start_ns, ends)
    root = _first_roots(trace, n_traces, is_root, rows.start_ns)
    return TraceFacts(trace, parent, family, _parents_first(parent), root, least, most - least, is_root, rows.start_ns)


@njit(nogil=True, cache=True)
def _link(
    own: NDArray[np.int64], wanted: NDArray[np.int64], n_ids: int, start_ns: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The row of each span's parent; ids from `n_ids` on are nowhere."""
    holder = np.full(n_ids, -1, np.int64)
    for row in range(len(own)):
        other = holder[own[row]]
        if other < 0 or start_ns[row] < start_ns[other]:
            holder[own[row]] = row
    parent = np.full(len(own), -1, np.int64)
    for row in range(len(own)):
        if 0 <= wanted[row] < n_ids and wanted[row] != own[row]:
            parent[row] = holder[wanted[row]]
    return parent


@njit(nogil=True, cache=True)
def _cut_circles(parent: NDArray[np.int64], start_ns: NDArray[np.int64], span_id: NDArray[np.uint8]) -> None:
    """Take the parent from one span of every circle: the one that began first, of such the one with the least id."""
    walk = np.zeros(len(parent), np.int64)  # which walk came by first, from 1 on
    for begin in range(len(parent)):
        row = begin
        while row >= 0 and walk[row] == 0:
            walk[row] = begin + 1
            row = parent[row]
        # A walk that comes to its own steps has gone round.
        if row >= 0 and walk[row] == begin + 1:
            best, other = row, parent[row]
            while other != row:
                if _is_before(other, best, start_ns, span_id):
                    best = other
                other = parent[other]
            parent[best] = -1


@njit(nogil=True, cache=True)
def _is_before(a: int, b: int, start_ns: NDArray[np.int64], span_id: NDArray[np.uint8]) -> bool:
    if start_ns[a] != start_ns[b]:
        return bool(start_ns[a] < start_ns[b])
    for k in range(span_id.shape[1]):
        if span_id[a, k] != span_id[b, k]:
            return bool(span_id[a, k] < span_id[b, k])
    return a < b


@njit(nogil=True, cache=True)
def _extremes(
    trace: NDArray[np.int64], n_traces: int, start_ns: NDArray[np.int64], end_ns: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    least, most = np.zeros(n_traces, np.int64), np.zeros(n_traces, np.int64)
    seen = np.zeros(n_traces, np.bool_)
    for row in range(len(trace)):
        t = trace[row]
        if not seen[t] or start_ns[row] < least[t]:
            least[t] = start_ns[row]
        if not seen[t] or end_ns[row] > most[t]:
            most[t] = end_ns[row]
        seen[t] = True
    return least, most


@njit(nogil=True, cache=True)
def _first_roots(
    trace: NDArray[np.int64], n_traces: int, is_root: NDArray[np.bool_], start_ns: NDArray[np.int64]
) -> NDArray[np.int64]:
    root = np.full(n_traces, -1, np.int64)
    for row in range(len(trace)):
        if is_root[row]:
            other = root[trace[row]]
            if other < 0 or start_ns[row] < start_ns[other]:
                root[trace[row]] = row
    return root


@njit(nogil=True, cache=True)
def _parents_first(parent: NDArray[np.int64]) -> NDArray[np.int64]:
    """All rows of a forest, every parent before its children."""
    n = len(parent)
    order, placed = np.empty(n, np.int64), np.zeros(n, np.bool_)
    path = np.empty(n, np.int64)
    count = 0
    for begin in range(n):
        depth, row = 0, begin
        while row >= 0 and not placed[row]:
            path[depth] = row
            depth += 1
            placed[row] = True
            row = parent[row]
        while depth:
            depth -= 1
            order[count] = path[depth]
            count += 1
    return order


@njit(nogil=True, cache=True)
def _nested_sets(
    trace: NDArray[np.int64], parent: NDArray[np.int64], is_root: NDArray[np.bool_], by_start: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """`by_start`: rows by trace and start; children are walked in that order."""
    n = len(parent)
    child, sibling = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    for i in range(n - 1, -1, -1):
        row = by_start[i]
        if parent[row] >= 0:
            sibling[row] = child[parent[row]]
            child[parent[row]] = row
    left, right, above = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    counter, last_trace = 0, -1
    for i in range(n):
        begin = by_start[i]
        if trace[begin] != last_trace:
            counter, last_trace = 0, trace[begin]
        if not is_root[begin]:
            continue
        row = begin
        above[row] = -1
        while True:
            counter += 1
            left[row] = counter
            if child[row] >= 0:
                above[child[row]] = left[row]
                row = child[row]
                continue
            while True:
                counter += 1
                right[row] = counter
                if row == begin or sibling[row] >= 0:
                    break
                row = parent[row]
            if row == begin:
                break
            above[sibling[row]] = left[parent[row]]
            row = sibling[row]
    return left, right, above
