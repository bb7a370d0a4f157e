"""P-values against surrogates: counted, and beyond what can be counted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from swarmscope.analysis.intelligence.statistics.null_tails import null_p_values


def test_counted_where_surrogates_reach_the_value() -> None:
    null = np.array([[1.0], [2.0], [3.0], [4.0]])
    assert null_p_values(np.array([3.0]), null) == pytest.approx([3 / 5])
    assert null_p_values(np.array([0.0]), null) == pytest.approx([1.0])


def test_beyond_all_surrogates_it_is_the_tail_of_what_they_follow() -> None:
    rng = np.random.default_rng(5)
    null = rng.exponential(1.0, (4000, 1))
    # Of an exponential distribution P(x > 12) = e⁻¹², which is 6e-6.
    assert np.log(null_p_values(np.array([12.0]), null)[0]) == pytest.approx(-12.0, abs=1.0)


def test_never_above_what_was_counted() -> None:
    null = np.array([[0.0], [0.0], [9.0]])
    assert null_p_values(np.array([9.1]), null)[0] <= 1 / 4
    assert null_p_values(np.array([1.0]), np.zeros((3, 1))) == pytest.approx([1 / 4])


def test_p_values_of_chance_are_uniform() -> None:
    rng = np.random.default_rng(7)
    p_values = null_p_values(rng.gamma(1.0, 2.0, 2000), rng.gamma(1.0, 2.0, (99, 2000)))
    assert kstest(p_values, "uniform").statistic < 0.04
