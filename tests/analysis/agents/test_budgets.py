from __future__ import annotations

import numpy as np
import pytest
from tests.analysis.agents.pathologies.made_windows import window

from swarmscope.analysis.agents.budgets import Budget, Spend, judge_budget, to_findings, to_spends
from swarmscope.model.fleet import GRAIN_NS

DAY = 1440
NOON = (20_000 * DAY + 720) * GRAIN_NS


def spend(amounts) -> Spend:
    """The last one is that of the last whole minute."""
    n = len(amounts)
    return Spend(NOON - (n - np.arange(n)) * GRAIN_NS, np.asarray(amounts, float))


def judged(limit: float, amounts):
    (status,) = judge_budget(Budget("b", limit), {"": spend(amounts)}, NOON)
    return status


def test_even_spending_ends_when_it_must():
    status = judged(480, np.ones(120))
    assert (status.used, status.used_ratio) == (120, 0.25)
    assert status.burn_rate == pytest.approx(3)  # 480 in 1,440 minutes would be 1/3 a minute
    assert status.exhausted_ns == NOON + 360 * GRAIN_NS
    assert status.earliest_ns == status.latest_ns == status.exhausted_ns  # nothing varies
    assert status.probability == pytest.approx(1)


def test_enough_for_the_day():
    status = judged(2000, np.ones(120))
    assert (status.exhausted_ns, status.probability) == (None, pytest.approx(0))
    assert to_findings([status]) == []


def test_used_up():
    status = judged(100, np.ones(120))
    assert status.exhausted_ns == NOON - 21 * GRAIN_NS  # in the hundredth minute
    (finding,) = to_findings([status])
    assert (finding.confidence, finding.evidence["used"]) == (1, 120)
    assert finding.summary == "budget b is used up: 120 of 100 usd are gone"


def test_yesterdays_spends_do_not_count():
    assert judged(1e6, np.ones(1000)).used == 720


def test_few_minutes_tell_nothing():
    assert judged(20, np.ones(5)).exhausted_ns is None


def test_interval_holds_what_happens():
    """As often as it says, against many simulated futures of spends of the same kind."""
    random = np.random.default_rng(4)
    hits, n = 0, 400
    for _ in range(n):
        made = random.poisson(0.5, 460) * random.gamma(2, 1, 460)
        status = judged(made[:60].sum() + 200, made[:60])
        minutes = 1 + int(np.searchsorted(made[60:].cumsum(), 200))
        assert status.earliest_ns is not None
        low, high = ((each - NOON) / GRAIN_NS if each else np.inf for each in (status.earliest_ns, status.latest_ns))
        hits += low <= minutes <= high
    assert 0.74 <= hits / n <= 0.87


def test_subjects():
    seen = window(usage=[(1, "a", 2.0, 1), (1, "b", 3.0, 1), (1, "a", 4.0, 1)])
    amounts = {
        name: each.amount.tolist()
        for name, each in to_spends(seen.usage, seen.vocabulary, Budget("x", 1, per="agent")).items()
    }
    assert amounts == {"a": [6], "b": [3]}
    assert list(to_spends(seen.usage, seen.vocabulary, Budget("x", 1, per="agent", of="b"))) == ["b"]
    assert to_spends(seen.usage, seen.vocabulary, Budget("x", 1))[""].amount.tolist() == [9]
    with pytest.raises(ValueError, match="conversations"):
        to_spends(seen.usage, seen.vocabulary, Budget("x", 1, per="conversation"))
