"""Every metric that the program emits about itself, declared in one place.

Import the metric and use it: `INGESTED_SAMPLES.labels(protocol="otlp").inc(n)`. A call costs about a microsecond,
so it belongs at the rim of a request or a commit, never inside a loop over samples. `docs/metrics.md` lists what
stands here, and a test compares the two.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder

# A counter starts with the process, whose start time is told once: a `_created` series for each would double them.
disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)

# A commit is meant to take 50 to 200 ms and a query a few; both ends need room for the bad days.
_LATENCY_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_ROW_BUCKETS = (10, 100, 1_000, 5_000, 10_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)


def _counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
    return Counter(name, text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
    return Gauge(name, text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
    return Histogram(name, text, labels, buckets=buckets, registry=REGISTRY)


BUILD_INFO = _gauge("swarmscope_build_info", "Always 1; the labels say which build runs.", ("version", "python"))
READY_TIME_S = _gauge("swarmscope_ready_time_seconds", "Unix time at which the program became ready.")

INGESTED_SAMPLES = _counter(
    "swarmscope_ingested_samples_total", "Samples and native histograms made durable.", ("protocol",)
)
INGESTED_EXEMPLARS = _counter("swarmscope_ingested_exemplars_total", "Exemplars made durable.", ("protocol",))
REFUSED_SAMPLES = _counter("swarmscope_refused_samples_total", "Samples refused.", ("protocol",))
LIMITED_SAMPLES = _counter(
    "swarmscope_limited_samples_total", "Samples refused, by the limit that refused them.", ("limit",)
)
LIMITED_METADATA = _counter(
    "swarmscope_limited_metadata_total",
    "Type, unit and help of metric families dropped, by the limit that they were over.",
    ("limit",),
)
INGEST_BATCHES = _counter(
    "swarmscope_ingest_batches_total",
    "Batches that reached the write path, by what became of them (ok, partial, refused, failed).",
    ("protocol", "outcome"),
)
INGEST_DURATION_S = _histogram(
    "swarmscope_ingest_duration_seconds",
    "From a decoded batch to its acknowledgement.",
    ("protocol",),
    _LATENCY_BUCKETS_S,
)
INGEST_IN_FLIGHT = _gauge(
    "swarmscope_ingest_batches_in_flight", "Batches in the write path that are not yet answered.", ("protocol",)
)
SAMPLES_IN_FLIGHT = _gauge("swarmscope_samples_in_flight", "Samples in the write path that are not yet durable.")

INGESTED_LINES = _counter("swarmscope_ingested_lines_total", "Lines made durable.", ("protocol",))
RECEIVED_LINE_BYTES = _counter(
    "swarmscope_received_line_bytes_total", "Bytes of lines that reached the write path.", ("protocol",)
)
REFUSED_LINES = _counter("swarmscope_refused_lines_total", "Lines refused.", ("protocol",))
LIMITED_LINES = _counter("swarmscope_limited_lines_total", "Lines refused, by the limit that refused them.", ("limit",))
REPAIRED_TEXTS = _counter(
    "swarmscope_repaired_texts_total", "Texts in which what is not UTF-8 became U+FFFD.", ("protocol",)
)
TRUNCATED_LINES = _counter("swarmscope_truncated_lines_total", "Lines that were cut to `limits.logs.max_line_bytes`.")
LINES_IN_FLIGHT = _gauge("swarmscope_lines_in_flight", "Lines in the write path that are not yet durable.")
LINE_BYTES_IN_FLIGHT = _gauge(
    "swarmscope_line_bytes_in_flight", "Bytes of lines and metadata in the write path that are not yet durable."
)
REDACTIONS = _counter("swarmscope_redactions_total", "Finds of detectors, by what was done.", ("detector", "action"))
REDACTION_DROPPED_LINES = _counter("swarmscope_redaction_dropped_lines_total", "Lines that redaction threw away.")
JAEGER_DATAGRAMS = _counter(
    "swarmscope_jaeger_datagrams_total",
    "Datagrams of Jaeger's agent by what became of them (ok, partial, malformed, refused, failed, dropped).",
    ("outcome",),
)
INGESTED_SPANS = _counter("swarmscope_ingested_spans_total", "Spans made durable.", ("protocol",))
REFUSED_SPANS = _counter("swarmscope_refused_spans_total", "Spans refused.", ("protocol",))
LIMITED_SPANS = _counter("swarmscope_limited_spans_total", "Spans refused, by the limit that refused them.", ("limit",))
SPANS_IN_FLIGHT = _gauge("swarmscope_spans_in_flight", "Spans in the write path that are not yet durable.")
SPAN_BYTES_IN_FLIGHT = _gauge(
    "swarmscope_span_bytes_in_flight", "Bytes of spans in the write path that are not yet durable."
)
SAMPLED_SPANS = _counter(
    "swarmscope_sampled_spans_total", "Spans by what sampling decided: kept, dropped.", ("decision",)
)
SPANS_KEPT_FOR = _counter(
    "swarmscope_spans_kept_for_total", "Spans for which their trace is kept: error, slow, policy.", ("reason",)
)

DERIVED_SAMPLES = _counter("swarmscope_derived_samples_total", "Samples and native histograms made from spans.")
UNDERIVED_SPANS = _counter(
    "swarmscope_underived_spans_total",
    "Spans without metrics of their own: overflow (too many label combinations), tenants (too many tenants).",
    ("reason",),
)
DERIVATION_FAILURES = _counter(
    "swarmscope_derivation_failures_total", "Failures by stage: spans, metrics. Spans pass all the same.", ("stage",)
)

FLEET_QUEUED_SPANS = _gauge("swarmscope_fleet_queued_spans", "Spans that wait for the watch over the fleet.")
FLEET_UNWATCHED_SPANS = _counter(
    "swarmscope_fleet_unwatched_spans_total",
    "Spans that the watch over the fleet did not look at: overload (the queue was full), tenants (too many tenants), "
    "failed. They are stored all the same.",
    ("reason",),
)
FLEET_WAITING_SPANS = _gauge(
    "swarmscope_fleet_waiting_spans", "Spans whose ancestors are not all known, so that their agent is open."
)
FLEET_SETTLED_SPANS = _counter("swarmscope_fleet_settled_spans_total", "Spans whose agent was settled.")
FLEET_EXPIRED_SPANS = _counter(
    "swarmscope_fleet_expired_spans_total", "Spans settled without ancestors, which did not come in time."
)
FLEET_WRITTEN_SPANS = _counter("swarmscope_fleet_written_spans_total", "Spans of agents that were written down.")
FLEET_LOST_SPANS = _counter(
    "swarmscope_fleet_lost_spans_total", "Spans of agents that could not be written down for too long."
)
FLEET_RECOVERED_SPANS = _counter(
    "swarmscope_fleet_recovered_spans_total", "Spans that an earlier process had stored and not looked at."
)
FLEET_FAILURES = _counter(
    "swarmscope_fleet_failures_total",
    "Failures of the watch over the fleet by stage: settle, detect, write, series, lines, signals, recover.",
    ("stage",),
)
FLEET_AGENTS = _gauge("swarmscope_fleet_agents", "Agents in the registry.")

EVALUATIONS = _counter(
    "swarmscope_evaluations_total", "Results of evaluators that were read out of spans and lines.", ("signal",)
)
REFUSED_EVALUATIONS = _counter(
    "swarmscope_evaluations_refused_total",
    "Results of evaluators that count in no series: malformed, too_many (of one batch), overload (the queue was full), "
    "tenants (too many tenants), range (outside of what a declared name or objective allows).",
    ("reason",),
)
EVALUATION_FAILURES = _counter(
    "swarmscope_evaluations_failures_total",
    "Times that series of evaluations could not be made or written.",
    ("stage",),
)
INTELLIGENCE_MEASUREMENTS = _counter(
    "swarmscope_intelligence_measurements_total", "Groups of agents that were measured.", ("kind",)
)
INTELLIGENCE_CPU_S = _counter(
    "swarmscope_intelligence_cpu_seconds_total", "Processor time that measuring groups of agents took."
)
INTELLIGENCE_FAILURES = _counter(
    "swarmscope_intelligence_failures_total", "Measurements that failed or took too long.", ("stage",)
)
NORMALISED_SPANS = _counter(
    "swarmscope_normalised_spans_total",
    "Spans that say something of agents, by the convention they follow.",
    ("dialect",),
)
ANNOUNCED_SPANS = _counter("swarmscope_announced_spans_total", "Announcements of spans that have begun and not ended.")
NORMALISATION_FAILURES = _counter(
    "swarmscope_normalisation_failures_total",
    "Batches of which nothing is known of agents, by signal: spans, logs. They pass all the same.",
    ("signal",),
)

COMMIT_DURATION_S = _histogram(
    "swarmscope_commit_duration_seconds", "Time of one group commit to the journal.", (), _LATENCY_BUCKETS_S
)
COMMIT_FAILURES = _counter("swarmscope_commit_failures_total", "Group commits that failed; their senders were told.")
COMMIT_ROWS = _histogram("swarmscope_commit_rows", "Sample rows in one group commit.", (), _ROW_BUCKETS)

FLUSH_DURATION_S = _histogram(
    "swarmscope_flush_duration_seconds", "Time of bringing one journal segment into parts.", (), _LATENCY_BUCKETS_S
)
FLUSHED_ROWS = _counter("swarmscope_flushed_rows_total", "Rows brought into parts.")
FLUSH_FAILURES = _counter("swarmscope_flush_failures_total", "Tries to bring a segment into parts that failed.")

QUERY_DURATION_S = _histogram(
    "swarmscope_query_duration_seconds",
    "Time from a request's arrival to its answer, by endpoint.",
    ("endpoint",),
    _LATENCY_BUCKETS_S,
)
QUERIES = _counter("swarmscope_queries_total", "Answered requests of the read path.", ("endpoint", "status"))
QUERIES_IN_FLIGHT = _gauge("swarmscope_queries_in_flight", "Requests of the read path that are being worked on.")

ACTIVE_SERIES = _gauge("swarmscope_active_series", "Series that had samples lately; what the limits count.")
CATALOGUE_SERIES = _gauge("swarmscope_catalogue_series", "Series in the catalogue, active or not.")
CATALOGUE_BYTES = _gauge("swarmscope_catalogue_bytes", "Memory that the catalogue's columns take.")
UNFLUSHED_ROWS = _gauge("swarmscope_unflushed_rows", "Acknowledged rows in the journal that are in no part yet.")
GENERATIONS = _gauge("swarmscope_generations", "Journal segments in use: one is written to, the others are flushed.")
CACHED_ROWS = _gauge("swarmscope_cached_rows", "Flushed rows that are kept in memory for queries.")
DETACHED_PARTS = _gauge("swarmscope_detached_parts", "Damaged parts that are out of service.")
STORE_BYTES = _gauge("swarmscope_store_bytes", "Bytes on disk of active parts.", ("table",))
STORE_ROWS = _gauge("swarmscope_store_rows", "Rows in active parts.", ("table",))
STORE_PARTS = _gauge("swarmscope_store_parts", "Active parts.", ("table",))

JOURNAL_DAMAGED_SEGMENTS = _gauge(
    "swarmscope_journal_damaged_segments", "Journal segments kept in `journal/damaged/`, as of the start."
)
JOURNAL_DAMAGED_BYTES = _counter(
    "swarmscope_journal_damaged_bytes_total", "Bytes of the journal that could not be read at start."
)

SCRAPES = _counter("swarmscope_scrapes_total", "Scrapes, by what the target was found to be (up, down).", ("health",))
SCRAPE_DURATION_S = _histogram(
    "swarmscope_scrape_duration_seconds", "Time of one scrape, storing included.", (), _LATENCY_BUCKETS_S
)
SCRAPE_TARGETS = _gauge("swarmscope_scrape_targets", "Targets that are scraped, by their health.", ("health",))

OTLP_RUNNING_TOTALS = _gauge(
    "swarmscope_otlp_running_totals", "Delta series and histograms whose running total is kept."
)

INCIDENTS = _gauge(
    "swarmscope_incidents", "Incidents that are kept, by state: open, acknowledged, resolved.", ("state",)
)
INCIDENT_EVENTS = _counter(
    "swarmscope_incident_events_total",
    "What happened to incidents: opened, reopened, merged, split, acknowledged, resolved, comment, runbook.",
    ("event",),
)
INCIDENT_FAILURES = _counter(
    "swarmscope_incident_failures_total",
    "Failures of grouping alerts by stage: take, rank, tick, topology. Alerts are told all the same.",
    ("stage",),
)
INCIDENT_WRITE_FAILURES = _counter(
    "swarmscope_incident_write_failures_total", "Tries to write incidents that failed; they are written later."
)
RUNBOOK_RUNS = _counter(
    "swarmscope_runbook_runs_total",
    "Runs of runbooks' actions by kind (http, command, signal, silence) and outcome (done, dry_run, failed, refused, "
    "skipped, limited, waiting).",
    ("kind", "outcome"),
)
RUNBOOK_FAILURES = _counter(
    "swarmscope_runbook_failures_total",
    "Failures of runbooks by stage: load (a file was not understood), queue (too much waited), take, write, line.",
    ("stage",),
)

_before_exposition: list[Callable[[], None]] = []
_exposition_lock = threading.Lock()


@contextmanager
def refreshed_by(refresh: Callable[[], None]) -> Iterator[None]:
    """While the context lives, `refresh` is called before each exposition, to set gauges that have no event."""
    _before_exposition.append(refresh)
    try:
        yield
    finally:
        _before_exposition.remove(refresh)


def to_exposition(accept: str = "") -> tuple[bytes, str]:
    """The body and content type of `/metrics` for an `Accept` header: text 0.0.4 or OpenMetrics."""
    with _exposition_lock:
        for refresh in tuple(_before_exposition):
            refresh()
        encode, content_type = choose_encoder(accept)
        return encode(REGISTRY), content_type


# Named as Prometheus has them, so that its dashboards and rules work here.
RULE_EVALUATIONS = _counter("prometheus_rule_evaluations_total", "Evaluations of rules.", ("rule_group",))
RULE_EVALUATION_FAILURES = _counter(
    "prometheus_rule_evaluation_failures_total", "Evaluations of rules that failed.", ("rule_group",)
)
RULE_GROUP_DURATION_S = _gauge(
    "prometheus_rule_group_last_duration_seconds", "How long the last evaluation of a group took.", ("rule_group",)
)
RULE_GROUP_TIME_S = _gauge(
    "prometheus_rule_group_last_evaluation_timestamp_seconds",
    "Unix time of the last evaluation of a group.",
    ("rule_group",),
)
RULE_GROUP_MISSED = _counter(
    "prometheus_rule_group_iterations_missed_total",
    "Evaluations of a group that were left out because it was late.",
    ("rule_group",),
)
RULE_EVENTS = _counter(
    "swarmscope_rule_events_total", "Evaluations of rules that a commit has asked for, beside their intervals."
)

# Named as Alertmanager has them.
NOTIFICATIONS = _counter("alertmanager_notifications_total", "Attempts to tell a receiver.", ("integration",))
NOTIFICATIONS_FAILED = _counter(
    "alertmanager_notifications_failed_total",
    "Notifications that were given up, by why; their group tries again.",
    ("integration", "reason"),
)
ALERTS_LIMITED = _counter("alertmanager_alerts_limited_total", "New alerts that were not taken, as too many are known.")
NOTIFICATION_LATENCY_S = _histogram(
    "alertmanager_notification_latency_seconds", "How long an attempt took.", ("integration",), _LATENCY_BUCKETS_S
)
