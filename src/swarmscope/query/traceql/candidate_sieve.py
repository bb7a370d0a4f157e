"""Candidates of two-sided queries: who has spans on one side waits here until the other sides were seen too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from swarmscope.lang.traceql.fields import FieldNode
from swarmscope.query.traceql.trace_keys import Candidates, as_bytes, from_bytes

# Traces that have a span in start <= ts < end which fulfils the condition.
TracesWith = Callable[[FieldNode, tuple[int, int]], set[bytes]]


class CandidateSieve:
    """Lets candidates through that have spans for each of `others`; few it lets through unseen.

    It looks at slices of time from the end on, as far as the candidates came, so what it has not seen lies before.
    """

    def __init__(self, others: tuple[FieldNode, ...], few: int, traces_with: TracesWith, end_ns: int) -> None:
        self._others = others
        self._few = few
        self._traces_with = traces_with
        self._seen: list[set[bytes]] = [set() for _ in others]
        self._seen_from_ns = end_ns
        self._waiting: dict[bytes, int] = {}

    def passed(self, candidates: Candidates, horizon_ns: int) -> Candidates:
        """Who passes, where all spans from the horizon on were looked at for candidates; the newest first."""
        if not self._others:
            return candidates
        for key, newest_ns in zip(as_bytes(candidates.ids), candidates.newest_ns.tolist(), strict=True):
            self._waiting.setdefault(key, newest_ns)
        if len(self._waiting) <= self._few:
            return self._let_go(list(self._waiting))
        for seen, other in zip(self._seen, self._others, strict=True):
            if horizon_ns < self._seen_from_ns:
                seen |= self._traces_with(other, (horizon_ns, self._seen_from_ns))
        self._seen_from_ns = min(horizon_ns, self._seen_from_ns)
        return self._let_go([key for key in self._waiting if all(key in seen for seen in self._seen)])

    def rest(self, start_ns: int) -> Candidates:
        """Who passes of those that wait, where there are no candidates any more and the range begins then."""
        return self.passed(Candidates(from_bytes([]), np.zeros(0, np.int64)), start_ns)

    def _let_go(self, keys: list[bytes]) -> Candidates:
        keys.sort(key=lambda key: (-self._waiting[key], key))
        newest_ns = np.array([self._waiting.pop(key) for key in keys], np.int64)
        return Candidates(from_bytes(keys), newest_ns)
