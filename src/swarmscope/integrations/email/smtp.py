"""One mail over SMTP. Sources: RFC 5321, RFC 3207, RFC 4954"""

from __future__ import annotations

import logging
from typing import NamedTuple

import aiosmtplib

from swarmscope.integrations.email.email_message import Mail
from swarmscope.integrations.email.email_settings import EmailSettings
from swarmscope.integrations.http.tls import tls_context
from swarmscope.integrations.integration_settings import Surroundings
from swarmscope.model.alerts import FailureKind, NotifyFailedError

_LOG = logging.getLogger(__name__)
_LOCAL = ("localhost", "127.0.0.1", "::1")


class Credentials(NamedTuple):
    """Who we are to the server; a secret is for CRAM-MD5, a password for the rest."""

    username: str
    password: str
    secret: str


async def send_mail(mail: Mail, settings: EmailSettings, around: Surroundings) -> None:
    """Connect, start TLS, log in, hand the mail over. Raises NotifyFailedError, and what aiosmtplib raises."""
    context = tls_context(settings.tls_config, around)
    credentials = Credentials(
        settings.auth_username, around.secret(settings, "auth_password"), around.secret(settings, "auth_secret")
    )
    client = aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.port,
        local_hostname=settings.hello or "localhost",
        timeout=settings.timeout / 1000,
        use_tls=settings.is_implicit_tls,
        start_tls=False,
        tls_context=context,
    )
    try:
        await client.connect()
        await client.ehlo()
        if not settings.is_implicit_tls:
            await _start_tls(client, settings, context)
        if credentials.username:
            await _log_in(client, settings, credentials)
        refused, _ = await client.sendmail(mail.sender, mail.recipients, mail.content)
        if refused:  # others have it, and would have it twice
            _LOG.warning("email: %d of %d recipients were refused", len(refused), len(mail.recipients))
        await client.quit()
    finally:
        client.close()


async def _start_tls(client: aiosmtplib.SMTP, settings: EmailSettings, context: object) -> None:
    if client.supports_extension("starttls"):
        if settings.require_tls:
            await client.starttls(tls_context=context, server_hostname=settings.tls_config.server_name)  # type: ignore[arg-type]
            await client.ehlo()
    elif settings.require_tls:
        raise NotifyFailedError(
            "email: 'require_tls' is true (default) but the server does not advertise the STARTTLS extension",
            retryable=True,
            kind=FailureKind.CLIENT,
        )


async def _log_in(client: aiosmtplib.SMTP, settings: EmailSettings, credentials: Credentials) -> None:
    """By the best way that both have. A password never goes over an open line, but to this machine."""
    offered = {method.lower() for method in client.server_auth_methods}
    if "cram-md5" in offered and credentials.secret:
        await client.auth_crammd5(credentials.username, credentials.secret)
        return
    if not credentials.password or not offered & {"plain", "login"}:
        raise NotifyFailedError(
            f"email: no way to log in: the server offers {', '.join(sorted(offered)) or 'none'}",
            retryable=False,
            kind=FailureKind.AUTH,
        )
    if client.get_transport_info("ssl_object") is None and settings.host not in _LOCAL:
        raise NotifyFailedError(
            "email: a password would go over an unencrypted connection", retryable=False, kind=FailureKind.AUTH
        )
    if "plain" in offered:
        await client.auth_plain(credentials.username, credentials.password)
    else:
        await client.auth_login(credentials.username, credentials.password)
