"""How often fleets of independent agents are called integrated, and how often coupled ones are missed."""

from __future__ import annotations

import numpy as np
import pytest
from tests.analysis.intelligence.telemetry.fleets import SECOND_NS, fleet
from tests.analysis.intelligence.telemetry.kinetic_ising import RING, independent, run, tpm_of
from tests.portion import portion

from swarmscope.analysis.intelligence.telemetry.activity import activity_of_states
from swarmscope.analysis.intelligence.telemetry.bin_width import activities_of_spans
from swarmscope.analysis.intelligence.telemetry.integration import measure_phi
from swarmscope.analysis.intelligence.telemetry.options import PhiOptions

_SEEDS = portion(200, 6)


def _share_found(activities, integration_type):
    options = PhiOptions(integration_type, n_resamples=0)  # intervals decide nothing
    return np.mean([measure_phi(activity, options).significant for activity in activities])


def _states(kind, seed):
    if kind == "independent":
        return activity_of_states(independent(4, 800, seed))
    return activity_of_states(run(tpm_of(RING, np.zeros(4)), 800, seed))


def _spans(hand_on, seconds, seed):
    return activities_of_spans(fleet(4, seconds, hand_on, seed), tuple("ABCD"), 0, int(seconds) * SECOND_NS).chosen


@pytest.mark.parametrize("integration_type", ["iit_3.0", "ei_mip", "phi_g"])
def test_independent_agents_are_not_integrated(integration_type):
    states = [_states("independent", seed) for seed in range(_SEEDS)]
    assert _share_found(states, integration_type) <= portion(0.07, 0.25)
    spans = [_spans(0.0, 2400.0, seed) for seed in range(_SEEDS)]
    assert _share_found(spans, integration_type) <= portion(0.07, 0.25)


@pytest.mark.parametrize("integration_type", ["iit_3.0", "ei_mip", "phi_g"])
def test_coupled_agents_are_integrated(integration_type):
    states = [_states("coupled", seed) for seed in range(_SEEDS)]
    assert _share_found(states, integration_type) >= 0.95
    spans = [_spans(0.5, 600.0, seed) for seed in range(_SEEDS)]
    assert _share_found(spans, integration_type) >= 0.95
