"""What can be told to `configure`."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypedDict
from urllib.parse import urlsplit

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.util.re import parse_env_headers

AnalyticsHook = Callable[[ReadableSpan], None]
AlertHook = Callable[[ReadableSpan, float], None]
_DEFAULT_PORTS = {"http": 4318, "grpc": 4317}


class Options(TypedDict, total=False):
    """The options of `configure`; defaults and meaning stand at the fields of `SdkSettings`."""

    service_name: str
    protocol: Literal["http", "grpc"]
    token: str
    headers: Mapping[str, str]
    certificate_file: str | None
    compress: bool
    resource_attributes: Mapping[str, str]
    max_queue_size: int
    max_batch_size: int
    batch_delay_s: float
    metric_interval_s: float
    max_retries: int
    backoff_s: float
    max_backoff_s: float
    request_timeout_s: float
    shutdown_timeout_s: float
    log_level: int | None
    capture_content: bool
    phi_threshold: float
    announce_after_s: float
    announce_every_s: float
    max_open_spans: int
    analytics_hook: AnalyticsHook | None
    alert_hook: AlertHook | None


@dataclass(frozen=True, slots=True)
class SdkSettings:
    """Where telemetry goes, whose it is, and how much may wait.

    Raises ValueError for settings that cannot be meant.
    """

    endpoint: str = ""  # OTLP's root, without /v1/traces; else OTEL_EXPORTER_OTLP_ENDPOINT, else this machine
    agent: str = ""  # of a process that is one agent; a program of several names them with @agent
    team: str = ""
    version: str = ""
    environment: str = ""
    service_name: str = ""  # else OTEL_SERVICE_NAME, else the agent's name
    protocol: Literal["http", "grpc"] = "http"
    token: str = field(default="", repr=False)  # sent as "Authorization: Bearer …"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    certificate_file: str | None = None  # whom to trust, where the system does not
    compress: bool = True
    resource_attributes: Mapping[str, str] = field(default_factory=dict)
    max_queue_size: int = 4096  # spans, and as many log records
    max_batch_size: int = 512
    batch_delay_s: float = 1.0
    metric_interval_s: float = 15.0
    max_retries: int = 3
    backoff_s: float = 1.0
    max_backoff_s: float = 30.0
    request_timeout_s: float = 10.0
    shutdown_timeout_s: float = 5.0
    log_level: int | None = logging.INFO  # of Python's log records that are sent; None sends none
    capture_content: bool = False  # arguments and results of tools
    phi_threshold: float = 0.8
    announce_after_s: float = 1.0
    announce_every_s: float = 10.0
    max_open_spans: int = 10_000
    analytics_hook: AnalyticsHook | None = None
    alert_hook: AlertHook | None = None

    def __post_init__(self) -> None:
        if self.protocol not in _DEFAULT_PORTS:
            raise ValueError(f"protocol is {self.protocol!r}; it can be http or grpc")
        for name in ("max_queue_size", "max_batch_size", "max_open_spans", "metric_interval_s", "request_timeout_s",
                     "announce_after_s", "announce_every_s"):  # fmt: skip
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in ("batch_delay_s", "max_retries", "backoff_s", "max_backoff_s", "shutdown_timeout_s"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")
        self.endpoint_url()

    def endpoint_url(self) -> str:
        """Scheme, host and path of OTLP's root, without a slash at the end. Raises ValueError where it has no host."""
        given = self.endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
        url = given or f"http://127.0.0.1:{_DEFAULT_PORTS[self.protocol]}"
        if "://" not in url:
            url = f"http://{url}"
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"endpoint is {given!r}; it should look like http://host:{_DEFAULT_PORTS[self.protocol]}")
        return url.rstrip("/")

    def request_headers(self) -> dict[str, str]:
        """What every request carries."""
        headers = dict(parse_env_headers(os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", ""), liberal=True))
        headers |= {name.lower(): value for name, value in self.headers.items()}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        return headers

    def resource(self) -> dict[str, str]:
        """The attributes of OpenTelemetry's resource; what was not told is left out."""
        told = {
            "service.name": self.service_name or ("" if os.environ.get("OTEL_SERVICE_NAME") else self.agent),
            "service.version": self.version,
            "agi.version": self.version,
            "agi.environment": self.environment,
            "deployment.environment.name": self.environment,
            "gen_ai.agent.name": self.agent,
            "gen_ai.agent.version": self.version if self.agent else "",
            "agent.team": self.team,
        }
        return {name: value for name, value in told.items() if value} | dict(self.resource_attributes)
