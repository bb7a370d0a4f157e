"""What a trace waited for: its critical path, and the time in which spans wait for no child."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class SpanTree(NamedTuple):
    """Spans of one trace [n]."""

    parent: NDArray[np.int64]  # [n] a row; -1 for none, -2 for spans that are not to be looked at
    start_ns: NDArray[np.int64]  # [n]
    end_ns: NDArray[np.int64]  # [n] not before the start


Segments = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]  # row, begin_ns, end_ns


def critical_path(tree: SpanTree) -> Segments:
    """What was waited for, in order of time and without gaps; the row is -1 where no span of the trace was open."""
    order = np.lexsort((-tree.end_ns, tree.parent))
    spans, begin_ns, end_ns = _walked(tree, order, _firsts(tree.parent[order], len(order)))
    return spans[::-1], begin_ns[::-1], end_ns[::-1]


def own_time(tree: SpanTree) -> Segments:
    """The intervals in which each span is open and none of its children is."""
    order = np.lexsort((tree.start_ns, tree.parent))
    own: Segments = _own(tree, order, _firsts(tree.parent[order], len(order)))
    return own


def _firsts(parent: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Where the children [n + 3] of -2, -1, 0, … begin among sorted parents."""
    return np.searchsorted(parent, np.arange(-2, n + 1))


@njit(nogil=True, cache=True)
def _walked(tree: SpanTree, order: NDArray[np.int64], first: NDArray[np.int64]) -> Segments:
    """The path from its end to its beginning; a stack holds the spans that wait for one another."""
    n = len(tree.parent)
    rows, begins, ends = np.empty(2 * n + 2, np.int64), np.empty(2 * n + 2, np.int64), np.empty(2 * n + 2, np.int64)
    span, child = np.empty(n + 1, np.int64), np.empty(n + 1, np.int64)
    # Of each span on the stack: up to where its time is told for, and within what of its parent it counts.
    until, begin, end = np.empty(n + 1, np.int64), np.empty(n + 1, np.int64), np.empty(n + 1, np.int64)
    span[0], child[0] = -1, first[1]
    begin[0], end[0] = tree.start_ns.min(), tree.end_ns.max()
    until[0] = end[0]
    depth, m = 0, 0
    while depth >= 0:
        here = span[depth]
        if child[depth] >= first[here + 3]:
            if until[depth] > begin[depth]:
                rows[m], begins[m], ends[m] = here, begin[depth], until[depth]
                m += 1
            depth -= 1
            continue
        below = order[child[depth]]
        child[depth] += 1
        child_end = min(tree.end_ns[below], end[depth])
        child_begin = max(tree.start_ns[below], begin[depth])
        if child_end > until[depth] or child_begin >= child_end:
            continue
        if until[depth] > child_end:
            rows[m], begins[m], ends[m] = here, child_end, until[depth]
            m += 1
        until[depth] = child_begin
        depth += 1
        span[depth], child[depth] = below, first[below + 2]
        until[depth], begin[depth], end[depth] = child_end, child_begin, child_end
    return rows[:m], begins[:m], ends[:m]


@njit(nogil=True, cache=True)
def _own(tree: SpanTree, order: NDArray[np.int64], first: NDArray[np.int64]) -> Segments:
    n = len(tree.parent)
    rows, begins, ends = np.empty(2 * n, np.int64), np.empty(2 * n, np.int64), np.empty(2 * n, np.int64)
    m = 0
    for span in range(n):
        if tree.parent[span] == -2:
            continue
        at = tree.start_ns[span]
        for place in range(first[span + 2], first[span + 3]):
            child = order[place]
            child_begin = min(tree.start_ns[child], tree.end_ns[span])
            if child_begin > at:
                rows[m], begins[m], ends[m] = span, at, child_begin
                m += 1
            at = max(at, tree.end_ns[child])
        if tree.end_ns[span] > at:
            rows[m], begins[m], ends[m] = span, at, tree.end_ns[span]
            m += 1
    return rows[:m], begins[:m], ends[:m]
