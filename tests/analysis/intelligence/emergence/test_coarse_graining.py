"""Causal emergence: published examples, and what holds for every coarse-graining."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.analysis.intelligence.known_networks import KNOWN

from swarmscope.analysis.intelligence.emergence.coarse_graining import (
    causal_emergence,
    effectiveness,
    find_macro,
    to_state_by_state,
)
from swarmscope.analysis.intelligence.errors import ModelError


def some_alike(n_alike):
    """States that lead to any of themselves, and one that stays."""
    matrix = np.zeros((n_alike + 1, n_alike + 1))
    matrix[:n_alike, :n_alike], matrix[-1, -1] = 1 / n_alike, 1
    return matrix


def test_what_hoel_and_others_published():
    found = causal_emergence(some_alike(3), [0, 0, 0, 1])
    assert found.micro.ei == pytest.approx(0.811278, abs=5e-7)
    assert found.macro == pytest.approx((1, 1, 0))
    assert found.emergence == pytest.approx(0.188722, abs=5e-7)
    seven = causal_emergence(some_alike(7), [0] * 7 + [1])
    assert seven.micro.ei == pytest.approx(0.543564, abs=5e-7)
    assert seven.macro.ei == pytest.approx(1)


def test_determinism_and_degeneracy():
    assert effectiveness(np.eye(4)) == pytest.approx((2, 1, 0))
    # All lead to one state without noise, or anywhere.
    assert effectiveness(np.eye(4)[[2, 2, 2, 2]]) == pytest.approx((0, 1, 1))
    assert effectiveness(np.full((4, 4), 0.25)) == pytest.approx((0, 0, 0))


@given(arrays(float, (5, 5), elements=st.floats(0.01, 1)))
def test_effective_information_is_what_both_say(weights):
    found = effectiveness(weights / weights.sum(axis=1, keepdims=True))
    assert found.ei == pytest.approx(np.log2(5) * (found.determinism - found.degeneracy), abs=1e-9)
    assert 0 <= found.ei <= np.log2(5)
    assert -1e-9 <= found.degeneracy <= found.determinism + 1e-9 <= 1 + 2e-9


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known["name"])
def test_micro_systems_are_as_known(known):
    expected = known["ei"]["effective_information_bits"]
    assert effectiveness(to_state_by_state(known["tpm"])).ei == pytest.approx(expected, abs=5e-6)


def test_the_published_macro_system_is_found():
    """Two noisy pairs (4 units) whose macro units are both-on; EI 1.148579 at the micro level."""
    known = next(each for each in KNOWN if each["name"] == "macro_micro4")
    found = find_macro(known["tpm"])
    assert found.found.micro.ei == pytest.approx(1.148579, abs=5e-7)
    assert [unit.units for unit in found.macro_units] == [(0, 1), (2, 3)]
    assert found.found.emergence > 0
    assert causal_emergence(known["tpm"], found.grouping) == found.found


@given(arrays(float, (8, 3), elements=st.floats(0, 1)))
def test_no_coarse_graining_of_three_units_is_better(tpm):
    found = find_macro(tpm)
    states, best = np.arange(8)[:, None] >> np.arange(3) & 1, -np.inf
    for groups in ([(0, 1, 2)], [(0,), (1, 2)], [(1,), (0, 2)], [(2,), (0, 1)]):
        # Every mapping of the counts that is not the same for all, negations included.
        mappings = [
            [m for m in itertools.product((0, 1), repeat=len(group) + 1) if len(set(m)) == 2] for group in groups
        ]
        for chosen in itertools.product(*mappings):
            macro = sum(
                np.array(mapping)[states[:, group].sum(axis=1)] << place
                for place, (group, mapping) in enumerate(zip(groups, chosen, strict=True))
            )
            best = max(best, causal_emergence(tpm, macro).emergence)
    assert found.found.emergence == pytest.approx(best, abs=1e-8)
    assert found.n_searched == 7 + 3 * 3


def test_six_units_are_searched_and_no_more():
    tpm = np.zeros((64, 6))
    for state in range(64):
        pairs = [state >> (2 * pair) & 3 == 3 for pair in range(3)]
        # A pair is both on, noisily, if the next pair is.
        tpm[state] = np.repeat([1.0 if pairs[(pair + 1) % 3] else 1 / np.sqrt(3) for pair in range(3)], 2)
    found = find_macro(tpm)
    assert found.n_searched == 3894
    assert found.found.emergence > 0.1
    assert [(unit.units, unit.on_counts) for unit in found.macro_units] == [
        ((2 * k, 2 * k + 1), (2,)) for k in range(3)
    ]
    with pytest.raises(ModelError, match="7 units"):
        find_macro(np.zeros((128, 7)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: effectiveness([[1, 0]]), r"shape is \[1, 2\]"),
        (lambda: effectiveness([[1, 0], [0.5, 0.4]]), "row 1 has the sum 0.9"),
        (lambda: effectiveness([[1, 0], [np.nan, 1]]), "row 1, column 0 is nan"),
        (lambda: causal_emergence(np.eye(4), [0, 1]), "each of 4 states"),
        (lambda: causal_emergence(np.eye(4), [0, 0, 2, 2]), "macro state 1 has no micro state"),
        (lambda: causal_emergence(np.eye(4), [0, 0, -1, 1]), "state 2 has the macro state -1"),
        (lambda: causal_emergence(np.eye(4), [0, 1, 2, 9]), "macro state 9 of 4"),
        (lambda: causal_emergence(np.eye(4), [0, 0, 0, 0]), "single macro state"),
        (lambda: causal_emergence([[0, 2], [0, 0], [0, 0], [0, 0]], [0, 0, 0, 1]), "row 0, unit 1 is 2"),
        (lambda: find_macro([[0], [1]]), "of 1 units"),
    ],
)
def test_what_is_wrong_is_named(call, words):
    with pytest.raises(ModelError, match=words):
        call()
