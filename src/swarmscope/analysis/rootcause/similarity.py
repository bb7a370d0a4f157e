"""How much two alerts look like one trouble: a weighted mean of closeness in time, in labels and in the graph.

After Valdes & Skinner, "Probabilistic Alert Correlation" (RAID 2001): features of their own, each with a weight and
some with a least value, and a threshold for the mean. That of the graph is the features' counterpart of a topology.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from swarmscope.analysis.rootcause.facts import NODE_LABELS, SIGNAL_LABEL, AlertFact
from swarmscope.analysis.rootcause.topology import Node
from swarmscope.model.alerts import SEVERITY

_S = 1_000_000_000
# They say how bad or where it is, and not what it is.
_IGNORED = {SEVERITY, SIGNAL_LABEL, *NODE_LABELS}


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """When alerts are linked. Chosen on seeds 1 to 10 of the demo fleet (docs/incidents.md)."""

    threshold: float = 0.5
    # From here on two incidents are one; it is harder than joining, so that single alerts do not chain incidents up.
    merge_threshold: float = 0.8
    time_weight: float = 0.35
    label_weight: float = 0.25
    graph_weight: float = 0.4
    time_scale_ns: int = 60 * _S  # starts that far apart are close to 1/e
    max_gap_ns: int = 900 * _S  # starts farther apart are never linked
    max_hops: int = 2
    hop_decay: float = 0.9
    # Two alerts that both say to be a cause are the same trouble only if so much of their labels is equal.
    min_cause_labels: float = 0.5
    # What else is linked to a cause goes to it, even where a symptom of another trouble is that much more similar.
    cause_pull: float = 0.2
    max_candidates: int = 256  # the newest alerts of each label pair and node that a new one is compared with


class Similarity(NamedTuple):
    """The mean and its parts, each 0 … 1."""

    total: float
    time: float
    labels: float
    graph: float


NONE = Similarity(0.0, 0.0, 0.0, 0.0)


def label_pairs(fact: AlertFact) -> frozenset[tuple[str, str]]:
    """What of the labels says what it is."""
    return frozenset(pair for pair in fact.labels.items() if pair[0] not in _IGNORED)


def similarity(
    gap_ns: int,
    shared_pairs: int,
    all_pairs: int,
    graph: float,
    settings: LinkSettings,
) -> Similarity:
    """Of two alerts whose starts are `gap_ns` apart, with so many label pairs in both and in either of them.

    Without anything in common but the time they have none: NONE.
    """
    gap_ns = abs(gap_ns)
    labels = shared_pairs / all_pairs if all_pairs else 0.0
    if gap_ns > settings.max_gap_ns or (labels == 0.0 and graph == 0.0):
        return NONE
    near = math.exp(-gap_ns / settings.time_scale_ns)
    weights = settings.time_weight + settings.label_weight + settings.graph_weight
    total = settings.time_weight * near + settings.label_weight * labels + settings.graph_weight * graph
    return Similarity(total / weights, near, labels, graph)


def graph_closeness(around: Mapping[Node, float], nodes: tuple[Node, ...]) -> float:
    """The closest of `nodes` to what lies `around` the other alert's; 0 where none is in reach."""
    return max((around.get(node, 0.0) for node in nodes), default=0.0)
