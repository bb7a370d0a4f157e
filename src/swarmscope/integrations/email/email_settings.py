"""Settings of e-mail. Source: https://prometheus.io/docs/alerting/latest/configuration/#email_config"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from swarmscope.integrations.http import TlsSettings
from swarmscope.integrations.integration_settings import DurationMs, Settings, TemplateText

_SMARTHOST = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[^:\s]*)):(?P<port>\d{1,5})")
_HEADER_NAME = re.compile(r"[!-9;-~]+")
IMPLICIT_TLS_PORT = 465


class ThreadSettings(Settings):
    """`threading`: mails of one group stand together in the reader's mailbox."""

    enabled: bool = False
    thread_by_date: Literal["daily", "none"] = "daily"


class EmailSettings(Settings):
    """One of `email_configs`."""

    to: TemplateText
    from_: TemplateText = Field(default="", alias="from")
    smarthost: str = ""
    hello: str = "localhost"
    auth_username: str = ""
    auth_password: SecretStr | None = None
    auth_password_file: str | None = None
    auth_password_env: str | None = None
    auth_secret: SecretStr | None = None
    auth_secret_file: str | None = None
    auth_secret_env: str | None = None
    auth_identity: str = ""
    require_tls: bool = True
    force_implicit_tls: bool | None = None
    tls_config: TlsSettings = TlsSettings()
    html: TemplateText = '{{ template "email.default.html" . }}'
    text: TemplateText = ""
    headers: dict[str, TemplateText] = Field(default_factory=dict)
    threading: ThreadSettings = ThreadSettings()
    timeout: DurationMs = 30_000

    @field_validator("headers")
    @classmethod
    def _one_of_each(cls, headers: dict[str, str]) -> dict[str, str]:
        seen: set[str] = set()
        for name in headers:
            if _HEADER_NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} is not the name of a header")
            if name.lower() in seen:
                raise ValueError(f"duplicate header {name!r} in email config")
            seen.add(name.lower())
        return headers

    @model_validator(mode="after")
    def _whole(self) -> EmailSettings:
        if not self.smarthost:
            raise ValueError("no global SMTP smarthost set, and no smarthost here")
        match = _SMARTHOST.fullmatch(self.smarthost)
        if match is None or not 0 < int(match["port"]) < 65536:
            raise ValueError("smarthost must be host:port")
        if not self.from_ and not any(name.lower() == "from" for name in self.headers):
            raise ValueError("no global SMTP from set, and no from here")
        return self

    @property
    def host(self) -> str:
        """The server's name or address."""
        match = _SMARTHOST.fullmatch(self.smarthost)
        return (match["six"] or match["host"] or "localhost") if match else "localhost"

    @property
    def port(self) -> int:
        """The server's port."""
        return int(self.smarthost.rpartition(":")[2])

    @property
    def is_implicit_tls(self) -> bool:
        """Whether TLS begins with the connection."""
        return self.port == IMPLICIT_TLS_PORT if self.force_implicit_tls is None else self.force_implicit_tls
