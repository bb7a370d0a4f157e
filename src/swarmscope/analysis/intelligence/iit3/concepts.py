"""Which mechanisms specify a cause and an effect that no partition of theirs specifies: concepts.

φ of a mechanism and a purview is the least distance of its repertoire from that of any partition of both; a cause (or
effect) is the purview of greatest φ. What ties at 6 decimals is decided by the size of the purview, the larger first,
then by the order of its units. What does not reach 10^-6 is none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.iit3.hypercube_distance import Transport, make_transport, moved_probability
from swarmscope.analysis.intelligence.iit3.repertoires import Repertoires, make_repertoires
from swarmscope.analysis.intelligence.iit3.subsets import Subsets, subsets_of

_PER_UNIT = 1e6
# Of 10^-6: puts a φ that lies on the edge of two roundings above it, whatever noise it carries (about 10^-9 of this).
_EDGE = 1e-4
# Known bounds of φ begin with more than any can be.
_UNKNOWN = 1e9


class Structure(NamedTuple):
    """Concepts by mechanism; φ is 0 where there is none."""

    phi: NDArray[np.float64]
    """[3, 2^n]: of the cause, of the effect, and of the concept, which is the lesser."""
    purview: NDArray[np.int64]
    """[2, 2^n]: of the cause and of the effect."""


CAUSE, EFFECT, CONCEPT = 0, 1, 2


class System(NamedTuple):
    """Units uncut or cut, and what they specify."""

    subsets: Subsets
    repertoires: Repertoires
    structure: Structure


class Memory(NamedTuple):
    """What is known of causes of units uncut [2^n mechanisms, 2^n purviews], and what is tried first."""

    bound: NDArray[np.float64]
    """φ is at most this."""
    is_exact: NDArray[np.bool_]
    """φ is just that."""
    partition: NDArray[np.int64]
    """The one that last showed φ to be small: mechanism's part · 2^n + purview's part."""


class Room(NamedTuple):
    """What a search for concepts writes to; one for each thread."""

    transport: Transport
    scratch: NDArray[np.float64]
    """[3, 2^n]."""
    memory: Memory


def make_structure(n_units: int) -> Structure:
    """Return room for a structure."""
    count = 1 << n_units
    return Structure(np.zeros((3, count)), np.zeros((2, count), np.int64))


def make_memory(n_units: int) -> Memory:
    """Return a memory of nothing."""
    shape = (1 << n_units, 1 << n_units)
    return Memory(np.full(shape, _UNKNOWN), np.zeros(shape, np.bool_), np.zeros(shape, np.int64))


def forget(memory: Memory) -> None:
    """Make a memory one of nothing."""
    memory.bound.fill(_UNKNOWN)
    memory.is_exact.fill(False)
    memory.partition.fill(0)


@njit(nogil=True, cache=True, inline="always")
def millionths(phi: float) -> int:
    """φ as it is compared, in 10^-6."""
    return int(np.floor(phi * _PER_UNIT + 0.5 + _EDGE))


@njit(nogil=True, cache=True)
def find_effect(mechanism: int, system: System, room: Room) -> tuple[float, int]:
    """Return φ and purview of a mechanism's effect.

    Effect repertoires are products, so that distances are sums over units, and the best part of the purview for each
    part of the mechanism takes the lesser of both for every unit.
    """
    subsets, effects = system.subsets, system.repertoires.effects
    count = 1 << subsets.n_units
    least, sums = room.scratch[0], room.scratch[1]
    least[0], sums[0] = np.inf, 0.0
    for purview in range(1, count):
        low = purview & -purview
        unit = subsets.sizes[low - 1]
        least[purview] = min(least[purview ^ low], abs(effects[mechanism, unit] - effects[0, unit]))
    rest = mechanism & (mechanism - 1)
    part = rest
    while part:
        for purview in range(1, count):
            low = purview & -purview
            unit = subsets.sizes[low - 1]
            whole = effects[mechanism, unit]
            lesser = min(abs(whole - effects[part, unit]), abs(whole - effects[mechanism ^ part, unit]))
            sums[purview] = sums[purview ^ low] + lesser
            least[purview] = min(least[purview], sums[purview])
        part = (part - 1) & rest
    best, best_purview = 0, 0
    for purview in subsets.preferred:
        if millionths(least[purview]) > best:
            best, best_purview = millionths(least[purview]), purview
    return (least[best_purview] if best else 0.0), best_purview


@njit(nogil=True, cache=True)
def _partition_distance(
    both: tuple[int, int], partition: tuple[int, int], limit: float, system: System, room: Room
) -> float:
    """How far a cause repertoire is from that of a partition; not more exactly than that it is `limit` or more."""
    subsets, causes = system.subsets, system.repertoires.causes
    mechanism, purview = both
    part, place = partition
    size = subsets.sizes[purview]
    first, second = subsets.starts[place], subsets.starts[purview ^ place]
    start = subsets.starts[purview]
    inside, outside = subsets.within[purview, place], subsets.within[purview, purview ^ place]
    delta = room.scratch[0]
    for state in range(1 << size):
        product = (
            causes[part, first + subsets.within[inside, state]]
            * causes[mechanism ^ part, second + subsets.within[outside, state]]
        )
        delta[state] = causes[mechanism, start + state] - product
    return moved_probability(delta, size, limit, room.transport)


@njit(nogil=True, cache=True)
def cause_phi(mechanism: int, purview: int, needed: int, system: System, room: Room) -> tuple[float, bool]:
    """Return φ of a mechanism's cause in a purview, and whether it is `needed` (in 10^-6) or more.

    If not, it is but an upper bound. The distance of marginals is a lower bound of each partition's.
    """
    n_units, marginals = system.subsets.n_units, system.repertoires.marginals
    count = 1 << n_units
    both = (mechanism, purview)
    known = room.memory.partition[mechanism, purview]
    least = np.inf
    if known:
        least = _partition_distance(both, (known // count, known % count), np.inf, system, room)
        if millionths(least) < needed:
            return least, False
    rest = mechanism & (mechanism - 1)
    left = rest
    while True:
        part = rest ^ left
        place = purview
        while place or part:
            distance = 0.0
            for unit in range(n_units):
                distance += abs(
                    marginals[mechanism, purview, unit]
                    - marginals[part, place, unit]
                    - marginals[mechanism ^ part, purview ^ place, unit]
                )
            if distance < least:
                distance = _partition_distance(both, (part, place), least, system, room)
                if distance < least:
                    least = distance
                    room.memory.partition[mechanism, purview] = part * count + place
                    if millionths(least) < needed:
                        return least, False
            if place == 0:
                break
            place = (place - 1) & purview
        if left == 0:
            break
        left = (left - 1) & rest
    return least, True


@njit(nogil=True, cache=True)
def find_cause(mechanism: int, target: int, first: int, system: System, room: Room) -> tuple[float, int]:
    """Return φ and purview of a mechanism's cause; `first` is a purview to begin with, 0 for none.

    Severed from the others, units of `target` have no causes there. Purviews within it are as in the units uncut.
    """
    subsets, memory = system.subsets, room.memory
    source = ((1 << subsets.n_units) - 1) & ~target if target else 0
    best, best_phi, best_purview = 0, 0.0, 0
    is_before_best = False  # what comes now is preferred to the best where they tie
    for number in range(-1, subsets.preferred.size):
        purview = first if number < 0 else subsets.preferred[number]
        if number >= 0 and purview == first:
            is_before_best = False
            continue
        if purview == 0:
            continue
        if source and ((purview & target) == 0 or ((mechanism & source) == 0 and (purview & source))):
            continue
        needed = best if is_before_best else best + 1
        if purview & source:
            phi, is_enough = cause_phi(mechanism, purview, needed, system, room)
        else:
            phi = memory.bound[mechanism, purview]
            is_enough = millionths(phi) >= needed
            if is_enough and not memory.is_exact[mechanism, purview]:
                phi, is_enough = cause_phi(mechanism, purview, needed, system, room)
                memory.bound[mechanism, purview] = phi
                memory.is_exact[mechanism, purview] = is_enough
        if is_enough:
            best, best_phi, best_purview = millionths(phi), phi, purview
            is_before_best = number < 0
    return best_phi, best_purview


@njit(nogil=True, cache=True)
def fill_structure(mechanisms: NDArray[np.int64], target: int, whole: System, system: System, room: Room) -> None:
    """Find the concepts of `mechanisms` [k] in a system cut so that nothing from outside reaches `target`.

    For units uncut, `target` is 0 and `system` is `whole`. Mechanisms whose units keep all inputs keep their causes.
    """
    found, known = system.structure, whole.structure
    for each in mechanisms:
        phi_effect, effect_purview = find_effect(each, system, room)
        phi_cause, cause_purview = 0.0, 0
        if effect_purview and target and (each & target) == 0:
            phi_cause, cause_purview = known.phi[CAUSE, each], known.purview[CAUSE, each]
        elif effect_purview:
            first = known.purview[CAUSE, each] if target else 0
            if (first & target) == 0 or ((each & ~target) == 0 and (first & ~target)):
                first = 0
            phi_cause, cause_purview = find_cause(each, target, first, system, room)
        found.phi[CAUSE, each], found.purview[CAUSE, each] = phi_cause, cause_purview
        found.phi[EFFECT, each], found.purview[EFFECT, each] = phi_effect, effect_purview
        found.phi[CONCEPT, each] = min(phi_cause, phi_effect)


def make_system(n_units: int) -> System:
    """Return room for units and what they specify."""
    return System(subsets_of(n_units), make_repertoires(n_units), make_structure(n_units))


def make_room(n_units: int) -> Room:
    """Return room for a search among `n_units` units, and a memory of nothing."""
    return Room(make_transport(n_units), np.zeros((3, 1 << n_units)), make_memory(n_units))
