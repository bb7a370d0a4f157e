"""Ψ, Δ and Γ: systems whose values are known, another program, bad input."""

import numpy as np
import pytest

from swarmscope.analysis.intelligence.emergence.causal_decoupling import practical
from swarmscope.analysis.intelligence.errors import ModelError


def keeping_parity(n_steps, n_units, kept, seed):
    """Random units but for their parity, which stays from step to step with probability `kept`."""
    chance = np.random.default_rng(seed)
    parity = np.cumsum(chance.random(n_steps) >= kept) % 2
    x = chance.integers(0, 2, (n_steps, n_units))
    x[:, -1] = (x[:, :-1].sum(axis=1) + parity) % 2
    return x, parity


@pytest.mark.parametrize("kept", [0.9, 0.7])
def test_parity_that_stays_is_emergent_and_decoupled(kept):
    x, parity = keeping_parity(200_000, 3, kept, 1)
    entropy = -(kept * np.log2(kept) + (1 - kept) * np.log2(1 - kept))
    found = practical(parity, x)
    assert found.psi == pytest.approx(1 - entropy, abs=0.01)
    assert found.delta == pytest.approx(0, abs=1e-3)
    assert found.gamma == pytest.approx(0, abs=1e-3)


def test_parity_that_always_changes_is_one_bit():
    assert practical(*keeping_parity(20_000, 3, 0.0, 2)[::-1]).psi == pytest.approx(1, abs=5e-3)


def test_one_unit_that_all_follow_is_redundancy():
    """All copy one fair coin that stays with probability .9: the feature tells 1 − h, and so does each unit."""
    coin = np.cumsum(np.random.default_rng(3).random(100_000) < 0.1) % 2
    found = practical(coin, np.repeat(coin[:, None], 3, axis=1))
    assert found.psi == pytest.approx(-2 * 0.531004, abs=0.02)
    assert found.delta == pytest.approx(-2 * 0.531004, abs=0.02)
    assert found.gamma == pytest.approx(0.531004, abs=0.01)


def test_a_whole_that_moves_one_unit_has_downward_causation():
    """Unit 2 becomes the parity of two coins, which neither of them tells."""
    coins = np.random.default_rng(4).integers(0, 2, (50_000, 2))
    parity = coins.sum(axis=1) % 2
    third = np.concatenate([[0], parity[:-1]])
    found = practical(parity, np.column_stack([coins, third]))
    assert found.delta == pytest.approx(1, abs=2e-3)
    assert found.gamma == pytest.approx(1, abs=2e-3)


def test_the_same_as_dit():
    dit = pytest.importorskip("dit")
    chance = np.random.default_rng(5)
    x = chance.integers(0, 2, (60, 2))
    v = x.sum(axis=1)

    def shared(one, other):
        pairs, counts = np.unique(np.column_stack([one[:-1], other[1:]]), axis=0, return_counts=True)
        known = dit.Distribution(["".join(map(str, pair)) for pair in pairs], list(counts / counts.sum()))
        return dit.shannon.mutual_information(known, [0], [1])

    units = x.T
    found = practical(v, x)
    assert found.psi == pytest.approx(shared(v, v) - sum(shared(unit, v) for unit in units), abs=1e-9)
    gains = [shared(v, to) - sum(shared(of, to) for of in units) for to in units]
    assert found.delta == pytest.approx(max(gains), abs=1e-9)
    assert found.gamma == pytest.approx(max(shared(v, to) for to in units), abs=1e-9)


def test_what_values_are_called_means_nothing():
    x, parity = keeping_parity(500, 3, 0.8, 6)
    assert practical(parity * -7 + 3, 1 - x) == pytest.approx(practical(parity, x))
    assert practical(np.column_stack([parity, parity]), x[:, ::-1]) == pytest.approx(practical(parity, x))


@pytest.mark.parametrize(
    ("v", "x", "words"),
    [
        ([0, 1, 0], [[0], [1]], "v: 3 rows, x has 2"),
        ([0, 1], [[0], [1]], "2 rows; two transitions"),
        ([0, 1, np.nan], [[0], [1], [0]], "v: row 2, unit 0 is nan"),
        ([0, 1, 1], [[0], [0.5], [0]], "x: row 1, unit 0 is 0.5"),
    ],
)
def test_what_is_wrong_is_named(v, x, words):
    with pytest.raises(ModelError, match=words):
        practical(v, x)
