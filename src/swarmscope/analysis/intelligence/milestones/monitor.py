"""Milestones of one series while it grows: an online alarm makes PELT look, and each milestone is told once."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import replace

import numpy as np

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.milestones.milestone import Milestone, MilestoneType, TaskSeries
from swarmscope.analysis.intelligence.milestones.online_change import OnlineDetector, prior_from
from swarmscope.analysis.intelligence.milestones.rules import find_changes, mastery_at, record_at
from swarmscope.analysis.intelligence.milestones.running_rules import MasteryRule, RecordRule

_PRIOR_STEPS = 20
# An alarm is a run that is this much shorter than it was: the most likely change moved to just now.
_ALARM_SHARE = 0.5
# After an alarm a change needs this many steps before the rules take it for one.
_CONFIRM_STEPS = 10
_MAX_KNOWN = 4096
# With more values PELT may put the same change a few steps elsewhere.
_SAME_WITHIN_STEPS = 5
_MOVABLE = (MilestoneType.IMPROVEMENT, MilestoneType.REGRESSION, MilestoneType.PLATEAU)


class MilestoneLedger:
    """Which milestones were told. Bounded: the oldest are forgotten. Not thread-safe."""

    def __init__(self, max_known: int = _MAX_KNOWN) -> None:
        self._max_known = max_known
        self._known: OrderedDict[str, tuple[str, MilestoneType, int]] = OrderedDict()

    def new_ones(self, found: tuple[Milestone, ...]) -> tuple[Milestone, ...]:
        """Those that were not told before, by their id or as the same change a few steps off; they are told now."""
        new = []
        for each in found:
            if each.id not in self._known and not self._is_moved(each):
                new.append(each)
            self._known[each.id] = (each.series, each.type, _place(each))
        while len(self._known) > self._max_known:
            self._known.popitem(last=False)
        return tuple(new)

    def _is_moved(self, milestone: Milestone) -> bool:
        if milestone.type not in _MOVABLE:
            return False
        place = _place(milestone)
        return any(
            series == milestone.series and kind == milestone.type and abs(known - place) <= _SAME_WITHIN_STEPS
            for series, kind, known in self._known.values()
        )


def _place(milestone: Milestone) -> int:
    return milestone.window[0] if milestone.type is MilestoneType.PLATEAU else milestone.at_step


class LearningMonitor:
    """The last `max_steps` results of one series. Not thread-safe."""

    def __init__(self, series: TaskSeries, max_steps: int = 500, every_steps: int = 25) -> None:
        """`series` names it, and may hold results already; changes are looked for at least every `every_steps`."""
        if max_steps < 2 * _CONFIRM_STEPS or every_steps < 1:
            raise ModelError(f"max_steps {max_steps} or every_steps {every_steps} is too small")
        self._like, self._max_steps, self._every_steps = series, max_steps, every_steps
        self._values: list[float] = []
        self._times_ns: list[int] = []
        self._first_step, self._ledger = series.first_step, MilestoneLedger()
        self._records, self._mastery = RecordRule(), MasteryRule()
        self._detector: OnlineDetector | None = None
        self._run_length, self._confirm_in, self._looked_ago = 0, 0, 0
        for value, time_ns in zip(series.values.tolist(), series.times_ns.tolist(), strict=True):
            self.observe(value, time_ns)

    def observe(self, value: float, time_ns: int) -> tuple[Milestone, ...]:
        """Take one more result in; what is new by it. Raises ModelError for one that the series cannot have."""
        if not math.isfinite(value) or (self._like.is_success and value not in (0, 1)):
            raise ModelError(f"{self._like.name}: a result cannot be {value}")
        if self._is_alarmed(value):
            self._confirm_in = _CONFIRM_STEPS
        elif self._confirm_in:
            self._confirm_in -= 1
        self._values.append(float(value))
        self._times_ns.append(time_ns)
        excess = len(self._values) - self._max_steps
        if excess > 0:
            del self._values[:excess], self._times_ns[:excess]
            self._first_step += excess
        self._looked_ago += 1
        told = self._running(float(value))
        is_due = self._confirm_in == 0 and self._looked_ago >= self._every_steps
        return (*told, *self.look()) if is_due or self._confirm_in == 1 else told

    def look(self) -> tuple[Milestone, ...]:
        """Changes that are seen now and were not told before."""
        self._looked_ago = 0
        return self._ledger.new_ones(find_changes(self.series()))

    def series(self) -> TaskSeries:
        """The results that are kept."""
        return replace(
            self._like,
            values=np.array(self._values, np.float64),
            times_ns=np.array(self._times_ns, np.int64),
            first_step=self._first_step,
        )

    def _running(self, value: float) -> tuple[Milestone, ...]:
        like, at = self._like, len(self._values) - 1
        found = []
        record = self._records.observe(value if like.higher_is_better else -value)
        if record is not None:
            found.append(record_at(self.series(), at, record))
        mastery = self._mastery.observe((value == 1) == like.higher_is_better) if like.is_success else None
        if mastery is not None:
            found.append(mastery_at(self.series(), at, mastery))
        return tuple(found)

    def _is_alarmed(self, value: float) -> bool:
        if self._detector is None:
            if len(self._values) < _PRIOR_STEPS:
                return False
            self._detector = OnlineDetector(prior_from(np.array(self._values[-_PRIOR_STEPS:])))
        before, self._run_length = self._run_length, self._detector.observe(value).run_length
        return before >= _CONFIRM_STEPS and self._run_length < _ALARM_SHARE * before
