"""Posts notifications to any address, signed where a secret is shared."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from swarmscope.integrations.filling import Filling
from swarmscope.integrations.http import HttpSender, OutgoingRequest
from swarmscope.integrations.http.sending import DEFAULT_TIMEOUT_S
from swarmscope.integrations.integration_settings import Surroundings
from swarmscope.integrations.webhook.webhook_body import webhook_body
from swarmscope.integrations.webhook.webhook_settings import SignatureSettings, WebhookSettings
from swarmscope.model.alerts import Notification


class WebhookNotifier:
    """One of `webhook_configs`."""

    kind = "webhook"

    def __init__(self, settings: WebhookSettings, around: Surroundings, *, sends_resolved: bool = True) -> None:
        self.sends_resolved = sends_resolved
        self._settings = settings
        self._around = around
        self._sender = HttpSender(settings.http_config, around)

    async def notify(self, notification: Notification, note: Mapping[str, str]) -> Mapping[str, str]:
        """Post it. Raises NotifyFailedError."""
        filling = Filling(notification, self._around.templates)
        settings = self._settings
        body = webhook_body(notification, settings.max_alerts)
        if settings.body is not None:
            body = filling.text(settings.body).encode("utf-8", "replace")
        headers = {"Content-Type": settings.content_type}
        headers |= {name: _one_line(filling.text(value)) for name, value in settings.headers.items()}
        secrets: tuple[str, ...] = ()
        if settings.hmac is not None:
            secret = self._around.secret(settings.hmac, "secret")
            headers |= signature_headers(settings.hmac, secret, body, notification.now_ns)
            secrets = (secret,)
        url = self._around.secret(settings, "url")
        timeout_s = settings.timeout / 1000 or DEFAULT_TIMEOUT_S
        url = filling.text(url)
        await self._sender.deliver(
            OutgoingRequest(url, body, headers=headers, timeout_s=timeout_s, secrets=(*secrets, url))
        )
        return {}


def signature_headers(settings: SignatureSettings, secret: str, body: bytes, now_ns: int) -> dict[str, str]:
    """The signature: hexadecimal HMAC-SHA256 of the body.

    With a header for the time, of `seconds.body`, so that a message that was listened to cannot be sent again later.
    """
    headers: dict[str, str] = {}
    signed = body
    if settings.timestamp_header is not None:
        stamp = str(now_ns // 1_000_000_000)
        headers[settings.timestamp_header] = stamp
        signed = stamp.encode() + b"." + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    headers[settings.header] = settings.prefix + digest
    return headers


def _one_line(text: str) -> str:
    return " ".join(text.split())
