"""How evenly agents contribute."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmscope.analysis.intelligence.errors import ModelError


def contribution_balance(contributions: ArrayLike) -> float:
    """Return 1 − G·A/(A − 1) of the contributions [A] with Gini coefficient G: 1 when equal, 0 when one does all.

    nan for fewer than two agents and where nobody contributes. Raises ModelError for negative contributions.
    """
    shares = _shares(contributions)
    n = len(shares)
    if n < 2 or not shares.any():
        return float("nan")
    ranks = np.arange(1, n + 1)
    gini = float(((2 * ranks - n - 1) * np.sort(shares)).sum() / n)
    return min(max(1.0 - gini * n / (n - 1), 0.0), 1.0)


def pielou_evenness(contributions: ArrayLike) -> float:
    """Return the entropy of the shares [A] divided by log A (Pielou 1966, J. Theor. Biol. 13:131); nan as above."""
    shares = _shares(contributions)
    if len(shares) < 2 or not shares.any():
        return float("nan")
    some = shares[shares > 0]
    return max(float(-(some * np.log(some)).sum() / np.log(len(shares))), 0.0)


def _shares(contributions: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(contributions, np.float64)
    wrong = np.flatnonzero(~(values >= 0) | ~np.isfinite(values))
    if len(wrong):
        raise ModelError(f"agent {wrong[0]} contributes {values[wrong[0]]}")
    return np.asarray(values / values.sum()) if values.any() else values
