"""Order of phases: its floor under independence, its ends, and coupled oscillators."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.analysis.intelligence.coherence.kuramoto import kuramoto_order, measure_order, phases
from swarmscope.analysis.intelligence.errors import ModelError

SECOND = 2 * np.pi


@pytest.mark.parametrize(("n", "floor"), [(4, 0.447), (8, 0.316), (16, 0.222), (64, 0.111)])
def test_independent_phases(n: int, floor: float) -> None:
    theta = np.random.default_rng(n).uniform(0, SECOND, (40_000, n))
    found = kuramoto_order(theta)
    assert found.mean_order == pytest.approx(floor, rel=0.015)
    assert found.unbiased_square == pytest.approx(0.0, abs=0.01)


def test_ends() -> None:
    same = kuramoto_order(np.tile(np.linspace(0, 9, 50)[:, None], (1, 5)))
    assert same == pytest.approx((1.0, 1.0, 0.0, 5, 50))
    opposite = kuramoto_order(np.tile([0.0, np.pi], (20, 1)))
    assert opposite[:3] == pytest.approx((0.0, -1.0, 0.0), abs=1e-12)
    # Half of the time together, half opposite: r is 1 and 0, its deviation 1/2, and the unbiased square (1 − 1)/2.
    changing = kuramoto_order(np.concatenate([np.zeros((10, 2)), np.tile([0.0, np.pi], (10, 1))]))
    assert changing[:3] == pytest.approx((0.5, 0.0, 0.5), abs=1e-12)


@given(st.integers(2, 8), st.integers(1, 20), st.floats(-10, 10))
def test_turning_all_phases_changes_nothing(n: int, n_bins: int, angle: float) -> None:
    theta = np.random.default_rng(n * 100 + n_bins).uniform(0, SECOND, (n_bins, n))
    assert kuramoto_order(theta + angle) == pytest.approx(kuramoto_order(theta), abs=1e-9)
    assert -1 / (n - 1) - 1e-12 <= kuramoto_order(theta).unbiased_square <= 1


def test_phase_of_a_tone_grows_with_its_frequency() -> None:
    time = np.arange(600)
    theta = phases(np.sin(SECOND * 0.05 * time)[:, None], (0.03, 0.08))
    assert np.diff(np.unwrap(theta[:, 0])).mean() == pytest.approx(SECOND * 0.05, rel=0.01)


def test_units_that_follow_one_rhythm_are_found_and_others_are_not() -> None:
    rng = np.random.default_rng(3)
    # A tone whose phase wanders, so that a shift in a circle does not only turn it.
    rhythm = np.sin(SECOND * 0.1 * np.arange(900) + np.cumsum(rng.normal(0, 0.25, 900)))
    together = measure_order(rhythm[:, None] + rng.normal(0, 0.5, (900, 4)), (0.06, 0.16))
    assert together.significant
    assert together.value > 0.4
    apart = measure_order(rng.normal(size=(900, 4)), (0.06, 0.16))
    assert (apart.significant, apart.value) == (False, 0.0)
    assert apart.raw < 0.1


@pytest.mark.parametrize(
    ("n_bins", "band", "message"),
    [(500, (0.2, 0.6), "not within"), (500, (0.3, 0.2), "not within"), (200, (0.01, 0.1), "300 needed")],
)
def test_bands_that_cannot_be_filtered(n_bins: int, band: tuple[float, float], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        phases(np.random.default_rng(0).normal(size=(n_bins, 2)), band)


def test_one_unit_has_no_order() -> None:
    with pytest.raises(ModelError, match="two or more"):
        kuramoto_order(np.zeros((5, 1)))
