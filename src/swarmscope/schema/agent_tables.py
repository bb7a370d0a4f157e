"""The tables of what is known of agents.

Every row carries `batch`, the number of the write that it came with. Numbers grow, and `fleet_batches` holds the
highest one of which all rows are in: what lies above it is a write that was cut off, and nobody reads it.
"""

from __future__ import annotations

from swarmscope.model.agents import TEXT_COLUMNS, TOKEN_COLUMNS
from swarmscope.model.fleet import EdgeMeasure, UsageMeasure
from swarmscope.schema.log_tables import partition_sql
from swarmscope.schema.tables import Column, Table

_ID = "Delta, ZSTD(1)"
_TIME = "Delta(8), ZSTD(1)"
_PLAIN = "ZSTD(1)"
_NAME = "LowCardinality(String)"
_RANDOM = "NONE"  # ids of random bytes only cost time to compress
_DAILY_SETTINGS = "ttl_only_drop_parts = 1, max_parts_in_total = 10000, auto_statistics_types = ''"
_NS_PER_S = 1_000_000_000
# Columns of measures in the order of their enumerations.
EDGE_MEASURES = tuple(f"m_{measure.name.lower()}" for measure in EdgeMeasure)
USAGE_MEASURES = tuple(f"m_{measure.name.lower()}" for measure in UsageMeasure)

AGENT_SPANS = Table(
    name="agent_spans",
    columns=(
        Column("tenant", _NAME, _PLAIN),
        Column("ts", "Int64", _TIME),  # the span's end
        Column("start", "Int64", _TIME),
        Column("trace_id", "FixedString(16)", _RANDOM),
        Column("span_id", "FixedString(8)", _RANDOM),
        Column("span_key", "UInt64", _RANDOM),
        Column("parent_key", "UInt64", _RANDOM),
        *(Column(name, "UInt8", _PLAIN) for name in ("status", "kind", "operation", "channel", "dialect")),
        *(Column(name, _NAME, _PLAIN) for name in TEXT_COLUMNS),
        Column("caller", _NAME, _PLAIN),
        *(Column(name, "Int64", "T64, ZSTD(1)") for name in (*TOKEN_COLUMNS, "payload_bytes")),
        Column("cost_usd", "Float64", _PLAIN),
        Column("cost_source", "UInt8", _PLAIN),
        Column("content", "UInt64", _PLAIN),
        Column("similarity", "UInt64", _PLAIN),
        Column("conversation_key", "UInt64", _PLAIN),
        Column("conversation", "String", _PLAIN),
        Column("batch", "UInt64", _ID),
    ),
    indexes=(
        "trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1",
        "talk conversation TYPE bloom_filter(0.01) GRANULARITY 1",
        "written batch TYPE minmax GRANULARITY 64",
    ),
    engine="MergeTree",
    order_by="(tenant, ts)",
    time_column="ts",
    ticks_per_second=_NS_PER_S,
    partition_by=partition_sql("ts"),
    # Seldom merged, and column by column.
    settings=f"{_DAILY_SETTINGS}, index_granularity = 2048, merge_selector_base = 24, "
    "vertical_merge_algorithm_min_rows_to_activate = 1, vertical_merge_algorithm_min_columns_to_activate = 1",
)

AGENT_EDGES = Table(
    name="agent_edges",
    columns=(
        Column("tenant", _NAME, _PLAIN),
        Column("minute", "Int64", _TIME),
        Column("source", _NAME, _PLAIN),
        Column("target", _NAME, _PLAIN),
        Column("type", "UInt8", _PLAIN),
        Column("source_version", _NAME, _PLAIN),
        Column("target_version", _NAME, _PLAIN),
        *(Column(name, "Float64", _PLAIN) for name in EDGE_MEASURES),
        # Durations: buckets that have any, and how many.
        Column("buckets", "Array(UInt8)", _PLAIN),
        Column("counts", "Array(UInt32)", _PLAIN),
        Column("batch", "UInt64", _ID),
    ),
    engine="MergeTree",
    order_by="(tenant, minute, source, target)",
    time_column="minute",
    ticks_per_second=_NS_PER_S,
    partition_by=partition_sql("minute"),
    settings=_DAILY_SETTINGS,
    indexes=("written batch TYPE minmax GRANULARITY 64",),
)

AGENT_USAGE = Table(
    name="agent_usage",
    columns=(
        Column("tenant", _NAME, _PLAIN),
        Column("minute", "Int64", _TIME),
        Column("agent", _NAME, _PLAIN),
        Column("agent_version", _NAME, _PLAIN),
        Column("team", _NAME, _PLAIN),
        Column("provider", _NAME, _PLAIN),
        Column("model", _NAME, _PLAIN),
        Column("operation", "UInt8", _PLAIN),
        Column("tool", _NAME, _PLAIN),
        *(Column(name, "Float64", _PLAIN) for name in USAGE_MEASURES),
        Column("batch", "UInt64", _ID),
    ),
    engine="MergeTree",
    order_by="(tenant, minute, agent)",
    time_column="minute",
    ticks_per_second=_NS_PER_S,
    partition_by=partition_sql("minute"),
    settings=_DAILY_SETTINGS,
    indexes=("written batch TYPE minmax GRANULARITY 64",),
)

AGENTS = Table(
    name="agents",
    columns=(
        Column("tenant", _NAME),
        Column("name", "String"),
        Column("first_seen", "SimpleAggregateFunction(min, Int64)"),
        Column("last_seen", "SimpleAggregateFunction(max, Int64)"),
        *(
            Column(name, "SimpleAggregateFunction(anyLast, String)")
            for name in ("id", "team", "version", "model", "provider", "framework", "service")
        ),
    ),
    engine="AggregatingMergeTree",
    order_by="(tenant, name)",
)

AGENT_FINDINGS = Table(
    name="agent_findings",
    columns=(
        Column("tenant", _NAME),
        Column("id", "String"),
        Column("kind", _NAME),
        Column("agents", "Array(String)"),
        Column("begin", "Int64", _TIME),
        Column("end", "Int64", _TIME),  # 0 while it lasts
        Column("confidence", "Float64"),
        Column("summary", "String", _PLAIN),
        Column("evidence", "String", _PLAIN),  # JSON
        Column("batch", "UInt64", _ID),
    ),
    engine="ReplacingMergeTree(batch)",
    order_by="(tenant, id)",
    time_column="begin",
    ticks_per_second=_NS_PER_S,
)

FLEET_BATCHES = Table(
    name="fleet_batches",
    columns=(Column("slot", "UInt8"), Column("batch", "UInt64")),
    engine="ReplacingMergeTree(batch)",
    order_by="slot",
)

AGENT_TABLES: tuple[Table, ...] = (AGENT_SPANS, AGENT_EDGES, AGENT_USAGE, AGENTS, AGENT_FINDINGS, FLEET_BATCHES)
# Spans are kept as traces are, the rest as metrics are.
TIMED_AS_TRACES: tuple[Table, ...] = (AGENT_SPANS,)
TIMED_AS_METRICS: tuple[Table, ...] = (AGENT_EDGES, AGENT_USAGE, AGENT_FINDINGS)
# What a write that was cut off may have left rows in.
BATCHED: tuple[Table, ...] = (AGENT_SPANS, AGENT_EDGES, AGENT_USAGE)
