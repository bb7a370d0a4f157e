"""Φ of what fleets were seen doing."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from tests.analysis.intelligence.telemetry.fleets import SECOND_NS, fleet
from tests.analysis.intelligence.telemetry.kinetic_ising import RING, independent, run, tpm_of

from swarmscope.analysis.intelligence.iit3.network import check_network
from swarmscope.analysis.intelligence.iit3.phi import compute_phi
from swarmscope.analysis.intelligence.telemetry.activity import activity_of_spans, activity_of_states
from swarmscope.analysis.intelligence.telemetry.bin_width import activities_of_spans
from swarmscope.analysis.intelligence.telemetry.integration import measure_phi
from swarmscope.analysis.intelligence.telemetry.options import PhiOptions, required_bins
from swarmscope.analysis.intelligence.telemetry.watch import ComputationCancelledError

_RING_TPM = tpm_of(RING, np.zeros(4))


def _ring(n_bins=800, seed=0):
    return activity_of_states(run(_RING_TPM, n_bins, seed))


def test_a_coupled_fleet_is_integrated():
    estimate = measure_phi(_ring())
    assert estimate.valid
    assert estimate.significant
    assert estimate.integration_type == "iit_3.0"
    assert (estimate.estimator, estimate.n_units, estimate.n_samples) == ("logistic", 4, 800)
    assert estimate.p_value == 0.01  # none of 99 surrogates reaches it
    assert estimate.ci_low <= estimate.value <= estimate.ci_high
    assert estimate.bias_corrected
    json.dumps(estimate.to_json(), allow_nan=False)


def test_what_is_published_is_phi_of_the_model_that_is_told():
    estimate = measure_phi(_ring(), PhiOptions(n_surrogates=19, n_resamples=0))
    model = estimate.extra["model"]
    network = check_network(np.array(model["tpm"]), np.array(model["cm"]))
    assert compute_phi(network, model["state"]).phi == pytest.approx(estimate.raw, abs=1e-9)
    phis = {tuple((state["state"] >> unit) & 1 for unit in range(4)): state for state in estimate.extra["states"]}
    for state, told in list(phis.items())[:4]:
        assert compute_phi(network, state).phi == pytest.approx(told["phi"], abs=1e-9)
    total = sum(state["share"] for state in phis.values())
    mean = sum(state["share"] * state["phi"] for state in phis.values()) / total
    assert estimate.extra["mean_phi_raw"] == pytest.approx(mean)


def test_a_long_window_gives_phi_of_the_truth():
    estimate = measure_phi(_ring(20_000, 3), PhiOptions(n_surrogates=19, n_resamples=0))
    network = check_network(_RING_TPM, RING != 0)
    truth = compute_phi(network, estimate.extra["model"]["state"]).phi
    assert estimate.raw == pytest.approx(truth, rel=0.15)


def test_independent_units_publish_zero_and_the_raw_value_beside():
    estimate = measure_phi(activity_of_states(independent(4, 800, 1)))
    assert (estimate.value, estimate.significant, estimate.valid) == (0.0, False, True)
    assert estimate.raw >= 0.0
    assert estimate.p_value > 0.05


def test_rounding_is_no_integration():
    # Units that hold their states alone have an EI that parts lose nothing of, but for its last digits.
    on = run(tpm_of(np.eye(4), np.zeros(4)), 2000, 5)
    estimate = measure_phi(activity_of_states(on), PhiOptions("ei_mip", n_surrogates=19, n_resamples=0))
    assert estimate.extra["ei"] > 0.1
    assert (estimate.raw, estimate.p_value) == (0.0, 1.0)


def test_the_same_window_gives_the_same_estimate():
    options = PhiOptions(n_surrogates=19, n_resamples=20)
    assert measure_phi(_ring(), options).to_json() == measure_phi(_ring(), options).to_json()


def test_other_widths_are_told_beside():
    spans = fleet(4, 600.0, 0.5, 1)
    at = activities_of_spans(spans, tuple("ABCD"), 0, 600 * SECOND_NS)
    options = PhiOptions(n_surrogates=19, n_resamples=0)
    estimate = measure_phi(at.chosen, options, other_widths=(at.halved, at.doubled))
    told = estimate.extra["by_bin_ns"]
    assert [of["bin_ns"] for of in told] == [at.width.bin_ns // 2, at.width.bin_ns * 2]
    assert all(of["mean_phi"] >= 0.0 for of in told)
    assert ["A", "B"] in estimate.extra["connections"]


def test_six_units_are_tested_by_effective_information():
    couplings = np.eye(6) + 1.2 * np.roll(np.eye(6), 1, axis=1)
    activity = activity_of_states(run(tpm_of(couplings, np.zeros(6)), 1680, 4))
    estimate = measure_phi(activity)
    assert estimate.integration_type == "iit_3.0"
    assert estimate.significant
    assert estimate.extra["tested"] == "ei_mip"
    assert not estimate.bias_corrected
    assert estimate.value == estimate.raw
    assert math.isnan(estimate.ci_low)


def test_effective_information_may_be_asked_for():
    estimate = measure_phi(_ring(), PhiOptions("ei_mip", n_surrogates=19, n_resamples=20))
    assert estimate.integration_type == "ei_mip"
    assert estimate.raw == pytest.approx(estimate.extra["ei_mip"])
    assert estimate.significant


def test_thin_and_constant_data_say_so():
    too_few = measure_phi(_ring(500))
    assert (too_few.valid, too_few.reason) == (False, "too_few_bins: 500 of 800")
    on = run(_RING_TPM, 900, 0)
    on[:, 1:] = [True, False, True]
    constant = measure_phi(activity_of_states(on, ("a", "b", "c", "d")))
    assert (constant.valid, constant.reason) == (False, "constant_units: b, c, d")
    assert measure_phi(activity_of_states(np.zeros((0, 3)))).reason == "constant_units: A, B, C"
    assert measure_phi(activity_of_states(np.zeros((10, 0)))).reason.startswith("constant_units")
    many = activity_of_states(independent(7, 3000, 0))
    assert measure_phi(many, PhiOptions("iit_3.0")).reason == "too_many_units: 7 of at most 6"


def test_a_constant_unit_is_left_out_and_named():
    on = np.column_stack([run(_RING_TPM, 900, 0), np.ones(900, bool)])
    estimate = measure_phi(activity_of_states(on), PhiOptions(n_surrogates=19, n_resamples=0))
    assert estimate.valid
    assert (estimate.n_units, estimate.extra["dropped"]) == (4, ["E"])


def test_coupling_within_a_bin_is_refused():
    on = run(_RING_TPM, 900, 0)
    on[:, 3] = np.where(np.random.default_rng(0).random(900) < 0.7, on[:, 0], on[:, 3])
    estimate = measure_phi(activity_of_states(on), PhiOptions(n_surrogates=19, n_resamples=0))
    assert not estimate.valid
    assert estimate.reason.startswith("instantaneous_coupling: A and D")
    assert estimate.value == 0.0


def test_a_computation_can_be_watched_and_ended():
    told = []
    measure_phi(_ring(), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    seen = iter([False, False, True])
    with pytest.raises(ComputationCancelledError):
        measure_phi(_ring(), cancelled=lambda: next(seen))


def test_windows_grow_with_units():
    assert [required_bins(n) for n in (2, 3, 4, 5, 6)] == [600, 600, 800, 1200, 1680]
    assert required_bins(16, "phi_g") == 2560


def test_idle_fleets_have_no_phi():
    spans = fleet(3, 10.0, 0.0, 0)
    activity = activity_of_spans(spans, tuple("ABC"), 10**12, 10**12 + 600 * SECOND_NS, SECOND_NS // 2)
    assert measure_phi(activity).reason == "constant_units: A, B, C"
