"""Settings of webhooks: Alertmanager's, and a signature, headers and a body of one's own."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from swarmscope.integrations.http import HttpSettings
from swarmscope.integrations.integration_settings import DurationMs, Settings, TemplateText

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _header_name(name: object) -> object:
    if not isinstance(name, str) or _HEADER_NAME.fullmatch(name) is None:
        raise ValueError("not the name of a header")
    return name


HeaderName = Annotated[str, BeforeValidator(_header_name)]


class SignatureSettings(Settings):
    """`hmac`: the body is signed with a shared secret."""

    secret: SecretStr | None = None
    secret_file: str | None = None
    secret_env: str | None = None
    header: HeaderName = "X-Swarmscope-Signature"
    prefix: str = "sha256="
    timestamp_header: HeaderName | None = None

    @model_validator(mode="after")
    def _has_secret(self) -> SignatureSettings:
        if not self.has_secret("secret"):
            raise ValueError("one of secret, secret_file & secret_env is missing")
        return self


class WebhookSettings(Settings):
    """One of `webhook_configs`."""

    url: SecretStr | None = None
    url_file: str | None = None
    url_env: str | None = None
    http_config: HttpSettings = HttpSettings()
    max_alerts: int = Field(default=0, ge=0)
    timeout: DurationMs = 0
    hmac: SignatureSettings | None = None
    headers: dict[HeaderName, TemplateText] = Field(default_factory=dict)
    body: TemplateText | None = None
    content_type: str = "application/json"

    @model_validator(mode="after")
    def _has_url(self) -> WebhookSettings:
        if not self.has_secret("url"):
            raise ValueError("one of url or url_file must be configured")
        return self
