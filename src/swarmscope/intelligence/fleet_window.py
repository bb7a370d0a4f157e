"""A window as the analyses want it: agents as numbers, spans by row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.coordination.fleet_spans import FleetSpans, fleet_spans
from swarmscope.analysis.intelligence.telemetry.activity import SpanColumns
from swarmscope.intelligence.agent_window import AgentWindow
from swarmscope.model.agents import AgentSpans


class FleetWindow(NamedTuple):
    """Who did what, when, and for whom."""

    agents: tuple[str, ...]
    """Names, by the numbers that `spans` has for them."""
    spans: FleetSpans
    range_ns: tuple[int, int]

    def columns(self, unit_of: NDArray[np.int32]) -> SpanColumns:
        """Spans by unit; `unit_of` [n_agents] is -1 for agents that are in none."""
        spans = self.spans
        cause = spans.parent.copy()
        # What has no span above it was caused by what it links to, first of all.
        without = cause[spans.link_from] < 0
        cause[spans.link_from[without][::-1]] = spans.link_to[without][::-1]
        padded = np.append(unit_of, np.int32(-1)).astype(np.int32)  # agent -1 is nobody
        return SpanColumns(padded[spans.agent], spans.start_ns, spans.end_ns, cause.astype(np.int32))

    def busy_ns(self) -> NDArray[np.float64]:
        """[n_agents] summed length of each agent's spans."""
        mine = self.spans.agent >= 0
        length_ns = (self.spans.end_ns - self.spans.start_ns)[mine]
        return np.bincount(self.spans.agent[mine], length_ns, len(self.agents)).astype(np.float64)

    def of_agents(self, names: Iterable[str]) -> FleetWindow:
        """The same with all other agents' spans as nobody's, from the first of theirs to the last.

        Time before and after, in which none of them was there, would look as if they all rested together.
        """
        wanted = set(names)
        kept = [at for at, name in enumerate(self.agents) if name in wanted]
        place = np.full(len(self.agents) + 1, -1, np.int64)
        place[kept] = np.arange(len(kept))
        spans = self.spans._replace(agent=place[self.spans.agent])
        theirs = spans.agent >= 0
        range_ns = self.range_ns
        if theirs.any():
            first_ns, last_ns = int(spans.start_ns[theirs].min()), int(spans.end_ns[theirs].max())
            range_ns = max(first_ns, range_ns[0]), min(last_ns, range_ns[1])
        return FleetWindow(tuple(self.agents[at] for at in kept), spans, range_ns)


def to_fleet_window(window: AgentWindow) -> FleetWindow:
    """The same spans, with agents inherited from ancestors."""
    spans = AgentSpans.blank(len(window.columns["span_key"]))
    for name, column in window.columns.items():
        setattr(spans, name, column)
    found, codes = fleet_spans(spans, window.range_ns[1])
    return FleetWindow(tuple(window.agents[int(code)] for code in codes), found, window.range_ns)
