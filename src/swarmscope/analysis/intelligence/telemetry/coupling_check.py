"""Whether units act together within a bin, which a model of transitions between bins cannot hold.

A state-by-node model takes units' next states as independent given the state before. What is left of each unit after
the model's prediction is compared pair by pair; where that is correlated, bins are too wide for what goes on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from swarmscope.analysis.intelligence.statistics.false_discovery import benjamini_hochberg

MAX_SHARE = 0.05
"""Of pairs that may be correlated."""
MIN_CORRELATION = 0.15
"""Less is no more than a fiftieth of the variance: of long windows tests find that too, and it does not matter."""


class CouplingCheck(NamedTuple):
    """What was left together within bins."""

    is_coupled: bool
    share: float
    """Of pairs that are correlated, at a false discovery rate of 5 %."""
    strongest: float
    """The correlation that is greatest in size."""
    pair: tuple[int, int]
    """Whose it is."""


def check_coupling(before: NDArray[np.int64], on_after: NDArray[np.bool_], tpm: NDArray[np.float64]) -> CouplingCheck:
    """Compare what `tpm` [2**n, n] leaves of units' next states.

    `before` is [n_transitions] codes of states, `on_after` [n_transitions, n] the states that followed.
    """
    left = on_after - tpm[before]
    left = left - left.mean(axis=0)
    size = np.sqrt((left**2).sum(axis=0))
    size[size == 0.0] = 1.0
    correlations = (left.T @ left) / np.outer(size, size)
    of, other = np.triu_indices(len(correlations), 1)
    pairs = correlations[of, other]
    p_values = erfc(np.abs(np.arctanh(np.clip(pairs, -0.999999, 0.999999))) * np.sqrt(max(len(before) - 3, 1) / 2.0))
    coupled = benjamini_hochberg(p_values) & (np.abs(pairs) >= MIN_CORRELATION)
    strongest = int(np.abs(pairs).argmax())
    share = float(coupled.mean())
    return CouplingCheck(share > MAX_SHARE, share, float(pairs[strongest]), (int(of[strongest]), int(other[strongest])))
