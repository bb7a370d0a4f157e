"""Rules, and everybody who hears of their alerts: made once the store and the fleet are there."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from swarmscope.alerting.rules.answers import RuleEngines
from swarmscope.alerting.rules.firing_memory import FiringMemory
from swarmscope.alerting.rules.group import Outlets
from swarmscope.alerting.rules.history import AlertHistory
from swarmscope.alerting.rules.rule_files import load_file
from swarmscope.alerting.rules.rule_state import KeptAlerts
from swarmscope.alerting.rules.rules import RuleGroup
from swarmscope.alerting.rules.scheduler import RuleScheduler, RuleSources
from swarmscope.alerting.rules.series_writer import SeriesWriter
from swarmscope.alerting.rules.triggers import SeriesNames
from swarmscope.app.settings import Settings
from swarmscope.dashboards.packs.packs import pack_path
from swarmscope.model.alerts import Alert
from swarmscope.model.contracts import AlertSink, Clock, LogSink, Sink, StateStore
from swarmscope.store.embedded.store import EmbeddedStore

_log = logging.getLogger(__name__)


class AlertFanOut:
    """Hands alerts to everybody who wants to hear of them; one who fails costs the others nothing."""

    def __init__(self, sinks: Sequence[AlertSink]) -> None:
        self._sinks = list(sinks)

    def take_alerts(self, alerts: Sequence[Alert]) -> None:
        """As `AlertSink`."""
        for sink in self._sinks:
            try:
                sink.take_alerts(alerts)
            except Exception:  # who hears of alerts after it must hear of them all the same
                _log.exception("alerts were not taken by %s", type(sink).__name__)


@dataclass(frozen=True, slots=True)
class RuleStage:
    """The rules, ready to be evaluated."""

    scheduler: RuleScheduler

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Evaluate while the context lives."""
        self.scheduler.start()
        try:
            yield
        finally:
            self.scheduler.stop()


@dataclass(frozen=True, slots=True)
class RuleStores:
    """What rules read and write."""

    store: EmbeddedStore
    state: StateStore
    metrics: Sink
    lines: LogSink


def make_rules(
    settings: Settings, stores: RuleStores, engines: RuleEngines, sink: AlertSink, external_url: str, clock: Clock
) -> RuleStage:
    """The rules, not yet begun; `external_url` is used where the settings have none. Raises UnavailableError."""
    chosen, store = settings.alerts, stores.store
    tenant = chosen.tenant
    outlets = Outlets(
        alerts=sink,
        series=SeriesWriter(stores.metrics, store.index, tenant),
        history=AlertHistory(stores.lines, store.log_index, tenant),
        kept=KeptAlerts(stores.state),
        fired=FiringMemory(),
    )
    sources = RuleSources(
        paths=[Path(path) for path in chosen.rules],
        packs=lambda: pack_groups(chosen.packs),
        engines=engines,
        reader=store.reader,
        names=SeriesNames(store.catalogue.metric_ids, store.catalogue.metric_name),
    )
    evaluation = chosen.to_evaluation(external_url)
    scheduler = RuleScheduler(sources, chosen.to_scheduler(), evaluation, outlets, clock)
    store.observe_commits(scheduler.triggers)
    return RuleStage(scheduler)


def pack_groups(names: Sequence[str]) -> list[RuleGroup]:
    """The groups of packs that ship with the program."""
    return [group for name in names for group in load_file(pack_path(name))]
