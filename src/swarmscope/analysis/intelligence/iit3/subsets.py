"""Subsets of n units as bit masks, and the order in which purviews that tie are preferred."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Subsets(NamedTuple):
    """What is asked of subsets again and again; `subsets_of` makes it."""

    n_units: int
    sizes: NDArray[np.int64]
    """[2^n]: how many units are in each."""
    starts: NDArray[np.int64]
    """[2^n + 1]: where the 2^k states of each subset begin in a table of all subsets' states, 3^n long."""
    within: NDArray[np.uint8]
    """[2^n, 2^n]: `within[subset, state]` is the state of the subset's units alone, in as many bits as it has units."""
    preferred: NDArray[np.int64]
    """[2^n - 1]: all but the empty one, largest first, then in the order of their units."""


@lru_cache(maxsize=8)
def subsets_of(n_units: int) -> Subsets:
    """Return the subsets of n units, n ≤ 8; made once for each n."""
    count = 1 << n_units
    units = np.arange(n_units)
    members = (np.arange(count)[:, None] >> units & 1).astype(np.int64)
    sizes = members.sum(axis=1)
    places = np.cumsum(members, axis=1) - members  # bit of each unit within its subset
    within = ((members[:, None, :] & members[None, :, :]) << places[:, None, :]).sum(axis=2).astype(np.uint8)
    preferred = sorted(range(1, count), key=lambda subset: (-int(sizes[subset]), to_units(subset)))
    starts = np.concatenate([[0], np.cumsum(1 << sizes)])
    return Subsets(n_units, sizes, starts.astype(np.int64), within, np.array(preferred, np.int64))


@lru_cache(maxsize=1 << 16)
def to_units(subset: int) -> tuple[int, ...]:
    """Return the units of a subset, ascending."""
    return tuple(unit for unit in range(subset.bit_length()) if subset >> unit & 1)
