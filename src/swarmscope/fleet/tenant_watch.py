"""Everything that is known of one tenant's fleet while it lives."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from swarmscope.analysis.agents.budgets import BudgetStatus
from swarmscope.analysis.agents.edges import to_edges
from swarmscope.analysis.agents.forest import SpanForest
from swarmscope.analysis.agents.settled import OpenSpans, Settled
from swarmscope.analysis.agents.usage import to_usage
from swarmscope.fleet.conversation_totals import FAMILIES as CONVERSATION_FAMILIES
from swarmscope.fleet.conversation_totals import ConversationTotals
from swarmscope.fleet.judgement import FAMILIES as JUDGEMENT_FAMILIES
from swarmscope.fleet.judgement import FleetMoment, Judgement, Rules, StandingStatus
from swarmscope.fleet.memory_gauges import MemoryGauges
from swarmscope.fleet.recent import RecentSpans
from swarmscope.fleet.recent_usage import RecentUsage
from swarmscope.fleet.registry import Registry
from swarmscope.fleet.series import Moment, Publication
from swarmscope.fleet.settings import FleetSettings
from swarmscope.fleet.totals import FAMILIES as TOTALS_FAMILIES
from swarmscope.fleet.totals import FleetTotals
from swarmscope.fleet.unwritten import Unwritten
from swarmscope.model.agents import AgentSpans, Vocabulary
from swarmscope.model.contracts import SeriesIndex
from swarmscope.model.fleet import AgentRecord, Finding, FleetRows, Usage

# Of what the program makes itself. Memory is not among them: it is told where an agent tells it.
OWN_METRICS = tuple(
    family.name for families in (*TOTALS_FAMILIES, *JUDGEMENT_FAMILIES, CONVERSATION_FAMILIES) for family in families
)
_NS_PER_S, _NS_PER_MS, _MS_PER_S = 1_000_000_000, 1_000_000, 1000


class _Arrivals:
    """The earliest start among the spans that came within some time: those that wait are among them."""

    def __init__(self, patience_ns: int) -> None:
        self._patience_ns = patience_ns
        self._batches: deque[tuple[int, int]] = deque()  # arrival, earliest start; both ascending

    def note(self, spans: AgentSpans, now_ns: int) -> None:
        if not len(spans):
            return
        start_ns = int(spans.start_ns.min())
        # An earlier batch with a later start is no longer the earliest of anything.
        while self._batches and self._batches[-1][1] >= start_ns:
            self._batches.pop()
        self._batches.append((now_ns, start_ns))

    def earliest_ns(self, now_ns: int) -> int | None:
        while self._batches and self._batches[0][0] < now_ns - 2 * self._patience_ns:
            self._batches.popleft()
        return self._batches[0][1] if self._batches else None


class TenantParts(NamedTuple):
    """What the watch over a tenant is made with."""

    seed: int  # of the series' index
    rules: Rules = Rules()
    memory: MemoryGauges | None = None  # copies the tenant's series of memory


class TenantWatch:
    """Thread-safe; one thread tells it of spans and lets it write, others ask."""

    def __init__(
        self,
        name: str,
        settings: FleetSettings,
        vocabulary: Vocabulary,
        parts: TenantParts,
    ) -> None:
        seed = parts.seed
        self.name = name
        self._settings, self._vocabulary = settings, vocabulary
        self.lock = threading.RLock()
        patience_ns = round(settings.patience_s * _NS_PER_S)
        self.forest = SpanForest(vocabulary, settings.max_known_spans, patience_ns, name)
        self.registry = Registry(vocabulary, settings.max_agents, name)
        self.recent = RecentSpans(settings.max_recent_spans, round(settings.recent_s * _NS_PER_S), name)
        self.totals = FleetTotals(vocabulary, settings.max_series, seed)
        self.conversations = ConversationTotals(
            settings.max_conversation_series, round(settings.idle_series_s * _MS_PER_S), seed
        )
        self.unwritten = Unwritten(name, settings.max_unwritten_spans)
        self.usage = RecentUsage(parts.rules.horizon_ns)
        self.judgement = Judgement(name, parts.rules, vocabulary, settings.max_agents, seed)
        self.published_ms = 0
        self._memory = parts.memory
        self._arrivals = _Arrivals(patience_ns)
        self._stored_keys = np.zeros(0, np.uint64)  # of spans that were written down, and have not settled here

    # Spans

    def take(self, spans: AgentSpans, now_ns: int) -> int:
        """Spans that have just come; how many were settled by that."""
        with self.lock:
            self._arrivals.note(spans, now_ns)
            settled = self.forest.settle(spans, now_ns)
            self._count(self._without_stored(settled), now_ns)
            return len(settled)

    def expire(self, now_ns: int) -> int:
        """Settle what has waited too long; how many that were."""
        with self.lock:
            settled = self.forest.expire(now_ns)
            self._count(self._without_stored(settled), now_ns)
            return len(settled)

    def recall_stored(self, spans: AgentSpans, now_ns: int) -> None:
        """Spans that an earlier process has written down, or that say nothing of agents: they are not counted again."""
        with self.lock:
            settled = self.forest.settle(spans, now_ns)
            waiting = np.setdiff1d(spans.span_key[spans.says_something], settled.spans.span_key)
            self._stored_keys = np.setdiff1d(np.union1d(self._stored_keys, waiting), settled.spans.span_key)
            self._see(settled, now_ns)

    def recall_missed(self, spans: AgentSpans, now_ns: int) -> None:
        """Spans that an earlier process had not written down. Series leave them out: they may have told them."""
        with self.lock:
            self._arrivals.note(spans, now_ns)
            settled = self._without_stored(self.forest.settle(spans, now_ns))
            self._see(settled, now_ns)
            usage = to_usage(settled)
            self.usage.add(usage)
            self.unwritten.add(settled.spans, settled.caller, to_edges(settled), usage)

    def _count(self, settled: Settled, now_ns: int) -> None:
        edges, usage = to_edges(settled), to_usage(settled)
        now_ms = now_ns // _NS_PER_MS
        self.totals.add_edges(edges, now_ms)
        self.totals.add_usage(usage, now_ms)
        self.usage.add(usage)
        self.conversations.add(settled, now_ms)
        self._see(settled, now_ns)
        self.unwritten.add(settled.spans, settled.caller, edges, usage)

    def _see(self, settled: Settled, now_ns: int) -> None:
        self.registry.see_spans(settled.spans, now_ns)
        self.recent.add(settled.spans, settled.caller, now_ns)

    def _without_stored(self, settled: Settled) -> Settled:
        if not len(self._stored_keys) or not len(settled):
            return settled
        keys = settled.spans.span_key
        fresh = np.flatnonzero(~np.isin(keys, self._stored_keys))
        self._stored_keys = np.setdiff1d(self._stored_keys, keys)
        return replace(
            settled, spans=settled.spans.take(fresh), caller=settled.caller[fresh], counted=settled.counted[fresh]
        )

    # Agents

    def look_at_memory(self, now_ms: int) -> None:
        """Copy what agents say of their memory under names that are not ours."""
        if self._memory is not None:
            with self.lock:
                self._memory.refresh(self.name, now_ms)

    def remember(self, records: list[AgentRecord], usage: Usage, now_ns: int) -> None:
        """Agents that the store knows, and what they have used by minute back to `usage.horizon_ns`."""
        since_ns = now_ns - round(self._settings.forget_after_s * _NS_PER_S)
        with self.lock:
            self.usage.add(usage)
            self.registry.add([record for record in records if record.last_seen_ns >= since_ns])

    def see_names(self, names: list[str], now_ns: int) -> None:
        """Agents that another signal names now."""
        with self.lock:
            self.registry.see_names(names, now_ns)
            self.registry.forget(now_ns - round(self._settings.forget_after_s * _NS_PER_S))

    @property
    def n_agents(self) -> int:
        """How many are known."""
        return len(self.registry)

    @property
    def n_waiting(self) -> int:
        """Spans that wait for their ancestors, or are open."""
        return self.forest.n_waiting

    def judge(self, now_ns: int) -> None:
        """Look for what goes wrong, and at what state each agent is in."""
        with self.lock:
            opened = self.forest.open_spans(now_ns)
            seen = opened.spans
            if len(opened):
                # An announcement says that the agent is there.
                self.registry.see_spans(replace(seen, end_ns=opened.seen_ns), now_ns)
            records = self.registry.records()
            recent = self.recent.all(now_ns)
            dearest = self.conversations.dearest(now_ns // _NS_PER_MS)
            self.judgement.judge(FleetMoment(recent, opened, records, self.usage, dearest, now_ns))

    def take_news(self) -> list[Finding]:
        """Findings that began or ended since the last call."""
        return self.judgement.take_news()

    def status(self, name: str) -> StandingStatus | None:
        """The state of an agent; None where it is not known here."""
        return self.judgement.statuses.get(name)

    def findings(self) -> tuple[Finding, ...]:
        """Those that last, and those that ended lately."""
        return self.judgement.findings()

    def budgets(self) -> list[BudgetStatus]:
        """How far budgets are used up."""
        return list(self.judgement.budgets)

    def records(self) -> list[AgentRecord]:
        """All agents that are remembered here, by name."""
        with self.lock:
            return self.registry.records()

    def agent_of(self, span_key: int) -> str | None:
        """The name of the agent whose work a span is, "" for nobody's; None where that is not known."""
        with self.lock:
            code = self.forest.agent_of(span_key)
        return None if code is None else self._vocabulary.text(code)

    def open_spans(self, now_ns: int) -> OpenSpans:
        """Announced spans that have not ended."""
        with self.lock:
            return self.forest.open_spans(now_ns)

    # What the store and the series are told

    def begin_write(self) -> FleetRows | None:
        """What is to be written now; `unwritten.end` MUST follow unless there is nothing."""
        with self.lock:
            agents, findings = self.registry.take_changed(), self.judgement.take_changed()
        rows = self.unwritten.begin(agents, findings)
        if rows is None or rows.agents is not agents:
            # What could not be written before goes first.
            with self.lock:
                self.registry.keep_changed(agents)
                self.judgement.keep_changed(findings)
        return rows

    def earliest_ns(self, now_ns: int) -> int:
        """Before which start [ns] every span is written down."""
        with self.lock:
            waiting_ns = self._arrivals.earliest_ns(now_ns) if self.forest.n_waiting else None
        unwritten_ns = self.unwritten.earliest_ns()
        return min(each for each in (now_ns, waiting_ns, unwritten_ns) if each is not None)

    def publication(self, index: SeriesIndex, moment: Moment) -> Publication:
        """All series as they are now."""
        with self.lock:
            self.totals.retire_idle(moment.now_ms - round(self._settings.idle_series_s * _MS_PER_S))
            self.conversations.refresh(moment.now_ms)
            judged = self.judgement.tables(self.registry.records(), moment.now_ms)
            copied = [] if self._memory is None else [self._memory.table]
            tables = [*self.totals.tables, self.conversations.table, *copied, *judged]
            self.published_ms = moment.now_ms
            return Publication(tables, index, self.name, moment)
