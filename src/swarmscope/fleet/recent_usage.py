"""What was used lately, by minute, agent and team: by minute for an hour, and by hour for as long as budgets last."""

from __future__ import annotations

import numpy as np

from swarmscope.fleet.sums import sum_usage, usage_between
from swarmscope.model.fleet import GRAIN_NS, Usage

_HOUR_NS = 60 * GRAIN_NS
_BY = ("agent", "team")
_MAX_PARTS = 64


class RecentUsage:
    """Of one tenant. Not thread-safe."""

    def __init__(self, horizon_ns: int) -> None:
        """`horizon_ns`: how far back, an hour at least."""
        self._horizon_ns = max(horizon_ns, _HOUR_NS)
        self._parts: list[Usage] = []
        self._older: Usage = sum_usage([], _BY, by_minute=True)

    @property
    def horizon_ns(self) -> int:
        """How far back."""
        return self._horizon_ns

    def add(self, usage: Usage) -> None:
        """More was used."""
        if len(usage):
            self._parts.append(usage)
        if len(self._parts) > _MAX_PARTS:
            self._parts = [sum_usage(self._parts, _BY, by_minute=True)]

    def last_hour(self, now_ns: int) -> Usage:
        """By minute, agent and team."""
        self._age(now_ns)
        return self._parts[0]

    def all(self, now_ns: int) -> Usage:
        """The same back to the horizon; what is older than an hour or two is told at the beginning of its hour."""
        self._age(now_ns)
        return sum_usage([self._older, self._parts[0]], _BY, by_minute=True)

    def _age(self, now_ns: int) -> None:
        joined = sum_usage(self._parts, _BY, by_minute=True)
        hour_ns = now_ns - _HOUR_NS - GRAIN_NS
        begin_ns, end_ns = int(np.iinfo(np.int64).min), int(np.iinfo(np.int64).max)
        self._parts = [usage_between(joined, hour_ns, end_ns)]
        gone = usage_between(joined, begin_ns, hour_ns)
        if self._horizon_ns > _HOUR_NS and len(gone):
            by_hour = Usage(
                gone.minute_ns // _HOUR_NS * _HOUR_NS, *(getattr(gone, name) for name in Usage.__slots__[1:])
            )
            self._older = sum_usage([self._older, by_hour], _BY, by_minute=True)
        if len(self._older):
            self._older = usage_between(self._older, (now_ns - self._horizon_ns) // _HOUR_NS * _HOUR_NS, end_ns)
