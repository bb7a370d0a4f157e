"""How close nodes of a topology are: the product of the strengths along the best short path between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.rootcause.topology import Node, Topology


class Closeness:
    """Answers for one topology; what was asked once is remembered. Not thread-safe."""

    def __init__(self, topology: Topology, max_hops: int, decay: float) -> None:
        """Each hop costs the factor `decay` times the root of its strength, in either direction."""
        n = len(topology)
        self._topology, self._max_hops = topology, max_hops
        factor = decay * np.sqrt(topology.strength()) if n else np.zeros(0)
        ends = np.concatenate([topology.source, topology.target])
        order = np.argsort(ends, kind="stable")
        self._other = np.concatenate([topology.target, topology.source])[order]
        self._factor = np.concatenate([factor, factor])[order]
        self._begin = np.searchsorted(ends[order], np.arange(n + 1))
        self._known: dict[Node, dict[Node, float]] = {}

    def around(self, node: Node) -> dict[Node, float]:
        """All nodes within reach of one, itself with 1.0; only itself where the topology does not know it."""
        if node not in self._known:
            self._known[node] = self._search(node)
        return self._known[node]

    def _search(self, node: Node) -> dict[Node, float]:
        number = self._topology.numbers.get(node)
        if number is None:
            return {node: 1.0}
        best = np.zeros(len(self._topology))
        best[number] = 1.0
        front = np.array([number])
        for _ in range(self._max_hops):
            edges = _spread(self._begin[front], self._begin[front + 1])
            reached = np.zeros_like(best)
            sources = np.repeat(front, self._begin[front + 1] - self._begin[front])
            np.maximum.at(reached, self._other[edges], best[sources] * self._factor[edges])
            front = np.flatnonzero(reached > best)
            best = np.maximum(best, reached)
        return {self._topology.nodes[at]: float(best[at]) for at in np.flatnonzero(best).tolist()}


def _spread(begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers of all ranges [begin, end), one behind the other."""
    parts = [np.arange(first, last) for first, last in zip(begin.tolist(), end.tolist(), strict=True)]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
