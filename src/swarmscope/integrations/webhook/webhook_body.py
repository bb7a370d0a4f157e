"""The body of webhooks, version 4.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from swarmscope.integrations.http import json_body
from swarmscope.integrations.notification_templates.template_data import shown_end_ns, template_data
from swarmscope.lang.templates.moments import Moment, format_moment
from swarmscope.model.alerts import Alert, Notification, NotificationReason

_RFC3339 = "2006-01-02T15:04:05.999999999Z07:00"
_REASONS = {
    NotificationReason.FIRST: "first notification",
    NotificationReason.NEW_ALERTS: "new alerts in group",
    NotificationReason.REPEAT: "repeat interval elapsed",
}


def webhook_message(notification: Notification, max_alerts: int = 0) -> dict[str, Any]:
    """The message as Alertmanager has it. 0 for no limit of alerts; the last ones are left out."""
    kept = notification.alerts[:max_alerts] if max_alerts else notification.alerts
    # What is left out counts for nothing in what they have in common either: so it is in Alertmanager.
    data = template_data(replace(notification, alerts=kept))
    message: dict[str, Any] = {
        "receiver": data["Receiver"],
        "status": data["Status"],
        "alerts": [_alert(alert, notification.now_ns) for alert in kept],
        "groupLabels": data["GroupLabels"],
        "commonLabels": data["CommonLabels"],
        "commonAnnotations": data["CommonAnnotations"],
        "externalURL": data["ExternalURL"],
        "version": "4",
        "groupKey": notification.group_key,
        "truncatedAlerts": len(notification.alerts) - len(kept),
        "notification_reason": reason_text(notification),
    }
    if notification.incident is not None:
        message["incident"] = dict(notification.incident)
    return message


def webhook_body(notification: Notification, max_alerts: int = 0) -> bytes:
    """The message as JSON, one line."""
    return json_body(webhook_message(notification, max_alerts)) + b"\n"


def reason_text(notification: Notification) -> str:
    """Why it is sent, in words."""
    if notification.reason is NotificationReason.RESOLVED:
        return "new resolved alerts" if notification.firing else "all alerts resolved"
    return _REASONS[notification.reason]


def _alert(alert: Alert, now_ns: int) -> dict[str, object]:
    return {
        "status": "resolved" if alert.is_resolved(now_ns) else "firing",
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": rfc3339(alert.starts_ns),
        "endsAt": rfc3339(shown_end_ns(alert, now_ns)),
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint,
    }


def rfc3339(time_ns: int) -> str:
    """A time as JSON has it."""
    return format_moment(Moment(time_ns), _RFC3339)
