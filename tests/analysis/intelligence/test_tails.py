"""Distributions against SciPy's."""

from __future__ import annotations

import pytest
from scipy import stats

from swarmscope.analysis.intelligence.alignment.tails import chi_square_tail, student_quantile
from swarmscope.analysis.intelligence.errors import ModelError


@pytest.mark.parametrize("n_free", [1, 2, 3, 4, 5, 9, 30, 59, 60, 61, 200, 10_000])
@pytest.mark.parametrize("probability", [0.5, 0.75, 0.95, 0.975, 0.9995])
def test_student(probability: float, n_free: int) -> None:
    expected = stats.t.ppf(probability, n_free)
    assert student_quantile(probability, n_free) == pytest.approx(expected, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("n_free", [1, 2, 5, 9, 19, 200])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0, 1.5, 3.0, 10.0])
def test_chi_square(n_free: int, share: float) -> None:
    value = share * n_free
    assert chi_square_tail(value, n_free) == pytest.approx(stats.chi2.sf(value, n_free), rel=1e-10, abs=1e-14)


def test_what_is_no_probability() -> None:
    with pytest.raises(ModelError, match=r"no quantile 1\.0 with 3"):
        student_quantile(1.0, 3)
    with pytest.raises(ModelError, match="no tail of -1 with 3"):
        chi_square_tail(-1, 3)
