"""Settings of Opsgenie. Source: https://prometheus.io/docs/alerting/latest/configuration/#opsgenie_config"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from swarmscope.integrations.http import HttpSettings
from swarmscope.integrations.integration_settings import DurationMs, Settings, TemplateText

US_URL = "https://api.opsgenie.com/"
EU_URL = "https://api.eu.opsgenie.com/"
RESPONDER_TYPES = ("team", "teams", "user", "escalation", "schedule")


class ResponderSettings(Settings):
    """One of `responders`."""

    id: TemplateText = ""
    name: TemplateText = ""
    username: TemplateText = ""
    type: TemplateText

    @model_validator(mode="after")
    def _whole(self) -> ResponderSettings:
        if not (self.id or self.name or self.username):
            raise ValueError("a responder has to have at least one of id, username or name specified")
        if "{{" not in self.type and self.type.lower() not in RESPONDER_TYPES:
            raise ValueError(f"a responder's type must be one of {', '.join(RESPONDER_TYPES)}")
        if self.type.lower() == "teams" and not self.name:
            raise ValueError("a responder of type teams needs a name")
        return self


class OpsgenieSettings(Settings):
    """One of `opsgenie_configs`."""

    api_key: SecretStr | None = None
    api_key_file: str | None = None
    api_key_env: str | None = None
    api_url: str = US_URL
    region: Literal["us", "eu"] | None = None  # ours: the host, where api_url is not given
    message: TemplateText = '{{ template "opsgenie.default.message" . }}'
    description: TemplateText = '{{ template "opsgenie.default.description" . }}'
    source: TemplateText = '{{ template "opsgenie.default.source" . }}'
    details: dict[str, TemplateText] = Field(default_factory=dict)
    responders: list[ResponderSettings] = Field(default_factory=list)
    tags: TemplateText = ""
    note: TemplateText = ""
    priority: TemplateText = ""  # "": of the alerts' own severity
    update_alerts: bool = False
    entity: TemplateText = ""
    actions: TemplateText = ""
    http_config: HttpSettings = HttpSettings()
    timeout: DurationMs = 30_000

    @model_validator(mode="after")
    def _has_key(self) -> OpsgenieSettings:
        if not self.has_secret("api_key") and self.http_config.authorization is None:
            raise ValueError("no OpsGenie API key set: api_key or api_key_file")
        return self

    @property
    def host(self) -> str:
        """The API's address, with a slash at its end."""
        address = EU_URL if self.region == "eu" and self.api_url.rstrip("/") == US_URL.rstrip("/") else self.api_url
        return address if address.endswith("/") else address + "/"
