"""Rules, and everybody who hears of their alerts: made once the store and the fleet are there."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from swarmscope.alerting.delivery.house import Delivery, DeliverySettings
from swarmscope.alerting.delivery.sending import RetrySettings
from swarmscope.alerting.delivery.silences import Silence
from swarmscope.alerting.delivery.told_lines import ToldHistory
from swarmscope.alerting.incidents.incidents import Incidents
from swarmscope.alerting.incidents.watch import IncidentWatch
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
from swarmscope.alerting.runbooks.ports import RunbookSettings, SilenceRequest
from swarmscope.alerting.runbooks.runbooks import Runbooks
from swarmscope.api.incidents.endpoint import JsonApiParts
from swarmscope.api.incidents.routes import incident_routes
from swarmscope.api.runbooks.routes import runbook_routes
from swarmscope.api.work import QueryQueue
from swarmscope.app.settings import Settings
from swarmscope.app.stages.alert_apis import AlertSources, make_alert_apis, reload_all
from swarmscope.app.stages.alert_house import DeliveryHouse, DeliveryTester
from swarmscope.app.stages.charts import chart_values
from swarmscope.app.stages.delivery import read_delivery, reloading
from swarmscope.app.stages.incidents import RunbookSources, link, make_incidents, make_runbooks, topology_source
from swarmscope.app.stages.intake import Intake
from swarmscope.app.stages.query_apis import QueryApis
from swarmscope.dashboards.packs.packs import pack_path
from swarmscope.fleet.queries import FleetView
from swarmscope.model.alerts import Alert
from swarmscope.model.contracts import AlertSink, Clock, LogSink, Sink, StateStore
from swarmscope.query.promql.engine import PromqlEngine
from swarmscope.store.embedded.store import EmbeddedStore
from swarmscope.store.state.sqlite_state import SqliteState

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


@dataclass(frozen=True, slots=True)
class Alerting:
    """All of it: rules, delivery, incidents and runbooks."""

    rules: RuleStage
    delivery: Delivery
    house: DeliveryHouse
    tester: DeliveryTester
    incidents: Incidents
    runbooks: Runbooks
    reload: Callable[[], None]
    _watch: IncidentWatch
    _told: ToldHistory
    _state: SqliteState

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Evaluate rules and tell of alerts while the context lives; what is being sent has some time to arrive."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._state.close)
            stack.enter_context(self._told.writing())
            stack.enter_context(self.runbooks.working())
            stack.enter_context(self._watch.watching())
            self.delivery.start()
            stack.callback(self.delivery.stop)
            stack.enter_context(self.rules.evaluating())
            yield


@dataclass(frozen=True, slots=True)
class AlertingSources:
    """What alerting reads and writes; `view` is None where nobody watches over agents."""

    store: EmbeddedStore
    metrics: Sink
    lines: LogSink
    engine: PromqlEngine
    engines: RuleEngines
    view: FleetView | None


def make_alerting(settings: Settings, sources: AlertingSources, external_url: str, clock: Clock) -> Alerting:
    """Everything, not yet begun. Raises UnavailableError, and SwarmscopeError for a bad configuration of delivery."""
    chosen, store = settings.alerts, sources.store
    url = (chosen.external_url or external_url).rstrip("/")
    charts = chart_values(sources.engine)
    config, integrations = read_delivery(chosen.alertmanager_config, charts)
    state = SqliteState(settings.data)
    told = ToldHistory(sources.lines, store.log_index)
    options = DeliverySettings(url, RetrySettings(max_hopeless=chosen.max_retries))
    delivery = Delivery(config, integrations, state, clock, options, told.take)
    for warning in config.warnings:
        _log.warning("alertmanager configuration: %s", warning)
    runbooks = make_runbooks(
        RunbookSettings(chosen.runbooks or settings.data / "runbooks", tuple(chosen.runbook_programs)),
        state,
        RunbookSources(sources.engine, sources.lines, store.log_index, lambda request: _silence(delivery, request)),
        clock,
    )
    incidents = make_incidents(state, clock, url, runbooks)
    link(runbooks, incidents)
    delivery.grouper = incidents
    sink = AlertFanOut([incidents, delivery, runbooks])
    rules = make_rules(
        settings, RuleStores(store, state, sources.metrics, sources.lines), sources.engines, sink, url, clock
    )
    return Alerting(
        rules=rules,
        delivery=delivery,
        house=DeliveryHouse(delivery, sink, clock),
        tester=DeliveryTester(delivery, clock, url),
        incidents=incidents,
        runbooks=runbooks,
        reload=lambda: reload_all([rules.scheduler.reload, reloading(delivery, chosen.alertmanager_config, charts)]),
        _watch=IncidentWatch(incidents, topology_source(sources.view, sources.engine, clock)),
        _told=told,
        _state=state,
    )


def _silence(delivery: Delivery, request: SilenceRequest) -> str:
    return delivery.change_silence(
        Silence(request.matchers, request.starts_ns, request.ends_ns, request.created_by, request.comment)
    )


def alerting_sources(store: EmbeddedStore, intake: Intake, apis: QueryApis) -> AlertingSources:
    """What alerting works with: the engines are those of the APIs."""
    promql = apis.prometheus.engine
    return AlertingSources(
        store=store,
        metrics=intake.own_series,
        lines=intake.own_lines,
        engine=promql,
        engines=RuleEngines(promql.settings, apis.loki.engine, apis.tempo.engine),
        view=None if intake.fleet is None else intake.fleet.view,
    )


def with_alerts(settings: Settings, apis: QueryApis, alerting: Alerting) -> QueryApis:
    """The APIs with those of alerts, incidents and runbooks."""
    rules, parts = alerting.rules.scheduler, apis.prometheus
    sources = AlertSources(rules, alerting.house, alerting.tester, alerting.reload)
    queue = parts.queue or QueryQueue(parts.run, settings.limits.max_concurrent_queries)
    shared = JsonApiParts(queue, on_request=parts.on_request)
    return replace(
        apis,
        prometheus=replace(parts, rules=rules),
        alerts=make_alert_apis(settings, sources, parts, apis.loki),
        others=(*incident_routes(alerting.incidents, shared), *runbook_routes(alerting.runbooks, shared)),
    )
