"""Tells Slack, and keeps one message for each group: what comes later goes below it, and it shows the present state."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from swarmscope.integrations.filling import Filling
from swarmscope.integrations.http import HttpSender
from swarmscope.integrations.integration_settings import Surroundings
from swarmscope.integrations.slack.chart_upload import upload_chart
from swarmscope.integrations.slack.query_chart import ChartValues
from swarmscope.integrations.slack.slack_api import SlackApi
from swarmscope.integrations.slack.slack_message import slack_message
from swarmscope.integrations.slack.slack_settings import SlackSettings
from swarmscope.model.alerts import Notification, NotifyFailedError

_LOG = logging.getLogger(__name__)


class SlackNotifier:
    """One of `slack_configs`."""

    kind = "slack"

    def __init__(
        self,
        settings: SlackSettings,
        around: Surroundings,
        *,
        sends_resolved: bool = False,
        chart_values: ChartValues | None = None,
    ) -> None:
        self.sends_resolved = sends_resolved
        self._settings = settings
        self._around = around
        self._sender = HttpSender(settings.http_config, around)
        self._chart_values = chart_values

    async def notify(self, notification: Notification, note: Mapping[str, str]) -> Mapping[str, str]:
        """Post a message, and bring the group's first one up to date. The note names that one.

        Raises NotifyFailedError.
        """
        settings = self._settings
        filling = Filling(notification, self._around.templates)
        api = self._api(filling)
        message = slack_message(settings, filling)
        if not api.has_methods or not settings.threads:
            await api.post(message)
            return {}
        first = note if note.get("ts") and note.get("status") == "firing" else {}
        if first and not await self._bring_up_to_date(api, first, message):
            first = {}
        posted = await api.post({**message, "thread_ts": first["ts"]} if first else message)
        channel, ts = str(posted.get("channel", "")), str(posted.get("ts", ""))
        kept = {"ts": first.get("ts", ts), "channel": first.get("channel", channel), "status": notification.status}
        if settings.chart and self._chart_values is not None and notification.firing and channel:
            await upload_chart(api, notification, self._chart_values, kept)
        return kept

    def _api(self, filling: Filling) -> SlackApi:
        settings = self._settings
        timeout_s = settings.timeout / 1000
        if settings.has_secret("app_token"):
            return SlackApi(self._sender, settings.app_url, self._around.secret(settings, "app_token"), timeout_s)
        return SlackApi(self._sender, filling.text(self._around.secret(settings, "api_url")), "", timeout_s)

    async def _bring_up_to_date(self, api: SlackApi, first: Mapping[str, str], message: dict[str, Any]) -> bool:
        """Let the first message say what is so now. False where it is gone: then there is no thread either."""
        shown: dict[str, Any] = {
            name: message[name] for name in ("text", "attachments", "blocks", "link_names") if name in message
        }
        try:
            await api.call("chat.update", {**shown, "channel": first["channel"], "ts": first["ts"]})
        except NotifyFailedError as error:
            if error.retryable:
                raise
            _LOG.info("the first message of the group cannot be changed: %s", error)
            return "message_not_found" not in str(error)
        return True
