"""Logistic regression of one unit's next state on all units' states (a kinetic Ising model), with an L2 penalty.

A window of transitions between few binary units repeats few states, so that rows are states with their numbers of
visits, and a fit costs the same whatever the window's length.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

RIDGE = 1.0
"""λ of ½ λ Σ w²: couplings are shrunk as if one more transition had spoken against each."""
_BIAS_RIDGE = 1e-2  # keeps the rate of a unit that never changes in a part of the window finite
_MAX_STEPS = 50
_ENOUGH = 1e-9  # nats: a step that gains less is the last


@njit(nogil=True, cache=True)
def log_sigmoid(x: float) -> float:
    """Return ln 1/(1 + e⁻ˣ) without overflow."""
    if x > 0.0:
        return -math.log1p(math.exp(-x))
    return x - math.log1p(math.exp(x))


@njit(nogil=True, cache=True)
def _objective(visits: Floats, ons: Floats, signs: Floats, weights: Floats, step: Floats) -> float:
    """Return the log-likelihood in nats less the penalty, at `weights` + `step`."""
    total: float = -0.5 * _BIAS_RIDGE * (weights[0] + step[0]) ** 2
    for term in range(1, len(weights)):
        total -= 0.5 * RIDGE * (weights[term] + step[term]) ** 2
    for row in range(len(visits)):
        if visits[row] > 0.0:
            field = 0.0
            for term in range(len(weights)):
                field += (weights[term] + step[term]) * signs[row, term]
            total += ons[row] * log_sigmoid(field) + (visits[row] - ons[row]) * log_sigmoid(-field)
    return total


@njit(nogil=True, cache=True)
def _solve(curvature: Floats, gradient: Floats) -> None:
    """Solve for the step by Cholesky's decomposition of the lower triangle; both arguments are overwritten."""
    n_terms = len(gradient)
    for i in range(n_terms):
        for j in range(i + 1):
            total = curvature[i, j]
            for k in range(j):
                total -= curvature[i, k] * curvature[j, k]
            curvature[i, j] = math.sqrt(total) if i == j else total / curvature[j, j]
    for i in range(n_terms):
        for k in range(i):
            gradient[i] -= curvature[i, k] * gradient[k]
        gradient[i] /= curvature[i, i]
    for i in range(n_terms - 1, -1, -1):
        for k in range(i + 1, n_terms):
            gradient[i] -= curvature[k, i] * gradient[k]
        gradient[i] /= curvature[i, i]


@njit(nogil=True, cache=True)
def _step(visits: Floats, ons: Floats, signs: Floats, used: Flags, weights: Floats) -> Floats:
    """Return Newton's step up `_objective`, 0 for unused terms."""
    n_terms = len(weights)
    gradient = np.zeros(n_terms)
    curvature = np.zeros((n_terms, n_terms))  # the negative Hessian's lower triangle
    for term in range(n_terms):
        ridge = _BIAS_RIDGE if term == 0 else RIDGE
        gradient[term] = -ridge * weights[term]
        curvature[term, term] = ridge
    for row in range(len(visits)):
        if visits[row] == 0.0:
            continue
        field = 0.0
        for term in range(n_terms):
            field += weights[term] * signs[row, term]
        chance = 1.0 / (1.0 + math.exp(-field))
        error = ons[row] - visits[row] * chance
        weight = visits[row] * chance * (1.0 - chance)
        for term in range(n_terms):
            gradient[term] += error * signs[row, term]
            for other in range(term + 1):
                curvature[term, other] += weight * signs[row, term] * signs[row, other]
    for term in range(n_terms):
        if not used[term]:
            gradient[term] = 0.0
            for other in range(n_terms):
                curvature[max(term, other), min(term, other)] = 1.0 if other == term else 0.0
    _solve(curvature, gradient)
    return gradient


@njit(nogil=True, cache=True)
def fit_logistic(visits: Floats, ons: Floats, signs: Floats, used: Flags, weights: Floats) -> float:
    """Fit P(on) = σ(Σ_k weights[k]·signs[row, k]) by Newton's method; returns the penalised log-likelihood in nats.

    `visits` and `ons` are [n_states]: how often each state came and how often the unit was on after it. `signs` is
    [n_states, 1 + n_units]: 1, then the units' states as ±1. Only terms that are `used` are fitted; `weights` is where
    to start from and takes what was found, 0 for terms that are not used.
    """
    for term in range(len(weights)):
        if not used[term]:
            weights[term] = 0.0
    best = _objective(visits, ons, signs, weights, np.zeros(len(weights)))
    for _ in range(_MAX_STEPS):
        step = _step(visits, ons, signs, used, weights)
        found = _objective(visits, ons, signs, weights, step)
        halvings = 0
        while found < best and halvings < 20:
            halvings += 1
            for term in range(len(step)):
                step[term] *= 0.5
            found = _objective(visits, ons, signs, weights, step)
        if found < best:
            break
        for term in range(len(step)):
            weights[term] += step[term]
        gained = found - best
        best = found
        if gained < _ENOUGH:
            break
    return best
