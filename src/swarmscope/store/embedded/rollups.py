"""Down-sampled samples: as stored, and made from samples where what is stored is not good yet."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.series import NOT_STALE, RollupColumns, SampleColumns
from swarmscope.model.staleness import STALE_BITS
from swarmscope.schema.rollups import SETTLE_S, TOUCHED, rollup_name
from swarmscope.schema.tables import RAW_EXPONENT
from swarmscope.store.embedded.decimal import POWERS_OF_TEN
from swarmscope.store.embedded.native import AnyArray

_VALUE_FIELDS = ("first", "last", "low", "high", "gain", "total")
_FIELDS = ("bucket", "exponent", "count", "first_age", "last_age", "stale_age", *_VALUE_FIELDS)
STORED_FIELDS = ", ".join(("ref", *_FIELDS))


class _StoredRows(NamedTuple):
    """Columns [n] of a rollup table, as swarmscope.schema.rollups defines them."""

    bucket: NDArray[np.int64]
    exponent: NDArray[np.int64]
    samples: NDArray[np.int64]
    first_age: NDArray[np.int64]
    last_age: NDArray[np.int64]
    stale_age: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    gain: NDArray[np.int64]
    total: NDArray[np.int64]


class Buckets(NamedTuple):
    """Rows of rollups by position in a selection; `position` ascending, `bucket` ascending inside one."""

    position: NDArray[np.int64]
    bucket: NDArray[np.int64]
    samples: NDArray[np.int64]
    total: NDArray[np.float64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    first_ts: NDArray[np.int64]
    first: NDArray[np.float64]
    last_ts: NDArray[np.int64]
    last: NDArray[np.float64]
    increase: NDArray[np.float64]
    stale_ts: NDArray[np.int64]


@njit(nogil=True, cache=True, inline="always")
def _bucket_end(ts_ms: int, resolution_ms: int) -> int:
    return -((-ts_ms) // resolution_ms) * resolution_ms


@njit(nogil=True, cache=True)
def _count_buckets(offsets: NDArray[np.int64], ts_ms: NDArray[np.int64], resolution_ms: int) -> int:
    n = 0
    for p in range(len(offsets) - 1):
        previous = 0
        for i in range(offsets[p], offsets[p + 1]):
            bucket = _bucket_end(ts_ms[i], resolution_ms)
            if i == offsets[p] or bucket != previous:
                n += 1
            previous = bucket
    return n


@njit(nogil=True, cache=True)
def _fill_buckets(
    offsets: NDArray[np.int64], ts_ms: NDArray[np.int64], value: NDArray[np.float64], resolution_ms: int, out: Buckets
) -> None:
    bits = value.view(np.int64)
    row = -1
    for p in range(len(offsets) - 1):
        lost = 0.0
        for i in range(offsets[p], offsets[p + 1]):
            bucket = _bucket_end(ts_ms[i], resolution_ms)
            if i == offsets[p] or bucket != out.bucket[row]:
                row += 1
                lost = 0.0
                out.position[row] = p
                out.bucket[row] = bucket
                out.samples[row] = 0
                out.total[row] = 0.0
                out.minimum[row] = np.nan
                out.maximum[row] = np.nan
                out.increase[row] = 0.0
                out.stale_ts[row] = NOT_STALE
            if bits[i] == STALE_BITS:
                out.stale_ts[row] = ts_ms[i]
                continue
            v = value[i]
            if out.samples[row] == 0:
                out.first_ts[row] = ts_ms[i]
                out.first[row] = v
            else:
                before = out.last[row]
                out.increase[row] += v - before if v >= before else v
            # Kahan's compensated sum, as ClickHouse's sumKahan for the stored buckets.
            corrected = v - lost
            total = out.total[row] + corrected
            lost = (total - out.total[row]) - corrected
            out.total[row] = total
            if np.isnan(out.minimum[row]) or v < out.minimum[row]:
                out.minimum[row] = v
            if np.isnan(out.maximum[row]) or v > out.maximum[row]:
                out.maximum[row] = v
            out.last_ts[row] = ts_ms[i]
            out.last[row] = v
            out.samples[row] += 1


def _room(n: int) -> Buckets:
    def ints() -> NDArray[np.int64]:
        return np.empty(n, np.int64)

    def floats() -> NDArray[np.float64]:
        return np.empty(n, np.float64)

    return Buckets(
        ints(), ints(), ints(), floats(), floats(), floats(), ints(), floats(), ints(), floats(), floats(), ints()
    )


def buckets_of(samples: SampleColumns, resolution_ms: int) -> Buckets:
    """Buckets made from samples here and now."""
    room = _room(_count_buckets(samples.offsets, samples.ts_ms, resolution_ms))
    _fill_buckets(samples.offsets, samples.ts_ms, samples.value, resolution_ms, room)
    return room


def stored_buckets(columns: dict[str, AnyArray], refs: NDArray[np.int64]) -> Buckets:
    """Rows of a rollup table (`STORED_FIELDS`) as buckets of the selected `refs` [n]; others are left out."""
    if not columns:
        return _room(0)
    by_ref = np.argsort(refs, kind="stable")
    ref = columns["ref"].astype(np.int64)
    at = np.minimum(np.searchsorted(refs, ref, sorter=by_ref), len(refs) - 1)
    position = by_ref[at]
    mine = refs[position] == ref
    position = position[mine]
    order = np.lexsort((columns["bucket"][mine], position))
    room = _room(len(order))
    room.position[:] = position[order]
    taken = np.flatnonzero(mine)[order]
    _decode_rows(_StoredRows._make(columns[name].astype(np.int64)[taken] for name in _FIELDS), room)
    return room


@njit(nogil=True, cache=True)
def _decode_rows(rows: _StoredRows, out: Buckets) -> None:
    """Stored rows [n] to buckets [n]: the inverse of the arithmetic in swarmscope.schema.rollups."""
    out.bucket[:] = rows.bucket
    out.samples[:] = rows.samples
    out.first_ts[:] = rows.bucket - rows.first_age
    out.last_ts[:] = rows.bucket - rows.last_age
    for i in range(len(rows.bucket)):
        out.stale_ts[i] = NOT_STALE if rows.stale_age[i] == 0 else rows.bucket[i] - rows.stale_age[i] + 1
        if rows.exponent[i] == RAW_EXPONENT:
            out.first.view(np.int64)[i] = rows.first[i]
            out.last.view(np.int64)[i] = rows.last[i]
            out.minimum.view(np.int64)[i] = rows.low[i]
            out.maximum.view(np.int64)[i] = rows.high[i]
            out.increase.view(np.int64)[i] = rows.gain[i]
            out.total.view(np.int64)[i] = rows.total[i]
            continue
        power = POWERS_OF_TEN[-rows.exponent[i]]
        first, last = rows.first[i], rows.first[i] + rows.last[i]
        twice_above_first = rows.total[i] + rows.samples[i] * rows.last[i]
        out.first[i] = first / power
        out.last[i] = last / power
        out.minimum[i] = (min(first, last) - rows.low[i]) / power
        out.maximum[i] = (max(first, last) + rows.high[i]) / power
        out.increase[i] = (rows.gain[i] + rows.last[i]) / power
        out.total[i] = (twice_above_first // 2 + rows.samples[i] * first) / power


def joined_buckets(earlier: Buckets, later: Buckets, n_series: int, resolution_ms: int) -> RollupColumns:
    """Buckets before a time and buckets after it as one answer."""
    fields = [np.concatenate([a, b]) for a, b in zip(earlier, later, strict=True)]
    position, bucket = fields[0], fields[1]
    order = np.lexsort((bucket, position))
    offsets = np.zeros(n_series + 1, np.int64)
    np.cumsum(np.bincount(position, minlength=n_series), out=offsets[1:])
    return RollupColumns(resolution_ms, offsets, *(field[order] for field in fields[1:]))


def first_doubtful_sql(condition: str, resolution_ms: int, range_ms: tuple[int, int]) -> str:
    """The end of the first bucket in the range that was touched since the rollups were made (`doubtful`, if `n` > 0),
    and the time up to which they were made at all (`rolled_ms`)."""
    last = f"(SELECT max(rolled) FROM {rollup_name(resolution_ms)}) - {SETTLE_S}"
    return (
        f"SELECT min(bucket) AS doubtful, count() AS n, ifNull(toUnixTimestamp64Milli({last}), 0) AS rolled_ms FROM "
        f"(SELECT metric_id, bucket, max(seen) AS seen FROM {TOUCHED.name} WHERE {condition} "
        f"AND bucket > {range_ms[0]} AND bucket <= {range_ms[1]} GROUP BY metric_id, bucket) WHERE seen >= {last}"
    )


def check_aligned(resolution_ms: int, range_ms: tuple[int, int]) -> None:
    """Raise ValueError unless the range is made of whole buckets."""
    if range_ms[0] % resolution_ms or range_ms[1] % resolution_ms:
        raise ValueError(f"the range {range_ms} is not made of whole buckets of {resolution_ms} ms")
