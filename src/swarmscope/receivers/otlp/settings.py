"""What can be set about OTLP; of metrics the names follow Prometheus' `otlp` section where it has them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from swarmscope.receivers.wire.log_streams import DISCOVER_SERVICE_NAME

# Source: https://grafana.com/docs/loki/latest/configure/#distributor (default_resource_attributes_as_index_labels).
LOG_STREAM_ATTRIBUTES = (
    "service.name", "service.namespace", "service.instance.id", "deployment.environment",
    "deployment.environment.name", "cloud.region", "cloud.availability_zone", "k8s.cluster.name",
    "k8s.namespace.name", "k8s.pod.name", "k8s.container.name", "container.name", "k8s.replicaset.name",
    "k8s.deployment.name", "k8s.statefulset.name", "k8s.daemonset.name", "k8s.cronjob.name", "k8s.job.name",
)  # fmt: skip


class TranslationStrategy(StrEnum):
    """How OTLP names become metric and label names.

    Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/ (otlp.translation_strategy).
    """

    UNDERSCORES_WITH_SUFFIXES = "UnderscoreEscapingWithSuffixes"
    UNDERSCORES_WITHOUT_SUFFIXES = "UnderscoreEscapingWithoutSuffixes"
    UTF8_WITH_SUFFIXES = "NoUTF8EscapingWithSuffixes"
    NO_TRANSLATION = "NoTranslation"

    @property
    def adds_suffixes(self) -> bool:
        """Whether unit words, `_total` and `_ratio` are appended."""
        return self in (self.UNDERSCORES_WITH_SUFFIXES, self.UTF8_WITH_SUFFIXES)

    @property
    def escapes(self) -> bool:
        """Whether characters outside Prometheus' classic alphabet become underscores."""
        return self in (self.UNDERSCORES_WITH_SUFFIXES, self.UNDERSCORES_WITHOUT_SUFFIXES)


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """Settings of the OTLP receiver; `app` fills them in."""

    # How names are translated. Dotted names stay as they are unless asked otherwise.
    translation_strategy: TranslationStrategy = TranslationStrategy.NO_TRANSLATION
    # Resource attributes that become labels of every series of the resource.
    promote_resource_attributes: tuple[str, ...] = ()
    # All resource attributes become labels, but for those in `ignore_resource_attributes`.
    promote_all_resource_attributes: bool = False
    ignore_resource_attributes: tuple[str, ...] = ()
    # `target_info` also has service.name, service.namespace and service.instance.id, beside `job` and `instance`.
    keep_identifying_resource_attributes: bool = False
    # Scope name, version, schema URL and attributes become labels (`otel_scope_…`).
    promote_scope_metadata: bool = False
    # Histograms with explicit bounds become native histograms with custom buckets instead of `_bucket` series.
    convert_histograms_to_nhcb: bool = False
    # Write a `target_info` series for each resource.
    target_info: bool = True
    # Write a sample of zero at a cumulative series' start time, whenever the start time is new.
    zero_sample_at_start: bool = False
    # Delta conversion: how many series (and native histograms) may have a running total at once.
    max_delta_series: int = 1_000_000
    max_delta_histograms: int = 100_000
    # Delta conversion: a running total that was not added to for so long is forgotten.
    delta_max_stale_s: int = 300
    # Logs: resource attributes that become stream labels; the others are structured metadata of every line.
    log_stream_attributes: tuple[str, ...] = LOG_STREAM_ATTRIBUTES
    # Logs: stream labels that `service_name` is taken from where service.name is missing; () sets none.
    discover_service_name: tuple[str, ...] = DISCOVER_SERVICE_NAME
    # Largest request before and after decompression. JSON takes some 20 times its size while it is read.
    max_body_bytes: int = 16 << 20
    max_body_bytes_decompressed: int = 64 << 20
    max_json_bytes: int = 16 << 20
    # Requests that are worked on at once, for HTTP and for gRPC each; more are answered 429 or RESOURCE_EXHAUSTED.
    max_concurrent_requests: int = 64
    # How long a sender is asked to wait when there are too many requests.
    retry_after_s: float = 1.0
