"""Notifications to send, and the shortest way to send them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from swarmscope.integrations.notifiers import make_notifiers
from swarmscope.model.alerts import Alert, IntegrationConfig, Notification, NotificationReason
from swarmscope.model.contracts import Notifier

NOW_NS = 1_790_000_000_000_000_000  # 2026-09-21T14:13:20Z
_S = 1_000_000_000


def alert(labels: Mapping[str, str], *, resolved: bool = False, **annotations: str) -> Alert:
    return Alert(
        labels=labels,
        annotations=annotations,
        starts_ns=NOW_NS - 60 * _S,
        ends_ns=NOW_NS - _S if resolved else NOW_NS + 300 * _S,
        updated_ns=NOW_NS,
        generator_url="http://prometheus.example/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
    )


def two_alerts(*, resolved: bool = False) -> tuple[Alert, ...]:
    return (
        alert(
            {"alertname": "AgentDown", "agent": "planner", "severity": "critical"}, resolved=resolved, summary="a <b>"
        ),
        alert({"alertname": "AgentDown", "agent": "coder", "severity": "critical"}, resolved=resolved, summary="c & d"),
    )


def notification(
    alerts: tuple[Alert, ...] | None = None,
    *,
    reason: NotificationReason = NotificationReason.FIRST,
    incident: Mapping[str, object] | None = None,
    now_ns: int = NOW_NS,
) -> Notification:
    return Notification(
        id="0123-4567",
        receiver="team-x",
        group_key='{}:{alertname="AgentDown"}',
        group_labels={"alertname": "AgentDown"},
        route_labels={},
        alerts=two_alerts() if alerts is None else alerts,
        now_ns=now_ns,
        reason=reason,
        external_url="http://swarm.example",
        incident=incident,
    )


def config(kind: str, settings: Mapping[str, Any], folder: str = ".") -> IntegrationConfig:
    return IntegrationConfig("team-x", kind, 0, settings, True, "alertmanager.yml:12: receiver 'team-x'", folder)


def notifier(kind: str, settings: Mapping[str, Any], **more: Any) -> Notifier:
    return make_notifiers([config(kind, settings, more.pop("folder", "."))], **more)[0]


def send(kind: str, settings: Mapping[str, Any], what: Notification | None = None, **more: Any) -> Mapping[str, str]:
    note = more.pop("note", {})
    return asyncio.run(notifier(kind, settings, **more).notify(what or notification(), note))
