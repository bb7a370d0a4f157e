"""Sends mails."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiosmtplib

from swarmscope.integrations.email.email_message import email_message
from swarmscope.integrations.email.email_settings import EmailSettings
from swarmscope.integrations.email.smtp import send_mail
from swarmscope.integrations.filling import Filling
from swarmscope.integrations.http.answers import shown_text
from swarmscope.integrations.integration_settings import Surroundings
from swarmscope.model.alerts import FailureKind, Notification, NotifyFailedError


class EmailNotifier:
    """One of `email_configs`."""

    kind = "email"

    def __init__(self, settings: EmailSettings, around: Surroundings, *, sends_resolved: bool = False) -> None:
        self.sends_resolved = sends_resolved
        self._settings = settings
        self._around = around

    async def notify(self, notification: Notification, note: Mapping[str, str]) -> Mapping[str, str]:
        """Send one mail to all recipients. Raises NotifyFailedError."""
        settings = self._settings
        mail = email_message(settings, Filling(notification, self._around.templates))
        timeout_s = settings.timeout / 1000
        try:
            async with asyncio.timeout(timeout_s):
                await send_mail(mail, settings, self._around)
        except (TimeoutError, aiosmtplib.SMTPTimeoutError):
            raise NotifyFailedError(
                f"email: {settings.smarthost} did not take it within {timeout_s:g} s",
                retryable=True,
                kind=FailureKind.TIMEOUT,
            ) from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise self._failure(error) from None
        return {}

    def _failure(self, error: Exception) -> NotifyFailedError:
        """Replies of 4xx may pass, those of 5xx stay (RFC 5321, section 4.2.1)."""
        where = f"email: {self._settings.smarthost}"
        code = _code(error)
        if code is None:
            return NotifyFailedError(f"{where}: {type(error).__name__}", retryable=True, kind=FailureKind.NETWORK)
        secrets = [
            self._around.secret(self._settings, name)
            for name in ("auth_password", "auth_secret")
            if self._settings.has_secret(name)
        ]
        told = shown_text(str(getattr(error, "message", "")).encode(), secrets)
        message = f"{where}: {code} {told}".rstrip()
        if isinstance(error, aiosmtplib.SMTPAuthenticationError):
            return NotifyFailedError(message, retryable=code < 500, kind=FailureKind.AUTH)
        if code in (421, 450, 451, 452):
            kind = FailureKind.RATE_LIMITED if code in (450, 452) else FailureKind.SERVER
            return NotifyFailedError(message, retryable=True, kind=kind)
        return NotifyFailedError(
            message, retryable=code < 500, kind=FailureKind.CLIENT if code >= 500 else FailureKind.SERVER
        )


def _code(error: Exception) -> int | None:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        codes = [each.code for each in error.recipients]
        return min(codes, default=None)  # one that may pass is worth another try
    code = getattr(error, "code", None)
    return code if isinstance(code, int) and 400 <= code < 600 else None
