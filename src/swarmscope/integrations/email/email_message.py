"""Mails. Sources: RFC 5322, RFC 2046"""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses
from typing import NamedTuple

from swarmscope.integrations.email.email_settings import EmailSettings
from swarmscope.integrations.filling import Filling
from swarmscope.integrations.notification_templates import group_key_hash
from swarmscope.model.alerts import FailureKind, Notification, NotifyFailedError

_DEFAULT_SUBJECT = '{{ template "email.default.subject" . }}'
_NS = 1_000_000_000


class Mail(NamedTuple):
    """What goes to the server."""

    sender: str
    recipients: list[str]
    content: bytes


def email_message(settings: EmailSettings, filling: Filling) -> Mail:
    """The mail for one notification. The same notification gives the same Message-ID, so a second copy is known as one.

    Raises NotifyFailedError.
    """
    given = {name.title(): _one_line(filling.text(text)) for name, text in settings.headers.items()}
    sender = _addresses(filling.text(settings.from_) or given.get("From", ""), "from")
    recipients = _addresses(filling.text(settings.to), "to")
    message = EmailMessage(policy=SMTP.clone(max_line_length=200))
    headers = {
        "From": ", ".join(map(str, sender[:1])),
        "To": ", ".join(map(str, recipients)),
        "Subject": _one_line(filling.text(_DEFAULT_SUBJECT)),
        "Date": format_datetime(_time(filling.notification)),
        "Message-Id": f"<{_id_text(filling.notification.id)}@{_host()}>",
        **_thread_headers(settings, filling.notification),
        **given,
    }
    try:
        for name, value in headers.items():
            message[name] = value
        _set_bodies(message, settings, filling)
        content = message.as_bytes()
    except (ValueError, UnicodeError, LookupError) as error:
        raise _bad(f"email: no mail can be made of it: {type(error).__name__}") from None
    return Mail(sender[0].addr_spec, [address.addr_spec for address in recipients], content)


def _set_bodies(message: EmailMessage, settings: EmailSettings, filling: Filling) -> None:
    """Text before HTML, so that readers who know both show the latter."""
    text = filling.text(settings.text) if settings.text else ""
    html = filling.html(settings.html) if settings.html else ""
    if not text and not html:
        text = filling.text('{{ template "email.default.text" . }}')
    if text:
        message.set_content(_clean(text), cte="quoted-printable")
        if html:
            message.add_alternative(_clean(html), subtype="html", cte="quoted-printable")
    else:
        message.set_content(_clean(html), subtype="html", cte="quoted-printable")


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _addresses(text: str, field: str) -> list[Address]:
    found: list[Address] = []
    for name, address in getaddresses([_one_line(text)]):
        if not address:
            continue
        try:
            found.append(Address(name, addr_spec=address))
        except (ValueError, IndexError):
            raise _bad(f"email: {field}: not an address") from None
    if not found:
        raise _bad(f"email: {field}: no address")
    return found


def _thread_headers(settings: EmailSettings, notification: Notification) -> dict[str, str]:
    if not settings.threading.enabled:
        return {}
    day = f"-{_time(notification):%Y-%m-%d}" if settings.threading.thread_by_date == "daily" else ""
    root = f"<{group_key_hash(notification)}{day}@swarmscope>"
    return {"References": root, "In-Reply-To": root}


def _time(notification: Notification) -> datetime:
    return datetime.fromtimestamp(notification.now_ns // _NS, UTC)


def _id_text(text: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in text) or "notification"


def _host() -> str:
    return _id_text(socket.gethostname())


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _bad(message: str) -> NotifyFailedError:
    return NotifyFailedError(message, retryable=False, kind=FailureKind.CLIENT)
