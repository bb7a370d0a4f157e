"""The topology of a fleet: agents' interactions, what they use, and the service graph."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from swarmscope.analysis.agents.graphs import Graph
from swarmscope.analysis.rootcause.topology import Dependency, Node, NodeKind, Topology, to_topology
from swarmscope.model.agents import NO_TEXT, Vocabulary
from swarmscope.model.fleet import Usage, UsageMeasure

# They tell who spoke after whom, and nothing of who needs whom.
_NO_DEPENDENCIES = ("conversation",)


def fleet_topology(
    graph: Graph | None = None,
    usage: Usage | None = None,
    vocabulary: Vocabulary | None = None,
    services: Iterable[tuple[str, str, float]] = (),
) -> Topology:
    """Of agents (`graph`), the tools and models that `usage` says they use (by agent, tool and model; needs its
    `vocabulary`), and `services` (client, server, requests).
    """
    found = [] if graph is None else _of_agents(graph)
    alone = [] if graph is None else [Node(NodeKind.AGENT, node.id) for node in graph.nodes]
    if usage is not None and vocabulary is not None:
        found += _of_usage(usage, vocabulary)
    found += [
        Dependency(Node(NodeKind.SERVICE, client), Node(NodeKind.SERVICE, server), weight)
        for client, server, weight in services
        if client and server and weight > 0
    ]
    return to_topology(found, alone)


def _of_agents(graph: Graph) -> list[Dependency]:
    return [
        Dependency(Node(NodeKind.AGENT, edge.source), Node(NodeKind.AGENT, edge.target), float(edge.count))
        for edge in graph.edges
        if edge.type not in _NO_DEPENDENCIES and edge.count > 0 and edge.source and edge.target
    ]


def _of_usage(usage: Usage, vocabulary: Vocabulary) -> list[Dependency]:
    found = []
    for kind, column, measure in (
        (NodeKind.TOOL, usage.tool, UsageMeasure.TOOL_CALLS),
        (NodeKind.MODEL, usage.model, UsageMeasure.INFERENCES),
    ):
        rows = np.flatnonzero((column != NO_TEXT) & (usage.agent != NO_TEXT) & (usage.measures[:, measure] > 0))
        pair = usage.agent[rows].astype(np.uint64) << np.uint64(32) | column[rows].astype(np.uint64)
        pairs, group = np.unique(pair, return_inverse=True)
        counts = np.bincount(group, usage.measures[rows, measure], len(pairs))
        found += [
            Dependency(
                Node(NodeKind.AGENT, vocabulary.text(both >> 32)), Node(kind, vocabulary.text(both & 0xFFFFFFFF)), count
            )
            for both, count in zip(pairs.tolist(), counts.tolist(), strict=True)
        ]
    return found
