"""What can be asked: the APIs of the programs that we stand in for, under their prefixes and on their own ports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from swarmscope.api.agents.endpoint import FleetApiParts
from swarmscope.api.agents.routes import fleet_routes
from swarmscope.api.jaeger.routes import jaeger_routes
from swarmscope.api.loki.endpoint import LokiPath
from swarmscope.api.loki.parts import LokiParts
from swarmscope.api.loki.routes import loki_routes
from swarmscope.api.loki.status import state_routes
from swarmscope.api.parts import ApiParts
from swarmscope.api.tempo.parts import TempoParts
from swarmscope.api.tempo.routes import tempo_routes
from swarmscope.api.traces.parts import TraceApiParts
from swarmscope.api.zipkin.routes import zipkin_routes
from swarmscope.app.settings import Settings
from swarmscope.app.stages.agents import Fleet
from swarmscope.app.stages.alert_apis import AlertApis
from swarmscope.app.stages.intake import Intake
from swarmscope.app.stages.listening import CompatPort
from swarmscope.app.stages.reading import (
    main_app,
    make_fleet_parts,
    make_jaeger_parts,
    make_loki_parts,
    make_tempo_parts,
    make_zipkin_parts,
    prometheus_app,
)
from swarmscope.store.embedded.store import EmbeddedStore

Parts = TypeVar("Parts", LokiParts, TempoParts, TraceApiParts)


@dataclass(frozen=True, slots=True)
class QueryApis:
    """What each of them works with."""

    prometheus: ApiParts
    loki: LokiParts
    tempo: TempoParts
    jaeger: TraceApiParts
    zipkin: TraceApiParts
    fleet: FleetApiParts
    alerts: AlertApis | None = None
    others: tuple[BaseRoute, ...] = ()

    @property
    def routes(self) -> list[BaseRoute]:
        """The endpoints of all but Prometheus, whose are part of every application, under their prefixes."""
        return [
            *loki_routes(self.loki),
            *tempo_routes(self.tempo),
            *jaeger_routes(self.jaeger),
            *zipkin_routes(self.zipkin),
            *fleet_routes(self.fleet),
            *([] if self.alerts is None else self.alerts.routes),
            *self.others,
        ]

    def at_root(self, kind: CompatPort) -> list[BaseRoute]:
        """What a program has at `/` on its own port."""
        match kind:
            case CompatPort.LOKI:
                # Everything else of Loki's is under `/loki` there too.
                return [*state_routes(LokiPath(_without_prefix(self.loki)))]
            case CompatPort.ALERTMANAGER if self.alerts is not None:
                return self.alerts.at_root
            case CompatPort.TEMPO:
                return tempo_routes(_without_prefix(self.tempo))
            case CompatPort.JAEGER:
                return jaeger_routes(_without_prefix(self.jaeger))
            case CompatPort.ZIPKIN:
                return zipkin_routes(_without_prefix(self.zipkin))
        return []


def make_query_apis(settings: Settings, store: EmbeddedStore, parts: ApiParts, fleet: Fleet | None) -> QueryApis:
    """All of them over one store; what they share with Prometheus' API is taken from `parts`."""
    return QueryApis(
        parts,
        make_loki_parts(settings, store, parts),
        make_tempo_parts(settings, store, parts),
        make_jaeger_parts(settings, store, parts),
        make_zipkin_parts(settings, store, parts),
        make_fleet_parts(settings, parts, fleet),
    )


def compat_app(kind: CompatPort, apis: QueryApis, intake: Intake, guard: Callable[[ASGIApp], ASGIApp]) -> ASGIApp:
    """What a program's own port serves: the program's API at `/`, and with it all that the main port has."""
    if kind is CompatPort.PROMETHEUS:
        return prometheus_app(apis.prometheus, intake.write_routes, guard)
    return main_app(apis.prometheus, [*intake.at_root(kind), *apis.at_root(kind), *intake.routes, *apis.routes], guard)


def _without_prefix(parts: Parts) -> Parts:
    return replace(parts, settings=replace(parts.settings, prefix=""))
