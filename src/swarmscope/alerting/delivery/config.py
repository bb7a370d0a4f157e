"""What delivery does, as its configuration says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from swarmscope.alerting.delivery.routing import Route
from swarmscope.alerting.delivery.time_intervals import TimeInterval
from swarmscope.model.alerts import IntegrationConfig
from swarmscope.model.matchers import Matcher


@dataclass(frozen=True, slots=True)
class InhibitRule:
    """Alerts that fulfil `target` are not told of while one that fulfils `source` has the same labels `equal`."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeliveryConfig:
    """A configuration that holds together: every name that is used is known."""

    route: Route
    receivers: tuple[str, ...]
    integrations: tuple[IntegrationConfig, ...]
    inhibit_rules: tuple[InhibitRule, ...] = ()
    time_intervals: Mapping[str, tuple[TimeInterval, ...]] = field(default_factory=dict)
    templates: tuple[str, ...] = ()  # files and patterns
    resolve_timeout_ms: int = 300_000
    text: str = ""  # as it was written
    folder: str = "."  # what relative file names are relative to
    warnings: tuple[str, ...] = ()  # what is accepted and does nothing here
