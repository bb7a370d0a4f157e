"""The newest minutes of edges and usage in memory: what is looked at all the time is not added up from parts.

Parts hold the same rows: memory only answers for times of which it has all.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.fleet import GRAIN_NS, N_DURATION_BUCKETS

# An hour, and what a dashboard that ends a little later needs.
_KEPT_NS = 75 * GRAIN_NS
_MAX_ROWS = 3_000_000  # some 250 MB; fewer minutes are kept where there are more rows
_NEVER_NS = (1 << 63) - 1
# Numbers are counted one by one while there are at most so many for each row, and some more.
_MAX_SPARSE, _SMALL = 8, 1 << 20


class MinuteRows(NamedTuple):
    """Rows [n] of one write, or sums of them."""

    minute_ns: NDArray[np.int64]  # [n]
    key: NDArray[np.int64]  # [n] number of the row's codes, see `RecentMinutes.keys`
    measures: NDArray[np.float64]  # [n, n_measures]
    # Durations: entry i is of row `duration_row[i]`.
    duration_row: NDArray[np.int64]
    duration_bucket: NDArray[np.uint8]
    duration_count: NDArray[np.uint32]


@dataclass(slots=True)
class _Tenant:
    writes: list[MinuteRows]
    n_rows: int = 0
    n_summed: int = 0  # of the writes: those hold a row for a key and minute
    minute_ns: int = 0  # the newest when writes were last summed up


class RecentMinutes:
    """Of all tenants. Thread-safe."""

    def __init__(self, complete_from_ns: int, n_codes: int) -> None:
        """Rows that are added later are all there are of minutes from then on; each has so many codes."""
        self._complete_from_ns = complete_from_ns
        self._numbers: dict[bytes, int] = {}
        self._keys = np.zeros((0, n_codes), np.uint32)
        self._tenants: dict[str, _Tenant] = {}
        self._newest_ns = -_NEVER_NS
        self._lock = threading.Lock()

    @property
    def complete_from_ns(self) -> int:
        """Memory knows all rows of minutes that begin then or later."""
        return self._complete_from_ns

    def number(self, codes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """The number [n] of each row of codes [n, n_codes]."""
        width = codes.shape[1] * codes.itemsize
        data = np.ascontiguousarray(codes).tobytes()
        with self._lock:
            known = self._numbers
            rows = (data[at : at + width] for at in range(0, len(data), width))
            numbers = np.fromiter((known.setdefault(row, len(known)) for row in rows), np.int64, len(codes))
            if len(known) > len(self._keys):
                self._keys = np.frombuffer(b"".join(known), np.uint32).reshape(-1, codes.shape[1])
        return numbers

    @property
    def keys(self) -> NDArray[np.uint32]:
        """Codes [n_numbers, n_codes] by number."""
        return self._keys

    def add(self, tenant: str, rows: MinuteRows) -> None:
        """Take rows of a write that is whole."""
        if len(rows.minute_ns) == 0:
            return
        with self._lock:
            mine = self._tenants.setdefault(tenant, _Tenant([]))
            mine.writes = [*mine.writes, rows]
            mine.n_rows += len(rows.minute_ns)
            self._newest_ns = max(self._newest_ns, int(rows.minute_ns.max()))
            if mine.minute_ns < self._newest_ns:
                mine.minute_ns = self._newest_ns
                _sum_up(mine)
            self._forget()

    def _forget(self) -> None:
        """Writes leave as a whole, once all of their minutes are old, or there are too many rows."""
        horizon_ns = max(self._complete_from_ns, self._newest_ns - _KEPT_NS)
        while sum(tenant.n_rows for tenant in self._tenants.values()) > _MAX_ROWS and horizon_ns < self._newest_ns:
            horizon_ns = min(self._newest_ns, max(horizon_ns, self._newest_ns - _KEPT_NS) + GRAIN_NS)
            self._drop(horizon_ns)
        self._drop(horizon_ns)
        self._complete_from_ns = horizon_ns

    def _drop(self, horizon_ns: int) -> None:
        for tenant in self._tenants.values():
            kept = [rows for rows in tenant.writes if rows.minute_ns.max() >= horizon_ns]
            if len(kept) < len(tenant.writes):
                gone = sum(rows.minute_ns.max() < horizon_ns for rows in tenant.writes[: tenant.n_summed])
                tenant.writes, tenant.n_rows = kept, sum(len(rows.minute_ns) for rows in kept)
                tenant.n_summed -= int(gone)

    def rows(self, tenant: str, start_ns: int, end_ns: int) -> MinuteRows | None:
        """All rows of minutes in the range, which MUST begin at `complete_from_ns` or later; None for none."""
        with self._lock:
            mine = self._tenants.get(tenant)
            writes = [] if mine is None else mine.writes
        parts = [part for part in (_between(rows, start_ns, end_ns) for rows in writes) if len(part.minute_ns)]
        return joined_rows(parts) if parts else None


def _sum_up(tenant: _Tenant) -> None:
    """Make one of the writes of the minute that is over; the newest, with which the next began, waits."""
    *over, newest = tenant.writes[tenant.n_summed :]
    if len(over) > 1:
        told, durations = summed(joined_rows(over), by_minute=True)
        row, bucket = np.nonzero(durations)
        one = told._replace(
            duration_row=row, duration_bucket=bucket.astype(np.uint8), duration_count=durations[row, bucket]
        )
        tenant.n_rows += len(one.minute_ns) - sum(len(rows.minute_ns) for rows in over)
        over = [one]
    tenant.writes = [*tenant.writes[: tenant.n_summed], *over, newest]
    tenant.n_summed = len(tenant.writes) - 1


def _between(rows: MinuteRows, start_ns: int, end_ns: int) -> MinuteRows:
    inside = (rows.minute_ns >= start_ns) & (rows.minute_ns < end_ns)
    if inside.all():
        return rows
    place = np.cumsum(inside) - 1
    entries = inside[rows.duration_row]
    return MinuteRows(
        rows.minute_ns[inside], rows.key[inside], rows.measures[inside], place[rows.duration_row[entries]],
        rows.duration_bucket[entries], rows.duration_count[entries],
    )  # fmt: skip


def joined_rows(parts: list[MinuteRows]) -> MinuteRows:
    """All rows of all parts."""
    before = np.cumsum([0, *(len(part.minute_ns) for part in parts)])
    return MinuteRows(
        np.concatenate([part.minute_ns for part in parts]),
        np.concatenate([part.key for part in parts]),
        np.concatenate([part.measures for part in parts]),
        np.concatenate([part.duration_row + at for part, at in zip(parts, before, strict=False)]),
        np.concatenate([part.duration_bucket for part in parts]),
        np.concatenate([part.duration_count for part in parts]),
    )


def summed(rows: MinuteRows, *, by_minute: bool) -> tuple[MinuteRows, NDArray[np.uint32]]:
    """One row [n] for equal keys (and minutes; else `minute_ns` is 0), and durations [n, N_DURATION_BUCKETS]."""
    n_keys, first_ns = int(rows.key.max()) + 1, int(rows.minute_ns.min())
    minute = (rows.minute_ns - first_ns) // GRAIN_NS if by_minute else np.zeros(len(rows.key), np.int64)
    cell = minute * n_keys + rows.key
    there, group = _distinct(cell)
    n = len(there)
    measures = np.empty((n, rows.measures.shape[1]))
    for column in range(measures.shape[1]):
        measures[:, column] = np.bincount(group, rows.measures[:, column], n)
    bucket = group[rows.duration_row] * N_DURATION_BUCKETS + rows.duration_bucket
    durations = np.bincount(bucket, rows.duration_count, n * N_DURATION_BUCKETS).astype(np.uint32)
    minute_ns = first_ns + there // n_keys * GRAIN_NS if by_minute else np.zeros(n, np.int64)
    nothing = np.zeros(0, np.int64)
    told = MinuteRows(minute_ns, there % n_keys, measures, nothing, nothing.astype(np.uint8), nothing.astype(np.uint32))
    return told, durations.reshape(n, N_DURATION_BUCKETS)


def _distinct(cell: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct numbers, ascending, and for each [n] which of them it is."""
    highest = int(cell.max())
    if highest > _MAX_SPARSE * len(cell) + _SMALL:
        # Slow path: months by minute, mostly empty.
        distinct, which = np.unique(cell, return_inverse=True)
        return distinct, which
    # Fast path: no sorting.
    there = np.flatnonzero(np.bincount(cell))
    place = np.zeros(highest + 1, np.int64)
    place[there] = np.arange(len(there))
    return there, place[cell]
