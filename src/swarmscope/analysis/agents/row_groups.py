"""Rows that are equal in all of their keys, found in one pass over hashes of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.agents.distinct_keys import distinct_keys
from swarmscope.model.byte_hash import mix


def grouped_rows(columns: Sequence[NDArray[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first row [m] of each group of rows that are equal in all `columns` [n], and the group [n] of each row."""
    keys = np.full(len(columns[0]), 1, np.uint64)
    for column in columns:
        _mix_in(keys, np.ascontiguousarray(column).astype(np.uint64))
    firsts, which = distinct_keys(np.maximum(keys, np.uint64(1)))
    return firsts, which - 1


@njit(nogil=True, cache=True)
def _mix_in(keys: NDArray[np.uint64], column: NDArray[np.uint64]) -> None:
    for row in range(len(keys)):
        keys[row] = mix(keys[row], column[row])


@njit(nogil=True, cache=True)
def summed_by(group: NDArray[np.int64], n_groups: int, measures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums [n_groups, k] of the measures [n, k]."""
    sums = np.zeros((n_groups, measures.shape[1]))
    for row in range(len(group)):
        for measure in range(measures.shape[1]):
            sums[group[row], measure] += measures[row, measure]
    return sums
