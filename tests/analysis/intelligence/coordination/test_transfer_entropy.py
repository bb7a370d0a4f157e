"""Transfer entropy where it is known, and how often it is found where there is none."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.portion import portion

from swarmscope.analysis.intelligence.coordination.transfer_entropy import transfer_entropies
from swarmscope.analysis.intelligence.errors import ModelError


def _plain(x: np.ndarray, y: np.ndarray) -> float:
    """I(Y_t+1; X_t | Y_t) from the definition."""
    seen = Counter(zip(x[:-1].tolist(), y[:-1].tolist(), y[1:].tolist(), strict=True))
    n = sum(seen.values())
    total = 0.0
    for (a, b, c), count in seen.items():
        with_x = sum(v for (i, j, _), v in seen.items() if (i, j) == (a, b))
        with_next = sum(v for (_, j, k), v in seen.items() if (j, k) == (b, c))
        alone = sum(v for (_, j, _), v in seen.items() if j == b)
        total += count / n * np.log2(count * alone / (with_x * with_next))
    return total


def test_a_copy_one_bin_later_is_one_bit() -> None:
    x = np.random.default_rng(1).integers(0, 2, 4000)
    found = transfer_entropies(np.stack([x, np.roll(x, 1)], axis=1))
    assert found.bits[0, 1] == pytest.approx(1.0, abs=2e-3)
    assert found.bits[1, 0] == pytest.approx(0.0, abs=2e-3)
    assert found.significant.tolist() == [[False, True], [False, False]]
    assert found.density == 0.5


@given(st.integers(20, 90), st.integers(0, 10_000))
def test_equal_to_the_definition(n_bins: int, seed: int) -> None:
    x = (np.random.default_rng(seed).random((n_bins, 3)) < 0.4).astype(int)
    found = transfer_entropies(x)
    for source in range(3):
        for target in range(3):
            expected = 0.0 if source == target else _plain(x[:, source], x[:, target])
            assert found.bits[source, target] == pytest.approx(expected, abs=1e-9)
    assert found.p_value.min() > 0
    assert found.p_value.max() <= 1


def test_a_chain_is_found_along_its_direction() -> None:
    rng = np.random.default_rng(2)
    x = np.zeros((800, 4), int)
    x[0] = rng.integers(0, 2, 4)
    for t in range(1, 800):
        x[t] = rng.random(4) < np.array([0.5, *(0.1 + 0.8 * x[t - 1, :3])])
    found = transfer_entropies(x)
    assert found.significant[np.arange(3), np.arange(1, 4)].all()
    assert found.density == pytest.approx(3 / 12, abs=1.01 / 12)


def test_independent_agents_are_not_told_to_inform_each_other() -> None:
    n_fleets = portion(200, 60)
    wrong = 0
    for seed in range(n_fleets):
        rng = np.random.default_rng(500 + seed)
        # With a memory of their own: an agent stays busy or idle in four of five bins.
        flips = rng.random((400, 5)) < 0.2
        wrong += bool(transfer_entropies(np.cumsum(flips, axis=0) % 2).significant.any())
    assert wrong <= 0.05 * n_fleets + 2.5 * np.sqrt(0.0475 * n_fleets)


def test_an_agent_that_never_changes_informs_nobody() -> None:
    x = np.random.default_rng(3).integers(0, 2, (200, 3))
    x[:, 1] = 1
    found = transfer_entropies(x)
    assert found.p_value[1].tolist() == [1.0, 1.0, 1.0]
    assert found.p_value[:, 1].tolist() == [1.0, 1.0, 1.0]


def test_bad_states_are_named() -> None:
    x = np.zeros((50, 2))
    x[7, 1] = 0.5
    with pytest.raises(ModelError, match=r"agent 1 in bin 7 is 0\.5"):
        transfer_entropies(x)
    with pytest.raises(ModelError, match="20 bins of two or more"):
        transfer_entropies(x[:19])
    with pytest.raises(ModelError, match=r"\[50, 1\]"):
        transfer_entropies(x[:, :1])
