"""Alerts and what is told of them. Where rules, routing, notifiers and the API meet.

Source of the shapes and of the fingerprint: Prometheus' and Alertmanager's documentation of alerts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from swarmscope.model.labels import DEFAULT_TENANT

ALERT_NAME = "alertname"
SEVERITY = "severity"

_FNV_OFFSET, _FNV_PRIME, _FNV_MASK = 14695981039346656037, 1099511628211, (1 << 64) - 1
_SEPARATOR = b"\xff"


class Severity(StrEnum):
    """How bad it is, the least first."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class AlertPhase(StrEnum):
    """Where an alert of a rule is."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"


def fingerprint(labels: Mapping[str, str]) -> str:
    """What identifies an alert, 16 hex digits: FNV-1a over the sorted labels, the same as Alertmanager's."""
    digest = _FNV_OFFSET
    for name in sorted(labels, key=str.encode):
        for byte in name.encode() + _SEPARATOR + labels[name].encode() + _SEPARATOR:
            digest = ((digest ^ byte) * _FNV_PRIME) & _FNV_MASK
    return f"{digest:016x}"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as it travels from rules or senders to routing. Times are Unix nanoseconds.

    Its labels identify it. `ends_ns` may lie ahead: an alert whose sender falls silent is over then.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_ns: int
    ends_ns: int
    updated_ns: int
    generator_url: str = ""
    tenant: str = DEFAULT_TENANT
    has_timeout: bool = False  # the end is a guess, for want of one from the sender
    fingerprint: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", fingerprint(self.labels))

    @property
    def name(self) -> str:
        """The rule's name, "" where the alert has none."""
        return self.labels.get(ALERT_NAME, "")

    def is_resolved(self, now_ns: int) -> bool:
        """Whether it is over."""
        return self.ends_ns <= now_ns


class NotificationReason(StrEnum):
    """Why a group is told of."""

    FIRST = "first"
    NEW_ALERTS = "new_alerts"
    RESOLVED = "resolved"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class Notification:
    """What one integration of a receiver is to say of one group; the alerts are in the order of their labels."""

    id: str  # the same for every attempt, also after a restart
    receiver: str
    group_key: str
    group_labels: Mapping[str, str]
    route_labels: Mapping[str, str]
    alerts: tuple[Alert, ...]
    now_ns: int
    reason: NotificationReason
    external_url: str
    incident: Mapping[str, object] | None = None  # what is known of it, where the route asks for incidents

    @property
    def firing(self) -> tuple[Alert, ...]:
        """Those that go on."""
        return tuple(alert for alert in self.alerts if not alert.is_resolved(self.now_ns))

    @property
    def resolved(self) -> tuple[Alert, ...]:
        """Those that are over."""
        return tuple(alert for alert in self.alerts if alert.is_resolved(self.now_ns))

    @property
    def status(self) -> str:
        """`firing` while any alert of it is."""
        return "firing" if self.firing else "resolved"


class FailureKind(StrEnum):
    """Why a receiver did not take a notification; the label of the failure counter."""

    AUTH = "authError"
    CLIENT = "clientError"
    RATE_LIMITED = "rateLimited"
    SERVER = "serverError"
    TIMEOUT = "contextDeadlineExceeded"
    NETWORK = "networkError"
    OTHER = "other"


class NotifyFailedError(Exception):
    """A receiver did not take a notification. The text is fit to be shown: it MUST NOT hold a secret."""

    def __init__(
        self,
        message: str,
        *,
        retryable: bool,
        kind: FailureKind = FailureKind.OTHER,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.kind = kind
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class IntegrationConfig:
    """One integration of a receiver as the configuration file has it; `settings` is checked by the integration.

    `place` says where it stands, for errors: `alertmanager.yml:12: receiver 'team-x'`.
    """

    receiver: str
    kind: str  # `webhook`, of `webhook_configs`
    index: int  # among those of its kind in the receiver
    settings: Mapping[str, object]  # with the file's `global` values filled in
    sends_resolved: bool
    place: str
    folder: str = "."  # what relative file names are relative to
