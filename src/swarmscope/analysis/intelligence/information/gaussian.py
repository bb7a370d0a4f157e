"""Φ_G: what a Gaussian system's next state loses when its parts cannot influence each other.

X_t = A X_t−1 + E, E ~ N(0, Σ_E). Φ_G = min over A' that is block-diagonal by the parts, and any Σ', of
½ log₂ det Σ(E)' / det Σ_E with Σ(E)' = Σ_E + (A − A') Σ_X (A − A')ᵀ (Oizumi, Tsuchiya & Amari 2016, PNAS 113:14817).
It lies between 0 and I(X_t−1; X_t). The best A' for a given Σ(E)' is a weighted least-squares problem; solving it and
taking the new Σ(E)' in turn never makes the result greater.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.information.autoregression import VarModel
from swarmscope.analysis.intelligence.information.queyranne import pendent_cuts

# 511 partitions of 10 units; all of 12 would take four times as long.
MAX_UNITS_EXHAUSTIVE = 10
MAX_UNITS = 64
_MAX_ROUNDS = 500
_TOLERANCE_NATS = 1e-12
# Likely cuts that are worked out: as many as have so many entries, which take some 0.1 s, but not fewer than four.
_MAX_ENTRIES, _MIN_CUTS = 4096, 4
# Partitions that are equal but for rounding.
_TIE_BITS = 1e-9
# Above so many free entries of A' their equations are solved without being written down.
_MAX_DENSE = 110  # from about 120 on LAPACK takes threads, which cost more than they gain

Matrix = NDArray[np.float64]
Parts = tuple[tuple[int, ...], ...]
Bipartition = tuple[tuple[int, ...], tuple[int, ...]]


class GaussianPhi(NamedTuple):
    """Φ_G at the partition of two parts that has the least of it."""

    phi: float
    """Bits."""
    parts: Bipartition
    """Units of both parts, that of unit 0 first; large systems often cut off a single unit."""
    normalised: float
    """`phi` by the number of units of the smaller part."""
    mutual_information: float
    """I(X_t−1; X_t) in bits, which Φ_G cannot exceed."""
    search: Literal["exhaustive", "queyranne"]
    """`queyranne`: the least over likely cuts; another cut may have less."""


def phi_g(model: VarModel, parts: Iterable[Iterable[int]]) -> float:
    """Return Φ_G in bits of one partition of the units. Raises ModelError unless each unit is in exactly one part."""
    checked = _check_parts(parts, model.n_units)
    return _phi_bits(model, checked)


def stochastic_interaction(model: VarModel, parts: Iterable[Iterable[int]]) -> float:
    """Return Σ_b H(b_t | b_t−1) − H(X_t | X_t−1) in bits (Ay 2001; Barrett & Seth 2011); Φ_G is never more."""
    before, now = model.a @ model.sigma_x, _next_covariance(model)
    total = -_log_det(model.sigma_e)
    for part in _check_parts(parts, model.n_units):
        at = np.ix_(part, part)
        known = model.sigma_x[at]
        total += _log_det(now[at] - before[at] @ np.linalg.solve(known, before[at].T))
    return 0.5 * total / float(np.log(2))


def mutual_information(model: VarModel) -> float:
    """Return I(X_t−1; X_t) in bits."""
    return 0.5 * (_log_det(_next_covariance(model)) - _log_det(model.sigma_e)) / float(np.log(2))


def gaussian_phi(model: VarModel) -> GaussianPhi:
    """Return Φ_G at its minimum: over all partitions in two up to `MAX_UNITS_EXHAUSTIVE` units, else over likely ones.

    Above that these are the cuts that Queyranne's search for the least I(Z_A; Z_B) compares, Z being the states of two
    steps (Hidaka & Oizumi 2018, PLoS ONE 13:e0201126), and those of a single unit; of many units only the likeliest
    are worked out. A single unit has φ 0. Raises ModelError for more than `MAX_UNITS` units.
    """
    n_units = model.n_units
    if n_units > MAX_UNITS:
        raise ModelError(f"{n_units} units: Φ_G is searched for {MAX_UNITS} at most")
    information = max(0.0, mutual_information(model))
    if n_units == 1:
        return GaussianPhi(0.0, ((0,), ()), 0.0, information, "exhaustive")
    is_exhaustive = n_units <= MAX_UNITS_EXHAUSTIVE
    phi, parts = _least_of(model, _bipartitions(n_units) if is_exhaustive else _likely_cuts(model))
    normalised = phi / len(min(parts, key=len))
    return GaussianPhi(phi, parts, normalised, information, "exhaustive" if is_exhaustive else "queyranne")


def _least_of(model: VarModel, cuts: Iterable[Bipartition]) -> tuple[float, Bipartition]:
    """The least Φ_G, and of partitions that tie the one with the smallest part, then the first."""
    cuts, n_units = list(cuts), model.n_units
    bounds = _lower_bounds(model, itertools.chain(*cuts))
    candidates = sorted((max(bounds[parts[0]], bounds[parts[1]]), parts) for parts in cuts)
    if n_units > MAX_UNITS_EXHAUSTIVE:
        candidates = candidates[: max(_MIN_CUTS, _MAX_ENTRIES // n_units**2)]
    best, chosen = np.inf, candidates[0][1]
    for bound, parts in candidates:
        if bound > best + _TIE_BITS:
            break
        phi = _phi_bits(model, parts)
        is_before = (len(min(parts, key=len)), parts) < (len(min(chosen, key=len)), chosen)
        if phi < best - _TIE_BITS or (phi < best + _TIE_BITS and is_before):
            best, chosen = phi, parts
    return best, chosen


def _likely_cuts(model: VarModel) -> set[Bipartition]:
    """The cuts that Queyranne's search compares, and those that part one unit from all others."""
    every = range(model.n_units)
    sides = {*pendent_cuts(_two_steps(model), 2), (0,)}
    sides |= {tuple(unit for unit in every if unit != alone) for alone in every[1:]}
    return {(side, tuple(unit for unit in every if unit not in set(side))) for side in sides}


def _lower_bounds(model: VarModel, sets: Iterable[tuple[int, ...]]) -> dict[tuple[int, ...], float]:
    """The transfer entropy in bits from all others to each set of units.

    It is what is lost when only the others' influence on the set is cut (for which Σ' has a closed form), and a
    partition cuts more than that.
    """
    before, now = model.a @ model.sigma_x, _next_covariance(model)
    bounds: dict[tuple[int, ...], float] = {}
    for _, group in itertools.groupby(sorted(sets, key=len), len):
        alike = list(group)
        at = np.array(alike)
        pick = at[:, :, None], at[:, None, :]
        known = before[pick]
        alone = now[pick] - known @ np.linalg.solve(model.sigma_x[pick], known.transpose(0, 2, 1))
        lost = np.linalg.slogdet(alone)[1] - np.linalg.slogdet(model.sigma_e[pick])[1]
        bounds.update(zip(alike, (0.5 * lost / np.log(2)).tolist(), strict=True))
    return bounds


def _bipartitions(n_units: int) -> Iterator[Bipartition]:
    """Both parts are never empty, and unit 0 is in the first."""
    rest = range(1, n_units)
    for size in range(n_units - 1):
        for others in itertools.combinations(rest, size):
            yield (0, *others), tuple(unit for unit in rest if unit not in others)


def _two_steps(model: VarModel) -> Matrix:
    """Covariance [2n, 2n] of the states before and after, a unit's two side by side."""
    n_units = model.n_units
    after = model.a @ model.sigma_x
    both = np.block([[model.sigma_x, after.T], [after, _next_covariance(model)]])
    order = np.arange(2 * n_units).reshape(2, n_units).T.ravel()
    return both[np.ix_(order, order)]


def _check_parts(parts: Iterable[Iterable[int]], n_units: int) -> Parts:
    checked = tuple(tuple(sorted(int(unit) for unit in part)) for part in parts)
    if sorted(itertools.chain(*checked)) != list(range(n_units)) or not all(checked):
        told = [list(part) for part in checked]
        raise ModelError(f"parts: {told} do not have each of the units 0 to {n_units - 1} in exactly one part")
    return checked


def _phi_bits(model: VarModel, parts: Parts) -> float:
    if len(parts) == 1:
        return 0.0
    free = np.zeros((model.n_units, model.n_units), np.bool_)
    for part in parts:
        free[np.ix_(part, part)] = True
    cut = np.where(free, model.a, 0.0)
    least = _log_det(_disturbed(model, cut))
    for _ in range(_MAX_ROUNDS):
        cut = _best_cut(model, parts, free, _disturbed(model, cut), cut)
        value = _log_det(_disturbed(model, cut))
        if least - value < _TOLERANCE_NATS:
            least = min(least, value)
            break
        least = value
    return max(0.0, 0.5 * (least - _log_det(model.sigma_e))) / float(np.log(2))


def _next_covariance(model: VarModel) -> Matrix:
    """That of X_t by the model; of a fitted one it is not quite that of X_t−1."""
    return _disturbed(model, np.zeros_like(model.a))


def _disturbed(model: VarModel, cut: Matrix) -> Matrix:
    missing = model.a - cut
    return model.sigma_e + missing @ model.sigma_x @ missing.T


def _best_cut(model: VarModel, parts: Parts, free: NDArray[np.bool_], noise: Matrix, start: Matrix) -> Matrix:
    """The block-diagonal A' [n, n] with the least tr(noise⁻¹ (A − A') Σ_X (A − A')ᵀ)."""
    precision = np.asarray(np.linalg.inv(noise), np.float64)
    wanted = np.where(free, precision @ model.a @ model.sigma_x, 0.0)
    rows, columns = np.nonzero(free)
    if len(rows) > _MAX_DENSE:
        return _conjugate_gradients(model.sigma_x, precision, (parts, free), wanted, start)
    equations = precision[np.ix_(rows, rows)] * model.sigma_x[np.ix_(columns, columns)]
    cut = np.zeros_like(wanted)
    cut[rows, columns] = np.linalg.solve(equations, wanted[rows, columns])
    return cut


def _conjugate_gradients(
    sigma_x: Matrix, precision: Matrix, blocks: tuple[Parts, NDArray[np.bool_]], wanted: Matrix, start: Matrix
) -> Matrix:
    """Solve [precision · D · Σ_X] = `wanted` on the free entries; near where the parts do not matter to each other."""
    parts, free = blocks
    try:
        factors = [(cho_factor(precision[np.ix_(p, p)]), cho_factor(sigma_x[np.ix_(p, p)])) for p in parts]
    except LinAlgError as error:
        raise ModelError(f"the covariance of the units is not positive definite: {error}") from error

    def eased(residual: Matrix) -> Matrix:
        result = np.zeros_like(residual)
        for part, (left, right) in zip(parts, factors, strict=True):
            at = np.ix_(part, part)
            result[at] = cho_solve(right, cho_solve(left, residual[at]).T).T
        return result

    cut = start
    residual = wanted - np.where(free, precision @ cut @ sigma_x, 0.0)
    direction = preconditioned = eased(residual)
    size = float(np.sum(residual * preconditioned))
    enough = 1e-24 * max(float(np.sum(wanted * eased(wanted))), 1e-300)
    for _ in range(4 * int(np.sqrt(free.sum())) + 20):
        if size <= enough:
            break
        moved = np.where(free, precision @ direction @ sigma_x, 0.0)
        step = size / float(np.sum(direction * moved))
        cut = cut + step * direction
        residual = residual - step * moved
        preconditioned = eased(residual)
        before, size = size, float(np.sum(residual * preconditioned))
        direction = preconditioned + size / before * direction
    return cut


def _log_det(matrix: Matrix) -> float:
    sign, value = np.linalg.slogdet(matrix)
    if sign <= 0:
        raise ModelError("a covariance of the units is not positive definite: some units are functions of others")
    return float(value)
