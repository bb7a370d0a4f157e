"""Units with known laws: what a fit has to find again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RING = np.array([[1.0, 1.2, 0.0, 0.0], [0.0, 1.0, 1.2, 0.0], [0.0, 0.0, 1.0, 1.2], [1.2, 0.0, 0.0, 1.0]])
"""Couplings of four units, from → to: each holds its state and drives the next."""


def tpm_of(couplings: NDArray[np.float64], fields: NDArray[np.float64]) -> NDArray[np.float64]:
    """[2**n, n]: P(on next) = σ(field + Σ coupling · ±1)."""
    n_units = len(fields)
    signs = 2.0 * ((np.arange(1 << n_units)[:, None] >> np.arange(n_units)) & 1) - 1.0
    return 1.0 / (1.0 + np.exp(-(fields + signs @ couplings)))


def run(tpm: NDArray[np.float64], n_bins: int, seed: int) -> NDArray[np.bool_]:
    """[n_bins, n_units] states, from a random one on."""
    rng = np.random.default_rng(seed)
    n_units = tpm.shape[1]
    chances = rng.random((n_bins, n_units))
    powers = 1 << np.arange(n_units)
    on = np.empty((n_bins, n_units), bool)
    state = int(rng.integers(1 << n_units))
    for at in range(n_bins):
        on[at] = chances[at] < tpm[state]
        state = int(on[at] @ powers)
    return on


def independent(n_units: int, n_bins: int, seed: int) -> NDArray[np.bool_]:
    """Units that know nothing of each other: each holds its state more or less long, and is on more or less often."""
    rng = np.random.default_rng(seed)
    held = np.diag(rng.uniform(0.0, 1.2, n_units))
    return run(tpm_of(held, rng.uniform(-0.6, 0.6, n_units)), n_bins, seed + 10**6)
