"""A `FleetSink` and `FleetReader` in memory, for tests of what watches a fleet and of what asks. # Slow path"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from swarmscope.fleet.span_sets import conversation_names, joined, of_conversation, to_summary
from swarmscope.fleet.sums import edges_between, sum_edges, sum_usage, usage_between
from swarmscope.model.agents import AgentSpans, Vocabulary
from swarmscope.model.fleet import (
    AgentRecord,
    AgentSpanRequest,
    ConversationSummary,
    Edges,
    Finding,
    FleetRows,
    StoredAgentSpans,
    Usage,
)


@dataclass
class MemoryFleet:
    """Keeps what it was given; a piece that comes twice counts once."""

    vocabulary: Vocabulary
    rows: list[FleetRows] = field(default_factory=list)
    error: Exception | None = None  # what to raise instead of taking anything

    def write_fleet(self, rows: FleetRows) -> None:
        """As `FleetSink.write_fleet`."""
        if self.error is not None:
            raise self.error
        if not any(rows is known for known in self.rows):
            self.rows.append(rows)

    def _of(self, tenant: str) -> list[FleetRows]:
        return [rows for rows in self.rows if rows.tenant == tenant]

    def read_edges(self, tenant: str, start_ns: int, end_ns: int, *, by_minute: bool = False) -> Edges:
        """As `FleetReader.read_edges`."""
        parts = [edges_between(rows.edges, start_ns, end_ns) for rows in self._of(tenant)]
        return sum_edges(parts, by_minute=by_minute)

    def read_usage(
        self, tenant: str, start_ns: int, end_ns: int, by: tuple[str, ...], *, by_minute: bool = False
    ) -> Usage:
        """As `FleetReader.read_usage`."""
        parts = [usage_between(rows.usage, start_ns, end_ns) for rows in self._of(tenant)]
        return sum_usage(parts, by, by_minute=by_minute)

    def read_agents(self, tenant: str) -> list[AgentRecord]:
        """As `FleetReader.read_agents`."""
        known = {record.name: record for rows in self._of(tenant) for record in rows.agents}
        return [known[name] for name in sorted(known)]

    def read_findings(self, tenant: str, start_ns: int, end_ns: int) -> list[Finding]:
        """As `FleetReader.read_findings`."""
        known = {finding.id: finding for rows in self._of(tenant) for finding in rows.findings}
        lasting = [
            one for one in known.values() if one.begin_ns < end_ns and (not one.end_ns or one.end_ns >= start_ns)
        ]
        return sorted(lasting, key=lambda finding: -finding.begin_ns)

    def read_agent_spans(self, tenant: str, request: AgentSpanRequest) -> StoredAgentSpans:
        """As `FleetReader.read_agent_spans`."""
        parts = [(rows.spans, rows.caller) for rows in self._of(tenant)]
        if request.conversation is not None:
            parts = of_conversation(parts, request.conversation)
        nothing = StoredAgentSpans(AgentSpans.blank(0, tenant), np.zeros(0, np.uint32), self.vocabulary)
        found = joined(nothing, parts, self.vocabulary)
        spans = found.spans
        wanted = (spans.end_ns >= request.start_ns) & (spans.end_ns < request.end_ns)
        if request.agents:
            codes = [self.vocabulary.code_of(name) for name in request.agents]
            wanted &= np.isin(spans.agent, np.array(codes, np.uint32))
        if request.trace_ids:
            ids = np.frombuffer(b"".join(request.trace_ids), np.uint8).reshape(len(request.trace_ids), -1)
            wanted &= (spans.trace_id[:, np.newaxis] == ids[np.newaxis]).all(axis=2).any(axis=1)
        rows = np.flatnonzero(wanted)[-request.max_spans :]
        return StoredAgentSpans(spans.take(rows), found.caller[rows], self.vocabulary)

    def conversations(
        self, tenant: str, start_ns: int, end_ns: int, max_conversations: int
    ) -> list[ConversationSummary]:
        """As `FleetReader.conversations`."""
        names = conversation_names([(rows.spans, rows.caller) for rows in self._of(tenant)], start_ns, end_ns)
        ever = (0, (1 << 63) - 1)
        found = [
            to_summary(name, self.read_agent_spans(tenant, AgentSpanRequest(*ever, conversation=name)))
            for name in names
        ]
        return sorted(found, key=lambda each: (-each.end_ns, each.id))[:max_conversations]

    def stored_keys(self, tenant: str, since_ns: int) -> NDArray[np.uint64]:
        """Keys [n] of spans that ended at or after a time."""
        parts = [rows.spans.span_key[rows.spans.end_ns >= since_ns] for rows in self._of(tenant)]
        return np.concatenate([np.zeros(0, np.uint64), *parts])
