"""The settings' sections. `docs/settings.md` lists every key; a test compares the two."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ByteSize, Field, SecretStr, StringConstraints

from swarmscope.app.durations import parse_duration
from swarmscope.app.settings.fields import (
    Count,
    CountOrOff,
    FilePath,
    Pattern,
    PositiveLength,
    Retention,
    Section,
    Size,
    Url,
)
from swarmscope.instrument.logs import LogFormat, LogLevel
from swarmscope.receivers.otlp.settings import LOG_STREAM_ATTRIBUTES, TranslationStrategy
from swarmscope.receivers.wire.log_streams import DISCOVER_SERVICE_NAME

_MIB = 1024 * 1024
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")]


class LogSettings(Section):
    """The program's own log lines."""

    level: LogLevel = Field(default=LogLevel.INFO, description="Lines below this severity are not written.")
    format: LogFormat = Field(default=LogFormat.CONSOLE, description="How a line is written.")


class StorageSettings(Section):
    """The embedded store."""

    fsync: bool = Field(default=False, description="Acknowledge only what survives a power cut, not just a `kill -9`.")
    max_memory: Size = Field(default=ByteSize(1024 * _MIB), description="Memory that ClickHouse may take.")
    cached_samples: Count = Field(default=4_000_000, description="Newest samples that are kept in memory for queries.")
    flush_after: PositiveLength = Field(
        default=parse_duration("10s"), description="How long samples stay in the journal before they become a part."
    )
    flush_samples: Count = Field(default=500_000, description="A part is written at once when so many samples wait.")
    max_unflushed_samples: Count = Field(
        default=4_000_000, description="Samples in the journal; above it senders are told to come back later."
    )
    flush_lines: Count = Field(default=400_000, description="The same for log lines: so many waiting make a part.")
    flush_log_bytes: Size = Field(default=ByteSize(128 * _MIB), description="So many bytes of log lines make a part.")
    max_unflushed_log_bytes: Size = Field(
        default=ByteSize(384 * _MIB), description="Log lines in the journal; above it senders are told to come back."
    )
    flush_spans: Count = Field(default=400_000, description="The same for spans: so many waiting make a part.")
    flush_span_bytes: Size = Field(default=ByteSize(192 * _MIB), description="So many bytes of spans make a part.")
    max_unflushed_span_bytes: Size = Field(
        default=ByteSize(512 * _MIB), description="Spans in the journal; above it senders are told to come back."
    )
    max_future: PositiveLength = Field(
        default=parse_duration("1d"),
        description="What lies further ahead of the clock is refused.",
    )
    readers: Count = Field(default=4, description="Statements of queries that may run in ClickHouse at once.")


class RetentionSettings(Section):
    """How long data is kept; `infinite` (or 0) keeps it for ever."""

    metrics: Retention = Field(default=parse_duration("90d"), description="Metrics.")
    logs: Retention = Field(default=parse_duration("30d"), description="Logs.")
    traces: Retention = Field(default=parse_duration("7d"), description="Traces.")


class OtlpSettings(Section):
    """OTLP; the keys for metrics mean what they mean in Prometheus' `otlp` section."""

    translation_strategy: TranslationStrategy = Field(
        default=TranslationStrategy.NO_TRANSLATION, description="How names of metrics and attributes are translated."
    )
    promote_resource_attributes: list[str] = Field(
        default_factory=list, description="Resource attributes that become labels of every series."
    )
    promote_all_resource_attributes: bool = Field(default=False, description="Promote every resource attribute.")
    ignore_resource_attributes: list[str] = Field(
        default_factory=list, description="Exceptions when all resource attributes are promoted."
    )
    promote_scope_metadata: bool = Field(default=False, description="Scope name, version and attributes become labels.")
    keep_identifying_resource_attributes: bool = Field(
        default=False, description="Keep service.name, service.namespace and service.instance.id in `target_info` too."
    )
    convert_histograms_to_nhcb: bool = Field(
        default=False, description="Store explicit-bucket histograms as native histograms with custom buckets."
    )
    target_info: bool = Field(default=True, description="Write a `target_info` series for each resource.")
    zero_sample_at_start: bool = Field(
        default=False, description="Store a zero sample at the start time of a cumulative series."
    )
    max_delta_series: Count = Field(default=1_000_000, description="Delta series whose running total is kept at once.")
    max_delta_histograms: Count = Field(default=100_000, description="The same for native histograms.")
    delta_max_stale: PositiveLength = Field(
        default=parse_duration("5m"), description="A running total that nothing was added to for so long is forgotten."
    )
    log_stream_attributes: list[str] = Field(
        default_factory=lambda: list(LOG_STREAM_ATTRIBUTES),
        description="Resource attributes that become stream labels of logs; the others are structured metadata.",
    )
    max_json_bytes: Size = Field(
        default=ByteSize(16 * _MIB), description="JSON body; it takes some 20 times its size while it is read."
    )
    max_concurrent_requests: Count = Field(
        default=64, description="Requests worked on at once, for HTTP and for gRPC each; more are told to come back."
    )


class ScrapeSettings(Section):
    """What is scraped, in Prometheus' own syntax."""

    config_file: FilePath | None = Field(
        default=None, description="A Prometheus configuration; its scrape part is used."
    )
    global_: dict[str, Any] = Field(
        default_factory=dict, alias="global", description="Prometheus' `global` section for the inline jobs."
    )
    scrape_configs: list[dict[str, Any]] = Field(default_factory=list, description="Prometheus' `scrape_configs`.")


class RemoteWriteSettings(Section):
    """Prometheus remote write."""

    created_timestamp_zero_ingestion: bool = Field(
        default=False, description="Store a zero sample at a counter's created timestamp."
    )


class LokiSettings(Section):
    """Loki's push protocol, and what logs over OTLP share with it."""

    discover_service_name: list[str] = Field(
        default_factory=lambda: list(DISCOVER_SERVICE_NAME),
        description="Stream labels that `service_name` is taken from where it is missing; an empty list sets none.",
    )


class ApiSettings(Section):
    """What the HTTP API allows."""

    enable_admin_api: bool = Field(
        default=False, description="Open the endpoints that delete series and take snapshots."
    )
    lookback_delta: PositiveLength = Field(
        default=parse_duration("5m"), description="How far back an instant vector looks for a sample."
    )
    cors_origin: Pattern = Field(
        default=".*", description="Origins whose pages may call the API from a browser: a regular expression."
    )
    worker_threads: Count = Field(default=16, description="Threads that decode, write and evaluate.")
    warm_up: bool = Field(
        default=True,
        description="Load all that is compiled right after a start; otherwise each part with the first request that "
        "needs it, which saves some processor seconds a start.",
    )


class AuthSettings(Section):
    """Who may talk to the program. Without a token only the loopback address is served."""

    tokens: list[Annotated[SecretStr, Field(min_length=1)]] = Field(
        default_factory=list, description="Accepted as `Authorization: Bearer`, or as the password of Basic."
    )


class RetrySettings(Section):
    """How work on others' behalf is tried again."""

    max_retries: CountOrOff = Field(default=3, description="Further tries after the first.")
    backoff: Literal["exponential", "linear", "constant"] = Field(default="exponential", description="How pauses grow.")


class AgentSettings(Section):
    """What an orchestrator tells the program about its role (`agent_config`)."""

    type: Identifier | None = Field(default=None, description="The role this program has in its fleet (`AGENT_TYPE`).")
    capabilities: list[Identifier] = Field(default_factory=list, description="What the orchestrator expects.")
    priority: Literal["low", "medium", "normal", "high", "critical"] = Field(
        default="normal", description="Its importance."
    )
    task_timeout: PositiveLength = Field(
        default=parse_duration("1h"), description="Longest run of one background task."
    )
    retry: RetrySettings = Field(default=RetrySettings(), description="Retries of background tasks.")


class PeerSettings(Section):
    """Where the neighbours are, for links and remote sources."""

    api_endpoint: Url | None = Field(default=None, description="The orchestrator's API (`API_ENDPOINT`).")
    prometheus_url: Url | None = Field(default=None, description="A Prometheus (`PROMETHEUS_URL`).")
    grafana_url: Url | None = Field(default=None, description="A Grafana (`GRAFANA_URL`).")
    jaeger_url: Url | None = Field(default=None, description="A Jaeger (`JAEGER_URL`).")
    loki_url: Url | None = Field(default=None, description="A Loki (`LOKI_URL`).")


class AnomalySettings(Section):
    """Anomaly detection."""

    sensitivity: Literal["low", "medium", "high"] = Field(
        default="medium", description="How early something is reported."
    )
