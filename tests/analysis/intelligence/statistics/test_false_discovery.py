"""Findings that hold, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.statistics.false_discovery import benjamini_hochberg


def test_findings_hold_as_scipy_says():
    rng = np.random.default_rng(5)
    for _ in range(200):
        p_values = rng.random(rng.integers(1, 30)) ** rng.integers(1, 6)
        assert np.array_equal(benjamini_hochberg(p_values), false_discovery_control(p_values) <= 0.05)


def test_shapes_are_kept_and_nothing_is_nothing():
    assert benjamini_hochberg([[0.001, 0.9], [0.9, 0.9]]).tolist() == [[True, False], [False, False]]
    assert benjamini_hochberg([]).shape == (0,)


def test_what_is_no_probability_is_named():
    with pytest.raises(ModelError, match="p-value 1 is nan"):
        benjamini_hochberg([0.5, np.nan])
