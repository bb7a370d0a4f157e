"""EI and EI − EI at the minimum information partition: values that are known, and what holds for every network."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.analysis.intelligence.known_networks import KNOWN

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.information.effective_information import (
    effective_information,
    ei_mip_of_models,
    integrated_effective_information,
)


def states(n):
    return np.arange(1 << n)[:, None] >> np.arange(n) & 1


def parity(n):
    return np.repeat(states(n).sum(axis=1, keepdims=True) % 2, n, axis=1).astype(float)


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known["name"])
def test_networks_whose_values_are_known(known):
    found = integrated_effective_information(known["tpm"])
    expected = known["ei"]
    assert found.ei == pytest.approx(expected["effective_information_bits"], abs=5e-6)
    assert found.phi == pytest.approx(expected["phi_ei_bits"], abs=5e-6)
    assert found.normalised == pytest.approx(expected["phi_ei_normalised"], abs=5e-6)
    assert effective_information(known["tpm"]) == found.ei
    # Where partitions tie, any of them is right: it has this φ and this many units.
    assert sorted(found.parts[0] + found.parts[1]) == list(range(len(known["tpm"][0])))
    assert min(map(len, found.parts)) == min(map(len, expected["mip"]))


@pytest.mark.parametrize("n", [2, 3, 5])
def test_copies_of_themselves_are_not_integrated(n):
    found = integrated_effective_information(states(n).astype(float))
    assert (found.ei, found.phi) == pytest.approx((n, 0))


@pytest.mark.parametrize(("n", "parts"), [(3, None), (4, ((0, 1), (2, 3)))])
def test_a_ring_of_copies(n, parts):
    found = integrated_effective_information(np.roll(states(n), 1, axis=1).astype(float))
    assert (found.ei, found.phi) == pytest.approx((n, 2))
    assert parts is None or found.parts == parts


@pytest.mark.parametrize("n", [2, 3, 4])
def test_parity_told_to_all_is_one_bit(n):
    found = integrated_effective_information(parity(n))
    assert (found.ei, found.phi) == pytest.approx((1, 1))


def brute_force(tpm, part):
    """By definition, with dictionaries: I of a part's states before and after, the others uniform."""
    n = tpm.shape[1]
    joint = {}
    for before in itertools.product((0, 1), repeat=n):
        p_on = tpm[sum(bit << i for i, bit in enumerate(before))]
        for after in itertools.product((0, 1), repeat=len(part)):
            p = np.prod([p_on[i] if bit else 1 - p_on[i] for i, bit in zip(part, after, strict=True)])
            key = (tuple(before[i] for i in part), after)
            joint[key] = joint.get(key, 0) + p / 2**n
    first, second = {}, {}
    for (a, b), p in joint.items():
        first[a], second[b] = first.get(a, 0) + p, second.get(b, 0) + p
    return sum(p * np.log2(p / first[a] / second[b]) for (a, b), p in joint.items() if p > 0)


@given(arrays(float, (8, 3), elements=st.floats(0, 1)))
def test_three_units_by_definition(tpm):
    found = integrated_effective_information(tpm)
    whole = brute_force(tpm, (0, 1, 2))
    losses = [
        (whole - brute_force(tpm, (one,)) - brute_force(tpm, tuple(unit for unit in range(3) if unit != one)))
        for one in range(3)
    ]
    assert found.ei == pytest.approx(whole, abs=1e-9)
    assert found.phi == pytest.approx(min(losses), abs=1e-8)
    assert -1e-12 <= found.phi <= found.ei + 1e-9 <= 3 + 2e-9


@given(arrays(float, (16, 4), elements=st.floats(0, 1)), st.permutations(range(4)))
def test_names_of_units_mean_nothing(tpm, order):
    moved = np.empty_like(tpm)
    for state in range(16):
        renamed = sum((state >> unit & 1) << place for place, unit in enumerate(order))
        moved[renamed] = tpm[state][list(order)]
    one, other = integrated_effective_information(tpm), integrated_effective_information(moved)
    assert one.ei == pytest.approx(other.ei, abs=1e-9)
    assert one.normalised == pytest.approx(other.normalised, abs=1e-8)


@given(arrays(float, (4, 2), elements=st.floats(0, 1)), arrays(float, (4, 2), elements=st.floats(0, 1)))
def test_what_is_not_joined_is_not_integrated(left, right):
    tpm = np.concatenate([np.tile(left, (4, 1)), np.repeat(right, 4, axis=0)], axis=1)
    assert integrated_effective_information(tpm).phi == pytest.approx(0, abs=1e-8)


def test_many_models_are_each_as_alone():
    tpms = np.random.default_rng(1).random((5, 8, 3))
    together = ei_mip_of_models(tpms)
    alone = [integrated_effective_information(tpm) for tpm in tpms]
    assert together.phi.tolist() == [each.phi for each in alone]
    assert together.normalised.tolist() == [each.normalised for each in alone]
    assert together.ei.tolist() == [each.ei for each in alone]


def test_a_single_unit_has_no_partition():
    found = integrated_effective_information([[0.0], [1.0]])
    assert found == (1.0, 0.0, 0.0, ((0,), ()))


def test_too_many_units_are_refused():
    with pytest.raises(ModelError, match="13 units"):
        integrated_effective_information(np.zeros((1 << 13, 13)))
    with pytest.raises(ModelError, match="row 2, unit 1"):
        integrated_effective_information([[0, 0], [0, 1], [0, 1.5], [0, 0]])
