"""Small graphs and alerts, written down shortly."""

from __future__ import annotations

from swarmscope.analysis.rootcause.facts import AlertFact
from swarmscope.analysis.rootcause.topology import Dependency, Node, NodeKind, Topology, to_topology

S = 1_000_000_000
KINDS = {"t": NodeKind.TOOL, "m": NodeKind.MODEL, "s": NodeKind.SERVICE}


def node(name: str) -> Node:
    """`t:x` is a tool, `m:x` a model, `s:x` a service, all else an agent."""
    kind, _, rest = name.rpartition(":")
    return Node(KINDS.get(kind, NodeKind.AGENT), rest)


def graph(*edges: str) -> Topology:
    """`a b 3`: a depends on b, with weight 3 (1 where nothing is said)."""
    parts = [edge.split() for edge in edges]
    return to_topology(
        Dependency(node(part[0]), node(part[1]), float(part[2]) if len(part) > 2 else 1.0) for part in parts
    )


def alert(name: str, about: str, at_s: float = 0.0, **labels: str) -> AlertFact:
    label = {NodeKind.TOOL: "tool", NodeKind.MODEL: "model", NodeKind.SERVICE: "service", NodeKind.AGENT: "agent_name"}
    said = {"alertname": name, label[node(about).kind]: node(about).name, **labels}
    return AlertFact(said, round(at_s * S))
