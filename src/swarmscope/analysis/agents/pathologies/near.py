"""Contents that are nearly the same: their simhashes differ in few bits (Charikar 2002)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def is_near(one: Any, other: Any, bits: int) -> bool:
    """Whether two simhashes (uint64) differ in at most `bits`; never where one is 0, which stands for none."""
    if one == np.uint64(0) or other == np.uint64(0):
        return False
    value = np.uint64(one ^ other)
    count = 0
    while value != np.uint64(0) and count <= bits:
        value &= value - np.uint64(1)
        count += 1
    return count <= bits
