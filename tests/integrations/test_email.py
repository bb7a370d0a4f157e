"""Mails, taken by a real SMTP server."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope

from swarmscope.integrations.integration_settings import BadSettingsError
from swarmscope.model.alerts import FailureKind, NotifyFailedError
from tests.integration.processes import free_port
from tests.integrations.local_receivers import hang, misbehaving, reset, server_context
from tests.integrations.sample_notifications import notification, send, two_alerts

PASSWORD = "hunter2-is-secret"


class Mailbox:
    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.logins: list[tuple[str, bytes, bytes]] = []
        self.refusal = ""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802
        if self.refusal and not address.startswith("good"):
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.logins.append((mechanism, data.login, data.password))
        return AuthResult(success=data.password == PASSWORD.encode(), handled=data.password == PASSWORD.encode())

    def message(self) -> EmailMessage:
        content = self.envelopes[-1].content
        assert isinstance(content, bytes)
        found = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        return found


class _Controller(Controller):
    def factory(self) -> SMTP:
        return SMTP(self.handler, **self.SMTP_kwargs)


def deliver(box: Mailbox, settings: dict[str, Any], what: Any = None, **options: Any) -> None:
    port = free_port()
    controller = _Controller(box, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        whole = {"smarthost": f"127.0.0.1:{port}", "from": "swarm@example.com", "to": "ops@example.com", **settings}
        send("email", whole, what)
    finally:
        controller.stop()


def test_text_and_html() -> None:
    box = Mailbox()
    settings = {
        "require_tls": False,
        "to": "Ops <ops@example.com>, {{ .CommonLabels.severity }}@example.com",
        "text": "{{ .CommonLabels.alertname }}: é\n.\nend",
        "headers": {"x-team": "{{ .Receiver }}", "Subject": "über\nall"},
    }
    deliver(box, settings)
    message = box.message()
    assert box.envelopes[0].mail_from == "swarm@example.com"
    assert box.envelopes[0].rcpt_tos == ["ops@example.com", "critical@example.com"]
    assert message["To"] == "Ops <ops@example.com>, critical@example.com"
    assert (message["Subject"], message["X-Team"]) == ("über all", "team-x")
    assert message["Date"] == "Mon, 21 Sep 2026 14:13:20 +0000"
    assert message["Message-Id"].startswith("<0123-4567@")
    text, html = message.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert text.get_content().splitlines() == ["AgentDown: é", ".", "end"]
    assert html.get_content_type() == "text/html"
    shown = html.get_content()
    assert "a &lt;b&gt;" in shown
    assert "<b>" not in shown
    assert 'href="http://prometheus.example/graph?g0.expr=up&#43;%3D%3D&#43;0&amp;g0.tab=1"' in shown


def test_default_subject_and_body_alone() -> None:
    box = Mailbox()
    deliver(box, {"require_tls": False}, notification(two_alerts(resolved=True)))
    message = box.message()
    assert message["Subject"] == "[RESOLVED] AgentDown (critical)"
    assert message.get_content_type() == "text/html"
    assert "2 resolved" in message.get_content()


def test_threads() -> None:
    box = Mailbox()
    deliver(box, {"require_tls": False, "threading": {"enabled": True}})
    message = box.message()
    assert message["References"] == message["In-Reply-To"]
    assert message["References"].endswith("-2026-09-21@swarmscope>")


def test_starttls_and_login(tmp_path: Path) -> None:
    box = Mailbox()
    context = server_context(tmp_path)
    tls = {"ca_file": str(tmp_path / "127.0.0.1.pem")}
    settings = {"auth_username": "me", "auth_password": PASSWORD, "tls_config": tls}
    options: dict[str, Any] = {"tls_context": context, "authenticator": box.authenticate, "auth_required": True,
                               "require_starttls": True}  # fmt: skip
    deliver(box, settings, **options)
    assert len(box.envelopes) == 1
    assert box.logins[0][1:] == (b"me", PASSWORD.encode())
    with pytest.raises(NotifyFailedError) as failed:
        deliver(box, {**settings, "auth_password": "wrong-password"}, **options)
    assert (failed.value.retryable, failed.value.kind) == (False, FailureKind.AUTH)
    assert "wrong-password" not in str(failed.value)
    with pytest.raises(NotifyFailedError) as failed:
        deliver(box, {**settings, "tls_config": {}}, **options)  # the certificate is nobody's we know
    assert failed.value.retryable


def test_no_tls_where_it_is_wanted() -> None:
    with pytest.raises(NotifyFailedError, match="does not advertise the STARTTLS extension"):
        deliver(Mailbox(), {})


def test_refusals() -> None:
    box = Mailbox()
    box.refusal = "550 no such user"
    with pytest.raises(NotifyFailedError) as failed:
        deliver(box, {"require_tls": False})
    assert not failed.value.retryable
    box.refusal = "452 too many"
    with pytest.raises(NotifyFailedError) as failed:
        deliver(box, {"require_tls": False})
    assert (failed.value.retryable, failed.value.kind) == (True, FailureKind.RATE_LIMITED)
    # Who is accepted has it; to send it again would give it to them twice.
    deliver(box, {"require_tls": False, "to": "good@example.com, bad@example.com"})
    assert box.envelopes[-1].rcpt_tos == ["good@example.com"]


def test_servers_that_hang_or_cut() -> None:
    with misbehaving(hang) as url, pytest.raises(NotifyFailedError) as failed:
        send("email", {"smarthost": url.removeprefix("http://"), "from": "a@b.c", "to": "d@e.f", "timeout": "300ms"})
    assert (failed.value.retryable, failed.value.kind) == (True, FailureKind.TIMEOUT)
    with misbehaving(reset) as url, pytest.raises(NotifyFailedError) as failed:
        send("email", {"smarthost": url.removeprefix("http://"), "from": "a@b.c", "to": "d@e.f", "timeout": "500ms"})
    assert failed.value.retryable
    with pytest.raises(NotifyFailedError) as failed:
        send("email", {"smarthost": "127.0.0.1:9", "from": "a@b.c", "to": "d@e.f"})
    assert (failed.value.retryable, failed.value.kind) == (True, FailureKind.NETWORK)


def test_addresses_from_templates_may_be_none() -> None:
    with pytest.raises(NotifyFailedError, match="to: no address") as failed:
        send("email", {"smarthost": "127.0.0.1:9", "from": "a@b.c", "to": "{{ .CommonLabels.nobody }}"})
    assert not failed.value.retryable


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"to": "a@b.c", "from": "d@e.f"}, "no global SMTP smarthost set"),
        ({"to": "a@b.c", "from": "d@e.f", "smarthost": "nowhere"}, "smarthost must be host:port"),
        ({"to": "a@b.c", "smarthost": "h:25"}, "no global SMTP from set"),
        ({"from": "d@e.f", "smarthost": "h:25"}, "to: Field required"),
        ({"to": "a@b.c", "from": "d@e.f", "smarthost": "h:25", "headers": {"A": "1", "a": "2"}}, "duplicate header"),
        ({"to": "{{ if }}", "from": "d@e.f", "smarthost": "h:25"}, "to: not a template"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(BadSettingsError, match=told):
        send("email", settings)
