"""How long agents take to agree."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError

Integers = NDArray[np.int64]


class Consensus(NamedTuple):
    """Rounds in which something was proposed."""

    median_ns: float
    """From a round's first proposal to its last agreement; nan where no round ended in one."""
    n_agreed: int
    n_open: int
    """Rounds with a proposal and no agreement after it."""


def consensus_latency(
    round_of: Integers, at_ns: Integers, is_proposal: NDArray[np.bool_], is_agreement: NDArray[np.bool_]
) -> Consensus:
    """Return how long rounds of events [n] took to agree; `round_of` numbers them from 0.

    Agreements before a round's first proposal do not count. Raises ModelError for rounds below 0.
    """
    if not len(round_of):
        return Consensus(float("nan"), 0, 0)
    if round_of.min() < 0:
        raise ModelError(f"event {int(round_of.argmin())} is of round {round_of.min()}")
    n_rounds, never, ever = int(round_of.max()) + 1, np.iinfo(np.int64).max, np.iinfo(np.int64).min
    first, last = np.full(n_rounds, never), np.full(n_rounds, ever)
    np.minimum.at(first, round_of[is_proposal], at_ns[is_proposal])
    np.maximum.at(last, round_of[is_agreement], at_ns[is_agreement])
    proposed = first < never
    agreed = proposed & (last >= first)
    median_ns = float(np.median((last - np.where(agreed, first, last))[agreed])) if agreed.any() else float("nan")
    return Consensus(median_ns, int(agreed.sum()), int((proposed & ~agreed).sum()))
