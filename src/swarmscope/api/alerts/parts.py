"""What our own API of alerts works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from swarmscope.alerting.rules.view import RulesView
from swarmscope.api.alertmanager.parts import AlertHouse
from swarmscope.api.parts import RequestRecord
from swarmscope.api.work import QueryQueue
from swarmscope.model.contracts import Clock
from swarmscope.model.labels import DEFAULT_TENANT
from swarmscope.query.logql.engine import LogqlEngine


@dataclass(frozen=True, slots=True)
class IntegrationOutcome:
    """What became of a test notification; `error` is empty where it was taken."""

    kind: str
    index: int
    error: str
    took_s: float


class UnknownReceiverError(Exception):
    """There is no receiver of that name."""


class ReceiverTester(Protocol):
    """Sends test notifications. Thread-safe; blocks until every integration answered or took too long."""

    def integrations(self) -> Mapping[str, Sequence[tuple[str, int]]]:
        """Receivers by name, each with kind and index of its integrations."""
        ...

    def test(self, receiver: str, labels: Mapping[str, str]) -> Sequence[IntegrationOutcome]:
        """Tell a receiver of a made-up alert with these labels. Raises UnknownReceiverError."""
        ...


@dataclass(frozen=True, slots=True)
class AlertsApiParts:
    """Everything the API works with. Without `rules` there are none, and without `house` nobody is told of alerts."""

    rules: RulesView | None
    house: AlertHouse | None
    tester: ReceiverTester | None
    logs: LogqlEngine
    clock: Clock
    queue: QueryQueue
    rules_tenant: str = DEFAULT_TENANT
    external_labels: Mapping[str, str] = field(default_factory=dict)  # alerts of rules get them when they are sent
    timeout_s: float = 120.0
    on_request: Callable[[RequestRecord], None] = lambda record: None
