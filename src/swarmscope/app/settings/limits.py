"""What one sender, one tenant and one query may use."""

from __future__ import annotations

from pydantic import ByteSize, Field

from swarmscope.app.durations import Duration, parse_duration
from swarmscope.app.settings.fields import Count, CountOrOff, PositiveLength, Section, Size
from swarmscope.app.settings.log_limits import LogLimitSettings, SizeOrOff, StreamLimits, TenantLogLimits
from swarmscope.app.settings.span_limits import SpanLimitSettings, SpanShapeLimits, TenantSpanLimits
from swarmscope.query.logql.settings import LogqlSettings
from swarmscope.query.settings import EngineSettings, RollupUse
from swarmscope.query.traceql.settings import TraceqlSettings

_MIB = 1024 * 1024
_TRACEQL = TraceqlSettings()


class QuerySettings(Section):
    """How queries are evaluated, and how large their answers may be."""

    rollups: RollupUse = Field(
        default=EngineSettings.rollups,
        description="When down-sampled buckets answer a query: where they save work, wherever they can, or never.",
    )
    subquery_step: PositiveLength = Field(
        default=Duration(EngineSettings.subquery_step_ms), description="Step of a subquery that names none."
    )
    max_points: Count = Field(
        default=EngineSettings.max_points, description="Steps of a range query; more are refused."
    )
    max_label_cells: Count = Field(
        default=268_435_456, description="Series that one selector may choose, times their different label names."
    )
    max_label_characters: Count = Field(
        default=EngineSettings.max_label_characters, description="Text of labels that one query may make itself."
    )
    max_entries: Count = Field(default=LogqlSettings.max_entries, description="Log lines of one answer.")
    max_log_series: Count = Field(
        default=LogqlSettings.max_series, description="Series that one metric query over logs may give."
    )
    max_lines: CountOrOff = Field(default=0, description="Log lines that one query may read; 0: no limit.")
    max_line_bytes: CountOrOff = Field(
        default=0, description="Bytes of log lines that one query may read; 0: no limit."
    )
    max_tails: Count = Field(default=100, description="Clients that may follow log lines at once.")
    max_traces: Count = Field(default=10_000, description="Traces that one search may be asked for.")
    max_trace_spans: Count = Field(
        default=250_000, description="Spans of the traces in one answer; more are refused: each takes some kilobytes."
    )
    max_trace_bytes: SizeOrOff = Field(
        default=ByteSize(64 * _MIB),
        description="A trace in an answer of Tempo's API; of larger ones the earliest spans are given. 0: no limit.",
    )
    max_trace_series: Count = Field(
        default=_TRACEQL.max_series, description="Series that one metric query over traces may give."
    )
    max_tag_values: Count = Field(
        default=_TRACEQL.max_tag_values, description="Values of one attribute that an editor of trace queries is told."
    )
    max_response_bytes: Size = Field(
        default=ByteSize(1024 * _MIB), description="A query's answer before it is compressed."
    )


class SeriesLimits(Section):
    """Limits on what series look like and how many there are; 0 means no limit."""

    max_active_series: CountOrOff = Field(
        default=2_000_000, description="Series that one tenant may have; 0: no limit."
    )
    max_series_per_metric: CountOrOff = Field(default=500_000, description="Series of one metric name; 0: no limit.")
    max_label_names: CountOrOff = Field(default=64, description="Labels of one series, its name included; 0: no limit.")
    max_label_name_bytes: CountOrOff = Field(default=1024, description="Length of a label name; 0: no limit.")
    max_label_value_bytes: CountOrOff = Field(default=4096, description="Length of a label value; 0: no limit.")
    max_metadata_families: CountOrOff = Field(
        default=100_000,
        description="Metric families whose type, unit and help one tenant may tell, each other text of them counted "
        "too; what is more is dropped, its samples are kept. 0: no limit.",
    )
    max_metadata_bytes: CountOrOff = Field(
        default=4096,
        description="A family's name, type, unit and help together; the help of longer ones is dropped, their samples "
        "are kept. 0: no limit.",
    )


class TenantLimits(Section):
    """One tenant's own limits; what is not given is as for everybody."""

    max_active_series: CountOrOff | None = Field(default=None, description="See `limits.max_active_series`.")
    max_series_per_metric: CountOrOff | None = Field(default=None, description="See `limits.max_series_per_metric`.")
    max_label_names: CountOrOff | None = Field(default=None, description="See `limits.max_label_names`.")
    max_label_name_bytes: CountOrOff | None = Field(default=None, description="See `limits.max_label_name_bytes`.")
    max_label_value_bytes: CountOrOff | None = Field(default=None, description="See `limits.max_label_value_bytes`.")
    max_metadata_families: CountOrOff | None = Field(default=None, description="See `limits.max_metadata_families`.")
    max_metadata_bytes: CountOrOff | None = Field(default=None, description="See `limits.max_metadata_bytes`.")
    logs: TenantLogLimits = TenantLogLimits()
    traces: TenantSpanLimits = TenantSpanLimits()


class LimitSettings(SeriesLimits):
    """All limits, and tenants that have their own."""

    max_total_series: CountOrOff = Field(default=5_000_000, description="Series of all tenants together; 0: no limit.")
    max_body_bytes: Size = Field(default=ByteSize(32 * _MIB), description="A request's body as it comes over the wire.")
    max_body_bytes_decompressed: Size = Field(
        default=ByteSize(128 * _MIB), description="The same, after decompression."
    )
    max_decode_memory: Size = Field(
        default=ByteSize(1024 * _MIB),
        description="Memory that requests may take together while they are decoded; more are answered 429.",
    )
    max_samples_in_flight: Count = Field(
        default=5_000_000, description="Samples taken in and not yet durable; more are answered 429 with a retry hint."
    )
    max_query_samples: Count = Field(
        default=EngineSettings.max_samples, description="Samples that one query may hold in memory at once."
    )
    max_query_memory: Size = Field(
        default=ByteSize(EngineSettings.max_bytes),
        description="Memory of a query's matrices together; also of a statement.",
    )
    query_timeout: PositiveLength = Field(default=parse_duration("2m"), description="After this time a query is ended.")
    max_concurrent_queries: Count = Field(
        default=20, description="Queries worked on at once; more wait for their turn."
    )
    logs: LogLimitSettings = LogLimitSettings()
    traces: SpanLimitSettings = SpanLimitSettings()
    tenants: dict[str, TenantLimits] = Field(default_factory=dict, description="Tenant name → its own limits.")

    def for_tenant(self, tenant: str) -> SeriesLimits:
        """The limits of series and metadata that hold for `tenant`."""
        values = {name: getattr(self, name) for name in SeriesLimits.model_fields}
        own = self.tenants.get(tenant)
        if own is not None:
            values.update(own.model_dump(exclude_none=True, exclude={"logs", "traces"}))
        return SeriesLimits(**values)

    def logs_for_tenant(self, tenant: str) -> StreamLimits:
        """The limits of logs that hold for `tenant`."""
        values = {name: getattr(self.logs, name) for name in StreamLimits.model_fields}
        own = self.tenants.get(tenant)
        if own is not None:
            values.update(own.logs.model_dump(exclude_none=True))
        return StreamLimits(**values)

    def traces_for_tenant(self, tenant: str) -> SpanShapeLimits:
        """The limits of spans that hold for `tenant`."""
        values = {name: getattr(self.traces, name) for name in SpanShapeLimits.model_fields}
        own = self.tenants.get(tenant)
        if own is not None:
            values.update(own.traces.model_dump(exclude_none=True))
        return SpanShapeLimits(**values)
