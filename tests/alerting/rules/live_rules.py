"""Rules over the real embedded store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from swarmscope.alerting.rules.answers import RuleEngines
from swarmscope.alerting.rules.evaluation import EvaluationSettings
from swarmscope.alerting.rules.firing_memory import FiringMemory
from swarmscope.alerting.rules.group import Outlets
from swarmscope.alerting.rules.history import AlertHistory
from swarmscope.alerting.rules.rule_state import KeptAlerts
from swarmscope.alerting.rules.scheduler import RuleScheduler, RuleSources, SchedulerSettings
from swarmscope.alerting.rules.series_writer import SeriesWriter, label_set
from swarmscope.alerting.rules.triggers import SeriesNames
from swarmscope.app.clock import SystemClock
from swarmscope.model.alerts import Alert
from swarmscope.query.logql.engine import LogqlEngine
from swarmscope.query.promql.engine import PromqlEngine, QueryRequest
from swarmscope.query.settings import EngineSettings
from swarmscope.query.traceql.engine import TraceqlEngine
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from swarmscope.store.state.sqlite_state import SqliteState

TENANT = "default"


class Heard:
    """An `AlertSink` that remembers."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self._news = threading.Condition()

    def take_alerts(self, alerts: Sequence[Alert]) -> None:
        with self._news:
            self.alerts += alerts
            self._news.notify_all()

    def wait_for(self, holds: Callable[[list[Alert]], bool], timeout_s: float = 60.0) -> list[Alert]:
        with self._news:
            assert self._news.wait_for(lambda: holds(self.alerts), timeout_s), self.alerts
            return list(self.alerts)

    def names(self) -> list[str]:
        return [alert.name for alert in self.alerts]


class LiveRules:
    """A store in a folder, and rules from files beside it."""

    def __init__(self, folder: Path, interval_ms: int = 3_600_000) -> None:
        self.folder, self.heard = folder, Heard()
        self.store = EmbeddedStore(StoreSettings(folder / "data", metrics_retention_s=None), SystemClock())
        self.state = SqliteState(folder)
        self.writer = SeriesWriter(self.store.sink, self.store.index, TENANT)
        outlets = Outlets(
            self.heard, self.writer, AlertHistory(self.store.log_sink, self.store.log_index, TENANT),
            KeptAlerts(self.state), FiringMemory(),
        )  # fmt: skip
        sources = RuleSources(
            paths=[folder / "rules"],
            packs=list,
            engines=RuleEngines(
                EngineSettings(), LogqlEngine(self.store.log_reader), TraceqlEngine(self.store.span_reader)
            ),
            reader=self.store.reader,
            names=SeriesNames(self.store.catalogue.metric_ids, self.store.catalogue.metric_name),
        )
        settings = EvaluationSettings(TENANT, "http://here", {"site": "lab"}, cooldown_ms=0)
        self.rules = RuleScheduler(sources, SchedulerSettings(interval_ms), settings, outlets, SystemClock())
        self.store.observe_commits(self.rules.triggers)

    def write(self, name: str, value: float, **labels: str) -> None:
        self.writer.write({label_set(labels, name): value}, set(), time.time_ns() // 1_000_000)

    def query(self, text: str) -> dict[tuple[tuple[str, str], ...], float]:
        now_ms = time.time_ns() // 1_000_000
        found = PromqlEngine(self.store.reader).query_instant(QueryRequest(text, now_ms, now_ms))
        return {
            tuple(
                sorted(
                    (name, found.symbols.text(int(code)))
                    for name, code in zip(found.labels.names, found.labels.codes[:, at], strict=True)
                    if code >= 0
                )
            ): float(found.values[at, 0])
            for at in range(found.labels.n_series)
            if found.present[at, 0]
        }

    def close(self) -> None:
        self.rules.stop()
        self.store.close()
        self.state.close()
