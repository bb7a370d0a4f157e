"""Incidents and runbooks: made once there is a state store, and asked by delivery and the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from swarmscope.alerting.delivery.silences import Silence
from swarmscope.alerting.incidents.incident import Incident
from swarmscope.alerting.incidents.incidents import Advice, Incidents, TopologySource
from swarmscope.alerting.incidents.settings import IncidentSettings
from swarmscope.alerting.runbooks.ports import RunbookPorts, RunbookSettings, SilenceRequest
from swarmscope.alerting.runbooks.run_lines import to_lines
from swarmscope.alerting.runbooks.runbooks import Runbooks
from swarmscope.alerting.runbooks.runs import Run
from swarmscope.analysis.rootcause.agent_topology import fleet_topology
from swarmscope.analysis.rootcause.topology import Topology
from swarmscope.fleet.queries import FleetView
from swarmscope.lang.promql import ValueType
from swarmscope.model.alerts import fingerprint
from swarmscope.model.contracts import Clock, LogSink, SeriesIndex, StateStore
from swarmscope.model.errors import SwarmscopeError
from swarmscope.query.promql.engine import PromqlEngine, QueryRequest

_NS_PER_MS, _NS_PER_S = 1_000_000, 1_000_000_000
_TOPOLOGY_NS = 900 * _NS_PER_S
_SERVICES = "sum by (client, server) (increase(traces_service_graph_request_total[15m]))"


def topology_source(view: FleetView | None, engine: PromqlEngine, clock: Clock) -> TopologySource:
    """The graph of the last quarter of an hour: agents, what they use, and services."""

    def source(tenant: str) -> Topology:
        now_ns = clock.now_ns()
        services = _services(engine, tenant, now_ns)
        if view is None:
            return fleet_topology(services=services)
        graph = view.graph(tenant, now_ns - _TOPOLOGY_NS, now_ns)
        used = view.usage(tenant, now_ns - _TOPOLOGY_NS, now_ns, ("agent", "tool", "model"))
        return fleet_topology(graph, used.usage, used.vocabulary, services)

    return source


def _services(engine: PromqlEngine, tenant: str, now_ns: int) -> list[tuple[str, str, float]]:
    now_ms = now_ns // _NS_PER_MS
    try:
        found = engine.query_instant(QueryRequest(_SERVICES, now_ms, now_ms, tenant=tenant))
    except SwarmscopeError:
        return []  # the graph of agents is there without them
    rows = {name: found.labels.codes[row] for row, name in enumerate(found.labels.names)}
    if "client" not in rows or "server" not in rows:
        return []
    text = found.symbols.text
    return [
        (text(int(rows["client"][at])), text(int(rows["server"][at])), float(found.values[at, 0]))
        for at in np.flatnonzero(found.present[:, 0] & (found.values[:, 0] > 0)).tolist()
    ]


def make_incidents(
    state: StateStore, clock: Clock, external_url: str, runbooks: Runbooks, settings: IncidentSettings | None = None
) -> Incidents:
    """An `AlertSink` beside delivery, and delivery's `IncidentGrouper`. Raises UnavailableError."""
    return Incidents(state, clock, settings, runbook_advice(runbooks), external_url)


def runbook_advice(runbooks: Runbooks) -> Advice:
    """What an incident recommends: the runbook of the alerts about its first cause, or else of any."""

    def advice(incident: Incident) -> tuple[str, str]:
        first = set(incident.causes[0].evidence[0].alerts) if incident.causes and incident.causes[0].evidence else set()
        alerts = sorted(incident.alerts.values(), key=lambda alert: (alert.id not in first, alert.starts_ns))
        return runbooks.advice([(alert.labels, alert.annotations) for alert in alerts])

    return advice


def silencer(change_silence: Callable[[Silence], str]) -> Callable[[SilenceRequest], str]:
    """What runbooks' silences go through: delivery's `change_silence`."""

    def silence(request: SilenceRequest) -> str:
        _, matchers, starts_ns, ends_ns, created_by, comment = request
        return change_silence(Silence(matchers, starts_ns, ends_ns, created_by, comment))

    return silence


@dataclass(frozen=True, slots=True)
class RunbookSources:
    """What runbooks ask and tell."""

    engine: PromqlEngine
    lines: LogSink
    streams: SeriesIndex
    silence: Callable[[SilenceRequest], str] | None


def make_runbooks(settings: RunbookSettings, state: StateStore, sources: RunbookSources, clock: Clock) -> Runbooks:
    """An `AlertSink` beside delivery; `link` joins it to incidents afterwards. Raises UnavailableError, ValueError."""

    def holds(tenant: str, query: str) -> bool:
        now_ms = clock.now_ns() // _NS_PER_MS
        found = sources.engine.query_instant(QueryRequest(query, now_ms, now_ms, tenant=tenant))
        if found.kind is ValueType.SCALAR:
            return bool(found.values[0, 0] != 0)
        return bool(found.present.any())

    def write_runs(runs: Sequence[Run]) -> None:
        sources.lines.write_logs(to_lines(runs, sources.streams, clock.now_ns()))

    return Runbooks(settings, state, RunbookPorts(holds, sources.silence, write_runs), clock)


def link(runbooks: Runbooks, incidents: Incidents) -> None:
    """From now on runs know the incidents that they are for, and tell them."""

    def incident_of(tenant: str, labels: Mapping[str, str]) -> str:
        return incidents.place_of(tenant, fingerprint(labels))

    runbooks.link(incident_of, incidents.note)
