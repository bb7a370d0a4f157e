"""Settings of PagerDuty. Source: https://prometheus.io/docs/alerting/latest/configuration/#pagerduty_config"""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator

from swarmscope.integrations.http import HttpSettings
from swarmscope.integrations.integration_settings import DurationMs, Settings, TemplateText

EVENTS_URL = "https://events.pagerduty.com/v2/enqueue"
EVENTS_V1_URL = "https://events.pagerduty.com/generic/2010-04-15/create_event.json"
DEFAULT_DETAILS = {
    "firing": '{{ template "pagerduty.default.instances" .Alerts.Firing }}',
    "resolved": '{{ template "pagerduty.default.instances" .Alerts.Resolved }}',
    "num_firing": "{{ .Alerts.Firing | len }}",
    "num_resolved": "{{ .Alerts.Resolved | len }}",
}


class ImageSettings(Settings):
    """One of `images`."""

    src: TemplateText = ""
    alt: TemplateText = ""
    href: TemplateText = ""


class LinkSettings(Settings):
    """One of `links`."""

    href: TemplateText = ""
    text: TemplateText = ""


class PagerdutySettings(Settings):
    """One of `pagerduty_configs`."""

    routing_key: SecretStr | None = None
    routing_key_file: str | None = None
    routing_key_env: str | None = None
    service_key: SecretStr | None = None
    service_key_file: str | None = None
    service_key_env: str | None = None
    url: str = EVENTS_URL
    client: TemplateText = '{{ template "pagerduty.default.client" . }}'
    client_url: TemplateText = '{{ template "pagerduty.default.clientURL" . }}'
    description: TemplateText = '{{ template "pagerduty.default.description" . }}'
    severity: TemplateText = ""  # "": of the alerts' own severity
    source: TemplateText = ""  # "": the client
    details: dict[str, TemplateText] = Field(default_factory=dict)
    images: list[ImageSettings] = Field(default_factory=list)
    links: list[LinkSettings] = Field(default_factory=list)
    component: TemplateText = ""
    group: TemplateText = ""
    class_: TemplateText = Field(default="", alias="class")
    http_config: HttpSettings = HttpSettings()
    timeout: DurationMs = 30_000

    @model_validator(mode="after")
    def _one_key(self) -> PagerdutySettings:
        if not self.has_secret("routing_key") and not self.has_secret("service_key"):
            raise ValueError("missing service or routing key in PagerDuty config")
        if self.has_secret("routing_key") and self.has_secret("service_key"):
            raise ValueError("at most one of routing_key and service_key must be configured")
        return self
