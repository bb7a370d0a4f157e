"""Interactions summed up to edges."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.agents.row_groups import grouped_rows, summed_by
from swarmscope.analysis.agents.settled import Interactions, Settled
from swarmscope.model.fleet import (
    BUCKETS_PER_OCTAVE,
    FIRST_BOUND_NS,
    GRAIN_NS,
    N_DURATION_BUCKETS,
    EdgeMeasure,
    Edges,
)

_NS_PER_S = 1e9
# Bucket i holds durations below _BOUNDS_NS[i], the last one the rest.
_BOUNDS_NS = np.array(
    [math.ceil(FIRST_BOUND_NS * 2 ** (i / BUCKETS_PER_OCTAVE)) for i in range(N_DURATION_BUCKETS - 1)], np.int64
)


def to_edges(settled: Settled) -> Edges:
    """The interactions by minute of their end, source, target, type and versions; to be ADDED to what there is.

    Rows with COUNT 0 tell what was used inside of interactions that are counted elsewhere.
    """
    found = settled.interactions
    minute_ns = found.end_ns - found.end_ns % GRAIN_NS
    firsts, group = grouped_rows([minute_ns, found.pair])
    pair = found.pair[firsts]
    durations = _counted_by(group, len(firsts), duration_buckets(found.duration_ns), found.count)
    return Edges(
        minute_ns=minute_ns[firsts],
        source=found.source[pair],
        target=found.target[pair],
        type=found.type[pair],
        source_version=found.source_version[pair],
        target_version=found.target_version[pair],
        measures=summed_by(group, len(firsts), _measures(found)),
        durations=durations,
    )


def duration_buckets(duration_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """The bucket [n] of each duration [n], as `model.fleet` defines them."""
    return np.searchsorted(_BOUNDS_NS, duration_ns, side="right")


def _measures(found: Interactions) -> NDArray[np.float64]:
    measures = np.zeros((len(found), len(EdgeMeasure)))
    measures[:, EdgeMeasure.COUNT] = found.count
    measures[:, EdgeMeasure.ERRORS] = found.is_error
    measures[:, EdgeMeasure.DURATION_S] = found.duration_ns / _NS_PER_S
    measures[:, EdgeMeasure.PAYLOAD_BYTES] = found.payload_bytes
    measures[:, EdgeMeasure.COST_USD] = found.cost_usd
    measures[:, EdgeMeasure.TOKENS] = found.tokens
    return measures


@njit(nogil=True, cache=True)
def _counted_by(
    group: NDArray[np.int64], n_groups: int, bucket: NDArray[np.int64], count: NDArray[np.uint8]
) -> NDArray[np.uint32]:
    counts = np.zeros((n_groups, N_DURATION_BUCKETS), np.uint32)
    for row in range(len(group)):
        counts[group[row], bucket[row]] += count[row]
    return counts
