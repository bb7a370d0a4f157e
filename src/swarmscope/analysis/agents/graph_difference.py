"""What is different between two graphs: of two ranges of time, or of two versions."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from swarmscope.analysis.agents.graphs import Graph, GraphEdge, GraphNode
from swarmscope.model.fleet import Edges

_MAX_P_VALUE = 0.01
_MIN_SHARE_CHANGE = 0.01
_RATE_RATIO = 2.0
_LATENCY_RATIO = 1.5  # wider than a bucket of durations (1.26), so that it is not the reading's error
_MIN_COUNT = 20  # of interactions in both, for latencies to be compared


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
    """What `after` has that `before` has not, the other way round, and what changed.

    Error shares and rates have to differ by more than chance (a two-proportion test and its like for Poisson counts,
    both at 1 %), and by enough to matter; percentiles by more than their buckets are wide.
    """
    old_nodes, new_nodes = ({node.id: node for node in graph.nodes} for graph in (before, after))
    old_edges = {(edge.source, edge.target, edge.type): edge for edge in before.edges if edge.count}
    new_edges = {(edge.source, edge.target, edge.type): edge for edge in after.edges if edge.count}
    ranges_s = (before.range_s, after.range_s)
    changes = [_to_change(old_edges[ends], edge, ranges_s) for ends, edge in new_edges.items() if ends in old_edges]
    nodes = [(old_nodes[name], node) for name, node in new_nodes.items() if name in old_nodes]
    return GraphDifference(
        appeared_nodes=tuple(node for name, node in new_nodes.items() if name not in old_nodes),
        vanished_nodes=tuple(node for name, node in old_nodes.items() if name not in new_nodes),
        changed_nodes=tuple(pair for pair in nodes if _is_changed_node(*pair, ranges_s)),
        appeared_edges=tuple(edge for ends, edge in new_edges.items() if ends not in old_edges),
        vanished_edges=tuple(edge for ends, edge in old_edges.items() if ends not in new_edges),
        changed_edges=tuple(change for change in changes if change.reasons),
    )


def of_version(edges: Edges, version: int) -> Edges:
    """The edges of which either side has this version (a code); for `difference`."""
    rows = np.flatnonzero((edges.source_version == version) | (edges.target_version == version))
    return Edges(**{field.name: getattr(edges, field.name)[rows] for field in fields(Edges)})


def two_proportion_p_value(errors: tuple[int, int], counts: tuple[int, int]) -> float:
    """The chance of shares that differ this much or more if there were no difference; 1 where nothing can be said.

    The two-sided z-test with the pooled share (https://www.itl.nist.gov/div898/handbook/prc/section3/prc33.htm).
    """
    total = sum(counts)
    share = sum(errors) / total if total else 0.0
    if not all(counts) or not 0 < share < 1:
        return 1.0
    z = (errors[1] / counts[1] - errors[0] / counts[0]) / math.sqrt(share * (1 - share) * sum(1 / n for n in counts))
    return math.erfc(abs(z) / math.sqrt(2))


def _to_change(before: GraphEdge, after: GraphEdge, ranges_s: tuple[float, float]) -> EdgeChange:
    p_value = two_proportion_p_value((before.errors, after.errors), (before.count, after.count))
    share_change = after.errors / after.count - before.errors / before.count
    ratios = [_ratio(getattr(before, name), getattr(after, name)) for name in ("rate", "p50_s", "p90_s", "p99_s")]
    reasons = []
    if _is_other(ratios[0], _RATE_RATIO) and _rate_p_value((before.count, after.count), ranges_s) < _MAX_P_VALUE:
        reasons.append("rate")
    if p_value < _MAX_P_VALUE and abs(share_change) >= _MIN_SHARE_CHANGE:
        reasons.append("errors")
    is_enough = min(before.count, after.count) >= _MIN_COUNT
    if is_enough and any(_is_other(ratio, _LATENCY_RATIO) for ratio in ratios[1:3]):
        reasons.append("latency")
    return EdgeChange(before, after, ratios[0], share_change, p_value, ratios[1], ratios[2], ratios[3], tuple(reasons))


def _is_changed_node(before: GraphNode, after: GraphNode, ranges_s: tuple[float, float]) -> bool:
    counts, errors = (before.spans, after.spans), (before.errors, after.errors)
    if not all(counts):
        return any(counts)
    ratio = _ratio(counts[0] / max(ranges_s[0], 1e-9), counts[1] / max(ranges_s[1], 1e-9))
    if _is_other(ratio, _RATE_RATIO) and _rate_p_value(counts, ranges_s) < _MAX_P_VALUE:
        return True
    share_change = abs(errors[1] / counts[1] - errors[0] / counts[0])
    return share_change >= _MIN_SHARE_CHANGE and two_proportion_p_value(errors, counts) < _MAX_P_VALUE


def _rate_p_value(counts: tuple[int, int], ranges_s: tuple[float, float]) -> float:
    """The chance of rates that differ this much, by the normal approximation of Poisson counts."""
    if min(ranges_s) <= 0 or not sum(counts):
        return 1.0
    rate = sum(counts) / sum(ranges_s)
    z = (counts[1] / ranges_s[1] - counts[0] / ranges_s[0]) / math.sqrt(rate * sum(1 / range_s for range_s in ranges_s))
    return math.erfc(abs(z) / math.sqrt(2))


def _ratio(before: float, after: float) -> float:
    if before > 0:
        return after / before
    return math.inf if after > 0 else 1.0


def _is_other(ratio: float, factor: float) -> bool:
    return ratio >= factor or ratio <= 1 / factor
