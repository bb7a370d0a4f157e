"""The components of fleets that were counted by hand, and what is made of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.analysis.intelligence.coordination.made_fleets import make_fleet, team_traces

from swarmscope.analysis.intelligence.coordination.components import (
    ActivityFindings,
    Component,
    CoordinationOptions,
    composite,
    measure_coordination,
)
from swarmscope.analysis.intelligence.coordination.consensus import Consensus, consensus_latency
from swarmscope.analysis.intelligence.coordination.transfer_entropy import transfer_entropies
from swarmscope.analysis.intelligence.errors import ModelError

WEIGHTS = {"one": 1.0, "two": 1.0, "three": 2.0, "four": 0.0}


def test_a_team_by_hand() -> None:
    found = measure_coordination(team_traces(20, failing=4), 3)
    value = {component.name: component.value for component in found.components}
    # Two hand-offs a trace, of which one fails in 4 of 20.
    assert value["hand_off_success"] == pytest.approx(36 / 40)
    # Work 2 + 10 + 10, waiting 10.
    assert value["wait_efficiency"] == pytest.approx(22 / 32)
    # S = 22/12 for three agents.
    assert value["parallelism"] == pytest.approx((22 / 12 - 1) / 2)
    assert value["non_duplication"] == 1.0
    # Gini of (2, 10, 10): sum of differences 2·16, over 2·3·22.
    assert value["contribution_balance"] == pytest.approx(1 - 32 / 132 * 3 / 2)
    success = found.component("hand_off_success")
    assert success[2:] == pytest.approx((40, 0.7695, 0.9604), abs=1e-4)
    estimate = found.estimate
    assert estimate.value == pytest.approx((0.9 * 22 / 32 * (10 / 24) * 1.0) ** 0.25)
    assert estimate.ci_low <= estimate.value <= estimate.ci_high
    assert (estimate.valid, estimate.n_units, estimate.n_samples) == (True, 3, 60)
    assert estimate.extra["counted"] == ["hand_off_success", "wait_efficiency", "parallelism", "non_duplication"]


def test_too_few_events_give_no_composite() -> None:
    found = measure_coordination(team_traces(5), 3)
    assert not found.estimate.valid
    assert found.estimate.reason == "too_few_components: 0 of 3 have 30 events"
    assert found.component("parallelism").value == pytest.approx(10 / 24)
    assert measure_coordination(team_traces(5), 3, CoordinationOptions(least_events=10)).estimate.valid


def test_one_agent_alone_has_nothing_to_coordinate() -> None:
    found = measure_coordination(make_fleet([(-1, 0, 0, 9), (0, 0, 1, 5)]), 1)
    assert [c.name for c in found.components if math.isfinite(c.value)] == ["wait_efficiency"]
    assert not found.estimate.valid
    assert not measure_coordination(make_fleet([]), 0).estimate.valid


def test_traces_are_told_apart() -> None:
    """Two agents at the same time, but not in one trace, are not parallel to each other."""
    rows = [(-1, 0, 0, 10, {"trace": 0}), (-1, 1, 0, 10, {"trace": 1})]
    assert math.isnan(measure_coordination(make_fleet(rows), 2).component("parallelism").value)


def test_activity_and_rounds_are_told_beside() -> None:
    x = np.random.default_rng(1).integers(0, 2, 500)
    transfer = transfer_entropies(np.stack([x, np.roll(x, 1)], axis=1))
    rounds = Consensus(5.0, 2, 1)
    options = CoordinationOptions(weights={"hand_off_success": 1, "wait_efficiency": 1, "information_flow": 2})
    found = measure_coordination(team_traces(20), 3, options, ActivityFindings(transfer, rounds))
    assert found.component("information_flow")[:3] == ("information_flow", 0.5, 500)
    assert found.estimate.value == pytest.approx((1.0 * 22 / 32 * 0.25) ** 0.25)
    assert found.estimate.extra["consensus"] == {"median_ns": 5.0, "n_agreed": 2, "n_open": 1}


@pytest.mark.parametrize("weights", [{"luck": 1.0}, {"parallelism": -1.0}, {"parallelism": math.nan}])
def test_weights_that_make_no_sense(weights: dict[str, float]) -> None:
    with pytest.raises(ModelError, match="there is no weight"):
        measure_coordination(team_traces(2), 3, CoordinationOptions(weights=weights))


def _component(name: str, value: float, n_events: int = 30) -> Component:
    return Component(name, value, n_events)


def test_composite_is_the_weighted_geometric_mean() -> None:
    some = [_component("one", 0.5), _component("two", 0.8), _component("three", 0.9), _component("four", 0.1)]
    assert composite(some, WEIGHTS) == pytest.approx((0.5 * 0.8 * 0.9 * 0.9) ** 0.25)
    assert composite([*some[:2], _component("three", 0.9, 29)], WEIGHTS) is None
    assert composite([*some[:2], _component("three", math.nan)], WEIGHTS) is None
    assert composite([*some[:2], _component("three", 0.0)], WEIGHTS) == 0.0


@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=3))
def test_composite_lies_between_its_components(values: list[float]) -> None:
    found = composite([_component(n, v) for n, v in zip(WEIGHTS, values, strict=False)], WEIGHTS)
    assert found is not None
    assert min(values) - 1e-12 <= found <= max(values) + 1e-12


def test_consensus() -> None:
    # Round 0 takes 7, round 1 was agreed before anything was proposed, round 2 takes 3, round 3 has no proposal.
    rounds = np.array([0, 0, 0, 1, 1, 2, 2, 3])
    at_ns = np.array([5, 3, 10, 9, 4, 20, 23, 1])
    is_proposal = np.array([1, 1, 0, 1, 0, 1, 0, 0], bool)
    assert consensus_latency(rounds, at_ns, is_proposal, ~is_proposal) == (5.0, 2, 1)
    none = np.zeros(0, np.int64)
    assert math.isnan(consensus_latency(none, none, none > 0, none > 0).median_ns)
    with pytest.raises(ModelError, match="event 1 is of round -1"):
        consensus_latency(np.array([0, -1]), np.array([1, 2]), np.ones(2, bool), np.ones(2, bool))
