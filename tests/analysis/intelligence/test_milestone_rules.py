"""Each rule on series where what it says is known."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.milestones.milestone import Milestone, MilestoneType, TaskSeries, milestone_id
from swarmscope.analysis.intelligence.milestones.monitor import LearningMonitor, MilestoneLedger
from swarmscope.analysis.intelligence.milestones.rules import cohens_d, find_milestones, permutation_p
from swarmscope.analysis.intelligence.milestones.theil_sen import theil_sen

STEP_NS = 1_000_000_000


def task(values: NDArray[np.float64], **fields: Any) -> TaskSeries:
    told = {"name": "task", "domain": "chess", "metric": "reward"} | fields
    first = told.get("first_step", 0)
    return TaskSeries(values=values, times_ns=(first + np.arange(len(values))) * STEP_NS, **told)


def noisy(seed: int, *levels: float, length: int = 100) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(level, 1.0, length) for level in levels])


def of_type(found: tuple[Milestone, ...], kind: MilestoneType) -> list[Milestone]:
    return [each for each in found if each.type is kind]


def test_a_better_mean_is_an_improvement_and_a_worse_one_a_regression() -> None:
    found = find_milestones(task(noisy(0, 0.0, 3.0, 1.0)))
    (better,), (worse,) = (of_type(found, kind) for kind in (MilestoneType.IMPROVEMENT, MilestoneType.REGRESSION))
    assert abs(better.at_step - 100) <= 1
    assert abs(worse.at_step - 200) <= 1
    assert better.at_time_ns == better.at_step * STEP_NS
    assert (better.before, better.after) == (pytest.approx(0, abs=0.3), pytest.approx(3, abs=0.3))
    assert better.effect_size == pytest.approx(3, abs=0.6)
    assert worse.effect_size == pytest.approx(-2, abs=0.5)
    assert better.p == worse.p == 0.001
    assert (better.detector, better.domain, better.metric) == ("pelt", "chess", "reward")


def test_where_less_is_better_directions_turn_and_values_stay() -> None:
    found = find_milestones(task(noisy(0, 5.0, 2.0), metric="latency", higher_is_better=False))
    (better,) = of_type(found, MilestoneType.IMPROVEMENT)
    assert (better.before, better.after) == (pytest.approx(5, abs=0.3), pytest.approx(2, abs=0.3))
    assert better.effect_size > 2
    assert of_type(found, MilestoneType.REGRESSION) == []


def test_quiet_series_have_no_shift() -> None:
    found = [find_milestones(task(noisy(seed, 0.0, length=200))) for seed in range(20)]
    shifts = [each for one in found for each in one if each.detector == "pelt"]
    assert shifts == []


def test_ids_are_those_of_the_same_change() -> None:
    values = noisy(1, 0.0, 3.0)
    found, again = find_milestones(task(values)), find_milestones(task(values))
    assert [each.id for each in found] == [each.id for each in again]
    assert len({each.id for each in found}) == len(found)
    (better,) = of_type(found, MilestoneType.IMPROVEMENT)
    assert better.id == milestone_id("task", MilestoneType.IMPROVEMENT, better.at_step)
    # A window that begins later tells of the same steps.
    (later,) = of_type(find_milestones(task(values[40:], first_step=40)), MilestoneType.IMPROVEMENT)
    assert (later.id, later.at_step, later.at_time_ns) == (better.id, better.at_step, better.at_time_ns)
    assert milestone_id("other", MilestoneType.IMPROVEMENT, 3) != milestone_id("task", MilestoneType.IMPROVEMENT, 3)


def test_mastery_is_told_once_and_again_after_it_was_lost() -> None:
    # Wilson's lower bound is 0.929 for 50 of 50 and 0.895 for 49: the fiftieth success in a row is mastery.
    values = np.concatenate([[0.0] * 10, [1.0] * 80, [0.0] * 10, [1.0] * 60])
    first, second = of_type(find_milestones(task(values, is_success=True)), MilestoneType.MASTERY)
    assert (first.at_step, first.window, first.after) == (59, (10, 60), 1.0)
    assert first.before == 0.0
    assert second.at_step == 149
    assert of_type(find_milestones(task(values)), MilestoneType.MASTERY) == []
    failures = find_milestones(task(1 - values, is_success=True, higher_is_better=False))
    assert [each.at_step for each in of_type(failures, MilestoneType.MASTERY)] == [59, 149]


def test_one_failure_of_fifty_is_no_mastery_yet() -> None:
    values = np.tile(np.concatenate([[0.0], np.ones(49)]), 4)
    assert of_type(find_milestones(task(values, is_success=True)), MilestoneType.MASTERY) == []


def test_a_plateau_follows_an_improvement() -> None:
    rng = np.random.default_rng(5)
    flat = np.concatenate([rng.normal(0, 1, 100), rng.normal(4, 1, 120)])
    (plateau,) = of_type(find_milestones(task(flat)), MilestoneType.PLATEAU)
    assert plateau.window[1] - plateau.window[0] == 50
    assert abs(plateau.window[0] - 100) <= 20
    assert plateau.after == pytest.approx(4, abs=0.5)
    assert of_type(find_milestones(task(flat[::-1].copy())), MilestoneType.PLATEAU) == []
    short = np.concatenate([rng.normal(0, 1, 100), rng.normal(4, 1, 49)])
    assert of_type(find_milestones(task(short)), MilestoneType.PLATEAU) == []


def test_records_are_of_the_rolling_median_and_far_apart() -> None:
    rising = np.arange(100.0)
    found = of_type(find_milestones(task(rising)), MilestoneType.RECORD)
    assert [each.at_step for each in found] == [20, 40, 60, 80]
    assert (found[0].before, found[0].after) == (17.0, 18.0)  # medians of steps 15 to 19 and 16 to 20
    spike = np.zeros(100)
    spike[50] = 9.0  # one value does not move the median of five
    assert find_milestones(task(spike)) == ()
    falling = of_type(find_milestones(task(-rising, higher_is_better=False)), MilestoneType.RECORD)
    assert [each.at_step for each in falling] == [20, 40, 60, 80]
    assert falling[0].after == -18.0


@pytest.mark.parametrize("values", [[1.0], [0.0, 1.0], [2.0] * 300, []])
def test_too_little_and_constant_series_have_no_milestones(values: list[float]) -> None:
    assert find_milestones(task(np.array(values))) == ()


def test_bad_input_is_named() -> None:
    with pytest.raises(ModelError, match="task: step 1 is nan"):
        task(np.array([1.0, math.nan]))
    with pytest.raises(ModelError, match=r"task: step 2 is 0\.5, neither 0 nor 1"):
        task(np.array([1.0, 0.0, 0.5]), is_success=True)
    with pytest.raises(ModelError, match="2 values and 3 times"):
        TaskSeries("task", "d", "m", np.zeros(2), np.zeros(3, np.int64))


def test_effect_and_permutations() -> None:
    # Means 1 and 3, pooled variance 1: d = 2.
    assert cohens_d(np.array([0.0, 1, 2]), np.array([2.0, 3, 4])) == pytest.approx(2.0)
    assert cohens_d(np.zeros(3), np.ones(3)) == math.inf
    assert cohens_d(np.ones(3), np.ones(3)) == 0.0
    # Of the 20 ways to choose 3 of 6, two are as extreme as the observed one.
    assert permutation_p(np.array([0.0, 1, 2]), np.array([7.0, 8, 9])) == pytest.approx(0.1, abs=0.03)
    assert permutation_p(np.zeros(20), np.ones(20)) == 0.001
    assert permutation_p(np.ones(5), np.ones(5)) == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_slopes_are_those_of_an_independent_program(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(0, 1, 50) + 0.02 * np.arange(50), 1 if seed % 2 else 9)
    theirs = stats.theilslopes(values, np.arange(50), alpha=0.95)
    ours = theil_sen(values)
    assert ours.median == pytest.approx(theirs.slope)
    # Ranks may be rounded to a neighbour.
    slopes = np.sort([(values[j] - values[i]) / (j - i) for i in range(50) for j in range(i + 1, 50)])
    for mine, their in ((ours.low, theirs.low_slope), (ours.high, theirs.high_slope)):
        assert abs(int(np.searchsorted(slopes, mine)) - int(np.searchsorted(slopes, their))) <= 5


def test_a_ledger_tells_each_change_once() -> None:
    ledger = MilestoneLedger()
    found = find_milestones(task(noisy(1, 0.0, 3.0)))
    assert ledger.new_ones(found) == found
    assert ledger.new_ones(found) == ()
    (better,) = of_type(found, MilestoneType.IMPROVEMENT)
    moved = find_milestones(task(np.concatenate([[0.0, 0.5], noisy(1, 0.0, 3.0)])))
    assert of_type(ledger.new_ones(moved), MilestoneType.IMPROVEMENT) == []
    assert better.at_step != of_type(moved, MilestoneType.IMPROVEMENT)[0].at_step


def test_a_monitor_tells_a_change_soon_and_once() -> None:
    values = noisy(2, 0.0, 3.0, length=150)
    monitor = LearningMonitor(task(values[:0]), max_steps=200)
    told = {step: monitor.observe(float(value), step * STEP_NS) for step, value in enumerate(values)}
    shifts = [(step, each) for step, found in told.items() for each in found if each.detector == "pelt"]
    ((step, shift),) = shifts
    assert shift.type is MilestoneType.IMPROVEMENT
    assert abs(shift.at_step - 150) <= 1
    assert step <= 150 + 15
    assert len(monitor.series().values) == 200
    assert monitor.series().first_step == 100
    with pytest.raises(ModelError, match="nan"):
        monitor.observe(math.nan, 0)


def test_a_monitor_remembers_what_its_window_forgot() -> None:
    """Records and mastery are of the whole series, and told when they come: as by the rules over all of it."""
    rng = np.random.default_rng(3)
    for values, fields in ((rng.normal(0, 1, 900), {}), (np.ones(600), {"is_success": True})):
        monitor = LearningMonitor(task(values[:0], **fields), max_steps=100)
        told = [each for at, value in enumerate(values) for each in monitor.observe(float(value), at * STEP_NS)]
        running = [each for each in told if each.detector in ("rolling_median", "wilson")]
        whole = [
            each for each in find_milestones(task(values, **fields)) if each.detector in ("rolling_median", "wilson")
        ]
        assert [each.id for each in running] == [each.id for each in whole]
        assert [(each.before, each.after) for each in running] == [
            pytest.approx((each.before, each.after), nan_ok=True) for each in whole
        ]
        assert 1 <= len(whole) <= 12


def test_a_milestone_is_json() -> None:
    (event,) = find_milestones(task(np.concatenate([np.zeros(30), np.ones(25)])))[:1]
    told = json.loads(json.dumps(event.to_json(), allow_nan=False))
    assert (told["type"], told["at_step"], told["window"]) == ("improvement", 30, [0, 55])
    assert told["effect_size"] is None  # infinite: both sides are constant
