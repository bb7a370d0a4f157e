"""Into which communities regions fall, and how clearly: Newman's modularity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def modularity(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.int64]]:
    """Return Q and the community [n] of each node, numbered by first members, for symmetric weights [n, n] ≥ 0.

    Communities are found by merging the two that gain most until none gains, those with the lowest numbers among equals
    (Clauset, Newman & Moore 2004, Phys. Rev. E 70:066111). The diagonal does not count. Without edges Q is 0 and each
    node is by itself.
    """
    n = len(weights)
    community = np.arange(n)
    edges = weights.astype(np.float64).copy()
    np.fill_diagonal(edges, 0.0)
    total = edges.sum()
    if total <= 0:
        return 0.0, community
    between = edges / total
    strength = between.sum(axis=1)
    quality = float(-(strength**2).sum())
    alive = np.ones(n, np.bool_)
    while alive.sum() > 1:
        gain = 2.0 * (between - np.outer(strength, strength))
        gain[~(alive[:, None] & alive[None, :])] = -np.inf
        gain[np.tril_indices(n)] = -np.inf
        best = int(gain.argmax())
        into, gone = divmod(best, n)
        if gain[into, gone] <= 1e-12:
            break
        quality += float(gain[into, gone])
        between[into] += between[gone]
        between[:, into] += between[:, gone]
        strength[into] += strength[gone]
        alive[gone] = False
        community[community == gone] = into
    return quality, np.unique(community, return_inverse=True)[1].astype(np.int64)
