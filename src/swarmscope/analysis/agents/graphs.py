"""The interaction graph of a range of time, and what is different between two."""

from __future__ import annotations

from dataclasses import dataclass

from swarmscope.model.agents import Vocabulary
from swarmscope.model.fleet import Edges, Usage


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One agent. Figures of its own work are None where no usage was handed in."""

    id: str
    team: str
    spans: int
    errors: int
    tokens: int
    cost_usd: float
    calls_in: int  # interactions of which it is the target
    calls_out: int


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """How one agent reached another in one way."""

    source: str
    target: str
    type: str
    count: int
    errors: int
    rate: float  # per second of the range
    mean_s: float
    p50_s: float
    p90_s: float
    p99_s: float
    payload_bytes: int
    cost_usd: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Graph:
    """Agents and their interactions; nodes by id, edges by source, target and type."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    range_s: float


def to_graph(
    edges: Edges,
    vocabulary: Vocabulary,
    range_s: float,
    usage: Usage | None = None,
    teams: dict[str, str] | None = None,
) -> Graph:
    """The graph of `edges`; `usage` (by agent, at least) and `teams` (by agent) fill in what nodes did themselves."""
    raise NotImplementedError
