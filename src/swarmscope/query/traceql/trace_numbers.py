"""Ids to numbers: equal ids get equal numbers, from 0 on in order of appearance."""

from __future__ import annotations

import secrets
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.byte_hash import hash_bytes
from swarmscope.model.byte_ranges import bytes_equal
from swarmscope.model.raw_memory import address_of

_SEED = secrets.randbits(63)


class Numbered(NamedTuple):
    """Which number each of n ids has, and where each number stands first."""

    number: NDArray[np.int64]  # [n]
    first: NDArray[np.int64]  # [n_distinct]


def number_ids(ids: NDArray[np.uint8]) -> Numbered:
    """Numbers of ids [n, width]."""
    return Numbered(*_number_ids(np.ascontiguousarray(ids), _SEED))


@njit(nogil=True, cache=True)
def _number_ids(ids: NDArray[np.uint8], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    n, width = ids.shape
    size = 16
    while size < 2 * n:
        size *= 2
    table = np.full(size, -1, np.int64)
    number, first = np.empty(n, np.int64), np.empty(n, np.int64)
    base = address_of(ids)
    count = 0
    for i in range(n):
        place = np.int64(hash_bytes(base + i * width, width, seed) & np.uint64(size - 1))
        while table[place] >= 0:
            other = first[table[place]]
            if bytes_equal(base + other * width, base + i * width, width):
                break
            place = (place + 1) & (size - 1)
        if table[place] < 0:
            table[place] = count
            first[count] = i
            count += 1
        number[i] = table[place]
    return number, first[:count].copy()
