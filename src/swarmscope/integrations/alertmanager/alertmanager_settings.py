"""Settings of forwarding to an Alertmanager. There is no such receiver in Alertmanager itself."""

from __future__ import annotations

from pydantic import SecretStr, model_validator

from swarmscope.integrations.http import HttpSettings
from swarmscope.integrations.integration_settings import DurationMs, Settings

_DAY_MS = 86_400_000


class AlertmanagerSettings(Settings):
    """One of `alertmanager_configs`."""

    url: SecretStr | None = None  # up to and without /api/v2
    url_file: str | None = None
    url_env: str | None = None
    http_config: HttpSettings = HttpSettings()
    timeout: DurationMs = 10_000
    # When the other side is to take a firing alert for resolved if it hears no more of it. We tell of an alert again
    # only after the route's repeat_interval, so this is longer than that.
    expires_after: DurationMs = _DAY_MS

    @model_validator(mode="after")
    def _has_url(self) -> AlertmanagerSettings:
        if not self.has_secret("url"):
            raise ValueError("one of url, url_file & url_env is missing")
        return self
