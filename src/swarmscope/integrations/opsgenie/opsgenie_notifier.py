"""Opens and closes alerts in Opsgenie."""

from __future__ import annotations

from collections.abc import Mapping

from swarmscope.integrations.filling import Filling
from swarmscope.integrations.http import HttpSender, OutgoingRequest, json_body
from swarmscope.integrations.integration_settings import Surroundings
from swarmscope.integrations.opsgenie.opsgenie_messages import opsgenie_calls
from swarmscope.integrations.opsgenie.opsgenie_settings import OpsgenieSettings
from swarmscope.model.alerts import Notification


class OpsgenieNotifier:
    """One of `opsgenie_configs`."""

    kind = "opsgenie"

    def __init__(self, settings: OpsgenieSettings, around: Surroundings, *, sends_resolved: bool = True) -> None:
        self.sends_resolved = sends_resolved
        self._settings = settings
        self._around = around
        self._sender = HttpSender(settings.http_config, around)

    async def notify(self, notification: Notification, note: Mapping[str, str]) -> Mapping[str, str]:
        """Make the calls; to make them again does no harm, for the alias is the same. Raises NotifyFailedError."""
        filling = Filling(notification, self._around.templates)
        settings = self._settings
        headers = {"Content-Type": "application/json"}
        secrets: tuple[str, ...] = ()
        if settings.has_secret("api_key"):
            key = filling.text(self._around.secret(settings, "api_key"))
            headers["Authorization"] = f"GenieKey {key}"
            secrets = (key,)
        for call in opsgenie_calls(settings, filling):
            await self._sender.deliver(
                OutgoingRequest(
                    settings.host + call.path,
                    json_body(call.body),
                    method=call.method,
                    headers=headers,
                    timeout_s=settings.timeout / 1000,
                    secrets=secrets,
                )
            )
        return {}
