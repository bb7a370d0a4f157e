"""The interaction graph of a range of time, and what is different between two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.agents.row_groups import grouped_rows, summed_by
from swarmscope.model.agents import NO_TEXT, InteractionType, Vocabulary
from swarmscope.model.fleet import (
    BUCKETS_PER_OCTAVE,
    FIRST_BOUND_NS,
    N_DURATION_BUCKETS,
    EdgeMeasure,
    Edges,
    Usage,
    UsageMeasure,
)

QUANTILES = (0.5, 0.9, 0.99)  # of `GraphEdge`, in order
_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One agent. Figures of its own work are 0 where no usage was handed in."""

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
    """The graph of `edges`; `usage` (by agent, at least) and `teams` (by agent) fill in what nodes did themselves.

    Minutes and versions are summed up. Percentiles are read from buckets that are 26 % wide, with the logarithm of
    the duration taken to be evenly spread within each: off by 26 % at worst, and mostly by a fifth of that.
    Percentiles are 0 where nothing was counted; such edges only tell of use inside earlier interactions.
    """
    firsts, group = grouped_rows([edges.source, edges.target, edges.type])
    sums = summed_by(group, len(firsts), edges.measures)
    durations = _summed_counts(group, len(firsts), edges.durations)
    quantiles = quantiles_of(durations)
    found = [
        _to_edge(
            (vocabulary.text(source), vocabulary.text(target), InteractionType(kind).label), measures, at_s, range_s
        )
        for source, target, kind, measures, at_s in zip(
            edges.source[firsts].tolist(),
            edges.target[firsts].tolist(),
            edges.type[firsts].tolist(),
            sums.tolist(),
            quantiles.tolist(),
            strict=True,
        )
    ]
    found.sort(key=lambda edge: (edge.source, edge.target, edge.type))
    return Graph(_to_nodes(found, vocabulary, usage, teams or {}), tuple(found), range_s)


def quantiles_of(durations: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Seconds [n, len(QUANTILES)] of counts by bucket [n, N_DURATION_BUCKETS]; 0 where nothing was counted."""
    upto = np.cumsum(durations, axis=1, dtype=np.int64)
    count = upto[:, -1:]
    found = np.zeros((len(durations), len(QUANTILES)))
    rows = np.arange(len(durations))
    for at, quantile in enumerate(QUANTILES):
        rank = quantile * count
        bucket = np.argmax(upto >= np.maximum(rank, 1e-9), axis=1)
        inside = durations[rows, bucket]
        before = upto[rows, bucket] - inside
        share = (rank[:, 0] - before) / np.maximum(inside, 1)
        exponent = (bucket - 1 + share) / BUCKETS_PER_OCTAVE
        value_ns = np.where(bucket == 0, share * FIRST_BOUND_NS, FIRST_BOUND_NS * 2.0**exponent)
        # Of the last bucket nothing is known but where it begins.
        open_ended = FIRST_BOUND_NS * 2.0 ** ((N_DURATION_BUCKETS - 2) / BUCKETS_PER_OCTAVE)
        value_ns = np.where(bucket == N_DURATION_BUCKETS - 1, open_ended, value_ns)
        found[:, at] = np.where(count[:, 0] > 0, value_ns / _NS_PER_S, 0)
    return found


def _to_edge(ends: tuple[str, str, str], measures: list[float], at_s: list[float], range_s: float) -> GraphEdge:
    count = measures[EdgeMeasure.COUNT]
    return GraphEdge(
        source=ends[0],
        target=ends[1],
        type=ends[2],
        count=round(count),
        errors=round(measures[EdgeMeasure.ERRORS]),
        rate=count / range_s if range_s > 0 else 0.0,
        mean_s=measures[EdgeMeasure.DURATION_S] / count if count else 0.0,
        p50_s=at_s[0],
        p90_s=at_s[1],
        p99_s=at_s[2],
        payload_bytes=round(measures[EdgeMeasure.PAYLOAD_BYTES]),
        cost_usd=measures[EdgeMeasure.COST_USD],
        tokens=round(measures[EdgeMeasure.TOKENS]),
    )


def _to_nodes(
    edges: list[GraphEdge], vocabulary: Vocabulary, usage: Usage | None, teams: dict[str, str]
) -> tuple[GraphNode, ...]:
    """All agents that have an edge or did something; those of no name are none."""
    calls: dict[str, list[int]] = {}
    for edge in edges:
        calls.setdefault(edge.source, [0, 0])[1] += edge.count
        calls.setdefault(edge.target, [0, 0])[0] += edge.count
    own: dict[str, list[float]] = {}
    if usage is not None:
        firsts, group = grouped_rows([usage.agent])
        sums = summed_by(group, len(firsts), usage.measures).tolist()
        own = {vocabulary.text(code): row for code, row in zip(usage.agent[firsts].tolist(), sums, strict=True)}
        told = np.flatnonzero(usage.team != NO_TEXT)
        known = dict(zip(usage.agent[told].tolist(), usage.team[told].tolist(), strict=True))
        teams = {vocabulary.text(agent): vocabulary.text(team) for agent, team in known.items()} | teams
    nothing = [0.0] * len(UsageMeasure)
    return tuple(
        GraphNode(
            id=name,
            team=teams.get(name, ""),
            spans=round(row[UsageMeasure.SPANS]),
            errors=round(row[UsageMeasure.ERRORS]),
            tokens=round(row[UsageMeasure.INPUT_TOKENS] + row[UsageMeasure.OUTPUT_TOKENS]),
            cost_usd=row[UsageMeasure.COST_USD],
            calls_in=calls.get(name, [0, 0])[0],
            calls_out=calls.get(name, [0, 0])[1],
        )
        for name in sorted((calls.keys() | own.keys()) - {""})
        for row in (own.get(name, nothing),)
    )


@njit(nogil=True, cache=True)
def _summed_counts(group: NDArray[np.int64], n_groups: int, counts: NDArray[np.uint32]) -> NDArray[np.uint32]:
    sums = np.zeros((n_groups, counts.shape[1]), np.uint32)
    for row in range(len(group)):
        for bucket in range(counts.shape[1]):
            sums[group[row], bucket] += counts[row, bucket]
    return sums
