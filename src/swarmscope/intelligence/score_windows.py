"""Scores of one agent under one name over the last hours, in buckets of time: bounded, however many there are."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from swarmscope.analysis.intelligence.alignment.scores import ScoreAggregate, ScoreSums, aggregate, joined

N_BUCKETS = 24  # of a window: that is how exactly scores leave it


class Window(NamedTuple):
    """How far back scores count, and how sure their intervals are."""

    width_ns: int
    confidence: float


class ScoreWindow:
    """Not thread-safe."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._bucket_ns = max(window.width_ns // N_BUCKETS, 1)
        self._buckets: deque[tuple[int, ScoreSums]] = deque()
        self._aggregate: ScoreAggregate | None = None
        self.total = 0  # results since the process began, those without a score included
        self.last_ns = 0

    def add(self, score: float, now_ns: int) -> None:
        """One more result; nan for one without a score."""
        self.total += 1
        self.last_ns = max(self.last_ns, now_ns)
        if math.isnan(score):
            return
        number, one = now_ns // self._bucket_ns, ScoreSums(1, score, 0.0, score in (0.0, 1.0))
        # A clock that went back adds to the newest bucket.
        if self._buckets and self._buckets[-1][0] >= number:
            newest, sums = self._buckets.pop()
            self._buckets.append((newest, joined(sums, one)))
        else:
            self._buckets.append((number, one))
        self._aggregate = None

    def aggregate(self, now_ns: int) -> ScoreAggregate:
        """Mean and interval of the scores in the window."""
        oldest = now_ns // self._bucket_ns - N_BUCKETS
        while self._buckets and self._buckets[0][0] <= oldest:
            self._buckets.popleft()
            self._aggregate = None
        if self._aggregate is None:
            sums = ScoreSums()
            for _, part in self._buckets:
                sums = joined(sums, part)
            self._aggregate = aggregate(sums, self._window.confidence)
        return self._aggregate

    def is_idle(self, now_ns: int) -> bool:
        """Whether nothing of it is in the window."""
        return now_ns - self.last_ns > self._window.width_ns

    # Over a restart

    def to_json(self) -> list[list[float | bool]]:
        """The buckets, as JSON can hold them; the total begins anew, as that of any counter."""
        return [[number * self._bucket_ns, *sums] for number, sums in self._buckets]

    def restore(self, kept: Sequence[Sequence[float]]) -> None:
        """Go on from what `to_json` gave. Raises ValueError and TypeError where it did not give that."""
        for begin_ns, n, mean, squares, all_binary in kept:
            number, sums = (
                int(begin_ns) // self._bucket_ns,
                ScoreSums(int(n), float(mean), float(squares), bool(all_binary)),
            )
            if self._buckets and self._buckets[-1][0] >= number:
                newest, earlier = self._buckets.pop()
                self._buckets.append((newest, joined(earlier, sums)))
            else:
                self._buckets.append((number, sums))
            self.last_ns = max(self.last_ns, int(begin_ns))
        self._aggregate = None
