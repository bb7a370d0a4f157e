"""The tables of the logs signal.

Structured metadata is stored as a shape (which names, in which order) and the values packed one behind the other; see
docs/decisions/0012. `segment` is the number of the journal segment that a row came from: one insert of one segment's
day is one part, so at replay the column says what is in already, and readers leave out what memory still shows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.schema.tables import FIRST_DAILY_MS, Column, Table

NS_PER_DAY = 86_400_000_000_000
# Line counts are kept for buckets of ten seconds: the finest step that dashboards use, at a thousandth of the lines.
COUNT_GRAIN_NS = 10_000_000_000

# As for metrics: old times share partitions, so that a sender cannot choose how many there are.
FIRST_DAILY_NS = FIRST_DAILY_MS * 1_000_000
OLD_PARTITION_NS = 30 * NS_PER_DAY


def partition_sql(column: str) -> str:
    """SQL of `partitions`, of a column with nanoseconds."""
    old = f"intDiv(greatest({column}, 0), {OLD_PARTITION_NS})"
    return f"if({column} < {FIRST_DAILY_NS}, {old}, intDiv({column}, {NS_PER_DAY}))"


def partitions(ts_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """The partition [n] of each time."""
    old = np.maximum(ts_ns, 0) // OLD_PARTITION_NS
    return np.where(ts_ns < FIRST_DAILY_NS, old, ts_ns // NS_PER_DAY)


_ID = "Delta, ZSTD(1)"
_TIME = "DoubleDelta, ZSTD(1)"
# Statistics of columns, which are for choosing between joins and orders of filters, take a tenth of an insert.
_DAILY_SETTINGS = "ttl_only_drop_parts = 1, max_parts_in_total = 10000, auto_statistics_types = ''"
_DIGITS = "0123456789"

# Digits count as separators in the text index: nearly every line has ids and numbers of its own, and as tokens they
# would make the dictionary as large as the lines (docs/decisions/0012).
INDEXED_TEXT = f"translate(line, '{_DIGITS}', '{' ' * len(_DIGITS)}')"

LOGS = Table(
    name="logs",
    columns=(
        Column("stream", "UInt32", _ID),
        Column("ts", "Int64", _TIME),
        Column("level", "UInt8", "ZSTD(1)"),
        Column("severity", "UInt8", "ZSTD(1)"),
        # How much later than `ts`, in the encoding of `observed_offsets`: 0 is "not told".
        Column("observed", "Int64", "T64, ZSTD(1)"),
        Column("trace_id", "FixedString(16)", "ZSTD(1)"),
        Column("span_id", "FixedString(8)", "ZSTD(1)"),
        Column("shape", "UInt32", "ZSTD(1)"),
        Column("metadata", "String", "ZSTD(1)"),
        Column("line", "String", "ZSTD(1)"),
        Column("segment", "UInt32", "ZSTD(1)"),
    ),
    indexes=(f"line_words {INDEXED_TEXT} TYPE text(tokenizer = 'splitByNonAlpha')",),
    engine="MergeTree",
    order_by="(stream, ts)",
    time_column="ts",
    ticks_per_second=1_000_000_000,
    partition_by=partition_sql("ts"),
    settings=", ".join(
        (
            _DAILY_SETTINGS,
            # The newest lines of many streams are one granule of each: small ones, and they compress as well.
            "index_granularity = 1024",
            # Merging a line costs as much as inserting it, and a part more costs a query a third of a millisecond.
            "merge_selector_base = 24",
            # Column by column: so many parts at once would need a gigabyte of buffers otherwise.
            "vertical_merge_algorithm_min_rows_to_activate = 1",
            "vertical_merge_algorithm_min_columns_to_activate = 1",
        )
    ),
)

LOG_COUNTS = Table(
    name="log_counts",
    columns=(
        Column("stream", "UInt32", _ID),
        Column("bucket", "Int64", _TIME),  # lines with bucket - COUNT_GRAIN_NS < ts <= bucket
        Column("level", "UInt8", "ZSTD(1)"),
        Column("lines", "UInt64", "T64, ZSTD(1)"),
        Column("bytes", "UInt64", "T64, ZSTD(1)"),
        Column("segment", "UInt32", "ZSTD(1)"),
    ),
    # Rows of the same bucket are not summed up: with one row a segment a reader can leave out what is still in memory.
    engine="MergeTree",
    order_by="(stream, bucket, level)",
    time_column="bucket",
    ticks_per_second=1_000_000_000,
    partition_by=partition_sql("bucket"),
    settings=_DAILY_SETTINGS,
)

LOG_STREAMS = Table(
    name="log_streams",
    columns=(
        Column("ref", "UInt32", _ID),
        Column("metric_id", "UInt32", "ZSTD(1)"),  # streams have no name: one number a tenant
        Column("tenant", "LowCardinality(String)"),
        Column("metric", "LowCardinality(String)"),
        Column("label_names", "Array(LowCardinality(String))", "ZSTD(3)"),
        Column("label_values", "Array(String)", "ZSTD(3)"),
        Column("created_ms", "Int64", "DoubleDelta, ZSTD(1)"),
    ),
    engine="ReplacingMergeTree",
    order_by="ref",
)

LOG_SHAPES = Table(
    name="log_shapes",
    columns=(
        Column("shape", "UInt32", _ID),
        Column("names", "Array(String)", "ZSTD(3)"),
    ),
    engine="ReplacingMergeTree",
    order_by="shape",
)

LOG_TABLES: tuple[Table, ...] = (LOGS, LOG_COUNTS, LOG_STREAMS, LOG_SHAPES)
TIMED_LOG_TABLES: tuple[Table, ...] = (LOGS, LOG_COUNTS)
