"""The graph as Grafana's node graph panel takes it, in the form of its Node Graph API data source.

https://github.com/hoptical/nodegraph-api-plugin#required-endpoints
"""

from __future__ import annotations

from typing import Any

from swarmscope.analysis.agents.graphs import Graph, GraphEdge, GraphNode

_GOOD, _BAD = "green", "red"


def fields_json() -> dict[str, Any]:
    """What nodes and edges have."""
    node = [
        {"field_name": "id", "type": "string"},
        {"field_name": "title", "type": "string"},
        {"field_name": "subTitle", "type": "string"},
        {"field_name": "mainStat", "type": "string", "displayName": "Steps"},
        {"field_name": "secondaryStat", "type": "string", "displayName": "Cost"},
        {"field_name": "arc__good", "type": "number", "color": _GOOD, "displayName": "Good"},
        {"field_name": "arc__failed", "type": "number", "color": _BAD, "displayName": "Failed"},
        {"field_name": "detail__tokens", "type": "number", "displayName": "Tokens"},
        {"field_name": "detail__status", "type": "string", "displayName": "Status"},
    ]
    edge = [
        {"field_name": "id", "type": "string"},
        {"field_name": "source", "type": "string"},
        {"field_name": "target", "type": "string"},
        {"field_name": "mainStat", "type": "string", "displayName": "Interactions"},
        {"field_name": "secondaryStat", "type": "string", "displayName": "90 % within"},
        {"field_name": "detail__type", "type": "string", "displayName": "Type"},
        {"field_name": "detail__errors", "type": "number", "displayName": "Errors"},
        {"field_name": "detail__cost", "type": "number", "displayName": "Cost (USD)"},
    ]
    return {"nodes_fields": node, "edges_fields": edge}


def data_json(graph: Graph, states: dict[str, str]) -> dict[str, Any]:
    """Nodes and edges; the arc around a node is the share of its steps that went well."""
    return {
        "nodes": [_node(node, states.get(node.id, "")) for node in graph.nodes],
        "edges": [_edge(edge) for edge in graph.edges],
    }


def _node(node: GraphNode, status: str) -> dict[str, Any]:
    failed = node.errors / node.spans if node.spans else 0.0
    return {
        "id": node.id, "title": node.id, "subTitle": node.team, "mainStat": str(node.spans),
        "secondaryStat": f"${node.cost_usd:.4g}", "arc__good": 1 - failed, "arc__failed": failed,
        "detail__tokens": node.tokens, "detail__status": status,
    }  # fmt: skip


def _edge(edge: GraphEdge) -> dict[str, Any]:
    return {
        "id": "\x1f".join((edge.source, edge.target, edge.type)), "source": edge.source, "target": edge.target,
        "mainStat": str(edge.count), "secondaryStat": f"{edge.p90_s:.3g} s", "detail__type": edge.type,
        "detail__errors": edge.errors, "detail__cost": edge.cost_usd,
    }  # fmt: skip
