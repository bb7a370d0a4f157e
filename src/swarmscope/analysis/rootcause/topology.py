"""Who depends on whom: agents, services, tools and models as one directed graph in plain edge arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class NodeKind(StrEnum):
    """What a node is."""

    AGENT = "agent"
    SERVICE = "service"
    TOOL = "tool"
    MODEL = "model"


class Node(NamedTuple):
    """Something that may fail, or suffer."""

    kind: NodeKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Dependency(NamedTuple):
    """`source` calls, hands to or uses `target`, so that what is wrong with `target` reaches `source`."""

    source: Node
    target: Node
    weight: float = 1.0  # how often, > 0


@dataclass(frozen=True, slots=True)
class Topology:
    """The graph. Edge k goes from node `source[k]`, which depends, to node `target[k]`; pairs are distinct."""

    nodes: tuple[Node, ...]
    source: NDArray[np.int64]  # [n_edges]
    target: NDArray[np.int64]  # [n_edges]
    weight: NDArray[np.float64]  # [n_edges]
    numbers: Mapping[Node, int] = field(default_factory=dict, compare=False)

    def __len__(self) -> int:
        return len(self.nodes)

    def strength(self) -> NDArray[np.float64]:
        """How much each edge [n_edges] matters to either side: the larger of its shares of what leaves its source
        and of what reaches its target, 0 … 1.
        """
        leaving = np.bincount(self.source, self.weight, len(self.nodes))
        reaching = np.bincount(self.target, self.weight, len(self.nodes))
        return np.maximum(self.weight / leaving[self.source], self.weight / reaching[self.target])

    def needs(self) -> NDArray[np.float64]:
        """How much of what leaves its source each edge [n_edges] is, 0 … 1."""
        leaving = np.bincount(self.source, self.weight, len(self.nodes))
        share: NDArray[np.float64] = self.weight / leaving[self.source]
        return share


def to_topology(dependencies: Iterable[Dependency], alone: Iterable[Node] = ()) -> Topology:
    """The graph of these dependencies; equal pairs are summed up, loops left out, `alone` are nodes without any.

    Nodes are in order of their names. Raises ValueError for a weight that is not above 0.
    """
    sums: dict[tuple[Node, Node], float] = {}
    names = set(alone)
    for source, target, weight in dependencies:
        if not weight > 0:
            raise ValueError(f"the weight of {source} on {target} is {weight}; it must be above 0")
        names |= {source, target}
        if source != target:
            sums[source, target] = sums.get((source, target), 0.0) + weight
    nodes = tuple(sorted(names))
    numbers = {node: number for number, node in enumerate(nodes)}
    pairs = sorted(sums)
    return Topology(
        nodes,
        np.array([numbers[source] for source, _ in pairs], np.int64),
        np.array([numbers[target] for _, target in pairs], np.int64),
        np.array([sums[pair] for pair in pairs], np.float64),
        numbers,
    )


NOTHING = to_topology(())
