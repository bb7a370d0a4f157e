"""Hands a group's alerts on to an Alertmanager, API version 2."""

from __future__ import annotations

from collections.abc import Mapping

from swarmscope.integrations.alertmanager.alertmanager_settings import AlertmanagerSettings
from swarmscope.integrations.http import HttpSender, OutgoingRequest, json_body
from swarmscope.integrations.integration_settings import Surroundings
from swarmscope.integrations.webhook.webhook_body import rfc3339
from swarmscope.model.alerts import Alert, Notification

_NS_PER_MS = 1_000_000
_PATH = "/api/v2/alerts"


class AlertmanagerNotifier:
    """One of `alertmanager_configs`."""

    kind = "alertmanager"

    def __init__(self, settings: AlertmanagerSettings, around: Surroundings, *, sends_resolved: bool = True) -> None:
        self.sends_resolved = sends_resolved
        self._settings = settings
        self._around = around
        self._sender = HttpSender(settings.http_config, around)

    async def notify(self, notification: Notification, note: Mapping[str, str]) -> Mapping[str, str]:
        """Post the alerts. Raises NotifyFailedError."""
        url = self._around.secret(self._settings, "url").rstrip("/")
        expires_ns = notification.now_ns + self._settings.expires_after * _NS_PER_MS
        body = json_body([_alert(alert, notification.now_ns, expires_ns) for alert in notification.alerts])
        await self._sender.deliver(
            OutgoingRequest(
                url if url.endswith(_PATH) else url + _PATH,
                body,
                headers={"Content-Type": "application/json"},
                timeout_s=self._settings.timeout / 1000,
            )
        )
        return {}


def _alert(alert: Alert, now_ns: int, expires_ns: int) -> dict[str, object]:
    ends_ns = alert.ends_ns if alert.is_resolved(now_ns) else expires_ns
    told: dict[str, object] = {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": rfc3339(alert.starts_ns),
        "endsAt": rfc3339(ends_ns),
    }
    if alert.generator_url:
        told["generatorURL"] = alert.generator_url
    return told
