"""Φ_G: analytic values, its bounds, and both searches against looking at every partition."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.information import gaussian
from swarmscope.analysis.intelligence.information.autoregression import fit_var, given_var
from swarmscope.analysis.intelligence.information.gaussian import (
    gaussian_phi,
    mutual_information,
    phi_g,
    stochastic_interaction,
)
from swarmscope.analysis.intelligence.information.queyranne import least_cut

HALVES = ((0,), (1,))
NOISE = np.random.default_rng(9).normal(size=(500, 2))
seeds = st.integers(0, 10**6)


def any_model(n, seed):
    chance = np.random.default_rng(seed)
    a = chance.normal(size=(n, n))
    a *= chance.uniform(0.1, 0.9) / np.abs(np.linalg.eigvals(a)).max()
    noise = chance.normal(size=(n, 3 * n))
    return given_var(a, noise @ noise.T / n)


def test_analytic_values():
    crossed = given_var([[0, 0.5], [0.5, 0]], np.eye(2))
    bits = -np.log2(0.75)
    assert phi_g(crossed, HALVES) == pytest.approx(bits, abs=1e-9)
    assert stochastic_interaction(crossed, HALVES) == pytest.approx(bits, abs=1e-9)
    full = given_var(np.full((2, 2), 0.4), np.eye(2))
    assert phi_g(full, HALVES) == pytest.approx(0.296760, abs=1e-6)
    assert stochastic_interaction(full, HALVES) == pytest.approx(0.304855, abs=1e-6)
    apart = given_var(np.diag([0.5, 0.3]), [[1, 0.3], [0.3, 1]])
    assert phi_g(apart, HALVES) == pytest.approx(0, abs=1e-9)


@given(seeds, st.integers(2, 6))
def test_it_lies_between_nothing_and_what_the_past_tells(seed, n):
    model = any_model(n, seed)
    found = gaussian_phi(model)
    assert -1e-9 <= found.phi <= stochastic_interaction(model, found.parts) + 1e-9
    assert found.phi <= found.mutual_information + 1e-9
    assert found.mutual_information == pytest.approx(mutual_information(model))
    assert found.phi == pytest.approx(phi_g(model, found.parts), abs=1e-9)


@given(seeds, st.integers(2, 5))
def test_partitions_that_are_left_out_have_no_less(seed, n):
    chance = np.random.default_rng(seed)
    fitted = fit_var(chance.normal(size=(40, n)) @ chance.normal(size=(n, n)))
    for model in (any_model(n, seed), fitted):
        sides = [(0, *rest) for size in range(n - 1) for rest in itertools.combinations(range(1, n), size)]
        every = [phi_g(model, (side, [unit for unit in range(n) if unit not in side])) for side in sides]
        found = gaussian_phi(model)
        assert found.phi == pytest.approx(min(every), abs=1e-8)
        assert found.phi <= found.mutual_information + 1e-9


@given(seeds)
def test_cutting_both_ways_loses_no_less_than_cutting_one(seed):
    """I(A_t−1; B_t | B_t−1), by the covariance of all four."""
    model = any_model(3, seed)
    after = model.a @ model.sigma_x
    both = np.block([[model.sigma_x, after.T], [after, model.sigma_x]])  # before 0, 1, 2, after 3, 4, 5

    def bits(at):
        return np.linalg.slogdet(both[np.ix_(at, at)])[1] / 2 / np.log(2)

    into_last = bits([2, 5]) - bits([2]) - bits([0, 1, 2, 5]) + bits([0, 1, 2])
    into_first = bits([0, 1, 3, 4]) - bits([0, 1]) - bits([0, 1, 2, 3, 4]) + bits([0, 1, 2])
    bounds = gaussian._lower_bounds(model, [(2,), (0, 1)])
    assert (bounds[2,], bounds[0, 1]) == pytest.approx((into_last, into_first), abs=1e-9)
    assert phi_g(model, ((0, 1), (2,))) >= max(into_last, into_first) - 1e-9


@given(seeds)
def test_no_other_cut_is_better(seed):
    model = any_model(3, seed)
    best, chance = phi_g(model, ((0, 1), (2,))), np.random.default_rng(seed)
    for _ in range(30):
        cut = np.zeros((3, 3))
        cut[:2, :2], cut[2, 2] = model.a[:2, :2] + chance.normal(0, 0.3, (2, 2)), model.a[2, 2] + chance.normal(0, 0.3)
        missing = model.a - cut
        other = np.linalg.slogdet(model.sigma_e + missing @ model.sigma_x @ missing.T)[1]
        assert (other - np.linalg.slogdet(model.sigma_e)[1]) / 2 / np.log(2) >= best - 1e-9


def test_equations_that_are_not_written_down_have_the_same_solution(monkeypatch):
    model, parts = any_model(8, 3), ((0, 2, 4, 6, 7), (1, 3, 5))
    expected = phi_g(model, parts)
    monkeypatch.setattr(gaussian, "_MAX_DENSE", 0)
    assert phi_g(model, parts) == pytest.approx(expected, abs=1e-10)


@given(seeds, st.integers(2, 7), st.integers(1, 2))
def test_the_least_cut_is_the_least_of_all(seed, n, width):
    chance = np.random.default_rng(seed)
    some = chance.normal(size=(n * width, 2 * n * width))
    covariance = some @ some.T / (2 * n * width)

    def shared(units):
        chosen = [width * unit + k for unit in units for k in range(width)]
        others = [at for at in range(n * width) if at not in chosen]
        return sum(np.linalg.slogdet(covariance[np.ix_(part, part)])[1] for part in (chosen, others))

    every = [(0, *rest) for size in range(n - 1) for rest in itertools.combinations(range(1, n), size)]
    assert shared(least_cut(covariance, width)) == pytest.approx(min(map(shared, every)), abs=1e-9)


def test_the_search_finds_what_looking_at_all_finds(monkeypatch):
    models = [any_model(8, seed) for seed in range(20)]
    exact = [gaussian_phi(model).phi for model in models]
    monkeypatch.setattr(gaussian, "MAX_UNITS_EXHAUSTIVE", 1)
    found = [gaussian_phi(model) for model in models]
    assert {each.search for each in found} == {"queyranne"}
    assert all(each.phi >= best - 1e-8 for each, best in zip(found, exact, strict=True))
    # 19 of 20 when it was written; Φ_G is not submodular, so nothing says that it must be all.
    assert sum(each.phi <= best + 1e-8 for each, best in zip(found, exact, strict=True)) >= 18


def test_two_halves_of_a_large_system_are_found():
    a = np.zeros((12, 12))
    a[:6, :6] = a[6:, 6:] = 0.12
    found = gaussian_phi(given_var(a, np.eye(12)))
    assert (found.search, found.parts) == ("queyranne", (tuple(range(6)), tuple(range(6, 12))))
    assert found.phi == pytest.approx(0, abs=1e-8)


def test_a_known_model_is_recovered():
    a, chance = np.array([[0.3, 0.4, 0], [0.4, 0.3, 0], [0, 0, 0.5]]), np.random.default_rng(4)
    x = np.zeros((20_000, 3))
    for step in range(1, len(x)):
        x[step] = a @ x[step - 1] + chance.normal(size=3)
    found = fit_var(x)
    scale = np.sqrt(np.diag(given_var(a, np.eye(3)).sigma_x))
    assert found.a == pytest.approx(a * scale[None, :] / scale[:, None], abs=0.03)
    assert (found.lag, found.shrinkage, found.n_samples) == (1, 0.0, 19_999)
    known = gaussian_phi(given_var(a, np.eye(3)))
    # Scaling units changes nothing of what they tell each other.
    assert gaussian_phi(found).phi == pytest.approx(known.phi, abs=0.01)
    assert gaussian_phi(found).parts == known.parts == ((0, 1), (2,))


def test_a_longer_memory_is_told_and_few_steps_are_shrunk():
    chance = np.random.default_rng(5)
    x = np.zeros((5000, 2))
    for step in range(2, len(x)):
        x[step] = 0.7 * x[step - 2] + chance.normal(size=2)
    assert fit_var(x).lag == 2
    assert 0 < fit_var(chance.normal(size=(60, 10))).shrinkage <= 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: given_var([[1.0]], [[1.0]]), "eigenvalue is 1"),
        (lambda: given_var([[0.5]], [[0.0]]), "sigma_e"),
        (lambda: given_var([[0.5, 0]], [[1.0]]), r"shape is \[1, 2\]"),
        (lambda: given_var([[np.nan]], [[1.0]]), "row 0, column 0 is nan"),
        (lambda: fit_var(np.zeros((50, 2))), "unit 0 never varies"),
        (lambda: fit_var(np.ones((4, 2))), "4 steps are too few"),
        (lambda: fit_var([[1.0, np.inf]] * 10), "step 0, unit 1 is inf"),
        (lambda: phi_g(any_model(3, 1), ((0, 1), (1, 2))), "exactly one part"),
        (lambda: fit_var(NOISE[:, [0, 1, 0]]), "unit 2 is a linear function"),
        (lambda: fit_var(np.column_stack([NOISE[1:, 0], NOISE[:-1, 0]])), "unit 1 is told without error"),
    ],
)
def test_what_is_wrong_is_named(call, words):
    with pytest.raises(ModelError, match=words):
        call()


def test_a_single_unit_is_not_integrated():
    found = gaussian_phi(given_var([[0.5]], [[1.0]]))
    assert (found.phi, found.parts) == (0.0, ((0,), ()))
    assert found.mutual_information == pytest.approx(-0.5 * np.log2(0.75))
