"""How evenly agents contribute, at its ends and between."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.analysis.intelligence.coordination.balance import contribution_balance, pielou_evenness
from swarmscope.analysis.intelligence.errors import ModelError


def test_ends() -> None:
    for n in (2, 3, 10):
        assert contribution_balance([7.0] * n) == pytest.approx(1.0)
        assert contribution_balance([0.0] * (n - 1) + [5.0]) == pytest.approx(0.0)
        assert pielou_evenness([7.0] * n) == pytest.approx(1.0)
        assert pielou_evenness([0.0] * (n - 1) + [5.0]) == pytest.approx(0.0)


def test_by_hand() -> None:
    # Differences of (1, 3): Gini 2·2/(2·2²·2) = 1/4, balance 1 − 2/4.
    assert contribution_balance([3, 1]) == pytest.approx(0.5)
    assert pielou_evenness([3, 1]) == pytest.approx(-(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)))


def test_nothing_to_compare() -> None:
    assert math.isnan(contribution_balance([4.0]))
    assert math.isnan(contribution_balance([0.0, 0.0]))
    assert math.isnan(pielou_evenness([]))
    with pytest.raises(ModelError, match="agent 1 contributes -2"):
        contribution_balance([1, -2])


@given(st.lists(st.floats(0.001, 1000), min_size=2, max_size=12), st.floats(0.01, 100))
def test_unit_and_order_do_not_matter(work: list[float], factor: float) -> None:
    balance = contribution_balance(work)
    assert 0 <= balance <= 1
    assert contribution_balance([factor * share for share in reversed(work)]) == pytest.approx(balance, abs=1e-9)
    n = len(work)
    gini = sum(abs(a - b) for a in work for b in work) / (2 * n * sum(work))
    assert balance == pytest.approx(1 - gini * n / (n - 1), abs=1e-9)
