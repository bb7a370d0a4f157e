"""Whatever a window holds, measurements answer with estimates."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.portion import portion

from swarmscope.analysis.intelligence.coherence.regions import CoherenceOptions
from swarmscope.analysis.intelligence.emergence.score import EmergenceOptions
from swarmscope.analysis.intelligence.telemetry.activity import Activity
from swarmscope.analysis.intelligence.telemetry.coherence import measure_coherence
from swarmscope.analysis.intelligence.telemetry.emergence import measure_emergence
from swarmscope.analysis.intelligence.telemetry.integration import measure_phi
from swarmscope.analysis.intelligence.telemetry.options import PhiOptions


def _column(kind, n_bins, rng):
    if kind == "constant":
        return np.full(n_bins, float(rng.choice([0.0, 0.05, 0.1, 1.0])))
    if kind == "once":
        return np.eye(1, n_bins, int(rng.integers(max(n_bins, 1))))[0]
    if kind == "rare":
        return (rng.random(n_bins) < 0.02).astype(float)
    if kind == "alternating":
        return (np.arange(n_bins) % 2).astype(float)
    if kind == "half":
        return (np.arange(n_bins) < n_bins // 2).astype(float)
    return (rng.random(n_bins) < rng.random()).astype(float)


def _odd(rng):
    n_bins, n_units = int(rng.choice([0, 1, 2, 9, 10, 40, 700])), int(rng.integers(0, 8))
    kinds = ["constant", "once", "rare", "alternating", "half", "coin"]
    columns = [_column(rng.choice(kinds), n_bins, rng) for _ in range(n_units)]
    if n_units > 1 and rng.random() < 0.5:
        columns[1] = columns[0]  # two names for one
    on = np.array(columns).T.reshape(n_bins, n_units)
    scale = float(rng.choice([1.0, 0.3, 1e12, -1.0]))
    return Activity(tuple(f"u{unit}" for unit in range(n_units)), on, on * scale, int(rng.choice([1, 10**9, 10**13])))


@pytest.mark.parametrize("integration_type", ["auto", "ei_mip", "phi_g"])
@pytest.mark.parametrize("min_bins", [0, 1])
def test_phi_of_anything_is_an_estimate(integration_type, min_bins):
    options = PhiOptions(integration_type, n_surrogates=3, n_resamples=3, min_bins=min_bins)
    rng = np.random.default_rng(min_bins)
    for _ in range(portion(500, 40)):
        activity = _odd(rng)
        estimate = measure_phi(activity, options, other_widths=(activity.merged(),))
        json.dumps(estimate.to_json(), allow_nan=False)
        assert estimate.valid == (not estimate.reason)
        assert estimate.value >= 0.0
        assert estimate.value == 0.0 or (estimate.significant and estimate.valid)


def test_emergence_and_coherence_of_anything_are_estimates():
    rng = np.random.default_rng(2)
    for _ in range(portion(500, 40)):
        activity = _odd(rng)
        found = [measure_emergence(activity, EmergenceOptions(n_surrogates=3, n_resamples=3, min_bins=1))]
        found += measure_coherence(activity, CoherenceOptions(n_shifts=3)).estimates
        for estimate in found:
            json.dumps(estimate.to_json(), allow_nan=False)
            assert estimate.valid == (not estimate.reason)
