"""Trace ids in numbers of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.query.traceql.trace_numbers import number_ids

EARLIEST_NS, LATEST_NS = -(1 << 63), (1 << 63) - 1


def distinct_ids(ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every id [n, width] once, in order of appearance."""
    return ids[number_ids(ids).first]


def known_ids(ids: NDArray[np.uint8], known: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of the ids [n, width] are among the `known`, which are distinct."""
    numbers = number_ids(np.concatenate([known, ids])).number[len(known) :]
    found: NDArray[np.bool_] = numbers < len(known)
    return found
