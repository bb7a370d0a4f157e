"""Down-sampled samples: 5-minute and 1-hour buckets, kept up to date by refreshable materialized views.

A bucket is left-open and right-closed, (end - resolution, end], as PromQL's ranges are, so that a range made of
whole buckets has the very answer that its samples give. A plain materialized view writes down which buckets an insert
touched; a refreshable one recomputes the touched buckets from the samples. So late and repeated writes are counted
right, and the cost is one pass over new data per refresh instead of a wider insert.

`touched.seen` is when an insert touched a bucket, `rolled` when a refresh began that includes all that was seen, and
every bucket that had ended, `SETTLE_S` before it. So a bucket is good for reading when both its end and `seen` lie
before the newest `rolled - SETTLE_S`.
"""

from __future__ import annotations

from swarmscope.schema.tables import MS_PER_DAY, RAW_EXPONENT, SAMPLES, Column, Table

FIVE_MINUTES_MS = 300_000
ONE_HOUR_MS = 3_600_000
RESOLUTIONS_MS = (FIVE_MINUTES_MS, ONE_HOUR_MS)

# An insert's time is taken when it starts, its rows appear when it ends; no insert takes longer than this.
SETTLE_S = 60

STALE_MARKER_MANTISSA = 0x7FF0000000000002

_FLOAT = "ZSTD(1)"

TOUCHED = Table(
    name="touched_buckets",
    columns=(
        Column("metric_id", "UInt32"),
        Column("bucket", "Int64"),
        Column("seen", "SimpleAggregateFunction(max, DateTime64(3))"),
    ),
    engine="AggregatingMergeTree",
    order_by="(metric_id, bucket)",
    time_column="bucket",
    settings="ttl_only_drop_parts = 0",
)


def rollup_name(resolution_ms: int) -> str:
    """The table of one resolution."""
    return {FIVE_MINUTES_MS: "rollup_5m", ONE_HOUR_MS: "rollup_1h"}[resolution_ms]


def _rollup_table(resolution_ms: int) -> Table:
    return Table(
        name=rollup_name(resolution_ms),
        columns=(
            Column("metric_id", "UInt32", "Delta, ZSTD(1)"),
            Column("ref", "UInt32", "Delta, ZSTD(1)"),
            Column("bucket", "Int64", "DoubleDelta, ZSTD(1)"),
            Column("count", "UInt32", "T64, ZSTD(1)"),
            Column("sum", "Float64", _FLOAT),
            Column("min", "Float64", _FLOAT),
            Column("max", "Float64", _FLOAT),
            Column("first_ts", "Int64", "DoubleDelta, ZSTD(1)"),
            Column("first", "Float64", _FLOAT),
            Column("last_ts", "Int64", "DoubleDelta, ZSTD(1)"),
            Column("last", "Float64", _FLOAT),
            Column("increase", "Float64", _FLOAT),
            # Time of the last staleness marker, 0 for none.
            Column("stale_ts", "Int64", "ZSTD(1)"),
            Column("rolled", "DateTime64(3)", "ZSTD(1)"),
        ),
        engine="ReplacingMergeTree(rolled)",
        order_by="(metric_id, ref, bucket)",
        time_column="bucket",
        partition_by=f"intDiv(bucket, {30 * MS_PER_DAY})",
        settings="ttl_only_drop_parts = 0",
    )


ROLLUP_5M = _rollup_table(FIVE_MINUTES_MS)
ROLLUP_1H = _rollup_table(ONE_HOUR_MS)
ROLLUP_TABLES = (ROLLUP_5M, ROLLUP_1H)

_VALUE = (
    f"if(exponent = {RAW_EXPONENT}, reinterpretAsFloat64(mantissa), "
    "toFloat64(mantissa) / [1., 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15]"
    "[1 - least(exponent, 0)])"
)
_STALE = f"(exponent = {RAW_EXPONENT} AND mantissa = {STALE_MARKER_MANTISSA})"
_CLOCK = "now64(3)"
_NOW_MS = f"toUnixTimestamp64Milli({_CLOCK})"


def _bucket(time: str, resolution_ms: int) -> str:
    """The end of the left-open bucket that holds a time. `intDiv` cuts toward zero, which rounds up below zero."""
    return f"intDiv({time} + if({time} > 0, {resolution_ms - 1}, 0), {resolution_ms}) * {resolution_ms}"


def _to_roll(target: str) -> str:
    """HAVING clause over touched buckets: those that have ended, and were touched or ended since the last refresh."""
    last = f"(SELECT max(rolled) FROM {target}) - {SETTLE_S}"
    return f"HAVING bucket <= {_NOW_MS} AND (max(seen) >= {last} OR bucket >= toUnixTimestamp64Milli({last}))"


def _select_from_samples() -> str:
    bucket = _bucket("ts", FIVE_MINUTES_MS)
    changed = f"SELECT metric_id, bucket FROM {TOUCHED.name} GROUP BY 1, 2 {_to_roll(ROLLUP_5M.name)}"
    # The lower bound lets ClickHouse leave out partitions and parts that are older than every change.
    return (
        "SELECT metric_id, ref, bucket, count, sum, min, max, first_ts, first, last_ts, last, "
        "arraySum((before, after) -> if(after >= before, after - before, after), "
        "arrayPopBack(in_order), arrayPopFront(in_order)) AS increase, stale_ts, rolled FROM ("
        "SELECT metric_id, ref, bucket, "
        "toUInt32(countIf(NOT stale)) AS count, sumKahanIf(value, NOT stale) AS sum, "
        "if(countIf(NOT stale AND NOT isNaN(value)) = 0, nan, minIf(value, NOT stale AND NOT isNaN(value))) AS min, "
        "if(countIf(NOT stale AND NOT isNaN(value)) = 0, nan, maxIf(value, NOT stale AND NOT isNaN(value))) AS max, "
        "minIf(ts, NOT stale) AS first_ts, argMinIf(value, ts, NOT stale) AS first, "
        "maxIf(ts, NOT stale) AS last_ts, argMaxIf(value, ts, NOT stale) AS last, "
        "arraySort((v, t) -> t, groupArrayIf(value, NOT stale), groupArrayIf(ts, NOT stale)) AS in_order, "
        f"maxIf(ts, stale) AS stale_ts, {_CLOCK} AS rolled FROM ("
        f"SELECT metric_id, ref, ts, {bucket} AS bucket, {_VALUE} AS value, {_STALE} AS stale "
        f"FROM {SAMPLES.name} FINAL WHERE ts > (SELECT min(bucket) FROM ({changed})) - {FIVE_MINUTES_MS} "
        f"AND (metric_id, {bucket}) IN ({changed})"
        ") GROUP BY metric_id, ref, bucket)"
    )


def _select_from_buckets() -> str:
    hour = _bucket("bucket", ONE_HOUR_MS)
    touched = f"SELECT metric_id, {hour} AS bucket, seen FROM {TOUCHED.name}"
    changed = f"SELECT metric_id, bucket FROM ({touched}) GROUP BY 1, 2 {_to_roll(ROLLUP_1H.name)}"
    filled = "count > 0"
    return (
        "SELECT metric_id, ref, hour AS bucket, toUInt32(c) AS count, s AS sum, lowest AS min, highest AS max, "
        "t0 AS first_ts, v0 AS first, t1 AS last_ts, v1 AS last, inside + arraySum((before, after) -> "
        "if(after.1 >= before.2, after.1 - before.2, after.1), arrayPopBack(ends), arrayPopFront(ends)) AS increase, "
        "ended AS stale_ts, seen AS rolled FROM ("
        "SELECT metric_id, ref, hour, sum(count) AS c, sumKahan(sum) AS s, "
        f"if(countIf({filled} AND NOT isNaN(min)) = 0, nan, minIf(min, {filled} AND NOT isNaN(min))) AS lowest, "
        f"if(countIf({filled} AND NOT isNaN(max)) = 0, nan, maxIf(max, {filled} AND NOT isNaN(max))) AS highest, "
        f"minIf(first_ts, {filled}) AS t0, argMinIf(first, first_ts, {filled}) AS v0, "
        f"maxIf(last_ts, {filled}) AS t1, argMaxIf(last, last_ts, {filled}) AS v1, "
        f"sumIf(increase, {filled}) AS inside, "
        f"arraySort((e, t) -> t, groupArrayIf((first, last), {filled}), groupArrayIf(first_ts, {filled})) AS ends, "
        f"max(stale_ts) AS ended, (SELECT max(rolled) FROM {ROLLUP_5M.name}) AS seen FROM ("
        f"SELECT *, {hour} AS hour FROM {ROLLUP_5M.name} FINAL WHERE (metric_id, {hour}) IN ({changed})"
        ") GROUP BY metric_id, ref, hour)"
    )


def _refreshable_view(target: Table, every: str, query: str) -> str:
    return (
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS {target.name}_view REFRESH EVERY {every} APPEND TO {target.name} "
        # In the background: one thread, so that queries keep the other, and memory that a backlog of any size
        # does not exceed.
        f"AS {query} SETTINGS max_threads = 1, max_memory_usage = 600000000, "
        "max_bytes_before_external_group_by = 200000000"
    )


STATEMENTS = (
    TOUCHED.create_statement(),
    *(table.create_statement() for table in ROLLUP_TABLES),
    f"CREATE MATERIALIZED VIEW IF NOT EXISTS {TOUCHED.name}_view TO {TOUCHED.name} AS "
    f"SELECT metric_id, {_bucket('ts', FIVE_MINUTES_MS)} AS bucket, {_CLOCK} AS seen FROM {SAMPLES.name} "
    "GROUP BY metric_id, bucket",
    _refreshable_view(ROLLUP_5M, "5 MINUTE", _select_from_samples()),
    _refreshable_view(ROLLUP_1H, "1 HOUR OFFSET 13 MINUTE", _select_from_buckets()),
)
