"""Which past and next states mechanisms in a state specify, for all mechanisms and purviews at once.

Units are independent given the state before. So the probability of a unit's state given the purview's is a factor, and
the cause repertoire of a mechanism is the product of its units' factors over the sum; effect repertoires are products
of the purview's units' probabilities. Severing connections from `source` to `target` averages the factors of target
units over source units, and their probabilities likewise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.iit3.subsets import Subsets


class Factors(NamedTuple):
    """Of units uncut."""

    causes: NDArray[np.float64]
    """[n, 3^n]: how likely each unit is in its state now, given each state of each subset of units before."""
    effects: NDArray[np.float64]
    """[n, 2^n]: how likely each unit is on next, given that each subset of units is in its state now."""


class Repertoires(NamedTuple):
    """Of units uncut or cut; subsets as numbered by `Subsets`."""

    causes: NDArray[np.float64]
    """[2^n mechanisms, 3^n]: cause repertoires, with the purviews' states where `Subsets.starts` says."""
    marginals: NDArray[np.float64]
    """[2^n mechanisms, 2^n purviews, n]: how likely each unit was on, less ½; 0 for units not in the purview."""
    effects: NDArray[np.float64]
    """[2^n mechanisms, n]: how likely each unit is on next."""


def make_factors(n_units: int) -> Factors:
    """Return room for factors."""
    return Factors(np.zeros((n_units, 3**n_units)), np.zeros((n_units, 1 << n_units)))


def make_repertoires(n_units: int) -> Repertoires:
    """Return room for repertoires."""
    count = 1 << n_units
    return Repertoires(np.zeros((count, 3**n_units)), np.zeros((count, count, n_units)), np.zeros((count, n_units)))


@njit(nogil=True, cache=True)
def fill_factors(tpm: NDArray[np.float64], now: int, subsets: Subsets, factors: Factors) -> None:
    """Fill `factors` from a TPM [2^n, n] and the number of the state now."""
    n_units, starts, within = subsets.n_units, subsets.starts, subsets.within
    everything = (1 << n_units) - 1
    for unit in range(n_units):
        row = factors.causes[unit]
        is_on = (now >> unit) & 1
        for state in range(everything + 1):
            row[starts[everything] + state] = tpm[state, unit] if is_on else 1.0 - tpm[state, unit]
        for subset in range(everything - 1, -1, -1):
            # Of the next larger subset, averaged over the unit that it has besides.
            more = ~subset & (subset + 1)
            low = within[subset | more, more] - 1
            for state in range(1 << subsets.sizes[subset]):
                first = starts[subset | more] + (((state & ~low) << 1) | (state & low))
                row[starts[subset] + state] = 0.5 * (row[first] + row[first + low + 1])
        for subset in range(everything + 1):
            likely = row[starts[subset] + within[subset, now]]
            factors.effects[unit, subset] = likely if is_on else 1.0 - likely


@njit(nogil=True, cache=True)
def fill_repertoires(factors: Factors, target: int, subsets: Subsets, result: Repertoires) -> bool:
    """Fill `result` for units to whom `target` (a mask) is severed from all others; 0 for units uncut.

    Whether the state is reachable: if not, its causes do not exist and the result is of no use.
    """
    n_units, starts = subsets.n_units, subsets.starts
    count = 1 << n_units
    for mechanism in range(count):
        for unit in range(n_units):
            left = mechanism & target if (target >> unit) & 1 else mechanism
            result.effects[mechanism, unit] = factors.effects[unit, left]
    for place in range(starts[count]):
        result.causes[0, place] = 1.0
    for mechanism in range(count):
        low = mechanism & -mechanism
        unit = 0
        while (low >> unit) > 1:
            unit += 1
        for purview in range(count):
            start, end = starts[purview], starts[purview + 1]
            if mechanism:
                left = purview & target if (target >> unit) & 1 else purview
                inside = subsets.within[purview, left]
                for place in range(start, end):
                    factor = factors.causes[unit, starts[left] + subsets.within[inside, place - start]]
                    result.causes[mechanism, place] = result.causes[mechanism ^ low, place] * factor
            total = 0.0  # loops, for expressions of arrays take seconds to compile
            for place in range(start, end):
                total += result.causes[mechanism, place]
            if total <= 0.0:
                return False
            for place in range(start, end):
                result.causes[mechanism, place] /= total
            _fill_marginals(result, mechanism, purview, subsets)
    return True


@njit(nogil=True, cache=True, inline="always")
def _fill_marginals(result: Repertoires, mechanism: int, purview: int, subsets: Subsets) -> None:
    start, place = subsets.starts[purview], 0
    for unit in range(subsets.n_units):
        likely = 0.5
        if (purview >> unit) & 1:
            likely = 0.0
            for state in range(1 << subsets.sizes[purview]):
                if (state >> place) & 1:
                    likely += result.causes[mechanism, start + state]
            place += 1
        result.marginals[mechanism, purview, unit] = likely - 0.5
