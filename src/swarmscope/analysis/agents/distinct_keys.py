"""Which keys there are among many, in the order of their first rows."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def distinct_keys(keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first row [m] of each key but 0, and for every row [n] which of these its key is, from 1 on; 0 for 0."""
    size = 16
    while size < 2 * len(keys):
        size *= 2
    table = np.zeros(size, np.int64)
    which = np.zeros(len(keys), np.int64)
    firsts = np.empty(len(keys), np.int64)
    n = 0
    for row in range(len(keys)):
        key = keys[row]
        if key == 0:
            continue
        at = np.int64(key >> np.uint64(20)) & (size - 1)
        while table[at] != 0 and keys[firsts[table[at] - 1]] != key:
            at = (at + 1) & (size - 1)
        if table[at] == 0:
            firsts[n] = row
            n += 1
            table[at] = n
        which[row] = table[at]
    return firsts[:n].copy(), which
