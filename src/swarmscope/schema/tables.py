"""The tables of the metrics signal, and how ClickHouse is told of them.

Codecs were chosen by measuring (docs/decisions/0003-sample-encoding.md). A sample's value is a decimal
`mantissa * 10**exponent` where that is exact; `RAW_EXPONENT` marks a mantissa that holds the float's bits.
"""

from __future__ import annotations

from dataclasses import dataclass

RAW_EXPONENT = 127
MS_PER_DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its ClickHouse type and codec ("" for the server's default)."""

    name: str
    type: str
    codec: str = ""

    def definition(self) -> str:
        """The column as it stands in CREATE TABLE."""
        return f"`{self.name}` {self.type}" + (f" CODEC({self.codec})" if self.codec else "")


@dataclass(frozen=True, slots=True)
class Table:
    """One MergeTree table. `time_column` is what retention looks at ("" for none), in Unix time of some unit.

    `indexes` are skip indexes as they stand behind the word INDEX.
    """

    name: str
    columns: tuple[Column, ...]
    engine: str
    order_by: str
    time_column: str = ""
    partition_by: str = ""
    settings: str = ""
    indexes: tuple[str, ...] = ()
    ticks_per_second: int = 1000

    def column_names(self) -> tuple[str, ...]:
        """Names in the order of definition."""
        return tuple(column.name for column in self.columns)

    def create_statement(self) -> str:
        """CREATE TABLE without retention, which `retention.ttl_statement` adds."""
        definitions = [column.definition() for column in self.columns]
        columns = ",\n  ".join((*definitions, *(f"INDEX {index}" for index in self.indexes)))
        partition = f"\nPARTITION BY {self.partition_by}" if self.partition_by else ""
        settings = f"\nSETTINGS {self.settings}" if self.settings else ""
        return (
            f"CREATE TABLE IF NOT EXISTS {self.name} (\n  {columns}\n) ENGINE = {self.engine}{partition}"
            f"\nORDER BY {self.order_by}{settings}"
        )


# Days as partitions: retention drops whole parts, and a part never mixes what expires at different times by
# more than a day. Rows of the same key are replaced, which makes the replay of a journal segment exactly-once.
# A part costs some 50 KB of memory for as long as it lies there, and a sender chooses its times: what lies further
# back than the first day that this program saw shares partitions of 30 days, and all that lies before 1970 the first
# one. A day's number is never one of 30 days, see docs/decisions/0011.
FIRST_DAILY_MS = 1_767_225_600_000  # 2026-01-01
_DAILY = f"if(ts < {FIRST_DAILY_MS}, intDiv(greatest(ts, 0), {30 * MS_PER_DAY}), intDiv(ts, {MS_PER_DAY}))"
# Merges catch up with parts in some hundred partitions; until they do, writing waits (503) and memory does not grow.
_TIMED_SETTINGS = "ttl_only_drop_parts = 1, max_parts_in_total = 10000"

_ID = "Delta, ZSTD(1)"
_TIME = "DoubleDelta, ZSTD(1)"

SAMPLES = Table(
    name="samples",
    columns=(
        Column("metric_id", "UInt32", _ID),
        Column("ref", "UInt32", _ID),
        Column("ts", "Int64", _TIME),
        Column("mantissa", "Int64", "Delta(8), T64('bit'), ZSTD(1)"),
        Column("exponent", "Int8", "ZSTD(1)"),
    ),
    engine="ReplacingMergeTree",
    order_by="(metric_id, ref, ts)",
    time_column="ts",
    partition_by=_DAILY,
    # Four times the usual: larger granules compress better, and a series is found by its first key columns anyhow.
    settings=f"{_TIMED_SETTINGS}, index_granularity = 32768",
)

SERIES = Table(
    name="series",
    columns=(
        Column("ref", "UInt32", _ID),
        Column("metric_id", "UInt32", "ZSTD(1)"),
        Column("tenant", "LowCardinality(String)"),
        Column("metric", "LowCardinality(String)"),
        Column("label_names", "Array(LowCardinality(String))", "ZSTD(3)"),
        Column("label_values", "Array(String)", "ZSTD(3)"),
        Column("created_ms", "Int64", "DoubleDelta, ZSTD(1)"),
    ),
    engine="ReplacingMergeTree",
    order_by="ref",
)

_COUNTS = "Array(Float64)"

HISTOGRAMS = Table(
    name="histograms",
    columns=(
        Column("metric_id", "UInt32", _ID),
        Column("ref", "UInt32", _ID),
        Column("ts", "Int64", _TIME),
        Column("schema", "Int8", "ZSTD(1)"),
        Column("reset_hint", "UInt8", "ZSTD(1)"),
        Column("is_float", "Bool", "ZSTD(1)"),
        Column("zero_threshold", "Float64", "ZSTD(1)"),
        Column("zero_count", "Float64", "ZSTD(1)"),
        Column("count", "Float64", "Gorilla, ZSTD(1)"),
        # Raw bits, because a staleness marker lives in a NaN's payload.
        Column("sum_bits", "UInt64", "ZSTD(1)"),
        Column("positive_index", "Array(Int32)", "ZSTD(1)"),
        Column("positive_count", _COUNTS, "ZSTD(1)"),
        Column("negative_index", "Array(Int32)", "ZSTD(1)"),
        Column("negative_count", _COUNTS, "ZSTD(1)"),
        Column("custom_bounds", _COUNTS, "ZSTD(1)"),
    ),
    engine="ReplacingMergeTree",
    order_by="(metric_id, ref, ts)",
    time_column="ts",
    partition_by=_DAILY,
    settings=_TIMED_SETTINGS,
)

EXEMPLARS = Table(
    name="exemplars",
    columns=(
        Column("metric_id", "UInt32", _ID),
        Column("ref", "UInt32", _ID),
        Column("ts", "Int64", _TIME),
        Column("value", "Float64", "ZSTD(1)"),
        Column("labels", "Map(LowCardinality(String), String)", "ZSTD(1)"),
    ),
    engine="ReplacingMergeTree",
    order_by="(metric_id, ref, ts, value)",
    time_column="ts",
    partition_by=_DAILY,
    settings=_TIMED_SETTINGS,
)

METADATA = Table(
    name="metric_metadata",
    columns=(
        Column("tenant", "LowCardinality(String)"),
        Column("metric", "String"),
        Column("kind", "LowCardinality(String)"),
        Column("unit", "LowCardinality(String)"),
        Column("help", "String"),
        Column("seen_ms", "Int64"),
    ),
    engine="ReplacingMergeTree(seen_ms)",
    order_by="(tenant, metric, kind, unit, help)",
)

METRIC_TABLES: tuple[Table, ...] = (SAMPLES, SERIES, HISTOGRAMS, EXEMPLARS, METADATA)
TIMED_METRIC_TABLES: tuple[Table, ...] = (SAMPLES, HISTOGRAMS, EXEMPLARS)
