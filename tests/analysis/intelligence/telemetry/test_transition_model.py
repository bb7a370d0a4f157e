"""Fitted models against known laws, counts by hand, and a general optimiser."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from tests.analysis.intelligence.telemetry.kinetic_ising import RING, independent, run, tpm_of

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.telemetry.transition_model import (
    CHOSEN,
    COUNTS,
    LOGISTIC,
    encode_states,
    fit_models,
)


def _fit(on, kind=CHOSEN):
    codes = encode_states(on)[None]
    return fit_models(codes[:, :-1], codes[:, 1:], on.shape[1], kind)


def test_states_are_little_endian():
    assert encode_states(np.array([[1, 0, 0], [0, 0, 1], [1, 1, 0]], bool)).tolist() == [1, 4, 3]


def test_a_known_kinetic_ising_model_is_recovered():
    truth = tpm_of(RING, np.array([0.2, -0.1, 0.0, 0.1]))
    models = _fit(run(truth, 20_000, 1))
    assert models.kinds[0] == LOGISTIC
    assert np.array_equal(models.cms[0], RING != 0)
    assert np.abs(models.tpms[0] - truth).max() < 0.03


def test_a_fit_is_the_greatest_penalised_likelihood():
    on = run(tpm_of(RING, np.zeros(4)), 300, 2)
    signs = np.column_stack([np.ones(299), 2.0 * on[:-1] - 1.0])
    models = _fit(on, LOGISTIC)
    penalty = np.array([1e-2, 1, 1, 1, 1])
    for unit in range(4):
        kept = np.concatenate([[True], models.cms[0][:, unit]])
        rows, goals = signs[:, kept], on[1:, unit]

        def loss(weights, rows=rows, goals=goals, kept=kept):
            field = rows @ weights
            return np.logaddexp(0.0, np.where(goals, -field, field)).sum() + 0.5 * (penalty[kept] * weights**2).sum()

        weights = minimize(loss, np.zeros(kept.sum()), method="BFGS", options={"gtol": 1e-8}).x
        expected = 1.0 / (1.0 + np.exp(-(signs[:, kept] @ weights)))
        assert models.tpms[0][encode_states(on[:-1]), unit] == pytest.approx(expected, abs=1e-5)


def test_counts_are_shrunk_to_the_rate_of_the_unit():
    # Two units; A follows B: of 40 transitions from B on, A is on after 38, of 40 from B off after 2. B is a fair coin
    # that A tells nothing of. Each of the four states comes 20 times.
    before, after = [], []
    for state in range(4):
        n_on = 19 if state & 2 else 1
        for visit in range(20):
            before.append(state)
            after.append((visit < n_on) + 2 * (visit % 2))
    models = fit_models(np.array([before]), np.array([after]), 2, COUNTS)
    assert models.cms[0].tolist() == [[False, False], [True, False]]
    rate = 40.5 / 81  # ½
    b_on, b_off = (38 + rate) / 41, (2 + rate) / 41
    assert models.tpms[0][:, 0] == pytest.approx([b_off, b_off, b_on, b_on])
    assert models.tpms[0][:, 1] == pytest.approx([(40 + 0.5) / 81] * 4)


def _noisy_xor(n_bins, seed):
    truth = np.array([[(s >> 1 ^ s >> 2) & 1, (s ^ s >> 2) & 1, (s ^ s >> 1) & 1] for s in range(8)])
    tpm = np.where(truth == 1, 0.9, 0.1)
    return tpm, run(tpm, n_bins, seed)


def test_exclusive_or_needs_counts():
    tpm, on = _noisy_xor(2000, 3)
    models = _fit(on)
    assert models.kinds[0] == COUNTS
    assert np.array_equal(models.cms[0], ~np.eye(3, dtype=bool))
    assert np.abs(models.tpms[0] - tpm).max() < 0.06
    assert np.abs(_fit(on, LOGISTIC).tpms[0] - tpm).max() > 0.3  # no logistic model is near


def test_counts_are_not_taken_of_few_transitions():
    assert _fit(_noisy_xor(399, 4)[1]).kinds[0] == LOGISTIC  # 50 bins a state are 400


def test_units_that_hold_their_states_are_linked_to_themselves_alone():
    cms = np.array([_fit(independent(4, 800, seed)).cms[0] for seed in range(50)])
    between = cms[:, ~np.eye(4, dtype=bool)]
    assert between.any(axis=1).mean() <= 0.2  # 5 % of what is found is false: some windows have an edge too many
    assert between.mean() <= 0.02


def test_models_are_fitted_apart():
    some = [encode_states(independent(3, 500, seed)) for seed in range(3)]
    codes = np.array(some)
    together = fit_models(codes[:, :-1], codes[:, 1:], 3)
    for model, alone in enumerate(some):
        single = fit_models(alone[None, :-1], alone[None, 1:], 3)
        assert np.array_equal(together.tpms[model], single.tpms[0])
        assert np.array_equal(together.cms[model], single.cms[0])


def test_states_that_no_unit_can_have_are_named():
    with pytest.raises(ModelError, match="transition 1 of row 0 has the state 4 before, of 2 units"):
        fit_models(np.array([[0, 4, 1]]), np.array([[0, 1, 1]]), 2)
    with pytest.raises(ModelError, match="13 units"):
        encode_states(np.zeros((3, 13), bool))
