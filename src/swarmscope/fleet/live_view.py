"""The fleet as it is and was: what is stored and what is not yet, as one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.agents.budgets import BudgetStatus
from swarmscope.analysis.agents.conversations import Conversation, to_conversation
from swarmscope.analysis.agents.forest import SpanForest
from swarmscope.analysis.agents.graphs import Graph, to_graph
from swarmscope.analysis.agents.runs import Run, to_run
from swarmscope.fleet.judgement import StandingStatus
from swarmscope.fleet.queries import AgentDetail, AgentView, FleetEdges, FleetUsage
from swarmscope.fleet.recovery import SpanSource
from swarmscope.fleet.span_sets import conversation_names, joined, of_conversation, of_trace, to_summary
from swarmscope.fleet.stored_spans import to_batch
from swarmscope.fleet.sums import edges_between, sum_edges, sum_usage, take_edges, take_usage, usage_between
from swarmscope.fleet.tenant_watch import TenantWatch
from swarmscope.fleet.unwritten import Seen
from swarmscope.fleet.watch import FleetWatch
from swarmscope.model.agents import AgentSpans, Vocabulary
from swarmscope.model.contracts import Clock, FleetReader, ReadBudget
from swarmscope.model.fleet import (
    AgentRecord,
    AgentSpanRequest,
    AgentState,
    ConversationSummary,
    Finding,
    StoredAgentSpans,
    UsageMeasure,
)

T = TypeVar("T")
_NS_PER_S = 1_000_000_000
_LIST_NS = 3600 * _NS_PER_S  # what the figures in the list of agents are of
_EVER = (0, (1 << 63) - 1)
_MAX_CONVERSATION_SPANS = 100_000
_MAX_TRACE_SPANS = 500_000


class _Unhurried:
    """A `Cancellation` that never ends anything: a trace is small."""

    remaining_s = math.inf

    def check(self) -> None:
        """Nothing ends it."""


class LiveFleet:
    """A `FleetView`."""

    def __init__(
        self, watch: FleetWatch, store: FleetReader, spans: SpanSource, vocabulary: Vocabulary, clock: Clock
    ) -> None:
        self._watch, self._store, self._spans = watch, store, spans
        self._vocabulary, self._clock = vocabulary, clock

    # Agents

    def agents(self, tenant: str) -> list[AgentView]:
        """As `FleetView.agents`."""
        now_ns = self._clock.now_ns()
        usage = self.usage(tenant, now_ns - _LIST_NS, now_ns + 1, ("agent",)).usage
        used = {self._vocabulary.text(code): row for row, code in enumerate(usage.agent.tolist())}
        watch = self._watch.tenant(tenant)
        known = {record.name: record for record in self._store.read_agents(tenant)}
        if watch is not None:
            known |= {record.name: record for record in watch.records()}
        opened = self._opened(tenant, now_ns)
        views = []
        for name in sorted(known):
            measures = usage.measures[used[name]] if name in used else np.zeros(len(UsageMeasure))
            views.append(_view(known[name], watch, measures, opened.get(name, 0)))
        return views

    def agent(self, tenant: str, name: str, start_ns: int, end_ns: int) -> AgentDetail | None:
        """As `FleetView.agent`."""
        views = [view for view in self.agents(tenant) if view.record.name == name]
        if not views:
            return None
        code = self._vocabulary.code_of(name)
        edges = self.edges(tenant, start_ns, end_ns).edges
        sides = np.flatnonzero((edges.source == code) | (edges.target == code))
        by = ("agent", "agent_version", "provider", "model", "operation", "tool")
        usage = self.usage(tenant, start_ns, end_ns, by).usage
        findings = [finding for finding in self.findings(tenant, start_ns, end_ns) if name in finding.agents]
        return AgentDetail(
            agent=views[0],
            edges=FleetEdges(take_edges(edges, sides), self._vocabulary),
            usage=FleetUsage(take_usage(usage, np.flatnonzero(usage.agent == code)), self._vocabulary),
            findings=tuple(findings),
        )

    def _opened(self, tenant: str, now_ns: int) -> dict[str, int]:
        """How many spans of agents are open."""
        watch = self._watch.tenant(tenant)
        if watch is None:
            return {}
        codes, counts = np.unique(watch.open_spans(now_ns).spans.agent, return_counts=True)
        return {self._vocabulary.text(code): count for code, count in zip(codes.tolist(), counts.tolist(), strict=True)}

    # Interactions and usage

    def graph(self, tenant: str, start_ns: int, end_ns: int) -> Graph:
        """As `FleetView.graph`."""
        edges = self.edges(tenant, start_ns, end_ns).edges
        usage = self.usage(tenant, start_ns, end_ns, ("agent",)).usage
        teams = {record.name: record.team for record in self._records(tenant)}
        return to_graph(edges, self._vocabulary, max(end_ns - start_ns, 1) / _NS_PER_S, usage, teams)

    def edges(self, tenant: str, start_ns: int, end_ns: int, *, by_minute: bool = False) -> FleetEdges:
        """As `FleetView.edges`."""
        stored, seen = self._beside(
            tenant, lambda: self._store.read_edges(tenant, start_ns, end_ns, by_minute=by_minute)
        )
        parts = [edges_between(part, start_ns, end_ns) for part in seen.edges]
        return FleetEdges(sum_edges([stored, *parts], by_minute=by_minute), self._vocabulary)

    def usage(
        self, tenant: str, start_ns: int, end_ns: int, by: tuple[str, ...], *, by_minute: bool = False
    ) -> FleetUsage:
        """As `FleetView.usage`."""
        stored, seen = self._beside(
            tenant, lambda: self._store.read_usage(tenant, start_ns, end_ns, by, by_minute=by_minute)
        )
        parts = [usage_between(part, start_ns, end_ns) for part in seen.usage]
        return FleetUsage(sum_usage([stored, *parts], by, by_minute=by_minute), self._vocabulary)

    # Conversations and runs

    def conversations(
        self, tenant: str, start_ns: int, end_ns: int, max_conversations: int = 100
    ) -> list[ConversationSummary]:
        """As `FleetView.conversations`."""
        stored, seen = self._beside(
            tenant, lambda: self._store.conversations(tenant, start_ns, end_ns, max_conversations)
        )
        # What is not stored yet is written in some seconds: those conversations are read whole.
        fresh = conversation_names(seen.spans, start_ns, end_ns)
        known = {summary.id: summary for summary in stored}
        for name in fresh:
            found = self._conversation_spans(tenant, name)
            if len(found.spans):
                known[name] = to_summary(name, found)
        newest = sorted(known.values(), key=lambda summary: (-summary.end_ns, summary.id))
        return newest[:max_conversations]

    def conversation(self, tenant: str, conversation: str) -> Conversation | None:
        """As `FleetView.conversation`."""
        found = self._conversation_spans(tenant, conversation)
        return to_conversation(found) if len(found.spans) else None

    def _conversation_spans(self, tenant: str, conversation: str) -> StoredAgentSpans:
        request = AgentSpanRequest(*_EVER, conversation=conversation, max_spans=_MAX_CONVERSATION_SPANS)
        stored, seen = self._beside(tenant, lambda: self._store.read_agent_spans(tenant, request))
        return joined(stored, of_conversation(seen.spans, conversation), self._vocabulary)

    def run(self, tenant: str, trace_id: bytes) -> Run | None:
        """As `FleetView.run`."""
        found = self._whole_trace(tenant, trace_id)
        if not len(found.spans):
            # Sampling has let the trace go; what its spans said of agents is kept.
            request = AgentSpanRequest(*_EVER, trace_ids=(trace_id,), max_spans=_MAX_CONVERSATION_SPANS)
            stored, seen = self._beside(tenant, lambda: self._store.read_agent_spans(tenant, request))
            found = joined(stored, of_trace(seen.spans, trace_id), self._vocabulary)
        return to_run(found, self._clock.now_ns()) if len(found.spans) else None

    def _whole_trace(self, tenant: str, trace_id: bytes) -> StoredAgentSpans:
        """All spans of a trace with what their ancestors say, those that are still open included."""
        reader = self._spans.reader
        ids = np.frombuffer(trace_id, np.uint8)[np.newaxis]
        rows = reader.find_traces(tenant, ids, ReadBudget(_Unhurried(), _MAX_TRACE_SPANS))
        parts = [self._spans.normalise(to_batch(rows, reader, tenant))] if len(rows) else []
        watch = self._watch.tenant(tenant)
        if watch is not None:
            opened = watch.open_spans(self._clock.now_ns()).spans
            parts.append(opened.take(np.flatnonzero((opened.trace_id == ids).all(axis=1))))
        forest = SpanForest(self._vocabulary, 2 * sum(map(len, parts)) + 1, 1, tenant)
        now_ns = self._clock.now_ns()
        settled = [forest.settle(part, now_ns) for part in parts if len(part)]
        settled.append(forest.expire(now_ns + _NS_PER_S))
        spans = [(each.spans, each.caller) for each in settled if len(each)]
        still_open = forest.open_spans(now_ns)
        if len(still_open):
            spans.append((still_open.spans, still_open.caller))
        nothing = StoredAgentSpans(AgentSpans.blank(0, tenant), np.zeros(0, np.uint32), self._vocabulary)
        return joined(nothing, spans, self._vocabulary)

    def agent_spans(self, tenant: str, start_ns: int, end_ns: int, max_spans: int) -> StoredAgentSpans:
        """Spans of agents that ended in [start_ns, end_ns), the newest `max_spans`, in order of their start."""
        request = AgentSpanRequest(start_ns, end_ns, max_spans=max_spans)
        stored, seen = self._beside(tenant, lambda: self._store.read_agent_spans(tenant, request))
        rows = [np.flatnonzero((spans.end_ns >= start_ns) & (spans.end_ns < end_ns)) for spans, _ in seen.spans]
        fresh = [(spans.take(here), caller[here]) for (spans, caller), here in zip(seen.spans, rows, strict=True)]
        found = joined(stored, fresh, self._vocabulary)
        if len(found.spans) <= max_spans:
            return found
        newest = np.sort(np.argsort(found.spans.end_ns, kind="stable")[-max_spans:])
        return StoredAgentSpans(found.spans.take(newest), found.caller[newest], found.vocabulary)

    # What goes wrong

    def findings(self, tenant: str, start_ns: int, end_ns: int) -> list[Finding]:
        """As `FleetView.findings`."""
        known = {finding.id: finding for finding in self._store.read_findings(tenant, start_ns, end_ns)}
        watch = self._watch.tenant(tenant)
        for finding in watch.findings() if watch is not None else ():
            if finding.begin_ns < end_ns and (finding.end_ns == 0 or finding.end_ns >= start_ns):
                known[finding.id] = finding
        return sorted(known.values(), key=lambda finding: (-finding.begin_ns, finding.id))

    def budgets(self, tenant: str) -> list[BudgetStatus]:
        """As `FleetView.budgets`."""
        watch = self._watch.tenant(tenant)
        return [] if watch is None else watch.budgets()

    def _records(self, tenant: str) -> list[AgentRecord]:
        watch = self._watch.tenant(tenant)
        return self._store.read_agents(tenant) if watch is None else watch.records()

    def _beside(self, tenant: str, read: Callable[[], T]) -> tuple[T, Seen]:
        watch = self._watch.tenant(tenant)
        return (read(), Seen([], [], [])) if watch is None else watch.unwritten.beside(read)


def _view(record: AgentRecord, watch: TenantWatch | None, measures: NDArray[np.float64], n_open: int) -> AgentView:
    status = None if watch is None else watch.status(record.name)
    if status is None:
        status = StandingStatus(AgentState.OFFLINE, "not seen since the program began", record.last_seen_ns)
    return AgentView(
        record=record,
        state=status.state,
        reason=status.reason,
        since_ns=status.since_ns,
        spans=float(measures[UsageMeasure.SPANS]),
        errors=float(measures[UsageMeasure.ERRORS]),
        input_tokens=float(measures[UsageMeasure.INPUT_TOKENS]),
        output_tokens=float(measures[UsageMeasure.OUTPUT_TOKENS]),
        cost_usd=float(measures[UsageMeasure.COST_USD]),
        open_spans=n_open,
    )
