"""The settled spans of the last minutes, for those who look for what goes wrong; bounded in number and age."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.agents import AgentSpans
from swarmscope.model.labels import DEFAULT_TENANT


@dataclass(frozen=True, slots=True)
class Recent:
    """Spans with the agents that they work for."""

    spans: AgentSpans
    caller: NDArray[np.uint32]  # [n]


class RecentSpans:
    """Spans of one tenant in the order in which they were settled. Not thread-safe."""

    def __init__(self, max_spans: int, max_age_ns: int, tenant: str = DEFAULT_TENANT) -> None:
        self._max_spans, self._max_age_ns, self._tenant = max_spans, max_age_ns, tenant
        self._parts: list[Recent] = []
        self._settled_ns: list[NDArray[np.int64]] = []  # of each part [n]

    def add(self, spans: AgentSpans, caller: NDArray[np.uint32], now_ns: int) -> None:
        """Keep these. What ended too long ago is not kept at all: it is history that somebody loads."""
        ended = np.where(spans.end_ns > 0, spans.end_ns, now_ns)
        fresh = np.flatnonzero(ended > now_ns - self._max_age_ns)[-self._max_spans :]
        if not len(fresh):
            return
        self._parts.append(_taken(spans, caller, fresh))
        self._settled_ns.append(np.full(len(fresh), now_ns))
        if sum(map(len, self._settled_ns)) > 2 * self._max_spans:
            self.all(now_ns)

    def all(self, now_ns: int) -> Recent:
        """All that are recent, in the order in which they were settled; not to be changed."""
        if not self._parts:
            return Recent(AgentSpans.blank(0, self._tenant), np.zeros(0, np.uint32))
        settled_ns = np.concatenate(self._settled_ns)
        kept = np.flatnonzero(settled_ns > now_ns - self._max_age_ns)[-self._max_spans :]
        if len(self._parts) > 1 or len(kept) < len(settled_ns):
            joined = AgentSpans.concat([part.spans for part in self._parts])
            caller = np.concatenate([part.caller for part in self._parts])
            self._parts = [_taken(joined, caller, kept)]
            self._settled_ns = [settled_ns[kept]]
        return self._parts[0]


def _taken(spans: AgentSpans, caller: NDArray[np.uint32], rows: NDArray[np.int64]) -> Recent:
    """Some rows, with no bytes of others."""
    if len(rows) < len(spans):
        spans, caller = spans.take(rows), caller[rows]
    return Recent(replace(spans, conversation=spans.conversation.compact()), caller)
