"""Models of transitions: P(unit is on next | state of all), pruned to the connections that the data ask for.

Two kinds. *Logistic* (kinetic Ising, L2) has n + 1 parameters a unit and is the default. *Counts*, shrunk to the unit's
rate, can represent anything (a logistic model cannot represent XOR) and need far more data; they are taken where each
state that matters was visited often enough and they predict better in 5-fold cross-validation by more than 2 standard
errors. Surrogates and resamples go through the very same steps, the choice included.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.telemetry.logistic import Flags, Floats, fit_logistic
from swarmscope.analysis.intelligence.telemetry.pruning import fill_pooled_chances, keep_significant, likelihood_ratio_p

Codes = NDArray[np.int64]

CHOSEN, LOGISTIC, COUNTS = 0, 1, 2
KINDS = ("chosen", "logistic", "counts")
MAX_UNITS = 12
N_FOLDS = 5
_MIN_VISITS = 20  # of each state that matters, for counts
_MATTERS = 0.01  # states that are visited less often than this do not matter
_MIN_BINS_PER_STATE = 50  # for counts
_STANDARD_ERRORS = 2.0  # by how many counts must predict better


class Models(NamedTuple):
    """Fitted models of the same units, the first axis the models."""

    tpms: Floats
    """[n_models, 2**n, n]: P(unit is on next | state), states little-endian."""
    cms: Flags
    """[n_models, n, n]: from → to"""
    kinds: NDArray[np.int8]
    """[n_models]: LOGISTIC or COUNTS"""


def encode_states(on: NDArray[np.bool_]) -> Codes:
    """Return the little-endian code Σ x_j 2^j of each row of `on` [..., n_units]."""
    n_units = on.shape[-1]
    if n_units > MAX_UNITS:
        raise ModelError(f"{n_units} units, where models of transitions hold at most {MAX_UNITS}")
    return np.ascontiguousarray((on.astype(np.int64) << np.arange(n_units)).sum(axis=-1))


def fit_models(before: Codes, after: Codes, n_units: int, kind: int = CHOSEN) -> Models:
    """Fit one model to each row of transitions from `before` to `after`, both [n_models, n_transitions].

    Raises ModelError for codes that no state of `n_units` has.
    """
    if before.shape != after.shape or before.ndim != 2:
        raise ModelError(f"transitions from {before.shape} states to {after.shape}")
    for name, codes in (("before", before), ("after", after)):
        if codes.size and (codes.min() < 0 or codes.max() >= 1 << n_units):
            row, at = np.argwhere((codes < 0) | (codes >= 1 << n_units))[0]
            raise ModelError(f"transition {at} of row {row} has the state {codes[row, at]} {name}, of {n_units} units")
    models = Models(
        np.empty((len(before), 1 << n_units, n_units)),
        np.empty((len(before), n_units, n_units), np.bool_),
        np.empty(len(before), np.int8),
    )
    _fit_all(np.ascontiguousarray(before), np.ascontiguousarray(after), kind, models)
    return models


@njit(nogil=True, cache=True)
def _fit_all(before: Codes, after: Codes, kind: int, models: Models) -> None:
    n_units = models.cms.shape[1]
    signs = _signs(n_units)
    for model in range(len(before)):
        visits, ons = _tables(before[model], after[model], n_units, -1)
        chosen = kind
        if kind == CHOSEN:
            chosen = _chosen_kind(before[model], after[model], visits, signs)
        models.kinds[model] = chosen
        if chosen == COUNTS:
            _fit_counts(visits, ons, models.tpms[model], models.cms[model])
        else:
            _fit_kinetic_ising(visits, ons, signs, models.tpms[model], models.cms[model])


@njit(nogil=True, cache=True)
def _tables(before: Codes, after: Codes, n_units: int, without_fold: int) -> tuple[Floats, Floats]:
    """Return [2**n] visits of states and [2**n, n] how often each unit was on next, less one fold (or -1)."""
    visits = np.zeros(1 << n_units)
    ons = np.zeros((1 << n_units, n_units))
    for at in range(len(before)):
        if at * N_FOLDS // len(before) == without_fold:
            continue
        visits[before[at]] += 1.0
        for unit in range(n_units):
            ons[before[at], unit] += (after[at] >> unit) & 1
    return visits, ons


@njit(nogil=True, cache=True)
def _signs(n_units: int) -> Floats:
    """Return [2**n, 1 + n] for each state: 1, then each unit's state as ±1."""
    signs = np.ones((1 << n_units, 1 + n_units))
    for state in range(len(signs)):
        for unit in range(n_units):
            signs[state, 1 + unit] = 2.0 * ((state >> unit) & 1) - 1.0
    return signs


@njit(nogil=True, cache=True)
def _column(table: Floats, unit: int) -> Floats:
    """Return one column, one after the other in memory, as the fits read it many times."""
    column = np.empty(len(table))
    for row in range(len(table)):
        column[row] = table[row, unit]
    return column


@njit(nogil=True, cache=True)
def _fill_tpm(weights: Floats, signs: Floats, unit: int, tpm: Floats) -> None:
    for state in range(len(tpm)):
        field = 0.0
        for term in range(len(weights)):
            field += weights[term] * signs[state, term]
        tpm[state, unit] = 1.0 / (1.0 + math.exp(-field))


@njit(nogil=True, cache=True)
def _fit_kinetic_ising(visits: Floats, ons: Floats, signs: Floats, tpm: Floats, cm: Flags) -> None:
    """Fit all connections, test each by what its removal costs, and fit again with those that are kept."""
    n_units = len(cm)
    p_values = np.empty((n_units, n_units))
    full = np.zeros((n_units, 1 + n_units))
    used = np.ones(1 + n_units, np.bool_)
    for unit in range(n_units):
        on = _column(ons, unit)
        best = fit_logistic(visits, on, signs, used, full[unit])
        for source in range(n_units):
            used[1 + source] = False
            lost = 2.0 * (best - fit_logistic(visits, on, signs, used, full[unit].copy()))
            p_values[source, unit] = math.erfc(math.sqrt(max(lost, 0.0) / 2.0))
            used[1 + source] = True
    keep_significant(p_values, cm)
    for unit in range(n_units):
        for source in range(n_units):
            used[1 + source] = cm[source, unit]
        fit_logistic(visits, _column(ons, unit), signs, used, full[unit])
        _fill_tpm(full[unit], signs, unit, tpm)


@njit(nogil=True, cache=True)
def _fit_counts(visits: Floats, ons: Floats, tpm: Floats, cm: Flags) -> None:
    """As `_fit_kinetic_ising`, by counts: those of states that differ in removed sources alone are pooled."""
    n_units = len(cm)
    p_values = np.empty((n_units, n_units))
    for unit in range(n_units):
        for source in range(n_units):
            p_values[source, unit] = likelihood_ratio_p(visits, ons, unit, source)
    keep_significant(p_values, cm)
    fill_pooled_chances(visits, ons, cm, tpm)


@njit(nogil=True, cache=True)
def _chosen_kind(before: Codes, after: Codes, visits: Floats, signs: Floats) -> int:
    n_units = signs.shape[1] - 1
    if len(before) < _MIN_BINS_PER_STATE * len(visits):
        return LOGISTIC
    for state in range(len(visits)):
        if _MATTERS * len(before) <= visits[state] < _MIN_VISITS:
            return LOGISTIC
    total, squares = 0.0, 0.0
    everything = np.ones((n_units, n_units), np.bool_)
    used = np.ones(1 + n_units, np.bool_)
    counted = np.empty((len(visits), n_units))
    logistic = np.empty((len(visits), n_units))
    for fold in range(N_FOLDS):
        seen, seen_on = _tables(before, after, n_units, fold)
        fill_pooled_chances(seen, seen_on, everything, counted)
        for unit in range(n_units):
            weights = np.zeros(1 + n_units)
            fit_logistic(seen, _column(seen_on, unit), signs, used, weights)
            _fill_tpm(weights, signs, unit, logistic)
        for at in range(len(before)):
            if at * N_FOLDS // len(before) == fold:
                gain = _gain(before[at], after[at], counted, logistic)
                total += gain
                squares += gain * gain
    mean = total / len(before)
    error = math.sqrt(max(squares / len(before) - mean * mean, 0.0) / len(before))
    return COUNTS if mean > _STANDARD_ERRORS * error else LOGISTIC


@njit(nogil=True, cache=True)
def _gain(before: int, after: int, counted: Floats, logistic: Floats) -> float:
    """Return by how much counts told one transition better than the logistic model, in nats."""
    gain = 0.0
    for unit in range(counted.shape[1]):
        by_counts, by_logistic = counted[before, unit], logistic[before, unit]
        if (after >> unit) & 1:
            gain += math.log(by_counts / by_logistic)
        else:
            gain += math.log((1.0 - by_counts) / (1.0 - by_logistic))
    return gain
