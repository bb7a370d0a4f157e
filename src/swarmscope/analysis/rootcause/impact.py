"""Whom a failing node will strike: who depends on it, directly and through others, and how likely each is struck."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from swarmscope.analysis.rootcause.topology import Node, Topology


class Impact(NamedTuple):
    """One node that may suffer."""

    node: Node
    hops: int
    likelihood: float  # 0 … 1


def predict_impact(
    topology: Topology, cause: Node, *, max_hops: int = 3, min_likelihood: float = 0.02, max_nodes: int = 20
) -> list[Impact]:
    """Who suffers when `cause` fails altogether, the likeliest first; none where the topology does not know it.

    A node fails with the share of its work that goes to each failing dependency, independently of one another (a
    noisy-or, Pearl 1988), each taken at the fewest hops: paths do not go round.
    """
    number = topology.numbers.get(cause)
    if number is None:
        return []
    n = len(topology)
    fails, hops_of = np.zeros(n), np.full(n, -1)
    fails[number], hops_of[number] = 1.0, 0
    needs = topology.needs()
    for hops in range(1, max_hops + 1):
        edges = np.flatnonzero((hops_of[topology.target] == hops - 1) & (hops_of[topology.source] < 0))
        if not len(edges):
            break
        sound = np.ones(n)
        np.multiply.at(sound, topology.source[edges], 1.0 - needs[edges] * fails[topology.target[edges]])
        reached = np.unique(topology.source[edges])
        fails[reached], hops_of[reached] = 1.0 - sound[reached], hops
    found = [
        Impact(topology.nodes[at], int(hops_of[at]), float(fails[at]))
        for at in np.flatnonzero(hops_of > 0).tolist()
        if fails[at] >= min_likelihood
    ]
    return sorted(found, key=lambda each: (-each.likelihood, each.hops, each.node))[:max_nodes]
