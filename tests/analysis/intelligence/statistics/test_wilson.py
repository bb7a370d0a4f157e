"""Wilson's interval against values that others have computed, and at its ends."""

from __future__ import annotations

import pytest

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.statistics.wilson import wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_published_values(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=6e-5)


def test_ends() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(50, 50)[0] == pytest.approx(50 / (50 + 3.841459), abs=1e-6)
    assert wilson_interval(7, 7)[1] == 1.0
    wide, narrow = wilson_interval(5, 10, 0.99), wilson_interval(5, 10, 0.5)
    assert wide[0] < narrow[0] < 0.5 < narrow[1] < wide[1]


def test_bad_counts_are_named() -> None:
    with pytest.raises(ModelError, match="3 successes of 2 trials"):
        wilson_interval(3, 2)
    with pytest.raises(ModelError, match="confidence 1"):
        wilson_interval(1, 2, 1)
