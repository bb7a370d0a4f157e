"""Shifted copies, resamples, and p-values of them."""

from __future__ import annotations

import numpy as np
import pytest

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.statistics.surrogates import block_bootstrap, circular_shifts, surrogate_p


def test_surrogates_are_shifted_copies_of_each_unit():
    x = np.arange(100)[:, None] + np.array([0, 1000])
    surrogates = circular_shifts(x, 200, 1)
    assert surrogates.shape == (200, 100, 2)
    shifts = (-surrogates[:, 0, :] + [0, 1000]) % 100
    assert shifts.min() >= 10
    assert shifts.max() <= 90
    assert len(np.unique(shifts)) > 60
    for surrogate, shift in zip(surrogates, shifts, strict=True):
        for unit in range(2):
            assert np.array_equal(surrogate[:, unit], np.roll(x[:, unit], shift[unit]))
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.2  # each on its own
    assert np.array_equal(surrogates, circular_shifts(x, 200, 1))


def test_resamples_are_blocks_of_the_expected_length():
    rows = block_bootstrap(1000, 50, 3)
    assert rows.shape == (50, 1000)
    assert (rows.min(), rows.max()) == (0, 999)
    goes_on = (rows[:, 1:] - rows[:, :-1]) % 1000 == 1
    assert goes_on.mean() == pytest.approx(0.9, abs=0.01)  # blocks of 10
    counts = np.bincount(rows.ravel(), minlength=1000)
    assert counts.mean() == 50
    assert counts.min() > 0


def test_p_counts_the_value_itself():
    assert surrogate_p(3.0, [1.0, 2.0, 3.0, 4.0]) == pytest.approx(3 / 5)
    assert surrogate_p(9.0, np.zeros(99)) == 0.01
    assert surrogate_p(0.0, np.zeros(99)) == 1.0


def test_too_little_is_refused():
    with pytest.raises(ModelError, match="10 bins"):
        circular_shifts(np.zeros((9, 2)), 5, 0)
    with pytest.raises(ModelError, match="no rows"):
        block_bootstrap(0, 5, 0)
