"""Rules that need no look back: records and mastery, told result by result in bounded memory."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from swarmscope.analysis.intelligence.statistics.wilson import wilson_interval

MASTERY_STEPS = 50
_MASTERY_LEAST, _MASTERY_LOST = 0.9, 0.8
RECORD_MEDIAN, RECORD_APART = 5, 20


class Told(NamedTuple):
    """A milestone at the step that was just observed; gains are values of which higher ones are better."""

    before: float
    after: float


class RecordRule:
    """A new best of the rolling median of five, at most one in 20 steps; not thread-safe."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=RECORD_MEDIAN)
        self._best, self._step, self._told_at = -math.inf, -1, -1

    def observe(self, gain: float) -> Told | None:
        """The next step's gain."""
        self._step += 1
        self._last.append(gain)
        if len(self._last) < RECORD_MEDIAN:
            return None
        median, best = sorted(self._last)[RECORD_MEDIAN // 2], self._best
        if median <= best:
            return None
        self._best = median
        # The first steps of a series are records all: none is told before there is something to beat.
        is_close = self._told_at >= 0 and self._step - self._told_at < RECORD_APART
        if self._step < RECORD_APART or is_close:
            return None
        self._told_at = self._step
        return Told(best, median)


class MasteryRule:
    """The lower end of Wilson's interval of the last 50 successes reaches 0.9; again only once it fell below 0.8."""

    def __init__(self) -> None:
        self._last: deque[bool] = deque(maxlen=MASTERY_STEPS)
        self._n_before, self._sum_before = 0, 0  # of what is older than the last ones
        self._is_mastered = False

    def observe(self, succeeded: bool) -> Told | None:
        """The next step's outcome; `before` is the share of successes earlier than the last 50, nan for none."""
        if len(self._last) == MASTERY_STEPS:
            self._n_before += 1
            self._sum_before += self._last[0]
        self._last.append(succeeded)
        if len(self._last) < MASTERY_STEPS:
            return None
        n_successes = sum(self._last)
        least = _LEAST[n_successes]
        if self._is_mastered:
            self._is_mastered = least >= _MASTERY_LOST
            return None
        self._is_mastered = least >= _MASTERY_LEAST
        if not self._is_mastered:
            return None
        before = self._sum_before / self._n_before if self._n_before else math.nan
        return Told(before, n_successes / MASTERY_STEPS)


_LEAST = tuple(wilson_interval(n, MASTERY_STEPS)[0] for n in range(MASTERY_STEPS + 1))
