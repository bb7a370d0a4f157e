"""Which agents are the units of a model: declared ones, or the most active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError

REST = "rest"


class Units(NamedTuple):
    """The units of a model and whom each holds."""

    names: tuple[str, ...]
    unit_of: NDArray[np.int32]
    """[n_agents]: the position of each agent's unit in `names`; -1 where it belongs to none."""
    rule: str
    """`declared` or `most_active`. Units are never chosen for their Φ: a maximum over choices is biased upwards."""


def most_active_units(agents: Sequence[str], busy_ns: NDArray[np.generic], max_units: int) -> Units:
    """Return the most active agents as units, all others as one, called `rest`; ties go to the name that comes first.

    `busy_ns` is [n_agents]. Raises ModelError where it has another shape or no unit would be left.
    """
    if np.shape(busy_ns) != (len(agents),) or max_units < 2:
        raise ModelError(f"activities of {np.shape(busy_ns)} for {len(agents)} agents and at most {max_units} units")
    order = sorted(range(len(agents)), key=lambda agent: (-float(busy_ns[agent]), agents[agent]))
    alone = order if len(agents) <= max_units else order[: max_units - 1]
    names = [agents[agent] for agent in alone]
    unit_of = np.full(len(agents), len(alone), np.int32)
    unit_of[alone] = np.arange(len(alone), dtype=np.int32)
    if len(alone) < len(agents):
        names.append(REST if REST not in names else f"{REST} of the fleet")
    return Units(tuple(names), unit_of, "most_active")


def declared_units(agents: Sequence[str], members: Mapping[str, Sequence[str]]) -> Units:
    """Return the declared units (name → its agents), in their order; agents of none are left out.

    Raises ModelError where an agent is said to be in two units.
    """
    known = {agent: position for position, agent in enumerate(agents)}
    unit_of = np.full(len(agents), -1, np.int32)
    for unit, (name, of) in enumerate(members.items()):
        for agent in of:
            if agent not in known:
                continue
            if unit_of[known[agent]] not in (-1, unit):
                raise ModelError(f"agent {agent!r} is in {name!r} and in another unit")
            unit_of[known[agent]] = unit
    return Units(tuple(members), unit_of, "declared")
