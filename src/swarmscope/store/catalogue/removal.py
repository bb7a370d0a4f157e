"""Taking series out: readers keep what they hold, so everything that changes is copied first."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.store.catalogue.interning import relink
from swarmscope.store.catalogue.tables import ALIVE, N_IDENTITIES, N_PAIRS, N_SERIES, SeriesTables

# Pairs of dropped series are squeezed out once they are a quarter of all.
_MAX_DEAD_SHARE = 4


@njit(nogil=True, cache=True)
def _living_identities(tables: SeriesTables) -> tuple[NDArray[np.uint64], int]:
    size = len(tables.identities)
    slots = np.zeros(size, np.uint64)
    mask = np.uint64(size - 1)
    kept = 0
    for index in range(size):
        entry = tables.identities[index]
        if entry == np.uint64(0):
            continue
        ref = np.int64(entry & np.uint64(0xFFFFFFFF)) - 1
        if not tables.state[ref] & ALIVE:
            continue
        slot = (entry >> np.uint64(32)) & mask
        while slots[slot] != np.uint64(0):
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = entry
        kept += 1
    return slots, kept


@njit(nogil=True, cache=True)
def _living_pairs(tables: SeriesTables) -> int:
    total = 0
    for ref in range(tables.counts[N_SERIES]):
        if tables.state[ref] & ALIVE:
            total += tables.pair_count[ref]
    return total


@njit(nogil=True, cache=True)
def _squeeze_pairs(
    tables: SeriesTables, starts: NDArray[np.int64], labels: NDArray[np.int32], values: NDArray[np.int32]
) -> None:
    position = 0
    for ref in range(tables.counts[N_SERIES]):
        if not tables.state[ref] & ALIVE:
            continue
        start = tables.pair_start[ref]
        starts[ref] = position
        for pair in range(start, start + tables.pair_count[ref]):
            labels[position] = tables.pair_label[pair]
            values[position] = tables.pair_value[pair]
            position += 1


def relinked(tables: SeriesTables) -> SeriesTables:
    """Tables with new chains over the living series."""
    previous, heads = tables.previous.copy(), tables.metric_head.copy()
    relink(tables, previous, heads)
    return tables._replace(previous=previous, metric_head=heads)


def without_buried(tables: SeriesTables) -> SeriesTables:
    """Tables in which series that are no longer alive can be found no more. The writer's lock MUST be held."""
    tables = relinked(tables)
    identities, tables.counts[N_IDENTITIES] = _living_identities(tables)
    tables = tables._replace(identities=identities)
    living = int(_living_pairs(tables))
    if (int(tables.counts[N_PAIRS]) - living) * _MAX_DEAD_SHARE < int(tables.counts[N_PAIRS]):
        return tables
    starts = np.zeros_like(tables.pair_start)
    labels, values = np.empty(max(living, 16), np.int32), np.empty(max(living, 16), np.int32)
    _squeeze_pairs(tables, starts, labels, values)
    counts = tables.pair_count.copy()
    n_series = int(tables.counts[N_SERIES])
    counts[:n_series][(tables.state[:n_series] & ALIVE) == 0] = 0
    tables.counts[N_PAIRS] = living
    return tables._replace(pair_start=starts, pair_count=counts, pair_label=labels, pair_value=values)
