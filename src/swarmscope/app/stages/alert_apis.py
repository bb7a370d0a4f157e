"""What can be asked and told of alerts: Alertmanager's API and our own, over rules and delivery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from starlette.routing import BaseRoute

from swarmscope import __version__
from swarmscope.alerting.rules.view import RulesView
from swarmscope.api.alertmanager.parts import AlertHouse, AlertmanagerParts
from swarmscope.api.alertmanager.routes import alertmanager_routes, reload_route
from swarmscope.api.alerts.parts import AlertsApiParts, ReceiverTester
from swarmscope.api.alerts.routes import alerts_routes
from swarmscope.api.loki.parts import LokiParts
from swarmscope.api.parts import ApiParts
from swarmscope.api.work import QueryQueue
from swarmscope.app.settings import Settings
from swarmscope.model.errors import MalformedInputError, SwarmscopeError


@dataclass(frozen=True, slots=True)
class AlertSources:
    """What the APIs show and change."""

    rules: RulesView
    house: AlertHouse
    tester: ReceiverTester
    reload: Callable[[], None]


@dataclass(frozen=True, slots=True)
class AlertApis:
    """What each of them works with."""

    alertmanager: AlertmanagerParts
    alerts: AlertsApiParts
    prefix: str  # of Prometheus' API, which is reloaded too

    @property
    def routes(self) -> list[BaseRoute]:
        """The endpoints under their prefixes."""
        roots = dict.fromkeys(("", self.prefix))
        return [
            *alertmanager_routes(self.alertmanager),
            *alerts_routes(self.alerts),
            *(reload_route(f"{root}/-/reload", self.alertmanager) for root in roots),
        ]

    @property
    def at_root(self) -> list[BaseRoute]:
        """What Alertmanager has at `/` on its own port."""
        return alertmanager_routes(replace(self.alertmanager, prefix=""))


def make_alert_apis(settings: Settings, sources: AlertSources, parts: ApiParts, loki: LokiParts) -> AlertApis:
    """Both APIs; what all APIs share is taken from `parts`."""
    chosen = settings.alerts
    return AlertApis(
        AlertmanagerParts(
            house=sources.house,
            clock=parts.clock,
            run=parts.run,
            is_ready=parts.is_ready,
            reload=sources.reload,
            started_ns=parts.clock.now_ns(),
            version=__version__,
            on_request=parts.on_request,
        ),
        AlertsApiParts(
            rules=sources.rules,
            house=sources.house,
            tester=sources.tester,
            logs=loki.engine,
            clock=parts.clock,
            queue=parts.queue or QueryQueue(parts.run, settings.limits.max_concurrent_queries),
            rules_tenant=chosen.tenant,
            external_labels=chosen.external_labels,
            timeout_s=settings.limits.query_timeout.seconds,
            on_request=parts.on_request,
        ),
        parts.settings.prefix,
    )


def reload_all(reloads: Sequence[Callable[[], None]]) -> None:
    """Do them all, whatever is wrong with some. Raises MalformedInputError with the words of those that failed."""
    problems = []
    for reload in reloads:
        try:
            reload()
        except SwarmscopeError as error:
            problems.append(str(error))
    if problems:
        raise MalformedInputError("\n".join(problems))
