"""Sends events to PagerDuty."""

from __future__ import annotations

from collections.abc import Mapping

from swarmscope.integrations.filling import Filling
from swarmscope.integrations.http import HttpSender, OutgoingRequest
from swarmscope.integrations.integration_settings import Surroundings
from swarmscope.integrations.pagerduty.pagerduty_event import event, event_body, event_v1
from swarmscope.integrations.pagerduty.pagerduty_settings import EVENTS_URL, EVENTS_V1_URL, PagerdutySettings
from swarmscope.model.alerts import Notification


class PagerdutyNotifier:
    """One of `pagerduty_configs`."""

    kind = "pagerduty"

    def __init__(self, settings: PagerdutySettings, around: Surroundings, *, sends_resolved: bool = True) -> None:
        self.sends_resolved = sends_resolved
        self._settings = settings
        self._around = around
        self._sender = HttpSender(settings.http_config, around)

    async def notify(self, notification: Notification, note: Mapping[str, str]) -> Mapping[str, str]:
        """Send one event. Raises NotifyFailedError."""
        filling = Filling(notification, self._around.templates)
        settings = self._settings
        is_v1 = settings.has_secret("service_key")
        key = filling.text(self._around.secret(settings, "service_key" if is_v1 else "routing_key"))
        message = event_v1(settings, filling, key) if is_v1 else event(settings, filling, key)
        url = EVENTS_V1_URL if is_v1 and settings.url == EVENTS_URL else settings.url
        await self._sender.deliver(
            OutgoingRequest(
                url,
                event_body(message),
                headers={"Content-Type": "application/json"},
                timeout_s=settings.timeout / 1000,
                secrets=(key,),
            )
        )
        return {}
