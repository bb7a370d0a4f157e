"""The whole of the settings, and what must hold between sections."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from swarmscope.app.settings import sections
from swarmscope.app.settings.agents import AgentsSection
from swarmscope.app.settings.alerting import AlertSettings
from swarmscope.app.settings.derivation import DerivationSection
from swarmscope.app.settings.evaluations import EvaluationsSection
from swarmscope.app.settings.fields import FilePath, Port, is_loopback
from swarmscope.app.settings.intelligence import IntelligenceSettings
from swarmscope.app.settings.limits import LimitSettings, QuerySettings
from swarmscope.app.settings.redaction import RedactionSettings
from swarmscope.app.settings.traces import TraceSettings

ENV_PREFIX = "SWARMSCOPE_"
ENV_NESTING = "__"


class Settings(BaseSettings):
    """Everything that can be set. Immutable; made by `load_settings`."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_NESTING, validate_default=True
    )

    data: FilePath = Field(default=Path("~/.local/share/swarmscope"), description="The folder that holds the data.")
    host: str = Field(
        default="127.0.0.1", min_length=1, description="Address to listen on; another than loopback needs a token."
    )
    port: Port = Field(default=4600, description="Main port: every protocol under its prefix; 0 takes a free one.")
    otlp_grpc_port: Port = Field(default=4317, description="OTLP over gRPC; 0 takes a free one.")
    otlp_http_port: Port = Field(default=4318, description="OTLP over HTTP; 0 takes a free one.")
    compat_ports: bool = Field(
        default=False, description="Also listen on the default ports of the programs we stand in for."
    )
    prometheus_port: Port = Field(default=9090, description="Prometheus' port, opened by `compat_ports`.")
    alertmanager_port: Port = Field(default=9093, description="Alertmanager's port, opened by `compat_ports`.")
    loki_port: Port = Field(default=3100, description="Loki's port, opened by `compat_ports`.")
    tempo_port: Port = Field(default=3200, description="Tempo's port, opened by `compat_ports`.")
    jaeger_port: Port = Field(default=16686, description="The port of Jaeger's API, opened by `compat_ports`.")
    jaeger_collector_port: Port = Field(
        default=14268, description="The port of Jaeger's collector for Thrift over HTTP, opened by `compat_ports`."
    )
    jaeger_compact_port: Port = Field(
        default=6831, description="The UDP port of Jaeger's agent for compact Thrift, opened by `compat_ports`."
    )
    jaeger_binary_port: Port = Field(default=6832, description="The same for binary Thrift.")
    zipkin_port: Port = Field(default=9411, description="Zipkin's port, opened by `compat_ports`.")
    demo: bool = Field(default=False, description="Send telemetry of a pretended fleet to the own OTLP port.")
    log: sections.LogSettings = sections.LogSettings()
    storage: sections.StorageSettings = sections.StorageSettings()
    retention: sections.RetentionSettings = sections.RetentionSettings()
    limits: LimitSettings = LimitSettings()
    redaction: RedactionSettings = RedactionSettings()
    query: QuerySettings = QuerySettings()
    otlp: sections.OtlpSettings = sections.OtlpSettings()
    scrape: sections.ScrapeSettings = sections.ScrapeSettings()
    remote_write: sections.RemoteWriteSettings = sections.RemoteWriteSettings()
    loki: sections.LokiSettings = sections.LokiSettings()
    api: sections.ApiSettings = sections.ApiSettings()
    auth: sections.AuthSettings = sections.AuthSettings()
    agent: sections.AgentSettings = sections.AgentSettings()
    peers: sections.PeerSettings = sections.PeerSettings()
    traces: TraceSettings = TraceSettings()
    derivation: DerivationSection = DerivationSection()
    agents: AgentsSection = AgentsSection()
    evaluations: EvaluationsSection = EvaluationsSection()
    intelligence: IntelligenceSettings = IntelligenceSettings()
    anomalies: sections.AnomalySettings = sections.AnomalySettings()
    alerts: AlertSettings = AlertSettings()

    @classmethod
    def settings_customise_sources(cls, settings_cls: type[BaseSettings], *_: Any, **sources: Any) -> Any:
        """Only what is handed in counts: `load_settings` merges the sources, to tell which one a bad value is from."""
        return (sources["init_settings"],)

    @model_validator(mode="after")
    def _refuse_open_door(self) -> Self:
        if not is_loopback(self.host) and not self.auth.tokens:
            words = "others can reach this address: set auth.tokens first, or listen on 127.0.0.1"
            raise PydanticCustomError("open_door", words, {"key": "host"})
        return self
