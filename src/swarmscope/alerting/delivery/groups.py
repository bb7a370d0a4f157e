"""Groups of alerts, and their order in what is told. Times are Unix nanoseconds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cmp_to_key

from swarmscope.alerting.delivery.routing import Route, group_key
from swarmscope.model.alerts import Alert

_NS_PER_MS = 1_000_000
INCIDENT = "incident"


@dataclass(slots=True)
class Group:
    """Alerts of one tenant that go one route and have the same labels."""

    tenant: str
    route: Route
    labels: dict[str, str]
    next_ns: int
    alerts: dict[str, Alert] = field(default_factory=dict)  # by fingerprint
    has_flushed: bool = False
    is_over: bool = False
    told_of: set[str] = field(default_factory=set)  # fingerprints that a flush has looked at
    muted_by: tuple[str, ...] = ()
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def key(self) -> str:
        """What receivers know it by."""
        return group_key(self.route, self.labels)

    def put(self, alert: Alert, now_ns: int) -> None:
        """Take an alert in; one that began long ago is not waited for."""
        self.alerts[alert.fingerprint] = alert
        wait_ns = self.route.options.group_wait_ms * _NS_PER_MS
        if not self.has_flushed and alert.starts_ns + wait_ns < now_ns:
            self.next_ns = now_ns
            self.wake.set()


def _before(left: Alert, right: Alert) -> int:
    for name in ("job", "instance"):
        one, other = left.labels.get(name), right.labels.get(name)
        if one is None and other is None:
            continue
        if one is None or other is None:
            return 1 if one is None else -1
        if one != other:
            return -1 if one < other else 1
    if len(left.labels) != len(right.labels):
        return len(left.labels) - len(right.labels)
    for name in sorted(left.labels):
        if name not in right.labels:
            return -1
        if left.labels[name] != right.labels[name]:
            return -1 if left.labels[name] < right.labels[name] else 1
    return 0


def in_order(alerts: Iterable[Alert]) -> list[Alert]:
    """As Alertmanager orders them: by job, instance, and then all labels."""
    return sorted(alerts, key=cmp_to_key(_before))
