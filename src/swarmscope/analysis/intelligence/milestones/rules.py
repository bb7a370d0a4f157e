"""From a series of results to milestones: one rule a type, each looks at the whole series."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.milestones.milestone import Milestone, MilestoneType, TaskSeries, milestone_id
from swarmscope.analysis.intelligence.milestones.pelt import find_change_points
from swarmscope.analysis.intelligence.milestones.running_rules import (
    MASTERY_STEPS,
    RECORD_MEDIAN,
    MasteryRule,
    RecordRule,
    Told,
)
from swarmscope.analysis.intelligence.milestones.theil_sen import theil_sen

_MIN_SIDE, _MIN_EFFECT, _MAX_P, _N_PERMUTATIONS = 10, 0.5, 0.01, 999
_MAX_COMPARED = 500  # values a side of a change: more make the test slower and hardly sharper
_PLATEAU_STEPS, _PLATEAU_STRIDE = 50, 10
_SEED = 20240607


_Rule: TypeAlias = Callable[[TaskSeries, "tuple[Shift, ...]"], list[Milestone]]


class Shift(NamedTuple):
    """A change of the mean between two neighbouring segments, `begin : at` and `at : end`."""

    begin: int
    at: int
    end: int
    effect: float  # Cohen's d, above 0 for the better
    p: float


def find_milestones(series: TaskSeries) -> tuple[Milestone, ...]:
    """All milestones of a series, by step. The same series gives the same milestones, ids included."""
    return _found(series, _RULES)


def find_changes(series: TaskSeries) -> tuple[Milestone, ...]:
    """Those that only a look back tells: improvements, regressions and plateaus."""
    return _found(series, _RULES_OF_CHANGES)


def _found(series: TaskSeries, rules: Sequence[_Rule]) -> tuple[Milestone, ...]:
    shifts = find_shifts(series)
    found = [milestone for rule in rules for milestone in rule(series, shifts)]
    return tuple(sorted(found, key=lambda each: (each.at_step, each.type)))


def find_shifts(series: TaskSeries) -> tuple[Shift, ...]:
    """Changes of the mean by PELT that are large, long on both sides, and unlike what a shuffle brings."""
    gains = series.gains
    bounds = [0, *find_change_points(gains).tolist(), len(gains)]
    found = []
    for begin, at, end in zip(bounds, bounds[1:], bounds[2:], strict=False):
        before, after = gains[begin:at][-_MAX_COMPARED:], gains[at:end][:_MAX_COMPARED]
        if min(len(before), len(after)) < _MIN_SIDE:
            continue
        effect = cohens_d(before, after)
        if abs(effect) < _MIN_EFFECT:
            continue
        p = permutation_p(before, after)
        if p < _MAX_P:
            found.append(Shift(begin, at, end, effect, p))
    return tuple(found)


def cohens_d(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Difference of the means over the pooled standard deviation; infinite where both sides are constant and differ."""
    difference = float(after.mean() - before.mean())
    n_free = len(before) + len(after) - 2
    squares = float(np.sum((before - before.mean()) ** 2) + np.sum((after - after.mean()) ** 2))
    spread = math.sqrt(squares / n_free) if n_free > 0 else 0.0
    if spread > 0:
        return difference / spread
    return math.copysign(math.inf, difference) if difference else 0.0


def permutation_p(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Share of shuffles, the observed order included, whose means differ at least as much; two-sided, seeded."""
    pooled = np.concatenate([before, after])
    pooled = pooled - pooled.mean()
    # The means differ by a multiple of the first side's sum, for the total is 0.
    observed = abs(float(pooled[: len(before)].sum()))
    rng = np.random.default_rng(_SEED)
    shuffled = rng.permuted(np.broadcast_to(pooled, (_N_PERMUTATIONS, len(pooled))), axis=1)
    sums = np.abs(shuffled[:, : len(before)].sum(axis=1))
    tolerance = 1e-12 * float(np.abs(pooled).sum())
    return (1 + int(np.count_nonzero(sums >= observed - tolerance))) / (1 + _N_PERMUTATIONS)


def _improvements_and_regressions(series: TaskSeries, shifts: tuple[Shift, ...]) -> list[Milestone]:
    found = []
    for shift in shifts:
        kind = MilestoneType.IMPROVEMENT if shift.effect > 0 else MilestoneType.REGRESSION
        levels = float(series.values[shift.begin : shift.at].mean()), float(series.values[shift.at : shift.end].mean())
        what = _What(kind, "pelt", shift.at, (shift.begin, shift.end), levels, shift.effect, shift.p)
        found.append(_to_milestone(series, what))
    return found


def _masteries(series: TaskSeries, _: tuple[Shift, ...]) -> list[Milestone]:
    rule = MasteryRule()
    told = ((at, rule.observe(bool(success))) for at, success in enumerate(_successes(series)))
    return [mastery_at(series, at, found) for at, found in told if found is not None]


def _successes(series: TaskSeries) -> list[bool]:
    if not series.is_success:
        return []
    successes: list[bool] = ((series.values == 1) == series.higher_is_better).tolist()
    return successes


def mastery_at(series: TaskSeries, at: int, told: Told) -> Milestone:
    """The milestone that the rule told at the position `at`; shares are those of the metric's ones."""
    shares = told if series.higher_is_better else Told(1 - told.before, 1 - told.after)
    window = at + 1 - MASTERY_STEPS, at + 1
    return _to_milestone(series, _What(MilestoneType.MASTERY, "wilson", at, window, (shares.before, shares.after)))


def _plateaus(series: TaskSeries, shifts: tuple[Shift, ...]) -> list[Milestone]:
    """The first stretch after each improvement whose slope may be 0."""
    found = []
    for shift in shifts:
        if shift.effect <= 0:
            continue
        for begin in range(shift.at, shift.end - _PLATEAU_STEPS + 1, _PLATEAU_STRIDE):
            end = begin + _PLATEAU_STEPS
            slope = theil_sen(series.values[begin:end])
            if slope.low <= 0 <= slope.high:
                levels = (
                    float(series.values[shift.begin : shift.at].mean()), float(np.median(series.values[begin:end]))
                )  # fmt: skip
                what = _What(MilestoneType.PLATEAU, "theil_sen", end - 1, (begin, end), levels)
                # One plateau an improvement, wherever in it the window is found to be flat.
                found.append(_to_milestone(series, what, shift.at))
                break
    return found


def _records(series: TaskSeries, _: tuple[Shift, ...]) -> list[Milestone]:
    rule = RecordRule()
    told = ((at, rule.observe(gain)) for at, gain in enumerate(series.gains.tolist()))
    return [record_at(series, at, found) for at, found in told if found is not None]


def record_at(series: TaskSeries, at: int, told: Told) -> Milestone:
    """The milestone that the rule told at the position `at`."""
    sign = 1.0 if series.higher_is_better else -1.0
    window = at + 1 - RECORD_MEDIAN, at + 1
    levels = sign * told.before, sign * told.after
    return _to_milestone(series, _What(MilestoneType.RECORD, "rolling_median", at, window, levels))


class _What(NamedTuple):
    kind: MilestoneType
    detector: str
    at: int
    window: tuple[int, int]
    levels: tuple[float, float]
    effect: float = math.nan
    p: float = math.nan


def _to_milestone(series: TaskSeries, what: _What, named_by: int | None = None) -> Milestone:
    named = what.at if named_by is None else named_by
    first = series.first_step
    return Milestone(
        id=milestone_id(series.name, what.kind, first + named),
        type=what.kind,
        series=series.name,
        domain=series.domain,
        metric=series.metric,
        at_step=first + what.at,
        at_time_ns=int(series.times_ns[what.at]),
        before=what.levels[0],
        after=what.levels[1],
        effect_size=what.effect,
        p=what.p,
        detector=what.detector,
        window=(first + what.window[0], first + what.window[1]),
    )


_RULES_OF_CHANGES: tuple[_Rule, ...] = (_improvements_and_regressions, _plateaus)
_RULES: tuple[_Rule, ...] = (*_RULES_OF_CHANGES, _masteries, _records)
