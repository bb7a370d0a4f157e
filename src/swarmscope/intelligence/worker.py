"""Measures the fleet again and again, beside everything else: bounded, and never in anybody's way."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from swarmscope.fleet.series import Moment
from swarmscope.instrument.metrics import INTELLIGENCE_CPU_S, INTELLIGENCE_FAILURES, INTELLIGENCE_MEASUREMENTS
from swarmscope.intelligence.agent_window import AgentWindow, SpanSource, read_window
from swarmscope.intelligence.brain_window import BrainSource, BrainWindow
from swarmscope.intelligence.computer import ComputationEndedError, ComputationFailedError, Computer
from swarmscope.intelligence.estimate_series import EstimateSeries
from swarmscope.intelligence.groups import BRAIN_MODULES, Group, standing_groups
from swarmscope.intelligence.measurement import KINDS, MODULE_KINDS, Measurement, Measuring
from swarmscope.intelligence.run_results import Result, RunLedger
from swarmscope.model.contracts import Clock, SeriesIndex, Sink
from swarmscope.model.errors import SwarmscopeError, UnavailableError

_log = logging.getLogger(__name__)
_NS_PER_S, _NS_PER_MS = 1_000_000_000, 1_000_000
_LOOK_S = 0.5
_KEPT_ROUNDS = 5  # a series ends when it was not measured for so many rounds


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What is measured, how often, and at which cost."""

    interval_s: float = 60.0
    window_s: float = 3600.0
    how: Measuring = field(default_factory=Measuring)
    modules: Mapping[str, Sequence[str]] = field(default_factory=dict)
    max_groups: int = 20
    max_spans: int = 200_000
    timeout_s: float = 60.0  # of one measurement
    cpu_share: float = 0.25  # of one processor
    niceness: int = 10  # of the process that measures


class Outlets(NamedTuple):
    """Where series go, and what knows them there."""

    metrics: Sink
    series: SeriesIndex


class Sources(NamedTuple):
    """What is looked at."""

    agents: SpanSource
    brains: BrainSource
    tenants: Callable[[], Iterable[str]]


class LatestEstimates(NamedTuple):
    """What a tenant's last measurements gave."""

    results: list[dict[str, Any]]
    """Estimates with `kind`, `group` and `at_ns`, by kind and group."""
    waiting: int
    """Measurements that are still to be made."""


class _Due(NamedTuple):
    tenant: str
    kind: str
    group: str


class IntelligenceWorker:
    """`start` begins, `close` ends. What is due is a set: a group that is due twice is measured once."""

    def __init__(
        self,
        settings: WorkerSettings,
        sources: Sources,
        outlets: Outlets,
        clock: Clock,
        results: Callable[[str, Sequence[Result]], None] | None = None,
    ) -> None:
        """`results` takes how runs of a tenant's agents ended, for milestones of learning."""
        self._computer = Computer(settings.niceness)
        self.settings = settings
        self.sources, self._outlets, self._clock, self._results = sources, outlets, clock, results
        self._ledgers: dict[str, RunLedger] = {}
        self._born_ns = clock.now_ns()
        self._lock = threading.Lock()
        self._due: dict[_Due, Group] = {}
        self._series: dict[str, EstimateSeries] = {}
        self._latest: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._looked_s = time.monotonic() - settings.interval_s / 2  # soon, yet not while the program starts

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="intelligence", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End; a measurement under way is given up."""
        self._stopping.set()
        self._computer.close()
        if self._thread is not None:
            self._thread.join()

    def latest(self, tenant: str) -> LatestEstimates:
        """What was measured last."""
        with self._lock:
            results = [each for (owner, _, _), each in sorted(self._latest.items()) if owner == tenant]
            return LatestEstimates(results, sum(due.tenant == tenant for due in self._due))

    # What the thread does

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            try:
                self.step()
            except UnavailableError:
                return
            except Exception as error:
                INTELLIGENCE_FAILURES.labels(stage="step").inc()
                _log.error("the measuring of intelligence", exc_info=error)

    def step(self) -> None:
        """Find out what is due, measure one group, and rest as long as the share of processor time asks for."""
        if time.monotonic() - self._looked_s >= self.settings.interval_s:
            self._looked_s = time.monotonic()
            self.look()
        with self._lock:
            due = next(iter(self._due), None)
            group = self._due.pop(due) if due is not None else None
        if due is None or group is None:
            return
        cpu_s = self.measure(due.tenant, due.kind, group)
        self._stopping.wait(min(cpu_s * (1 / self.settings.cpu_share - 1), self.settings.interval_s))

    def look(self) -> None:
        """Everything that stands is due again."""
        end_ns = self._clock.now_ns()
        for tenant in self.sources.tenants():
            try:
                window = read_window(self.sources.agents, tenant, self._range(end_ns), self.settings.max_spans)
                modules = self.sources.brains.brain_window(tenant, self._range(end_ns), self.settings.max_spans).names
            except (SwarmscopeError, OSError) as error:
                self._fail("read", error)
                continue
            due: list[tuple[Group, Sequence[str]]] = []
            if window.agents:
                groups = standing_groups(window, self.settings.modules, self.settings.max_groups)
                due += [(group, KINDS) for group in groups]
                if self._results is not None:
                    ledger = self._ledgers.setdefault(tenant, RunLedger(self._born_ns))
                    self._results(tenant, ledger.take(window))
            if len(modules) > 1:
                due.append((Group(BRAIN_MODULES, ()), MODULE_KINDS))
            with self._lock:
                self._due |= {_Due(tenant, kind, group.name): group for group, kinds in due for kind in kinds}
        self._publish()

    def measure(self, tenant: str, kind: str, group: Group) -> float:
        """Measure one group now, and write its series; the processor seconds that it took."""
        now_ns = self._clock.now_ns()
        try:
            asked = Measurement(kind, self.settings.how, (group,), *self._windows(tenant, group, self._range(now_ns)))
            done = self._computer.measure(asked, self.settings.timeout_s, cancelled=self._stopping.is_set)
        except UnavailableError:
            raise
        except (ComputationFailedError, ComputationEndedError, SwarmscopeError, OSError) as error:
            if not self._stopping.is_set():
                self._fail("measure", error)
            return self.settings.timeout_s if isinstance(error, ComputationEndedError) else 0.0
        INTELLIGENCE_MEASUREMENTS.labels(kind=kind).inc()
        INTELLIGENCE_CPU_S.inc(done.cpu_s)
        with self._lock:
            for result in done.results:
                self._latest[tenant, kind, group.name] = {"kind": kind, "at_ns": now_ns, **result}
        series = self._series.setdefault(tenant, EstimateSeries(tenant, self._outlets.series.seed))
        for result in done.results:
            series.add(kind, result, now_ns)
        self._publish()
        return done.cpu_s

    def _windows(
        self, tenant: str, group: Group, range_ns: tuple[int, int]
    ) -> tuple[AgentWindow | None, BrainWindow | None]:
        if group.name == BRAIN_MODULES:
            return None, self.sources.brains.brain_window(tenant, range_ns, self.settings.max_spans)
        return read_window(self.sources.agents, tenant, range_ns, self.settings.max_spans), None

    def _range(self, end_ns: int) -> tuple[int, int]:
        return end_ns - round(self.settings.window_s * _NS_PER_S), end_ns

    def _publish(self) -> None:
        now_ns = self._clock.now_ns()
        since_ns = now_ns - round(_KEPT_ROUNDS * max(self.settings.interval_s, 60.0) * _NS_PER_S)
        for series in self._series.values():
            now_ms = now_ns // _NS_PER_MS
            if now_ms < series.published_ms + 2:
                continue  # the clock went back, or two were measured within a millisecond
            moment = Moment(now_ms, max(series.published_ms + 1, now_ms - round(self.settings.interval_s * 1000)))
            try:
                publication = series.publication(self._outlets.series, moment, since_ns)
                if len(publication.batch.value):
                    self._outlets.metrics.write_metrics(publication.batch)
                publication.written()
            except (SwarmscopeError, OSError) as error:
                self._fail("series", error)
        with self._lock:
            for key in [key for key, each in self._latest.items() if each["at_ns"] < since_ns]:
                del self._latest[key]

    def _fail(self, stage: str, error: Exception) -> None:
        INTELLIGENCE_FAILURES.labels(stage=stage).inc()
        _log.warning("the measuring of intelligence: %s: %s", stage, error)
