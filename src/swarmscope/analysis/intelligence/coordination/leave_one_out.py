"""What a fleet loses without each of its agents."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.coordination.components import (
    Component,
    CoordinationOptions,
    composite,
    measure_coordination,
)
from swarmscope.analysis.intelligence.coordination.fleet_spans import FleetSpans, without_agent
from swarmscope.analysis.intelligence.coordination.uplift import ended_roots
from swarmscope.analysis.intelligence.statistics.wilson import wilson_interval


class WithoutAgent(NamedTuple):
    """The fleet without one agent. Observed, not tried: the agent's tasks may be the hard ones."""

    agent: int
    composite: float
    """Of what is left when the agent's spans are taken out; nan where it cannot be told."""
    loss: float
    """The whole fleet's composite less this: negative where the agent holds the others up."""
    components: tuple[Component, ...]
    work_share: float
    """Of all self-time."""
    success_difference: float
    """Share of traces that ended well with the agent, less those without; nan where there are none of either."""
    ci_low: float
    ci_high: float


def leave_one_out(
    spans: FleetSpans, n_agents: int, options: CoordinationOptions | None = None
) -> tuple[WithoutAgent, ...]:
    """Return what the fleet is without each of the agents 0 to `n_agents` − 1, in that order.

    The difference's interval is Newcombe's (Stat. Med. 17:873, 1998, method 10). One sweep over all spans an agent.
    Raises ModelError like `measure_coordination`.
    """
    chosen = replace(options or CoordinationOptions(), n_resamples=0)
    whole = measure_coordination(spans, n_agents, chosen)
    all_of_it = composite(whole.components, chosen.weights, chosen.least_events)
    total_ns = float(whole.self_ns.sum())
    roots = ended_roots(spans)
    found = []
    for agent in range(n_agents):
        rest = measure_coordination(without_agent(spans, agent), n_agents - 1, chosen)
        left = composite(rest.components, chosen.weights, chosen.least_events)
        value = math.nan if left is None else left
        loss = math.nan if all_of_it is None else all_of_it - value
        share = float(whole.self_ns[agent]) / total_ns if total_ns else math.nan
        took_part = np.isin(spans.trace[roots], spans.trace[spans.agent == agent])
        difference = difference_of_shares(_ends(spans, roots[took_part]), _ends(spans, roots[~took_part]))
        found.append(WithoutAgent(agent, value, loss, rest.components, share, *difference))
    return tuple(found)


def _ends(spans: FleetSpans, roots: NDArray[np.int64]) -> tuple[int, int]:
    return int(spans.is_ok[roots].sum()), len(roots)


def difference_of_shares(one: tuple[int, int], other: tuple[int, int]) -> tuple[float, float, float]:
    """Return the difference of two shares (successes, trials) and the ends of its 95 % interval; nan without trials."""
    if not one[1] or not other[1]:
        return math.nan, math.nan, math.nan
    p, q = one[0] / one[1], other[0] / other[1]
    (p_low, p_high), (q_low, q_high) = wilson_interval(*one), wilson_interval(*other)
    return p - q, p - q - math.hypot(p - p_low, q_high - q), p - q + math.hypot(p_high - p, q - q_low)
