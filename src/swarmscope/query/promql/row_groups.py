"""Equal rows of label codes get equal group numbers."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True, error_model="numpy")
def _group_columns(codes: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    n_names, n = codes.shape
    size = 16
    while size < 2 * n:
        size *= 2
    slots = np.full(size, -1, np.int64)  # group by hash slot, open addressing
    ids = np.empty(n, np.int64)
    first = np.empty(n, np.int64)
    n_groups = 0
    for i in range(n):
        mixed = np.uint64(14695981039346656037)
        for k in range(n_names):
            mixed = (mixed ^ np.uint64(codes[k, i] + 1)) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        slot = np.int64(mixed & np.uint64(size - 1))
        while True:
            group = slots[slot]
            if group < 0:
                slots[slot] = n_groups
                first[n_groups] = i
                ids[i] = n_groups
                n_groups += 1
                break
            other = first[group]
            same = True
            for k in range(n_names):
                if codes[k, other] != codes[k, i]:
                    same = False
                    break
            if same:
                ids[i] = group
                break
            slot = (slot + 1) & (size - 1)
    return ids, first[:n_groups].copy()


def group_columns(codes: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(group of each series [n], first series of each group [n_groups]) for codes [n_names, n].

    Groups are numbered in the order of their first series; without names all are one group.
    """
    ids, first = _group_columns(np.ascontiguousarray(codes, dtype=np.int32))
    return ids, first
