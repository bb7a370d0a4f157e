"""O-information and what it counts with: known systems, another program, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.information.discrete import check_states, entropy, mutual_information, to_codes
from swarmscope.analysis.intelligence.information.o_information import gaussian_o_information, o_information


def all_states(n):
    return np.arange(1 << n)[:, None] >> np.arange(n) & 1


@pytest.mark.parametrize("n", [3, 4, 5])
def test_parity_is_synergy_and_copies_are_redundancy(n):
    free = all_states(n - 1)
    assert o_information(np.column_stack([free, free.sum(axis=1) % 2])) == pytest.approx(-(n - 2))
    assert o_information(np.repeat([[0], [1]], n, axis=1)) == pytest.approx(n - 2)


def test_independent_units_have_none():
    assert o_information(all_states(4)) == pytest.approx(0, abs=1e-12)


@given(arrays(float, 4, elements=st.floats(0.01, 1)))
def test_two_units_have_none_whatever_they_share(weights):
    assert o_information(all_states(2), weights) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_same_as_dit(seed):
    dit = pytest.importorskip("dit")
    states = all_states(4)
    weights = np.random.default_rng(seed).dirichlet(np.ones(16) * 0.5)
    outcomes = ["".join(map(str, state)) for state in states]
    known = dit.Distribution(outcomes, list(weights))
    assert o_information(states, weights) == pytest.approx(dit.multivariate.o_information(known), abs=1e-9)
    assert entropy(to_codes(states), weights) == pytest.approx(dit.shannon.entropy(known), abs=1e-9)
    one, other = to_codes(states[:, :2]), to_codes(states[:, 2:])
    expected = dit.shannon.mutual_information(known, [0, 1], [2, 3])
    assert mutual_information(one, other, weights) == pytest.approx(expected, abs=1e-9)


def test_gaussian_units_whose_values_are_known():
    assert gaussian_o_information(0.5 + 0.5 * np.eye(3)) == pytest.approx(0.122556, abs=5e-7)
    one_of_both = [[1, 0, 0.6], [0, 1, 0.6], [0.6, 0.6, 1]]
    assert gaussian_o_information(one_of_both) == pytest.approx(-0.274394, abs=5e-7)


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_gaussian_units_by_definition(seed, n):
    some = np.random.default_rng(seed).normal(size=(n, 3 * n))
    covariance = some @ some.T

    def bits(units):
        part = 2 * np.pi * np.e * covariance[np.ix_(units, units)]
        return np.linalg.slogdet(part)[1] / 2 / np.log(2)

    expected = (n - 2) * bits(range(n))
    for unit in range(n):
        expected += bits([unit]) - bits([other for other in range(n) if other != unit])
    assert gaussian_o_information(covariance) == pytest.approx(expected, abs=1e-6)


def test_rows_that_are_equal_have_the_same_code():
    rows = np.random.default_rng(1).integers(-3, 3, (200, 4))
    codes = to_codes(rows)
    assert codes.min() == 0
    assert len(np.unique(codes)) == codes.max() + 1 == len(np.unique(rows, axis=0))
    assert np.array_equal(codes[:, None] == codes, (rows[:, None] == rows).all(axis=2))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: o_information([0, 1]), r"states: \[n_rows, n_units\] is needed, its shape is \[2\]"),
        (lambda: o_information([[0, 1], [0, 0.5]]), "row 1, unit 1 is 0.5"),
        (lambda: o_information([[0, np.nan]]), "row 0, unit 1 is nan"),
        (lambda: o_information([[0, np.inf]]), "row 0, unit 1 is inf"),
        (lambda: o_information([["a", "b"]]), "numbers are needed"),
        (lambda: o_information([[0, 1]], [1, 2]), r"weights \[1\], their shape is \[2\]"),
        (lambda: o_information([[0, 1], [1, 1]], [1, -1]), "row 1 is -1"),
        (lambda: o_information([[0, 1]], [0]), "their sum is 0"),
        (lambda: gaussian_o_information([[1, 0]]), r"shape is \[1, 2\]"),
        (lambda: gaussian_o_information([[1, np.nan], [0, 1]]), "row 0, column 1 is nan"),
        (lambda: gaussian_o_information([[1, 0.5], [0.4, 1]]), "units 0 and 1 have two values"),
        (lambda: gaussian_o_information([[1, 0], [0, 0]]), "unit 1 does not vary"),
        (lambda: gaussian_o_information([[1, 1], [1, 1]]), "not positive definite"),
    ],
)
def test_what_is_wrong_is_named(call, words):
    with pytest.raises(ModelError, match=words):
        call()


def test_states_that_are_booleans_or_whole_floats_are_states():
    assert check_states([[True, False]], "x").tolist() == [[1, 0]]
    assert check_states([[1.0, 2.0]], "x").tolist() == [[1, 2]]
