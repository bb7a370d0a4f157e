"""What is different between two graphs: of two ranges of time, or of two versions."""

from __future__ import annotations

from dataclasses import dataclass

from swarmscope.analysis.agents.graphs import Graph, GraphEdge, GraphNode
from swarmscope.model.fleet import Edges


@dataclass(frozen=True, slots=True)
class EdgeChange:
    """An edge that is in both graphs and behaves differently."""

    before: GraphEdge
    after: GraphEdge
    rate_ratio: float  # after / before
    error_share_change: float  # after - before, -1 … 1
    error_p_value: float  # two-proportion test; 1 where nothing can be said
    p50_ratio: float
    p90_ratio: float
    p99_ratio: float
    reasons: tuple[str, ...]  # of "rate", "errors", "latency": what is different enough to be told


@dataclass(frozen=True, slots=True)
class GraphDifference:
    """All that appeared, vanished or changed."""

    appeared_nodes: tuple[GraphNode, ...]
    vanished_nodes: tuple[GraphNode, ...]
    changed_nodes: tuple[tuple[GraphNode, GraphNode], ...]  # before, after
    appeared_edges: tuple[GraphEdge, ...]
    vanished_edges: tuple[GraphEdge, ...]
    changed_edges: tuple[EdgeChange, ...]


def difference(before: Graph, after: Graph) -> GraphDifference:
    """What `after` has that `before` has not, the other way round, and what changed."""
    raise NotImplementedError


def of_version(edges: Edges, version: int) -> Edges:
    """The edges of which either side has this version (a code), with the versions left out; for `difference`."""
    raise NotImplementedError
