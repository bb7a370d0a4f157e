"""What holds of Φ for every network, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.intelligence.iit3.networks import elementary_rule, logistic_network, states_of
from tests.portion import portion

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.iit3 import phi as phi_module
from swarmscope.analysis.intelligence.iit3.network import Network, check_network
from swarmscope.analysis.intelligence.iit3.phi import compute_phi, phi_of_models
from swarmscope.analysis.intelligence.telemetry.watch import ComputationCancelledError

_SEEDS = st.integers(0, 2**32 - 1)


def relabel(network: Network, order: list[int]) -> Network:
    """Unit order[i] becomes unit i."""
    n_units = network.n_units
    numbers = states_of(n_units) @ (1 << np.array(order))
    return check_network(network.tpm[numbers][:, order])


# Ties are decided by the order of units, so that a few networks do differ: these are always the same ones.
@settings(max_examples=portion(200, 30), deadline=None, derandomize=True)
@given(_SEEDS, st.permutations(range(3)), st.integers(0, 7))
def test_names_of_units_do_not_matter(seed: int, order: list[int], state: int) -> None:
    network = logistic_network(3, seed)
    now = states_of(3)[state]
    before, after = compute_phi(network, now), compute_phi(relabel(network, order), now[order])
    assert after.phi == pytest.approx(before.phi, abs=1e-6)
    assert after.sum_small_phi == pytest.approx(before.sum_small_phi, abs=1e-6)
    renamed = {tuple(sorted(order[unit] for unit in concept.mechanism)) for concept in after.concepts}
    assert renamed == {concept.mechanism for concept in before.concepts}


@pytest.mark.parametrize(("n_units", "seed"), [(5, 1), (5, 2), (6, 1)])
def test_names_of_many_units_do_not_matter(n_units: int, seed: int) -> None:
    """With them the order of all searches changes, and so what is skipped."""
    network, now = logistic_network(n_units, seed), states_of(n_units)[11]
    order = np.random.default_rng(seed).permutation(n_units).tolist()
    before, after = compute_phi(network, now), compute_phi(relabel(network, order), now[order])
    assert after.phi == pytest.approx(before.phi, abs=1e-9)
    assert after.mip is not None
    assert before.mip == tuple(tuple(sorted(order[unit] for unit in side)) for side in after.mip)


@settings(max_examples=portion(100, 15), deadline=None)
@given(_SEEDS, st.integers(1, 3))
def test_two_that_do_not_hear_each_other_have_none(seed: int, n_first: int) -> None:
    n_units = 4
    first, second = logistic_network(n_first, seed), logistic_network(n_units - n_first, seed + 1)
    numbers = np.arange(1 << n_units)
    tpm = np.hstack([first.tpm[numbers & (1 << n_first) - 1], second.tpm[numbers >> n_first]])
    now = [0, 1, 1, 0]
    assert compute_phi(check_network(tpm), now).phi == 0
    # As if all were connected, it is found by cutting them.
    result = compute_phi(check_network(tpm, np.ones((n_units, n_units))), now)
    assert result.phi == pytest.approx(0, abs=1e-12)
    assert (tuple(range(n_first)), tuple(range(n_first, n_units))) in result.tied_cuts


@settings(max_examples=portion(100, 15), deadline=None)
@given(_SEEDS, st.integers(0, 15))
def test_it_is_at_most_what_cutting_everything_changes(seed: int, state: int) -> None:
    result = compute_phi(logistic_network(4, seed), states_of(4)[state])
    # A concept is 1 at most from the null concept for each unit, as a cause and as an effect.
    assert 0 <= result.phi <= 2 * 4 * result.sum_small_phi + 1e-9
    for concept in result.concepts:
        assert concept.phi == min(concept.phi_cause, concept.phi_effect) > 0
        assert concept.cause_repertoire.sum() == pytest.approx(1)
        assert concept.effect_repertoire.sum() == pytest.approx(1)


def test_other_units_are_held_in_their_state() -> None:
    """Two units that swap states while a third is on, and forget them while it is off."""
    states = states_of(3)
    swapping = np.stack([states[:, 1], states[:, 0]], axis=1) * states[:, 2:]
    tpm = np.hstack([swapping, states[:, 2:]]) + np.hstack(
        [np.full((8, 2), 0.5) * (1 - states[:, 2:]), np.zeros((8, 1))]
    )
    on = compute_phi(check_network(tpm), [1, 0, 1], subsystem=[1, 0])
    alone = compute_phi(check_network([[0, 0], [0, 1], [1, 0], [1, 1]]), [1, 0])
    assert on.phi == alone.phi == pytest.approx(1.0)  # either cut ends two concepts of ½, each ½ + ½ from null
    assert on.units == (0, 1)
    assert compute_phi(check_network(tpm), [1, 0, 0], subsystem=[0, 1]).phi == 0


def test_units_that_are_no_inputs_are_averaged_over() -> None:
    """XOR of two looks random to each of them alone, so without one connection the unit is noise."""
    states = states_of(2)
    tpm = np.stack([states[:, 0] ^ states[:, 1], states[:, 0]], axis=1)
    network = check_network(tpm, [[1, 1], [0, 1]])
    assert network.tpm[:, 0].tolist() == [0.5] * 4
    assert network.tpm[:, 1].tolist() == [0, 1, 0, 1]


def test_one_unit_and_one_that_nothing_reaches_have_none() -> None:
    single = compute_phi(check_network([[1.0], [0.0]]), [0])
    assert (single.phi, single.mip, single.concepts) == (0, None, ())
    chain = compute_phi(check_network([[0.5, 0], [0.5, 1], [0.5, 0], [0.5, 1]]), [0, 1])
    assert (chain.phi, chain.tied_cuts) == (0, ())


def test_many_models_at_once_are_as_one_by_one() -> None:
    networks = [logistic_network(3, seed, 0.5 * seed) for seed in range(4)]
    connections = np.ones((4, 3, 3), bool)
    connections[2, 0] = connections[3, 0, 1] = False
    states = states_of(3)[[1, 4, 6, 7]]
    found = phi_of_models(np.stack([each.tpm for each in networks]), connections, states)
    alone = [
        compute_phi(check_network(network.tpm, connected), state).phi
        for network, connected, state in zip(networks, connections, states, strict=True)
    ]
    assert found.tolist() == alone
    assert found[[0, 2]].tolist() == [0, 0]  # no weights; nothing leaves unit 0
    assert found[1] > 0


def test_threads_find_what_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    network, parts = elementary_rule(154, 5), []
    alone = compute_phi(network, [1, 0, 0, 0, 0])
    monkeypatch.setattr(phi_module, "_MIN_SHARED_UNITS", 5)
    shared = compute_phi(network, [1, 0, 0, 0, 0], progress=parts.append)
    assert shared.to_json() == alone.to_json()
    assert parts == sorted(parts)
    assert (parts[0], parts[-1]) == (0, 1)


@pytest.mark.parametrize("min_shared", [4, 7])
def test_it_ends_when_nobody_waits(monkeypatch: pytest.MonkeyPatch, min_shared: int) -> None:
    monkeypatch.setattr(phi_module, "_MIN_SHARED_UNITS", min_shared)
    asked = iter([False, True])
    with pytest.raises(ComputationCancelledError):
        compute_phi(logistic_network(4, 1), [0, 0, 0, 0], cancelled=lambda: next(asked))


def test_a_result_is_json() -> None:
    told = json.loads(json.dumps(compute_phi(elementary_rule(110, 3), [1, 0, 1]).to_json()))
    assert told["integration_type"] == "iit_3.0"
    assert told["mip"] == {"from": [1, 2], "to": [0]} == told["tied_cuts"][0]
    assert told["concepts"][0].keys() >= {"mechanism", "phi", "cause_purview", "effect_purview", "cause_repertoire"}


_COPY = [[0, 0], [0, 1], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("tpm", "cm", "words"),
    [
        ([[0.5, 0.5]] * 3, None, "2 units have 4 states, it has 3 rows"),
        ([0.5, 0.5], None, r"its shape is \[2\]"),
        ([[0, 0], [0, 1.5], [1, 0], [1, 1]], None, "row 1, unit 1 is 1.5, not a probability"),
        ([[0, 0], [0, 1], [1, 0], [math.nan, 1]], None, "row 3, unit 0 is nan"),
        ([[0, 0], [0, 1], [1, -0.1], [1, 1]], None, "row 2, unit 1 is -0.1"),
        ([["a", "b"]] * 4, None, "no table of numbers"),
        ([[0, 0], [0]], None, "no table of numbers"),
        (_COPY, [[1, 1]], r"cm: 2 units need \[2, 2\]"),
        (_COPY, [[1, 1], [2, 0]], "cm: from 1 to 0 is 2, neither"),
    ],
)
def test_networks_that_are_none(tpm: list, cm: list | None, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        check_network(tpm, cm)


@pytest.mark.parametrize(
    ("state", "subsystem", "words"),
    [
        ([0, 1, 0], None, r"state: 2 units have a state \[2\]"),
        ([0, 2], None, "state: unit 1 is 2, neither"),
        ([0, math.nan], None, "state: unit 1 is nan"),
        ([1, 1], None, "unreachable"),
        ([0, 0], [0, 2], "not different units of 0 to 1"),
        ([0, 0], [0, 0], "not different units"),
        ([0, 0], [], "not different units"),
    ],
)
def test_states_and_units_that_are_none(state: list, subsystem: list | None, words: str) -> None:
    never_both = check_network([[0, 0], [0, 1], [1, 0], [0, 0]])
    with pytest.raises(ModelError, match=words):
        compute_phi(never_both, state, subsystem=subsystem)


def test_a_state_that_only_held_units_forbid() -> None:
    follows = check_network([[0, 0], [0, 0], [1, 1], [1, 1]])  # both do as unit 1 did
    with pytest.raises(ModelError, match=r"units \[0\] with the others held: \[1\] is unreachable"):
        compute_phi(check_network([[0, 0], [0, 1], [1, 0], [1, 1]]), [1, 0], subsystem=[0])
    assert compute_phi(follows, [1, 1], subsystem=[0]).phi == 0


def test_a_state_whose_probability_is_less_than_numbers_can_tell() -> None:
    least = 5e-324  # half of it is 0
    with pytest.raises(ModelError, match="so unlikely"):
        compute_phi(check_network([[least, least], [0, 0], [0, 0], [0, 0]]), [1, 1])


def test_too_many_units() -> None:
    with pytest.raises(ModelError, match="9 units are too many"):
        compute_phi(check_network(np.full((512, 9), 0.5)), [0] * 9)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tpms, cms, states: (tpms[:, :3], cms, states), r"their shape is \[2, 3, 2\]"),
        (lambda tpms, cms, states: (tpms, cms[:1], states), r"the shapes are \[1, 2, 2\]"),
        (lambda tpms, cms, states: (tpms - [[[0]], [[1]]], cms, states), "model 1, row 0, unit 0 is -0.5"),
        (lambda tpms, cms, states: (tpms, cms, states - [[0], [1]]), "model 1, unit 0 is -1"),
        (lambda tpms, cms, states: (tpms - [[[0]], [[0.5]]], cms, states + 1), "model 1: .* unreachable"),
    ],
)
def test_models_that_are_none(change: object, words: str) -> None:
    good = (np.full((2, 4, 2), 0.5), np.ones((2, 2, 2), bool), np.zeros((2, 2), int))
    with pytest.raises(ModelError, match=words):
        phi_of_models(*change(*good))
