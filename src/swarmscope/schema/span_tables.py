"""The tables of the traces signal.

A span's own attributes are stored as a shape (which names, of which kinds, in which slots) and one column a slot, so
that a column holds the values of one attribute in a run; docs/decisions/0013. `segment` is the number of the journal
segment that a row came from, as for logs.
"""

from __future__ import annotations

from swarmscope.schema.log_tables import NS_PER_DAY, partition_sql
from swarmscope.schema.tables import Column, Table

# Attributes beyond these share a column. Most spans have fewer; each column costs a merge and a look-up some work.
N_SLOTS = 16
SLOTS = tuple(f"a{slot}" for slot in range(N_SLOTS))
# Operations are known by the day: they are asked for as lists of names.
OPERATION_GRAIN_NS = NS_PER_DAY

_ID = "Delta, ZSTD(1)"
_TIME = "DoubleDelta, ZSTD(1)"
_PLAIN = "ZSTD(1)"
# Read for every condition on an attribute: a quarter of the time that ZSTD takes, for a sixth more bytes.
_VALUE = "LZ4HC(3)"
_START = "Delta(8), T64('bit'), LZ4"  # a third of DoubleDelta's bytes and time where nanoseconds are random
_RANDOM = "NONE"  # ids of random bytes only cost time to compress
# Statistics of columns, which are for choosing between joins and orders of filters, take a tenth of an insert.
_DAILY_SETTINGS = "ttl_only_drop_parts = 1, max_parts_in_total = 10000, auto_statistics_types = ''"

SPANS = Table(
    name="spans",
    columns=(
        Column("shape", "UInt32", _ID),
        Column("ts", "Int64", _START),
        Column("duration", "Int64", "T64, LZ4"),
        Column("resource", "UInt32", _PLAIN),
        Column("scope", "UInt32", _PLAIN),
        Column("name", "LowCardinality(String)", _PLAIN),
        Column("kind", "UInt8", _PLAIN),
        Column("status", "UInt8", _PLAIN),
        Column("keep", "UInt8", _PLAIN),
        Column("weight", "Float32", _PLAIN),
        Column("trace_id", "FixedString(16)", _RANDOM),
        Column("span_id", "FixedString(8)", _RANDOM),
        Column("parent_id", "FixedString(8)", "LZ4"),
        Column("status_message", "String", _PLAIN),
        Column("trace_state", "String", _PLAIN),
        Column("flags", "UInt32", _PLAIN),
        Column("dropped_attributes", "UInt32", _PLAIN),
        Column("dropped_events", "UInt32", _PLAIN),
        Column("dropped_links", "UInt32", _PLAIN),
        *(Column(slot, "String", _VALUE) for slot in SLOTS),
        Column("rest", "String", _PLAIN),  # values of further slots, each behind its length (4 bytes)
        Column("events", "String", _PLAIN),
        Column("links", "String", _PLAIN),
        Column("segment", "UInt32", _PLAIN),
    ),
    indexes=("trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1",),
    engine="MergeTree",
    order_by="(shape, ts)",
    time_column="ts",
    ticks_per_second=1_000_000_000,
    partition_by=partition_sql("ts"),
    settings=", ".join(
        (
            _DAILY_SETTINGS,
            "index_granularity = 2048",
            # A trace is a granule of each of its shapes: small blocks, so that little more is unpacked.
            "min_compress_block_size = 16384",
            "merge_selector_base = 24",
            # Column by column: so many parts at once would need gigabytes of buffers otherwise.
            "vertical_merge_algorithm_min_rows_to_activate = 1",
            "vertical_merge_algorithm_min_columns_to_activate = 1",
        )
    ),
)

SPAN_COUNTS = Table(
    name="span_counts",
    columns=(
        Column("shape", "UInt32", _ID),
        Column("bucket", "Int64", _TIME),  # spans with bucket - COUNT_GRAIN_NS < ts <= bucket
        Column("spans", "UInt64", "T64, ZSTD(1)"),
        Column("segment", "UInt32", _PLAIN),
    ),
    engine="MergeTree",
    order_by="(shape, bucket)",
    time_column="bucket",
    ticks_per_second=1_000_000_000,
    partition_by=partition_sql("bucket"),
    settings=_DAILY_SETTINGS,
)

SPAN_OPERATIONS = Table(
    name="span_operations",
    columns=(
        Column("resource", "UInt32", _ID),
        Column("name", "String", _PLAIN),
        Column("kind", "UInt8", _PLAIN),
        Column("bucket", "Int64", _TIME),  # the beginning of OPERATION_GRAIN_NS in which there are such spans
    ),
    engine="ReplacingMergeTree",
    order_by="(resource, name, kind, bucket)",
    time_column="bucket",
    ticks_per_second=1_000_000_000,
    partition_by=partition_sql("bucket"),
    settings=_DAILY_SETTINGS,
)

_SET = (
    Column("names", "Array(String)", "ZSTD(3)"),
    Column("kinds", "Array(UInt8)", "ZSTD(3)"),
    Column("values", "Array(String)", "ZSTD(3)"),  # bytes as `model.attributes.ValueKind` spells them
    Column("schema_url", "String"),
    Column("dropped_attributes", "UInt32"),
)

SPAN_RESOURCES = Table(
    name="span_resources",
    columns=(
        Column("resource", "UInt32", _ID),
        Column("tenant", "LowCardinality(String)"),
        Column("service", "LowCardinality(String)"),
        *_SET,
    ),
    engine="ReplacingMergeTree",
    order_by="resource",
)

SPAN_SCOPES = Table(
    name="span_scopes",
    columns=(
        Column("scope", "UInt32", _ID),
        Column("tenant", "LowCardinality(String)"),
        Column("name", "String"),
        Column("version", "String"),
        *_SET,
    ),
    engine="ReplacingMergeTree",
    order_by="scope",
)

SPAN_SHAPES = Table(
    name="span_shapes",
    columns=(
        Column("shape", "UInt32", _ID),
        Column("tenant", "LowCardinality(String)"),
        Column("scope", "LowCardinality(String)"),  # `model.spans.AttributeScope`: whose attributes these are
        Column("names", "Array(String)", "ZSTD(3)"),
        Column("kinds", "Array(UInt8)", "ZSTD(3)"),
    ),
    engine="ReplacingMergeTree",
    order_by="shape",
)

SPAN_TABLES: tuple[Table, ...] = (SPANS, SPAN_COUNTS, SPAN_OPERATIONS, SPAN_RESOURCES, SPAN_SCOPES, SPAN_SHAPES)
TIMED_SPAN_TABLES: tuple[Table, ...] = (SPANS, SPAN_COUNTS, SPAN_OPERATIONS)
