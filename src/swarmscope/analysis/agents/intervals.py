"""How much time intervals cover, those that overlap once."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


def covered_ns(begin_ns: NDArray[np.int64], end_ns: NDArray[np.int64]) -> int:
    """The length of the union of intervals [n]; those that end before they begin are none."""
    group = np.zeros(len(begin_ns), np.int64)
    return int(covered_by(group, 1, begin_ns, end_ns)[0])


def covered_by(
    group: NDArray[np.int64], n_groups: int, begin_ns: NDArray[np.int64], end_ns: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The length [n_groups] of the union of the intervals [n] of each group."""
    lengths: NDArray[np.int64] = _swept(group, n_groups, begin_ns, end_ns, np.lexsort((begin_ns, group)))
    return lengths


@njit(nogil=True, cache=True)
def _swept(
    group: NDArray[np.int64],
    n_groups: int,
    begin_ns: NDArray[np.int64],
    end_ns: NDArray[np.int64],
    order: NDArray[np.int64],
) -> NDArray[np.int64]:
    lengths = np.zeros(n_groups, np.int64)
    last, until = -1, np.int64(0)
    for at in order:
        if group[at] != last:
            last, until = group[at], begin_ns[at]
        if end_ns[at] > until:
            lengths[last] += end_ns[at] - max(begin_ns[at], until)
            until = end_ns[at]
    return lengths
