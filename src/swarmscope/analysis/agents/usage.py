"""What agents did and used, by the minute."""

from __future__ import annotations

from swarmscope.analysis.agents.settled import Settled
from swarmscope.model.fleet import Usage


def to_usage(settled: Settled) -> Usage:
    """What is to be ADDED to the usage of the minutes in which the spans ended; no tokens and no money twice."""
    raise NotImplementedError
