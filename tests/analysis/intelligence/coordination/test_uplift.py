"""A team against its best agent, copies among agents, and what is lost without one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.analysis.intelligence.coordination.made_fleets import make_fleet, team_traces

from swarmscope.analysis.intelligence.coordination.leave_one_out import difference_of_shares, leave_one_out
from swarmscope.analysis.intelligence.coordination.redundancy import effective_agents
from swarmscope.analysis.intelligence.coordination.uplift import (
    TEAM,
    Outcomes,
    collective_uplift,
    outcomes_of_traces,
)
from swarmscope.analysis.intelligence.errors import ModelError


def _outcomes(rates: dict[int, tuple[int, int]]) -> Outcomes:
    """Successes and trials of each agent."""
    parts = [(agent, np.r_[np.ones(ok), np.zeros(n - ok)]) for agent, (ok, n) in rates.items()]
    return Outcomes(
        np.concatenate([scores for _, scores in parts]),
        np.concatenate([np.full(len(scores), agent) for agent, scores in parts]),
    )


def test_uplift_over_the_best_agent() -> None:
    found = collective_uplift(_outcomes({TEAM: (90, 100), 0: (30, 60), 1: (60, 100), 2: (9, 9)}))
    assert (found.best_agent, found.n_team, found.n_best) == (1, 100, 100)  # agent 2 has too few tasks to be told of
    assert found.uplift == pytest.approx(0.3)
    assert found.relative == pytest.approx(0.5)
    # Newcombe's interval of 90/100 − 60/100 is 0.183 to 0.407; resamples look for the better of two.
    assert found.ci_low == pytest.approx(0.183, abs=0.03)
    assert found.ci_high == pytest.approx(0.407, abs=0.03)
    assert found.p_value < 0.01


def test_no_uplift_is_not_told() -> None:
    found = collective_uplift(_outcomes({TEAM: (60, 100), 0: (60, 100), 1: (55, 100)}))
    assert found.uplift == 0.0
    assert found.ci_low < 0 < found.ci_high
    assert found.p_value > 0.3


def test_uplift_needs_tasks_of_both() -> None:
    with pytest.raises(ModelError, match="29 tasks of the team and 1 agents"):
        collective_uplift(_outcomes({TEAM: (9, 29), 0: (9, 40)}))
    with pytest.raises(ModelError, match="40 tasks of the team and 0 agents"):
        collective_uplift(_outcomes({TEAM: (9, 40), 0: (9, 20)}))
    with pytest.raises(ModelError, match="task 1 is nan"):
        collective_uplift(Outcomes(np.array([1.0, math.nan]), np.array([TEAM, 0])))


def test_outcomes_of_traces() -> None:
    rows = [
        (-1, 0, 5, 9, {"trace": 0, "is_ok": False}), (0, 1, 6, 7, {"trace": 0}),  # a team that failed
        (-1, 2, 5, 9, {"trace": 1}), (2, -1, 6, 7, {"trace": 1}),  # one agent and a plain span
        (-1, 2, 5, 9, {"trace": 2, "is_ended": False}),
        (-1, -1, 5, 9, {"trace": 3}),
        (-1, 1, 8, 9, {"trace": 4, "is_ok": False}), (-1, 1, 2, 3, {"trace": 4}),  # the first root tells
    ]  # fmt: skip
    found = outcomes_of_traces(make_fleet(rows))
    assert found.score.tolist() == [0.0, 1.0, 1.0]
    assert found.agent.tolist() == [TEAM, 2, 1]


def test_copies_count_once() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2000, 3))
    assert effective_agents(x[:, [0, 0, 0, 0]]).effective_agents == pytest.approx(1.0)
    assert effective_agents(np.c_[x[:, 0], -x[:, 0]]).redundancy == pytest.approx(1.0)
    assert effective_agents(x).effective_agents == pytest.approx(3.0, abs=0.02)
    # Two pairs of copies: Σρ² = 8, 16/8.
    assert effective_agents(x[:, [0, 0, 1, 1]]).effective_agents == pytest.approx(2.0, abs=0.02)
    # ρ = 0.5 everywhere: 16/(4 + 12/4).
    common = rng.normal(size=(20_000, 1)) + rng.normal(size=(20_000, 4))
    assert effective_agents(common).effective_agents == pytest.approx(16 / 7, abs=0.05)


def test_chance_is_not_redundancy() -> None:
    rng = np.random.default_rng(2)
    found = [effective_agents(rng.normal(size=(30, 10))).effective_agents for _ in range(50)]
    # Without the correction it would be 10/(1 + 9/29) = 7.6.
    assert np.mean(found) > 9.2


def test_constant_agents_are_left_out() -> None:
    x = np.random.default_rng(3).normal(size=(100, 3))
    x[:, 1] = 4.0
    assert effective_agents(x).constant == (1,)
    alone = effective_agents(x[:, :2])
    assert (alone.effective_agents, alone.n_agents) == (1.0, 1)
    assert math.isnan(alone.redundancy)
    with pytest.raises(ModelError, match="all agents are constant"):
        effective_agents(x[:, [1, 1]])
    x[5, 2] = math.nan
    with pytest.raises(ModelError, match="agent 2 is nan in sample 5"):
        effective_agents(x)


def test_difference_of_shares() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table II, example (a), method 10: 56/70 − 48/80.
    assert difference_of_shares((56, 70), (48, 80)) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)
    assert all(math.isnan(value) for value in difference_of_shares((0, 0), (1, 2)))


def test_without_an_agent() -> None:
    both = team_traces(40, failing=20)
    alone = make_fleet([(-1, 3, 9000 + at, 9001 + at, {"trace": 40 + at, "is_ok": at < 30}) for at in range(40)])
    shifted = alone._replace(link_from=alone.link_from, link_to=alone.link_to)
    fleet = type(both)(*(np.concatenate([a, b]) for a, b in zip(both, shifted, strict=True)))
    found = leave_one_out(fleet, 4)
    assert [entry.agent for entry in found] == [0, 1, 2, 3]
    # Without the one that fails in half of the traces all hand-offs succeed; what is left waits as before and has
    # nothing beside each other any more: S = 12/12, and a component of 0 makes the composite 0.
    without = {component.name: component.value for component in found[2].components}
    assert without["hand_off_success"] == 1.0
    assert without["parallelism"] == 0.0
    assert found[2].composite == 0.0
    assert found[2].loss > 0.5
    assert found[2].work_share == pytest.approx(400 / (22 * 40 + 40))
    # With agent 2: 20 of 40; without: 30 of 40.
    assert found[2].success_difference == pytest.approx(-0.25)
    assert found[2].ci_low < -0.25 < found[2].ci_high < 0
    assert found[3].success_difference == pytest.approx(0.25)
    # Without the first nobody hands off or waits, and the others work side by side all the time: S = 20/10 of two. That
    # three components are left, all of them 1, says what the first one costs, not what it is good for.
    assert math.isnan(found[0].components[0].value)
    assert found[0].composite == pytest.approx(1.0)
    assert found[0].loss < 0
    # The one that works alone has no part in hand-offs, and its work waits for nobody.
    assert found[3].loss == pytest.approx(0.0, abs=0.05)
