"""Down-sampled samples: 5-minute and 1-hour buckets, kept up to date by refreshable materialized views.

A bucket is left-open and right-closed, (end - resolution, end], as PromQL's ranges are, so that a range made of
whole buckets has the very answer that its samples give. A plain materialized view writes down which buckets an insert
touched; a refreshable one recomputes the touched buckets from the samples. So late and repeated writes are counted
right, and the cost is one pass over new data per refresh instead of a wider insert.

`touched.seen` is when an insert touched a bucket, `rolled` when a refresh began that includes all that was seen, and
every bucket that had ended, `SETTLE_S` before it. So a bucket is good for reading when both its end and `seen` lie
before the newest `rolled - SETTLE_S`.

A row's values are whole numbers at one power of ten, `10**exponent`, as a sample's are; each is told by how far it lies
from what the others lead to expect, for small numbers compress (docs/decisions/0010-rollup-encoding.md). With m the
samples of the bucket in order, at the row's scale:

    first = m[0]                                last = m[-1] - m[0]
    low   = min(m[0], m[-1]) - min(m)           high = max(m) - max(m[0], m[-1])
    gain  = increase - last                     total = 2 * sum(m - m[0]) - count * last

With `RAW_EXPONENT` the columns hold the bits of the doubles first, last, minimum, maximum, increase and sum. Times are
ages in ms at the bucket's end; `stale_age` is one more, for 0 means that there was no marker.
"""

from __future__ import annotations

from typing import NamedTuple

from swarmscope.schema.tables import MS_PER_DAY, RAW_EXPONENT, SAMPLES, Column, Table

FIVE_MINUTES_MS = 300_000
ONE_HOUR_MS = 3_600_000
RESOLUTIONS_MS = (FIVE_MINUTES_MS, ONE_HOUR_MS)

# An insert's time is taken when it starts, its rows appear when it ends; no insert takes longer than this.
SETTLE_S = 60

STALE_MARKER_MANTISSA = 0x7FF0000000000002

_OFFSET = "T64('bit'), ZSTD(1)"

# Below it a double holds every integer; below the other, six times an integer and any sum of ours fit 64 bits.
_EXACT_INTEGER = 2**53
_SUMMABLE = 2**60

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
            Column("exponent", "Int8", "ZSTD(1)"),
            Column("count", "UInt32", _OFFSET),
            Column("first_age", "UInt32", _OFFSET),
            Column("last_age", "UInt32", _OFFSET),
            Column("stale_age", "UInt32", _OFFSET),
            Column("first", "Int64", "Delta(8), T64('bit'), ZSTD(1)"),
            Column("last", "Int64", _OFFSET),
            Column("low", "Int64", _OFFSET),
            Column("high", "Int64", _OFFSET),
            Column("gain", "Int64", _OFFSET),
            Column("total", "Int64", _OFFSET),
            # Whole seconds: a refresh every so many of them gives a column of equal steps.
            Column("rolled", "DateTime64(3)", "DoubleDelta, ZSTD(1)"),
        ),
        engine="ReplacingMergeTree(rolled)",
        order_by="(metric_id, ref, bucket)",
        time_column="bucket",
        # All that lies before 1970 is one partition, as a sender chooses its times: see docs/decisions/0011.
        partition_by=f"intDiv(greatest(bucket, 0), {30 * MS_PER_DAY})",
        settings="ttl_only_drop_parts = 0",
    )


ROLLUP_5M = _rollup_table(FIVE_MINUTES_MS)
ROLLUP_1H = _rollup_table(ONE_HOUR_MS)
ROLLUP_TABLES = (ROLLUP_5M, ROLLUP_1H)

_TENS = "[1., 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15]"
_STALE = f"(exponent = {RAW_EXPONENT} AND mantissa = {STALE_MARKER_MANTISSA})"
_CLOCK = "now64(3)"
_REFRESH_TIME = "toDateTime64(now(), 3)"
_NOW_MS = f"toUnixTimestamp64Milli({_CLOCK})"


def _bucket(time: str, resolution_ms: int) -> str:
    """The end of the left-open bucket that holds a time. `intDiv` cuts toward zero, which rounds up below zero."""
    return f"intDiv({time} + if({time} > 0, {resolution_ms - 1}, 0), {resolution_ms}) * {resolution_ms}"


def _to_roll(target: str) -> str:
    """HAVING clause over touched buckets: those that have ended, and were touched or ended since the last refresh."""
    last = f"(SELECT max(rolled) FROM {target}) - {SETTLE_S}"
    return f"HAVING bucket <= {_NOW_MS} AND (max(seen) >= {last} OR bucket >= toUnixTimestamp64Milli({last}))"


def _double(number: str, exponent: str) -> str:
    """The double that a number at a power of ten stands for, or whose bits it is."""
    return (
        f"if({exponent} = {RAW_EXPONENT}, reinterpretAsFloat64({number}), "
        f"toFloat64({number}) / {_TENS}[1 - least({exponent}, 0)])"
    )


def _fits(largest: str) -> str:
    """Whether `n` numbers up to `largest` (a double) at the row's scale are exact and can be summed."""
    return f"(top != {RAW_EXPONENT} AND {largest} < {_EXACT_INTEGER} AND n * {largest} < {_SUMMABLE})"


def _changed(target: Table, bucket: str) -> str:
    """The metrics and buckets to roll anew; `bucket` makes the target's bucket of a touched one."""
    touched = f"SELECT metric_id, {bucket} AS bucket, seen FROM {TOUCHED.name}"
    return f"SELECT metric_id, bucket FROM ({touched}) GROUP BY metric_id, bucket {_to_roll(target.name)}"


class _Values(NamedTuple):
    """SQL expressions for what is known of a bucket, all of them integers at the row's scale or all doubles."""

    first: str
    last: str
    minimum: str
    maximum: str
    increase: str
    sum: str


def _row(grouped: str, plain: _Values, raw: _Values, rolled: str) -> str:
    """SELECT of a rollup table's rows from rows with `plain`, `scale`, the count `n`, ages and what the values need."""
    rise = f"({plain.last} - {plain.first})"
    columns = (
        ("first", plain.first, raw.first),
        ("last", rise, raw.last),
        ("low", f"least({plain.first}, {plain.last}) - {plain.minimum}", raw.minimum),
        ("high", f"{plain.maximum} - greatest({plain.first}, {plain.last})", raw.maximum),
        ("gain", f"{plain.increase} - {rise}", raw.increase),
        ("total", f"2 * ({plain.sum} - n * {plain.first}) - n * {rise}", raw.sum),
    )
    values = ", ".join(f"if(plain, {whole}, reinterpretAsInt64({double})) AS {name}" for name, whole, double in columns)
    return (
        f"SELECT metric_id, ref, bucket, if(plain, scale, {RAW_EXPONENT}) AS exponent, n AS count, "
        f"first_age, last_age, stale_age, {values}, {rolled} AS rolled FROM ({grouped})"
    )


def _but_nan(function: str, doubles: str) -> str:
    numbers = f"arrayFilter(x -> NOT isNaN(x), {doubles})"
    return f"if(empty({numbers}), nan, {function}({numbers}))"


def _increases(befores: str, afters: str) -> str:
    """Sum of a counter's increases from each of `befores` to the next of `afters`."""
    return f"arraySum((a, b) -> if(b >= a, b - a, b), arrayPopBack({befores}), arrayPopFront({afters}))"


def _select_from_samples() -> str:
    bucket = _bucket("ts", FIVE_MINUTES_MS)
    changed = _changed(ROLLUP_5M, "bucket")
    groups = (
        "SELECT metric_id, ref, bucket, toUInt32(countIf(NOT stale)) AS n, groupArrayIf(ts, NOT stale) AS times, "
        "groupArrayIf(mantissa, NOT stale) AS mantissas, groupArrayIf(exponent, NOT stale) AS exponents, "
        "minIf(exponent, NOT stale) AS scale, maxIf(exponent, NOT stale) AS top, "
        "if(n = 0, 0, bucket - minIf(ts, NOT stale)) AS first_age, "
        "if(n = 0, 0, bucket - maxIf(ts, NOT stale)) AS last_age, "
        "if(countIf(stale) = 0, 0, bucket - maxIf(ts, stale) + 1) AS stale_age FROM ("
        f"SELECT metric_id, ref, ts, {bucket} AS bucket, mantissa, exponent, {_STALE} AS stale "
        f"FROM {SAMPLES.name} FINAL "
        # The lower bound lets ClickHouse leave out partitions and parts that are older than every change.
        f"WHERE ts > (SELECT min(bucket) FROM ({changed})) - {FIVE_MINUTES_MS} AND (metric_id, {bucket}) IN ({changed})"
        ") GROUP BY metric_id, ref, bucket"
    )
    # Samples of one scale are integers of that scale as they are.
    largest = (
        f"if(scale = top, toFloat64(arrayMax(x -> abs(x), mantissas)), "
        f"arrayMax((x, e) -> abs(toFloat64(x)) * {_TENS}[1 + e - scale], mantissas, exponents))"
    )
    whole = "if(scale = top, mantissas, arrayMap((x, e) -> x * toInt64(intExp10(e - scale)), mantissas, exponents))"
    doubles = f"arrayMap((x, e) -> {_double('x', 'e')}, mantissas, exponents)"
    in_order = (
        f"SELECT *, {_fits(largest)} AS plain, if(plain, arraySort((x, t) -> t, {whole}, times), []) AS m, "
        f"if(plain, [], arraySort((x, t) -> t, {doubles}, times)) AS v FROM ({groups})"
    )
    plain = _Values("m[1]", "m[-1]", "arrayMin(m)", "arrayMax(m)", _increases("m", "m"), "arraySum(m)")
    kahan = "arrayReduce('sumKahan', v)"
    raw = _Values("v[1]", "v[-1]", _but_nan("arrayMin", "v"), _but_nan("arrayMax", "v"), _increases("v", "v"), kahan)
    return _row(in_order, plain, raw, _REFRESH_TIME)


# A stored row's values: integers at its scale, or a raw row's bits.
_STORED = _Values(
    first="first",
    last="if(raw, last, first + last)",
    minimum="if(raw, low, least(first, first + last) - low)",
    maximum="if(raw, high, greatest(first, first + last) + high)",
    increase="if(raw, gain, gain + last)",
    sum="if(raw, total, intDiv(total + count * last, 2) + count * first)",
)


def _select_from_buckets() -> str:
    hour = _bucket("bucket", ONE_HOUR_MS)
    arrays = ", ".join(
        f"arraySort((x, t) -> t, groupArrayIf({value}, count > 0), groupArrayIf(bucket, count > 0)) AS {name}"
        for name, value in (("exponents", "exponent"), *((f"{n}s", v) for n, v in _STORED._asdict().items()))
    )
    groups = (
        f"SELECT metric_id, ref, hour, toUInt32(sum(count)) AS n, {arrays}, "
        "minIf(exponent, count > 0) AS scale, maxIf(exponent, count > 0) AS top, "
        "if(n = 0, 0, hour - minIf(bucket - first_age, count > 0)) AS first_age, "
        "if(n = 0, 0, hour - maxIf(bucket - last_age, count > 0)) AS last_age, "
        "if(max(stale_age) = 0, 0, hour - maxIf(bucket - stale_age, stale_age > 0)) AS stale_age FROM ("
        f"SELECT *, exponent = {RAW_EXPONENT} AS raw, {hour} AS hour FROM {ROLLUP_5M.name} FINAL "
        f"WHERE (metric_id, {hour}) IN ({_changed(ROLLUP_1H, hour)})) GROUP BY metric_id, ref, hour"
    )
    largest = (
        f"arrayMax((x, y, e) -> greatest(abs(toFloat64(x)), abs(toFloat64(y))) * {_TENS}[1 + e - scale], "
        "minimums, maximums, exponents)"
    )
    wholes = ", ".join(
        f"if(plain, arrayMap((x, e) -> x * toInt64(intExp10(e - scale)), {n}s, exponents), []) AS whole_{n}s"
        for n in _Values._fields
    )
    doubles = ", ".join(
        f"if(plain, [], arrayMap((x, e) -> {_double('x', 'e')}, {n}s, exponents)) AS double_{n}s"
        for n in _Values._fields
    )
    scaled = (
        f"SELECT metric_id, ref, hour AS bucket, n, first_age, last_age, stale_age, scale, {_fits(largest)} AS plain, "
        f"{wholes}, {doubles} FROM ({groups})"
    )
    rolled = f"(SELECT max(rolled) FROM {ROLLUP_5M.name})"
    return _row(scaled, _of_hour("whole"), _of_hour("double"), rolled)


def _of_hour(kind: str) -> _Values:
    def array(name: str) -> str:
        return f"{kind}_{name}s"

    of_doubles = kind == "double"
    return _Values(
        f"{array('first')}[1]",
        f"{array('last')}[-1]",
        _but_nan("arrayMin", array("minimum")) if of_doubles else f"arrayMin({array('minimum')})",
        _but_nan("arrayMax", array("maximum")) if of_doubles else f"arrayMax({array('maximum')})",
        f"arraySum({array('increase')}) + {_increases(array('last'), array('first'))}",
        f"arrayReduce('sumKahan', {array('sum')})" if of_doubles else f"arraySum({array('sum')})",
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


def _refresh_before_last(table: str) -> str:
    return f"(SELECT max(rolled) FROM {table} WHERE rolled < (SELECT max(rolled) FROM {table}))"


# Run at start. A refresh shows its rows block by block, and its time with the first of them: one that the end of the
# process cut off would pass for done. So what the last refresh was to make counts as touched now, and is made again.
_BEFORE_LAST = f"least({_refresh_before_last(ROLLUP_5M.name)}, {_refresh_before_last(ROLLUP_1H.name)}) - {SETTLE_S}"
TOUCH_LAST_REFRESH = (
    f"INSERT INTO {TOUCHED.name} SELECT metric_id, bucket, {_CLOCK} FROM {TOUCHED.name} GROUP BY metric_id, bucket "
    f"HAVING max(seen) >= {_BEFORE_LAST} OR bucket >= toUnixTimestamp64Milli({_BEFORE_LAST})"
)
