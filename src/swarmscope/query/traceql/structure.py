"""Structural operators: which spans stand in a relation to others of their set.

https://grafana.com/docs/tempo/latest/traceql/construct-traceql-queries/#structural
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.lang.traceql.registry import Relation, SpansetOperator
from swarmscope.query.traceql.trace_facts import TraceFacts
from swarmscope.query.traceql.trace_numbers import number_ids

Mask = NDArray[np.bool_]
_INVERSE = {
    Relation.CHILD: Relation.PARENT,
    Relation.PARENT: Relation.CHILD,
    Relation.DESCENDANT: Relation.ANCESTOR,
    Relation.ANCESTOR: Relation.DESCENDANT,
    Relation.SIBLING: Relation.SIBLING,
}


def relate(operator: SpansetOperator, left: Mask, right: Mask, group: NDArray[np.int64], facts: TraceFacts) -> Mask:
    """The spans [n] of `left operator right`; only spans of one `group` [n], which lies in one trace, are related."""
    if operator.relation is None:
        raise ValueError(f"{operator.name} is no structural operator")
    related = right & _related(operator.relation, left, group, facts)
    if operator.negated:
        return right & ~related
    if operator.union:
        return related | (left & _related(_INVERSE[operator.relation], right, group, facts))
    return related


def _related(relation: Relation, left: Mask, group: NDArray[np.int64], facts: TraceFacts) -> Mask:
    """Which spans [n] stand so to one on the left."""
    match relation:
        case Relation.CHILD:
            return _children(left, group, facts.parent)
        case Relation.PARENT:
            return _parents(left, group, facts.parent)
        case Relation.SIBLING:
            return _siblings(left, group, facts.family)
        case Relation.DESCENDANT:
            if _one_group_per_tree(group, facts.parent):
                return _descendants(left, facts.parent, facts.order)
            return _descendants_in_groups(left, group, facts.parent)
        case _:
            if _one_group_per_tree(group, facts.parent):
                return _ancestors(left, facts.parent, facts.order)
            return _ancestors_in_groups(left, group, facts.parent)


@njit(nogil=True, cache=True)
def _children(left: Mask, group: NDArray[np.int64], parent: NDArray[np.int64]) -> Mask:
    held = np.zeros(len(left), np.bool_)
    for row in range(len(left)):
        above = parent[row]
        held[row] = above >= 0 and left[above] and group[above] == group[row]
    return held


@njit(nogil=True, cache=True)
def _parents(left: Mask, group: NDArray[np.int64], parent: NDArray[np.int64]) -> Mask:
    held = np.zeros(len(left), np.bool_)
    for row in range(len(left)):
        above = parent[row]
        if left[row] and above >= 0 and group[above] == group[row]:
            held[above] = True
    return held


@njit(nogil=True, cache=True)
def _one_group_per_tree(group: NDArray[np.int64], parent: NDArray[np.int64]) -> bool:
    alone = True
    for row in range(len(group)):
        if parent[row] >= 0 and group[parent[row]] != group[row]:
            alone = False
    return alone


@njit(nogil=True, cache=True)
def _descendants(left: Mask, parent: NDArray[np.int64], order: NDArray[np.int64]) -> Mask:
    # Fast path: every span looks at its parent alone, which was looked at before.
    held = np.zeros(len(left), np.bool_)
    for row in order:
        above = parent[row]
        if above >= 0:
            held[row] = left[above] or held[above]
    return held


@njit(nogil=True, cache=True)
def _ancestors(left: Mask, parent: NDArray[np.int64], order: NDArray[np.int64]) -> Mask:
    held = np.zeros(len(left), np.bool_)
    for i in range(len(order) - 1, -1, -1):
        row = order[i]
        if parent[row] >= 0 and (left[row] or held[row]):
            held[parent[row]] = True
    return held


@njit(nogil=True, cache=True)
def _descendants_in_groups(left: Mask, group: NDArray[np.int64], parent: NDArray[np.int64]) -> Mask:
    # Slow path: behind a `by`, spans between two of a set may be of other sets.
    held = np.zeros(len(left), np.bool_)
    for row in range(len(left)):
        above = parent[row]
        while above >= 0 and not held[row]:
            held[row] = left[above] and group[above] == group[row]
            above = parent[above]
    return held


@njit(nogil=True, cache=True)
def _ancestors_in_groups(left: Mask, group: NDArray[np.int64], parent: NDArray[np.int64]) -> Mask:
    held = np.zeros(len(left), np.bool_)
    for row in range(len(left)):
        above = parent[row] if left[row] else -1
        while above >= 0:
            if group[above] == group[row]:
                held[above] = True
            above = parent[above]
    return held


def _siblings(left: Mask, group: NDArray[np.int64], family: NDArray[np.int64]) -> Mask:
    """Spans of one parent, whether that is here or not; none is its own sibling, and roots have none."""
    of_family = np.flatnonzero(family >= 0)
    held = np.zeros(len(left), np.bool_)
    if len(of_family):
        keys = np.stack([family[of_family], group[of_family]], axis=1)
        number = number_ids(keys.view(np.uint8)).number
        lefts = np.bincount(number, weights=left[of_family])
        held[of_family] = lefts[number] - left[of_family] > 0
    return held
