"""Ψ, Δ and Γ: whether a macro feature tells more of its future than the units do one by one.

Rosas, Mediano et al. 2020, PLoS Comput. Biol. 16:e1008289, its practical criteria, for a feature V of units X:

    Ψ = I(V_t; V_t+1) − Σ_j I(X_t^j; V_t+1)                      > 0: the feature is emergent
    Δ = max_j [I(V_t; X_t+1^j) − Σ_i I(X_t^i; X_t+1^j)]          > 0: it has power over single units
    Γ = max_j I(V_t; X_t+1^j)                                    0 beside Ψ > 0: it is decoupled from them

They are sufficient and not necessary: what units tell alike is taken off once for each, so Ψ falls with their number,
and Ψ ≤ 0 is inconclusive, not a proof that nothing emerges.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.information.discrete import Codes, check_states, mutual_information, to_codes


class Emergence(NamedTuple):
    """The practical criteria, in bits."""

    psi: float
    delta: float
    gamma: float


class Transitions(NamedTuple):
    """Steps from a state to the next, as codes from 0 on."""

    macro: Codes
    """[T − 1] of the feature, before."""
    next_macro: Codes
    units: Codes
    """[n, T − 1] of each unit, before."""
    next_units: Codes

    def of_rows(self, rows: Codes) -> Transitions:
        """Return the transitions `rows`, which may be repeated."""
        return Transitions(self.macro[rows], self.next_macro[rows], self.units[:, rows], self.next_units[:, rows])


def practical(v: ArrayLike, x: ArrayLike) -> Emergence:
    """Return Ψ, Δ and Γ of a macro feature v [T] or [T, k] and units x [T, n], whole numbers, by their frequencies.

    Frequencies of few steps make mutual information too great; compare with surrogates. Raises ModelError, which says
    where, for what are no whole numbers, for other lengths and for fewer than 3 steps.
    """
    return measure(to_transitions(v, x))


def to_transitions(v: ArrayLike, x: ArrayLike) -> Transitions:
    """Return the transitions of a macro feature v [T] or [T, k] and units x [T, n]; raises as `practical` does."""
    units = check_states(x, "x")
    feature = np.asarray(v)
    columns = check_states(feature[:, None] if feature.ndim == 1 else feature, "v")
    if len(columns) != len(units):
        raise ModelError(f"v: {len(columns)} rows, x has {len(units)}")
    if len(units) < 3:
        raise ModelError(f"x: {len(units)} rows; two transitions are the least, which are 3 rows")
    macro = to_codes(columns)
    codes = np.stack([np.unique(unit, return_inverse=True)[1] for unit in units.T])
    return Transitions(macro[:-1], macro[1:], codes[:, :-1], codes[:, 1:])


def psi(steps: Transitions) -> float:
    """Return Ψ alone, which takes n + 1 informations instead of n²."""
    of_units = sum(mutual_information(unit, steps.next_macro) for unit in steps.units)
    return mutual_information(steps.macro, steps.next_macro) - of_units


def measure(steps: Transitions) -> Emergence:
    """Return Ψ, Δ and Γ."""
    of_macro = [mutual_information(steps.macro, unit) for unit in steps.next_units]
    of_units = [sum(mutual_information(one, unit) for one in steps.units) for unit in steps.next_units]
    delta = max(macro - units for macro, units in zip(of_macro, of_units, strict=True))
    return Emergence(psi(steps), delta, max(of_macro))
