"""Prometheus' scrape configuration as strict models: an unknown key or a bad value is an error, never ignored.

Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from swarmscope.model.errors import SwarmscopeError
from swarmscope.receivers.scrape.http_config import HttpClientOptions, Strict, check_url
from swarmscope.receivers.scrape.names import EscapingScheme, ValidationScheme
from swarmscope.receivers.scrape.relabel import (
    DEFAULT_REGEX,
    RelabelAction,
    RelabelRule,
    compile_anchored,
    has_reference,
)
from swarmscope.receivers.scrape.scalars import (
    EMPTY_IS_LIST,
    EMPTY_IS_MAP,
    Boolean,
    Count,
    DurationMs,
    Number,
    SizeBytes,
    Text,
)

ScrapeProtocol = Literal[
    "PrometheusProto", "PrometheusText0.0.4", "PrometheusText1.0.0", "OpenMetricsText0.0.1", "OpenMetricsText1.0.0"
]
TEXT_PROTOCOLS: list[ScrapeProtocol] = [
    "OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText1.0.0", "PrometheusText0.0.4",
]  # fmt: skip
# Discoveries that Prometheus has and this program does not; refused by name so that nobody waits for targets.
FOREIGN_DISCOVERIES = frozenset(
    f"{name}_sd_configs"
    for name in (
        "aws", "azure", "consul", "digitalocean", "docker", "dockerswarm", "ec2", "eureka", "gce", "hetzner", "ionos",
        "kubernetes", "kuma", "lightsail", "linode", "marathon", "msk", "nerve", "nomad", "openstack", "ovhcloud",
        "puppetdb", "scaleway", "serverset", "stackit", "triton", "uyuni", "vultr",
    )
)  # fmt: skip


class ScrapeConfigError(SwarmscopeError):
    """The scrape configuration is wrong; the message has one line per fault: path, value, what is allowed."""


def _check_label_names(labels: dict[str, str]) -> dict[str, str]:
    if "" in labels:
        raise ValueError("has an empty label name; allowed: names of one or more characters")
    return labels


LabelMapping = Annotated[dict[Text, Text], EMPTY_IS_MAP, AfterValidator(_check_label_names)]


class RelabelConfig(Strict):
    """One entry of `relabel_configs` or `metric_relabel_configs`."""

    source_labels: Annotated[list[Text], EMPTY_IS_LIST] = Field(default_factory=list)
    separator: Text = ";"
    target_label: Text = ""
    regex: Text = DEFAULT_REGEX
    modulus: Count = 0
    replacement: Text = "$1"
    action: RelabelAction = "replace"

    @model_validator(mode="before")
    @classmethod
    def _lower_action(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("action"), str):
            return {**value, "action": value["action"].lower()}
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            compile_anchored(self.regex)
        except ValueError as error:
            raise ValueError(f"regex {self.regex!r} is not RE2: {error}") from None
        if self.action == "hashmod" and not self.modulus:
            raise ValueError("hashmod needs a modulus of 1 or more")
        needs_target = ("replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal")
        if self.action in needs_target and not self.target_label:
            raise ValueError(f"action {self.action} needs a target_label")
        if self.action != "replace" and self.action in needs_target and has_reference(self.target_label):
            raise ValueError(f"target_label {self.target_label!r} may not name groups with action {self.action}")
        self._check_unused()
        return self

    def _check_unused(self) -> None:
        allowed = {
            "labeldrop": {"action", "regex"},
            "labelkeep": {"action", "regex"},
            "keepequal": {"action", "source_labels", "target_label"},
            "dropequal": {"action", "source_labels", "target_label"},
        }.get(self.action)
        if allowed is None:
            return
        defaults = {name: field.default for name, field in type(self).model_fields.items()}
        used = {name for name in self.model_fields_set if getattr(self, name) != defaults[name]}
        if extra := sorted(used - allowed):
            raise ValueError(f"action {self.action} allows only {', '.join(sorted(allowed))}, not {', '.join(extra)}")

    def to_rule(self, scheme: ValidationScheme) -> RelabelRule:
        """The rule ready to run."""
        return RelabelRule(
            self.action, compile_anchored(self.regex), tuple(self.source_labels), self.separator,
            self.target_label, self.replacement, self.modulus, scheme,
        )  # fmt: skip


class TargetGroup(Strict):
    """Targets that share labels: an entry of `static_configs`, of a discovery file, or of an HTTP answer."""

    targets: Annotated[list[Text], EMPTY_IS_LIST]
    labels: LabelMapping = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_targets(self) -> Self:
        for target in self.targets:
            if not target or "/" in target:
                raise ValueError(f"target {target!r} is not an address; allowed: host or host:port, no path")
        return self


class FileDiscoveryConfig(Strict):
    """`file_sd_configs`: globs of JSON or YAML files."""

    files: Annotated[list[Text], Field(min_length=1)]
    refresh_interval: DurationMs = 300_000

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        for pattern in self.files:
            name = pattern.rsplit("/", 1)[-1]
            if not name.endswith((".json", ".yml", ".yaml")) or name.count("*") > 1 or "*" in pattern[: -len(name)]:
                raise ValueError(
                    f"file {pattern!r} is not allowed: .json, .yml or .yaml, with one * in the last part at most"
                )
        return self


class HttpDiscoveryConfig(HttpClientOptions):
    """`http_sd_configs`: target groups from an HTTP endpoint."""

    url: Annotated[Text, AfterValidator(check_url)]
    refresh_interval: DurationMs = 60_000


class DnsDiscoveryConfig(Strict):
    """`dns_sd_configs`: targets from A, AAAA, SRV, MX or NS records."""

    names: Annotated[list[Text], Field(min_length=1)]
    type: Literal["A", "AAAA", "SRV", "MX", "NS"] = "SRV"
    port: Count = 0
    refresh_interval: DurationMs = 30_000

    @model_validator(mode="before")
    @classmethod
    def _upper_type(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("type"), str):
            return {**value, "type": value["type"].upper()}
        return value

    @model_validator(mode="after")
    def _check_port(self) -> Self:
        if self.type != "SRV" and not self.port:
            raise ValueError(f"port is required with type {self.type}; allowed: 1 to 65535")
        if self.port > 65_535:
            raise ValueError(f"port {self.port} is out of range; allowed: 1 to 65535")
        return self


class SharedSettings(Strict):
    """What `global` sets for every job and a job may set for itself. None: not set here."""

    scrape_interval: DurationMs | None = None
    scrape_timeout: DurationMs | None = None
    scrape_protocols: list[ScrapeProtocol] | None = None
    body_size_limit: SizeBytes | None = None
    sample_limit: Count | None = None
    label_limit: Count | None = None
    label_name_length_limit: Count | None = None
    label_value_length_limit: Count | None = None
    target_limit: Count | None = None
    keep_dropped_targets: Count | None = None
    scrape_native_histograms: Boolean | None = None
    always_scrape_classic_histograms: Boolean | None = None
    convert_classic_histograms_to_nhcb: Boolean | None = None
    metric_name_validation_scheme: ValidationScheme | None = None
    metric_name_escaping_scheme: EscapingScheme | None = None
    extra_scrape_metrics: Boolean | None = None
    scrape_failure_log_file: Text | None = None

    @model_validator(mode="after")
    def _check_shared(self) -> Self:
        protocols = self.scrape_protocols
        if protocols is not None and (not protocols or len(set(protocols)) != len(protocols)):
            raise ValueError("scrape_protocols must name at least one protocol, each once")
        if self.scrape_interval == 0:
            raise ValueError("scrape_interval 0 is not allowed; allowed: a duration above 0")
        return self


class GlobalConfig(SharedSettings):
    """`global`. The evaluation settings are Prometheus' and have no meaning for scraping."""

    evaluation_interval: DurationMs = 60_000
    rule_query_offset: DurationMs = 0
    external_labels: LabelMapping = Field(default_factory=dict)
    query_log_file: Text = ""


class ScrapeConfig(SharedSettings, HttpClientOptions):
    """One job of `scrape_configs`, as written; `ScrapeJob` has the globals filled in."""

    job_name: Annotated[Text, Field(min_length=1)]
    honor_labels: Boolean = False
    honor_timestamps: Boolean = True
    track_timestamps_staleness: Boolean = False
    metrics_path: Text = "/metrics"
    scheme: Literal["http", "https"] = "http"
    params: Annotated[dict[Text, Annotated[list[Text], EMPTY_IS_LIST]], EMPTY_IS_MAP] = Field(default_factory=dict)
    enable_compression: Boolean = True
    fallback_scrape_protocol: ScrapeProtocol | None = None
    scrape_classic_histograms: Boolean | None = None
    native_histogram_bucket_limit: Count = 0
    native_histogram_min_bucket_factor: Number = 0.0
    static_configs: Annotated[list[TargetGroup], EMPTY_IS_LIST] = Field(default_factory=list)
    file_sd_configs: Annotated[list[FileDiscoveryConfig], EMPTY_IS_LIST] = Field(default_factory=list)
    http_sd_configs: Annotated[list[HttpDiscoveryConfig], EMPTY_IS_LIST] = Field(default_factory=list)
    dns_sd_configs: Annotated[list[DnsDiscoveryConfig], EMPTY_IS_LIST] = Field(default_factory=list)
    relabel_configs: Annotated[list[RelabelConfig], EMPTY_IS_LIST] = Field(default_factory=list)
    metric_relabel_configs: Annotated[list[RelabelConfig], EMPTY_IS_LIST] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _refuse_foreign_discovery(cls, value: Any) -> Any:
        for name in sorted(FOREIGN_DISCOVERIES.intersection(value if isinstance(value, dict) else ())):
            allowed = "static_configs, file_sd_configs, http_sd_configs, dns_sd_configs"
            raise ValueError(f"{name} is not supported; allowed: {allowed}")
        return value


class IncludedFile(Strict):
    """A file that `scrape_config_files` names: jobs and nothing else."""

    scrape_configs: Annotated[list[ScrapeConfig], EMPTY_IS_LIST] = Field(default_factory=list)


class ScrapeFile(IncludedFile):
    """A configuration file: the part of `prometheus.yml` that says what to scrape."""

    global_: Annotated[GlobalConfig, Field(alias="global"), EMPTY_IS_MAP] = GlobalConfig()
    scrape_config_files: Annotated[list[Text], EMPTY_IS_LIST] = Field(default_factory=list)


class ScrapeJob(Strict):
    """One job with every setting decided."""

    config: ScrapeConfig
    interval_ms: int
    timeout_ms: int
    protocols: list[ScrapeProtocol]
    body_size_limit: int = 0
    sample_limit: int = 0
    label_limit: int = 0
    label_name_length_limit: int = 0
    label_value_length_limit: int = 0
    target_limit: int = 0
    keep_dropped_targets: int = 0
    # Native histograms are stored when they come; only an explicit `scrape_native_histograms: false` turns them off.
    native_histograms: bool = True
    classic_histograms: bool = False
    convert_classic: bool = False
    validation_scheme: ValidationScheme = "utf8"
    escaping_scheme: EscapingScheme = "allow-utf-8"
    extra_metrics: bool = False
    failure_log_file: str = ""

    @property
    def name(self) -> str:
        """The job's name, which is also its pool's."""
        return self.config.job_name

    def target_rules(self) -> tuple[RelabelRule, ...]:
        """`relabel_configs`, compiled."""
        return tuple(rule.to_rule(self.validation_scheme) for rule in self.config.relabel_configs)

    def metric_rules(self) -> tuple[RelabelRule, ...]:
        """`metric_relabel_configs`, compiled."""
        return tuple(rule.to_rule(self.validation_scheme) for rule in self.config.metric_relabel_configs)


class ScrapeSettings(Strict):
    """All that scraping is told: the jobs, ready to run, and the labels for outside systems."""

    jobs: list[ScrapeJob] = Field(default_factory=list)
    external_labels: dict[str, str] = Field(default_factory=dict)
