"""Down-sampled samples: as stored, and made from samples where what is stored is not good yet."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.series import NOT_STALE, RollupColumns, SampleColumns
from swarmscope.model.staleness import STALE_BITS
from swarmscope.schema.rollups import SETTLE_S, TOUCHED, rollup_name
from swarmscope.store.embedded.native import AnyArray

_INT_FIELDS = ("bucket", "count", "first_ts", "last_ts", "stale_ts")
_FLOAT_FIELDS = ("sum", "min", "max", "first", "last", "increase")
STORED_FIELDS = ", ".join(("ref", *_INT_FIELDS, *_FLOAT_FIELDS))


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
    ints = {name: columns[name].astype(np.int64)[mine] for name in _INT_FIELDS}
    floats = {name: columns[name].astype(np.float64)[mine] for name in _FLOAT_FIELDS}
    position = position[mine]
    order = np.lexsort((ints["bucket"], position))
    # ClickHouse knows no marker for "none" but zero, which no sample of interest has.
    stale_ts = np.where(ints["stale_ts"] == 0, NOT_STALE, ints["stale_ts"])
    unordered = Buckets(
        position, ints["bucket"], ints["count"], floats["sum"], floats["min"], floats["max"], ints["first_ts"],
        floats["first"], ints["last_ts"], floats["last"], floats["increase"], stale_ts,
    )  # fmt: skip
    return Buckets._make(field[order] for field in unordered)


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
