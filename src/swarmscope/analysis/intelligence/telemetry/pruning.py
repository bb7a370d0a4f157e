"""Which connections a model keeps: those whose removal costs likelihood, at a false discovery rate of 5 %.

Without it noise makes every fitted graph strongly connected, and Φ above 0 for units that have nothing to do with each
other. The likelihood-ratio test compares nested models; its p-values go through Benjamini and Hochberg (1995).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from swarmscope.analysis.intelligence.telemetry.logistic import Flags, Floats

FALSE_DISCOVERY_RATE = 0.05
ALPHA = 0.5
"""Of counts' shrinkage: (k + 2α p̄)/(c + 2α), p̄ the unit's rate."""


@njit(nogil=True, cache=True)
def keep_significant(p_values: Floats, kept: Flags) -> None:
    """Set `kept` where a p-value is at or under the greatest p₍ᵢ₎ ≤ q·i/m; both arrays are square."""
    n_units = len(p_values)
    limit = -1.0
    for tested in p_values.flat:
        n_under = 0
        for p_value in p_values.flat:
            if p_value <= tested:
                n_under += 1
        if tested <= FALSE_DISCOVERY_RATE * n_under / p_values.size:
            limit = max(limit, tested)
    for source in range(n_units):
        for unit in range(n_units):
            kept[source, unit] = p_values[source, unit] <= limit


@njit(nogil=True, cache=True)
def chi_squared_p(statistic: float, degrees: int) -> float:
    """Return P(χ² ≥ statistic) for a whole number of degrees of freedom (Abramowitz and Stegun 26.4.4, 26.4.5)."""
    if degrees <= 0 or statistic <= 0.0:
        return 1.0
    half = statistic / 2.0
    if degrees % 2:
        total = math.erfc(math.sqrt(half))
        term = math.exp(-half) * math.sqrt(half) / math.gamma(1.5)
        power = 1.5
    else:
        total = 0.0
        term = math.exp(-half)
        power = 1.0
    for _ in range(degrees // 2):
        total += term
        term *= half / power
        power += 1.0
    return min(total, 1.0)


@njit(nogil=True, cache=True)
def _log_likelihood(on: float, visits: float) -> float:
    """Return the greatest log-likelihood in nats of one binomial."""
    total = 0.0
    if on > 0.0:
        total += on * math.log(on / visits)
    if visits > on:
        total += (visits - on) * math.log(1.0 - on / visits)
    return total


@njit(nogil=True, cache=True)
def likelihood_ratio_p(visits: Floats, ons: Floats, unit: int, source: int) -> float:
    """Return p of the G-test that the next state of `unit` does not depend on `source`, given the others' states.

    `visits` is [2**n], `ons` [2**n, n]. One degree of freedom for each state of the others that was visited
    with both states of the source.
    """
    bit = 1 << source
    statistic, degrees = 0.0, 0
    for state in range(len(visits)):
        other = state | bit
        if state & bit or visits[state] == 0.0 or visits[other] == 0.0:
            continue
        on, other_on = ons[state, unit], ons[other, unit]
        apart = _log_likelihood(on, visits[state]) + _log_likelihood(other_on, visits[other])
        statistic += 2.0 * (apart - _log_likelihood(on + other_on, visits[state] + visits[other]))
        degrees += 1
    return chi_squared_p(statistic, degrees)


@njit(nogil=True, cache=True)
def fill_pooled_chances(visits: Floats, ons: Floats, cm: Flags, tpm: Floats) -> None:
    """Fill [2**n, n] P(unit is on next | state of its sources) from counts, shrunk to the unit's rate.

    `visits` is [2**n], `ons` [2**n, n]; `cm` is from → to. The rate itself is (on + ½)/(all + 1), so that no chance is
    ever 0 or 1.
    """
    n_units = len(cm)
    for unit in range(n_units):
        mask = 0
        for source in range(n_units):
            if cm[source, unit]:
                mask |= 1 << source
        pooled = np.zeros((len(visits), 2))
        rate, total = 0.5, 1.0
        for state in range(len(visits)):
            pooled[state & mask, 0] += visits[state]
            pooled[state & mask, 1] += ons[state, unit]
            rate += ons[state, unit]
            total += visits[state]
        rate /= total
        for state in range(len(visits)):
            of = state & mask
            tpm[state, unit] = (pooled[of, 1] + 2.0 * ALPHA * rate) / (pooled[of, 0] + 2.0 * ALPHA)
