"""Interactions summed up to edges."""

from __future__ import annotations

from swarmscope.analysis.agents.settled import Settled
from swarmscope.model.fleet import Edges


def to_edges(settled: Settled) -> Edges:
    """The interactions by minute of their end, source, target, type and versions; to be ADDED to what there is."""
    raise NotImplementedError
