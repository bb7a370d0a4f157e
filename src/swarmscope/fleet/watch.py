"""The watch over the fleet: is told of spans, and does everything else on one thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from swarmscope.fleet.finding_lines import to_lines
from swarmscope.fleet.inbox import Inbox
from swarmscope.fleet.judgement import Rules
from swarmscope.fleet.low_water import LowWaterMarks
from swarmscope.fleet.memory_gauges import MemoryGauges
from swarmscope.fleet.recovery import Recovery, SpanSource, StoredKeys
from swarmscope.fleet.series import Moment
from swarmscope.fleet.settings import FleetSettings
from swarmscope.fleet.signals import NamedAgents
from swarmscope.fleet.tenant_watch import OWN_METRICS, TenantParts, TenantWatch
from swarmscope.fleet.unwritten import Outcome
from swarmscope.instrument.metrics import (
    FLEET_AGENTS,
    FLEET_EXPIRED_SPANS,
    FLEET_FAILURES,
    FLEET_RECOVERED_SPANS,
    FLEET_SETTLED_SPANS,
    FLEET_UNWATCHED_SPANS,
    FLEET_WAITING_SPANS,
    FLEET_WRITTEN_SPANS,
)
from swarmscope.model.agents import AgentSpans, Vocabulary
from swarmscope.model.contracts import Clock, FleetReader, FleetSink, LogReader, LogSink, Reader, SeriesIndex, Sink
from swarmscope.model.errors import UnavailableError
from swarmscope.model.fleet import FleetRows

_log = logging.getLogger(__name__)
_NS_PER_S, _NS_PER_MS, _MS_PER_S = 1_000_000_000, 1_000_000, 1000
# Batches that come close together are looked at together: what a look costs hardly depends on how many spans there are.
_GATHER_S = 1.0
_IDLE_S = 1.0
# Within the time that a stop may take; what is not written by then is found in the stored spans at the next start.
_LAST_TRIES = 2


@dataclass(frozen=True, slots=True)
class FleetOutlets:
    """Where what is found goes, and what knows the series and streams there."""

    store: FleetSink
    metrics: Sink
    series: SeriesIndex
    lines: LogSink
    streams: SeriesIndex


@dataclass(frozen=True, slots=True)
class FleetSources:
    """What is asked. `stored_keys`: as `Recovery` has it. `rules`: what counts as wrong. `own_metrics`: further ones
    that the program makes, and that name agents without being a sign of their life.
    """

    store: FleetReader
    metrics: Reader
    lines: LogReader
    marks: LowWaterMarks
    spans: SpanSource
    stored_keys: StoredKeys
    rules: Rules
    own_metrics: tuple[str, ...] = ()


class _Due:
    """Something that is done every so often."""

    def __init__(self, interval_s: float, work: Callable[[int], None], now_ns: int) -> None:
        self._interval_ns, self._work, self._last_ns = round(interval_s * _NS_PER_S), work, now_ns

    def run(self, now_ns: int) -> None:
        """Do it where it is time; a clock that went back is no reason to wait."""
        if not 0 <= now_ns - self._last_ns < self._interval_ns:
            self._last_ns = now_ns
            self._work(now_ns)


class FleetWatch:
    """A `SpanObserver`. `start` begins to work on what is observed, `close` writes one last time."""

    def __init__(
        self,
        settings: FleetSettings,
        vocabulary: Vocabulary,
        outlets: FleetOutlets,
        sources: FleetSources,
        clock: Clock,
    ) -> None:
        self._settings, self._vocabulary, self._clock = settings, vocabulary, clock
        self._outlets, self._sources = outlets, sources
        own = (*OWN_METRICS, *sources.own_metrics)
        self._signals = NamedAgents(sources.metrics, sources.lines, settings.agent_labels, own)
        self._inbox = Inbox(settings.max_queued_spans, settings.max_queued_bytes)
        self._tenants: dict[str, TenantWatch] = {}
        self._tenants_lock = threading.Lock()
        now_ns = clock.now_ns()
        self._born_ms = now_ns // _NS_PER_MS
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._due = (
            _Due(settings.detect_interval_s, self._detect, now_ns),
            _Due(settings.signals_interval_s, self._look_at_signals, now_ns),
            _Due(settings.series_interval_s, self._publish, now_ns),
            _Due(settings.write_interval_s, self._write, now_ns),
        )

    # What others call

    def observe_spans(self, spans: AgentSpans) -> None:
        """As `SpanObserver.observe_spans`."""
        if not len(spans):
            return
        if not self._inbox.put(spans):
            return
        try:
            self._sources.marks.lower(spans.tenant, int(spans.start_ns.min()))
        except OSError as error:
            self._fail("mark", error)

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look at what waits, write, and end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self.drain()
        now_ns = self._clock.now_ns()
        self._publish(now_ns)
        for _ in range(_LAST_TRIES):
            self._write(now_ns)

    def tenant(self, name: str) -> TenantWatch | None:
        """What is known of a tenant's fleet since the start; None where nothing is."""
        return self._tenants.get(name)

    def agent_of(self, tenant: str, span_key: int) -> str | None:
        """The name of the agent whose work a span is, "" for nobody's; None where that is not known (yet)."""
        known = self._tenants.get(tenant)
        return None if known is None else known.agent_of(span_key)

    # What the thread does

    def step(self) -> None:
        """Look at what has come, and do what is due."""
        self.drain()
        now_ns = self._clock.now_ns()
        for due in self._due:
            due.run(now_ns)

    def drain(self) -> None:
        """Look at all that has come."""
        while True:
            batches, refused = self._inbox.take()
            if refused:
                _log.warning("the watch over the fleet is behind: %d spans were not looked at", refused)
            if not batches:
                return
            for spans in batches:
                self._look_at(spans)

    def recover(self) -> None:
        """Look at what an earlier process had acknowledged and not written down."""
        sources = self._sources
        recovery = Recovery(sources.spans, sources.stored_keys, self._clock, self._stopping.is_set)
        for name, mark_ns in sources.marks.read().items():
            tenant = self.admit(name)
            if tenant is None or self._stopping.is_set():
                continue
            try:
                missed = recovery.run(tenant, mark_ns)
                FLEET_RECOVERED_SPANS.inc(missed)
                _log.info("looked at %d spans again", missed, extra={"tenant": name})
            except Exception as error:
                self._fail("recover", error)

    def _run(self) -> None:
        # Before what comes now, which inherits from what was there before.
        self.recover()
        while not self._stopping.is_set():
            if self._inbox.wait(_IDLE_S):
                self._stopping.wait(_GATHER_S)
            try:
                self.step()
            except Exception as error:
                self._fail("step", error)

    def _look_at(self, spans: AgentSpans) -> None:
        tenant = self.admit(spans.tenant)
        if tenant is None:
            FLEET_UNWATCHED_SPANS.labels(reason="tenants").inc(len(spans))
            return
        try:
            FLEET_SETTLED_SPANS.inc(tenant.take(spans, self._clock.now_ns()))
        except Exception as error:
            FLEET_UNWATCHED_SPANS.labels(reason="failed").inc(len(spans))
            self._fail("settle", error)

    def admit(self, name: str) -> TenantWatch | None:
        """The tenant's watch, made where there is room for one; None where there is none."""
        with self._tenants_lock:
            tenant = self._tenants.get(name)
            if tenant is not None or len(self._tenants) >= self._settings.max_tenants:
                return tenant
            settings, seed = self._settings, self._outlets.series.seed
            memory = MemoryGauges(self._sources.metrics, settings.agent_labels, settings.max_agents, seed)
            tenant = TenantWatch(name, settings, self._vocabulary, TenantParts(seed, self._sources.rules, memory))
        try:
            now_ns, store = self._clock.now_ns(), self._sources.store
            begin_ns = now_ns - tenant.usage.horizon_ns
            used = store.read_usage(name, begin_ns, now_ns, ("agent", "team"), by_minute=True)
            tenant.remember(store.read_agents(name), used, now_ns)
        except Exception as error:
            self._fail("recover", error)
        with self._tenants_lock:
            return self._tenants.setdefault(name, tenant)

    def tenants(self) -> list[TenantWatch]:
        """All that are watched."""
        with self._tenants_lock:
            return list(self._tenants.values())

    def _detect(self, now_ns: int) -> None:
        for tenant in self.tenants():
            try:
                FLEET_EXPIRED_SPANS.inc(tenant.expire(now_ns))
                tenant.judge(now_ns)
            except Exception as error:
                self._fail("detect", error)
            news = tenant.take_news()
            if news:
                try:
                    outlets = self._outlets
                    outlets.lines.write_logs(to_lines(news, outlets.streams, tenant.name, now_ns))
                except Exception as error:
                    self._fail("lines", error)
        FLEET_WAITING_SPANS.set(sum(tenant.n_waiting for tenant in self.tenants()))
        FLEET_AGENTS.set(sum(tenant.n_agents for tenant in self.tenants()))

    def _look_at_signals(self, now_ns: int) -> None:
        since_ns = now_ns - 2 * round(self._settings.signals_interval_s * _NS_PER_S)
        for tenant in self.tenants():
            try:
                tenant.see_names(self._signals.names(tenant.name, since_ns, now_ns), now_ns)
                tenant.look_at_memory(now_ns // _NS_PER_MS)
            except Exception as error:
                self._fail("signals", error)

    def _publish(self, now_ns: int) -> None:
        interval_ms = round(self._settings.series_interval_s * _MS_PER_S)
        now_ms = now_ns // _NS_PER_MS
        for tenant in self.tenants():
            if now_ms < tenant.published_ms + 2:
                continue  # the clock went back: a sample would be older than the last one
            # Behind the last sample of this process, and of an earlier one.
            moment = Moment(now_ms, max(tenant.published_ms + 1, self._born_ms, now_ms - interval_ms))
            try:
                publication = tenant.publication(self._outlets.series, moment)
                if len(publication.batch.value):
                    self._outlets.metrics.write_metrics(publication.batch)
                publication.written()
            except Exception as error:
                self._fail("series", error)

    def _write(self, now_ns: int) -> None:
        marks = {}
        for tenant in self.tenants():
            rows = tenant.begin_write()
            if rows is not None and not self._write_rows(tenant, rows):
                continue
            marks[tenant.name] = tenant.earliest_ns(now_ns)
        self._raise_marks(marks)

    def _write_rows(self, tenant: TenantWatch, rows: FleetRows) -> bool:
        """Whether the store took them."""
        outcome = Outcome.IMPOSSIBLE
        try:
            self._outlets.store.write_fleet(rows)
            outcome = Outcome.STORED
            FLEET_WRITTEN_SPANS.inc(len(rows.spans))
        except UnavailableError as error:
            outcome = Outcome.UNAVAILABLE
            self._fail("write", error)
        except Exception as error:
            self._fail("write", error)
        finally:
            tenant.unwritten.end(outcome)
        return outcome is Outcome.STORED

    def _raise_marks(self, marks: dict[str, int]) -> None:
        waiting_ns = self._inbox.earliest_ns()
        if not marks:
            return
        try:
            if waiting_ns is not None:
                marks = {name: min(mark, waiting_ns) for name, mark in marks.items()}
            self._sources.marks.raise_to(marks)
            # What came meanwhile may have found the old mark low enough.
            waiting_ns = self._inbox.earliest_ns()
            if waiting_ns is not None:
                for name in marks:
                    self._sources.marks.lower(name, waiting_ns)
        except OSError as error:
            self._fail("mark", error)

    def _fail(self, stage: str, error: Exception) -> None:
        FLEET_FAILURES.labels(stage=stage).inc()
        if isinstance(error, UnavailableError | OSError):
            _log.warning("the watch over the fleet: %s: %s", stage, error)
        else:
            _log.error("the watch over the fleet: %s", stage, exc_info=error)
