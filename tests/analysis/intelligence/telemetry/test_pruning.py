"""Which connections are kept, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, false_discovery_control

from swarmscope.analysis.intelligence.telemetry.pruning import chi_squared_p, keep_significant, likelihood_ratio_p


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 16, 32])
@pytest.mark.parametrize("statistic", [0.01, 1.0, 5.5, 40.0, 200.0])
def test_chances_of_chi_squared_are_scipys(degrees, statistic):
    assert chi_squared_p(statistic, degrees) == pytest.approx(chi2.sf(statistic, degrees), rel=1e-9)


def test_edges_are_kept_as_benjamini_and_hochberg_say():
    rng = np.random.default_rng(5)
    for _ in range(200):
        p_values = rng.random((3, 3)) ** rng.integers(1, 6)
        kept = np.empty((3, 3), bool)
        keep_significant(p_values, kept)
        assert np.array_equal(kept, false_discovery_control(p_values.ravel()).reshape(3, 3) <= 0.05)


def test_a_source_is_tested_in_each_state_of_the_others():
    # While the other unit is off the source tells nothing (10 of 20 after both); while it is on, 18 of 20 and 4 of 20.
    visits = np.full(4, 20.0)
    ons = np.array([[10.0, 0], [10.0, 0], [4.0, 0], [18.0, 0]])
    apart = 18 * np.log(0.9) + 2 * np.log(0.1) + 4 * np.log(0.2) + 16 * np.log(0.8)
    pooled = 22 * np.log(0.55) + 18 * np.log(0.45)
    assert likelihood_ratio_p(visits, ons, 0, 0) == pytest.approx(chi2.sf(2 * (apart - pooled), 2), rel=1e-9)
    assert likelihood_ratio_p(np.array([20.0, 0, 20.0, 0]), ons, 0, 0) == 1.0  # the source was never on
