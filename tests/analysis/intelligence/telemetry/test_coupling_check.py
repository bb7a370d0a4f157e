"""Units that act together within a bin."""

from __future__ import annotations

import numpy as np
from tests.analysis.intelligence.telemetry.kinetic_ising import RING, independent, run, tpm_of

from swarmscope.analysis.intelligence.telemetry.coupling_check import check_coupling
from swarmscope.analysis.intelligence.telemetry.transition_model import encode_states, fit_models


def _check(on):
    codes = encode_states(on)
    tpm = fit_models(codes[None, :-1], codes[None, 1:], on.shape[1]).tpms[0]
    return check_coupling(codes[:-1], on[1:], tpm)


def test_coupling_from_bin_to_bin_leaves_nothing_together():
    truth = tpm_of(RING, np.zeros(4))
    assert sum(_check(run(truth, 800, seed)).is_coupled for seed in range(60)) <= 1
    assert sum(_check(independent(4, 800, seed)).is_coupled for seed in range(60)) <= 1


def test_units_that_act_together_are_found_and_named():
    on = independent(4, 800, 9)
    together = np.random.default_rng(1).random(800) < 0.5
    on[together, 3] = on[together, 1]
    check = _check(on)
    assert check.is_coupled
    assert check.pair == (1, 3)
    assert check.strongest > 0.3
    assert check.share == 1 / 6


def test_the_correlation_is_of_what_the_model_leaves():
    # Both follow the first unit without fail in what the model knows, and are coins of their own beyond.
    rng = np.random.default_rng(2)
    before = rng.integers(0, 4, 4000)
    chance = np.where(before & 1, 0.9, 0.1)
    on_after = rng.random((4000, 2)) < chance[:, None]
    tpm = np.repeat(np.where(np.arange(4) & 1, 0.9, 0.1)[:, None], 2, axis=1)
    assert np.corrcoef(on_after.T)[0, 1] > 0.6
    assert abs(check_coupling(before, on_after, tpm).strongest) < 0.05
