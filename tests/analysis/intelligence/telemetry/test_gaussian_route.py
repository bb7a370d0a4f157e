"""Φ_G of counts and of levels."""

from __future__ import annotations

import numpy as np
import pytest

from swarmscope.analysis.intelligence.information.autoregression import fit_var, given_var
from swarmscope.analysis.intelligence.information.gaussian import gaussian_phi
from swarmscope.analysis.intelligence.telemetry.activity import Activity
from swarmscope.analysis.intelligence.telemetry.gaussian_route import _fit_pairs
from swarmscope.analysis.intelligence.telemetry.integration import measure_phi
from swarmscope.analysis.intelligence.telemetry.options import PhiOptions

_SHORT = PhiOptions("phi_g", n_surrogates=39, n_resamples=20)


def _levels(a, n_bins, seed):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n_bins + 50, len(a)))
    for at in range(1, len(noise)):
        noise[at] += a @ noise[at - 1]
    return noise[50:]


def _activity(levels):
    names = tuple(f"u{unit}" for unit in range(levels.shape[1]))
    return Activity(names, np.clip(levels, 0.0, 1.0), levels, 10**9)


_RING = 0.3 * np.eye(4) + 0.4 * np.roll(np.eye(4), 1, axis=1)


def test_a_long_window_gives_phi_of_the_truth():
    estimate = measure_phi(_activity(_levels(_RING, 20_000, 1)), _SHORT)
    truth = gaussian_phi(given_var(_RING, np.eye(4)))
    assert estimate.integration_type == "phi_g"
    assert estimate.raw == pytest.approx(truth.phi, rel=0.1)
    assert estimate.significant
    assert estimate.ci_low < truth.phi < estimate.ci_high
    assert estimate.extra["lag_preferred"] == 1


def test_transitions_are_fitted_as_a_series_is():
    x = _levels(_RING, 600, 2)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    series, pairs = fit_var(x), _fit_pairs(x[:-1], x[1:], 0.0)
    assert pairs.a == pytest.approx(series.a, abs=5e-3)  # each side has its own mean there
    assert pairs.sigma_e == pytest.approx(series.sigma_e, abs=5e-3)


def test_units_apart_are_not_integrated():
    estimate = measure_phi(_activity(_levels(0.6 * np.eye(4), 800, 3)), _SHORT)
    assert (estimate.value, estimate.significant, estimate.valid) == (0.0, False, True)
    assert 0.0 < estimate.raw < 0.02


def test_many_units_go_the_gaussian_way_by_themselves():
    a = 0.3 * np.eye(12) + 0.4 * np.roll(np.eye(12), 1, axis=1)
    events = np.random.default_rng(5).poisson(np.exp(_levels(a, 1500, 4) * 0.7 + 1.0))
    estimate = measure_phi(_activity(events.astype(float)), PhiOptions(n_surrogates=19, n_resamples=10))
    assert (estimate.integration_type, estimate.n_units) == ("phi_g", 12)
    assert (estimate.extra["search"], estimate.extra["tested"]) == ("queyranne", "found_partition")
    assert estimate.significant


def test_thin_and_constant_counts_say_so():
    levels = _levels(_RING, 599, 1)
    assert measure_phi(_activity(levels), _SHORT).reason == "too_few_bins: 599 of 600"
    levels = np.column_stack([np.zeros(700), np.eye(1, 700)[0], _levels(_RING, 700, 1)])
    estimate = measure_phi(_activity(levels), _SHORT)
    assert estimate.valid
    assert estimate.extra["dropped"] == ["u0", "u1"]
    nothing = measure_phi(_activity(np.zeros((700, 3))), _SHORT)
    assert (nothing.valid, nothing.reason) == (False, "constant_units: u0, u1, u2")
    assert measure_phi(_activity(np.zeros((0, 3))), _SHORT).reason == "constant_units: u0, u1, u2"
    copies = np.repeat(_levels(_RING, 700, 1)[:, :1], 3, axis=1)
    assert measure_phi(_activity(copies), _SHORT).reason.startswith("model: ")


def test_other_widths_are_told_beside():
    activity = _activity(_levels(_RING, 1200, 1))
    estimate = measure_phi(activity, _SHORT, other_widths=(activity.merged(),))
    assert [(of["bin_ns"], of["n_samples"]) for of in estimate.extra["by_bin_ns"]] == [(2 * 10**9, 600)]
    assert estimate.extra["by_bin_ns"][0]["phi"] > 0.0
