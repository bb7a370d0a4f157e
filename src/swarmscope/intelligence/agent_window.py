"""The spans of a fleet's agents over a stretch of time, as arrays that another process can be sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.agents import NO_TEXT
from swarmscope.model.fleet import StoredAgentSpans

# What of `AgentSpans` measurements look at.
COLUMNS = (
    "trace_id", "span_key", "parent_key", "start_ns", "end_ns", "status", "operation", "agent", "tool", "content",
    "link_offsets", "link_key",
)  # fmt: skip


class SpanSource(Protocol):
    """Where the spans of agents are, whether they are stored already or not."""

    def agent_spans(self, tenant: str, start_ns: int, end_ns: int, max_spans: int) -> StoredAgentSpans:
        """Spans that ended in [start_ns, end_ns), the newest `max_spans` of them, in order of their start."""
        ...


class AgentWindow(NamedTuple):
    """Who did what, when, and for whom."""

    agents: Mapping[int, str]
    """Names by the codes that spans have for them."""
    teams: Mapping[str, str]
    """Of each agent the last team that its spans named, "" for none."""
    columns: Mapping[str, NDArray[Any]]
    """`COLUMNS` of `AgentSpans`."""
    range_ns: tuple[int, int]


def read_window(source: SpanSource, tenant: str, range_ns: tuple[int, int], max_spans: int) -> AgentWindow:
    """All agents' spans of a range. Raises what `source` does."""
    found = source.agent_spans(tenant, *range_ns, max_spans)
    spans = found.spans
    agents = {int(code): found.vocabulary.text(int(code)) for code in np.unique(spans.agent) if code != NO_TEXT}
    teams = dict.fromkeys(agents.values(), "")
    told = np.flatnonzero((spans.team != NO_TEXT) & (spans.agent != NO_TEXT))
    last = dict(zip(spans.agent[told].tolist(), spans.team[told].tolist(), strict=True))
    teams.update({agents[agent]: found.vocabulary.text(team) for agent, team in last.items()})
    return AgentWindow(agents, teams, {name: getattr(spans, name) for name in COLUMNS}, range_ns)
