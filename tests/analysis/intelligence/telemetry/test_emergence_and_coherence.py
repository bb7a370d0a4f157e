"""Emergence and coherence of activities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.analysis.intelligence.telemetry.kinetic_ising import independent

from swarmscope.analysis.intelligence.coherence.regions import Band, CoherenceOptions
from swarmscope.analysis.intelligence.emergence.score import EmergenceOptions
from swarmscope.analysis.intelligence.telemetry.activity import Activity, activity_of_states
from swarmscope.analysis.intelligence.telemetry.coherence import measure_coherence
from swarmscope.analysis.intelligence.telemetry.emergence import measure_emergence
from swarmscope.analysis.intelligence.telemetry.watch import ComputationCancelledError

_PARITY = EmergenceOptions("parity", n_surrogates=39, n_resamples=20)


def _parity_kept(n_bins, seed):
    """Three coins and a unit that keeps the parity of all four: no unit tells of it, together they do."""
    rng = np.random.default_rng(seed)
    on = rng.random((n_bins, 4)) < 0.5
    kept = on[0].sum() % 2
    on[:, 3] = (on[:, :3].sum(axis=1) + kept) % 2
    flips = rng.random(n_bins) < 0.02  # or it would never vary
    on[:, 3] ^= np.cumsum(flips) % 2 == 1
    return on


def test_kept_parity_is_emergent():
    estimate = measure_emergence(activity_of_states(_parity_kept(2000, 1), ("a", "b", "c", "d")), _PARITY)
    assert estimate.significant
    assert estimate.value == pytest.approx(1.0 - 0.141, abs=0.05)  # 1 − h(0.02)
    assert estimate.extra["units"] == ["a", "b", "c", "d"]


def test_independent_units_show_no_emergence():
    estimate = measure_emergence(activity_of_states(independent(4, 800, 2)), _PARITY)
    assert (estimate.valid, estimate.significant, estimate.value) == (True, False, 0.0)


def test_levels_that_are_no_counts_have_the_throughput_of_states():
    on = independent(4, 400, 3)
    levels = Activity(tuple("abcd"), on.astype(float), on * 0.37, 10)
    options = replace(_PARITY, feature="throughput")
    assert measure_emergence(levels, options).raw == measure_emergence(activity_of_states(on), options).raw


def test_emergence_of_thin_and_constant_data_says_so():
    assert measure_emergence(activity_of_states(independent(4, 99, 2))).reason == "too_few_bins: 99 of 100"
    assert measure_emergence(activity_of_states(np.zeros((200, 2)))).reason == "constant_units: A, B"
    assert measure_emergence(activity_of_states(np.zeros((0, 2)))).reason == "constant_units: A, B"
    unknown = measure_emergence(activity_of_states(independent(4, 400, 2)), EmergenceOptions("mood"))
    assert (unknown.valid, unknown.reason[:7]) == (False, "model: ")


def test_emergence_can_be_cancelled():
    with pytest.raises(ComputationCancelledError):
        measure_emergence(activity_of_states(independent(4, 400, 2)), cancelled=lambda: True)


def test_units_with_a_common_demand_are_coherent():
    rng = np.random.default_rng(4)
    demand = np.convolve(rng.normal(size=1009), np.ones(10) / np.sqrt(10), "valid")  # slow: means of ten bins
    rate = 3.0 * np.exp(0.7 * demand)
    events = np.column_stack([rng.poisson(rate), rng.poisson(rate), rng.poisson(3.0, 1000)]).astype(float)
    activity = Activity(("a", "b", "c"), np.minimum(events, 1.0), events, 10**9)
    bands = (Band("slow", 0.0, 0.05), Band("fast", 0.2, 0.5))
    found = measure_coherence(activity, CoherenceOptions(bands, n_shifts=99))
    assert found.pairs.significant[0].tolist() == [[False, True, False], [True, False, False], [False, False, False]]
    assert found.estimates[0].significant
    assert found.estimates[0].bin_ns == 10**9


def test_coherence_of_thin_and_constant_data_says_so():
    rng = np.random.default_rng(5)
    assert measure_coherence(activity_of_states(np.zeros((500, 3)))).estimates[0].reason.startswith("too_few_regions")
    assert measure_coherence(activity_of_states(np.zeros((0, 3)))).estimates[0].reason.startswith("too_few_regions")
    thin = measure_coherence(activity_of_states(rng.random((20, 3))))
    assert thin.estimates[0].reason.startswith("too_few_segments")
    straight = np.column_stack([np.arange(500.0), rng.random(500)])
    assert measure_coherence(activity_of_states(straight)).estimates[0].reason.startswith("model: signal 0")
    with pytest.raises(ComputationCancelledError):
        measure_coherence(activity_of_states(rng.random((500, 3))), cancelled=lambda: True)
