"""What each cut of the units changes: the distance of the cause-effect structures before and after."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.iit3.concepts import (
    Memory,
    Room,
    System,
    fill_structure,
    forget,
    make_room,
    make_system,
)
from swarmscope.analysis.intelligence.iit3.repertoires import Factors, fill_factors, fill_repertoires, make_factors
from swarmscope.analysis.intelligence.iit3.structure_distance import Market, make_market, structure_distance

# Cuts within this of the least are tied; what lies further above it need not be known.
TIE = 1e-6


class Workplace(NamedTuple):
    """All that a computation writes to. Threads may share `factors` and `whole` once these are filled."""

    mechanisms: NDArray[np.int64]
    """All of them."""
    factors: Factors
    whole: System
    cut: System
    room: Room
    market: Market


def make_workplace(n_units: int) -> Workplace:
    """Return room for one computation of `n_units` units."""
    return Workplace(
        np.arange(1, 1 << n_units, dtype=np.int64), make_factors(n_units), make_system(n_units), make_system(n_units),
        make_room(n_units), make_market(n_units),
    )  # fmt: skip


def share_workplace(place: Workplace) -> Workplace:
    """Return room for another thread to measure cuts of the same units."""
    n_units = place.whole.subsets.n_units
    known = place.room.memory
    memory = Memory(known.bound.copy(), known.is_exact.copy(), known.partition.copy())
    room = make_room(n_units)._replace(memory=memory)
    return place._replace(cut=make_system(n_units), room=room, market=make_market(n_units))


@lru_cache(maxsize=8)
def targets_of(n_units: int) -> NDArray[np.int64]:
    """Return what may be severed from the rest, as masks; what cuts off fewest units first.

    Those most often change least, and the least found so far is what makes others short.
    """
    masks = range(1, (1 << n_units) - 1)
    targets = sorted(masks, key=lambda mask: (min(mask.bit_count(), n_units - mask.bit_count()), mask))
    return np.array(targets, np.int64)


def begin(tpm: NDArray[np.float64], now: int, place: Workplace) -> None:
    """Take up a TPM [2^n, n] in the state numbered `now`. Raises ModelError where none can be told to lead there."""
    fill_factors(tpm, now, place.whole.subsets, place.factors)
    if not fill_repertoires(place.factors, 0, place.whole.subsets, place.whole.repertoires):
        raise ModelError(f"state: number {now} is so unlikely after every state that its causes cannot be computed")
    forget(place.room.memory)


@njit(nogil=True, cache=True)
def measure_cuts(
    targets: NDArray[np.int64], best: NDArray[np.float64], place: Workplace, changed: NDArray[np.float64]
) -> None:
    """Fill `changed` [k] with what changes when nothing from outside reaches each of `targets` [k].

    best[0] is the least so far, and is lowered; what is over it by more than `TIE` is given as infinity.
    """
    whole, cut, room = place.whole, place.cut, place.room
    for number in range(targets.size):
        target = targets[number]
        fill_repertoires(place.factors, target, whole.subsets, cut.repertoires)
        fill_structure(place.mechanisms, target, whole, cut, room)
        distance = structure_distance(whole, cut, best[0] + TIE, room, place.market)
        changed[number] = distance if distance <= best[0] + TIE else np.inf
        best[0] = min(best[0], distance)
