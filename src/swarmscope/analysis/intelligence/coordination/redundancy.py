"""How many agents a fleet really has: those that do the same at the same time count once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError


class Redundancy(NamedTuple):
    """What of a fleet is more of the same."""

    effective_agents: float
    """From 1 (all the same) to the number of agents (all independent)."""
    redundancy: float
    """1 − (effective − 1)/(n − 1): 0 for independent agents, 1 for copies; nan for a single one."""
    n_agents: int
    constant: tuple[int, ...]
    """Agents that are left out, for they always do the same."""


def effective_agents(x: NDArray[np.generic]) -> Redundancy:
    """Return the effective number of independent agents behind activity or outcomes [n_samples, n].

    It is the participation ratio (Σλ)²/Σλ² of the correlation matrix' eigenvalues, which is n²/Σρ², with each ρ² less
    the 1/(n_samples − 1) that chance shows. Anticorrelated agents are as dependent as correlated ones. Raises
    ModelError for fewer than 3 samples, values that are not finite, and where all agents are constant.
    """
    values = np.asarray(x, np.float64)
    if values.ndim != 2 or len(values) < 3:
        raise ModelError(f"activity of shape {list(values.shape)}: 3 samples or more of agents are needed")
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        raise ModelError(f"agent {wrong[0][1]} is {values[tuple(wrong[0])]} in sample {wrong[0][0]}")
    is_constant = np.ptp(values, axis=0) == 0
    if is_constant.all():
        raise ModelError("all agents are constant")
    left_out = tuple(np.flatnonzero(is_constant).tolist())
    kept = values[:, ~is_constant]
    n = kept.shape[1]
    if n == 1:
        return Redundancy(1.0, float("nan"), 1, left_out)
    chance = 1.0 / (len(kept) - 1)
    squared = np.corrcoef(kept, rowvar=False) ** 2
    among = max(float((squared.sum() - np.trace(squared)) / (n * (n - 1)) - chance) / (1 - chance), 0.0)
    effective = n / (1.0 + (n - 1) * min(among, 1.0))
    return Redundancy(effective, 1.0 - (effective - 1.0) / (n - 1), n, left_out)
