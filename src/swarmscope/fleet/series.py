"""Series that the fleet itself makes: their values by label set, and batches of samples of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.byte_hash import mix
from swarmscope.model.contracts import SeriesIndex
from swarmscope.model.interned_rows import OVERFLOW_ROW, InternedRows
from swarmscope.model.labels import METRIC_NAME, LabelSets
from swarmscope.model.metrics import UNKNOWN_SERIES, MetadataColumns, MetricBatch
from swarmscope.model.staleness import STALE_NAN

Labels = tuple[tuple[str, str], ...]
OVERFLOW_LABELS: Labels = (("metric_overflow", "true"),)


def labels(**pairs: str) -> Labels:
    """A label set; empty values are no labels."""
    return tuple((name, value) for name, value in pairs.items() if value)


class Family(NamedTuple):
    """One metric; `kind` is Prometheus' type."""

    name: str
    kind: str
    help: str
    unit: str = ""

    @property
    def is_counter(self) -> bool:
        """Whether it begins at zero."""
        return self.kind == "counter"


class Moment(NamedTuple):
    """When samples are written; a counter that begins gets a zero at `zero_ms`, so that `rate` sees its start."""

    now_ms: int
    zero_ms: int


class SeriesTable:
    """Metrics that have the same labels: one row a label set, one column a metric. Not thread-safe.

    A row that is retired gets staleness markers with the next batch, and is free once that was written.
    """

    def __init__(self, families: tuple[Family, ...], max_rows: int, seed: int) -> None:
        self.families = families
        self._rows: InternedRows[Labels] = InternedRows(max_rows, OVERFLOW_LABELS)
        n = len(families)
        self.value = np.zeros((0, n))  # [n_rows, n_families]
        # [n_rows, n_families] what was shown last: a total that is corrected waits until it is that large again
        self.shown = np.zeros((0, n))
        self.has = np.zeros((0, n), np.bool_)  # [n_rows, n_families] there is something to tell
        self.told = np.zeros((0, n), np.bool_)  # [n_rows, n_families] has samples in the store
        self.key = np.zeros((0, n), np.uint64)  # [n_rows, n_families] 0 for a free row
        self.touched_ms = np.zeros(0, np.int64)  # [n_rows]
        self.retired = np.zeros(0, np.bool_)  # [n_rows]
        self._salt = seed.to_bytes(8, "little") + families[0].name.encode()[:48]

    def __len__(self) -> int:
        """How many rows are in use."""
        return int(np.count_nonzero(self.key[:, 0])) if len(self.key) else 0

    def labels_of(self, row: int) -> Labels:
        """The label set of a row in use."""
        return self._rows.values[row] or ()

    def rows_of(self, keys: NDArray[np.uint64], labels_at: Callable[[int], Labels], now_ms: int) -> NDArray[np.int64]:
        """The row [n] of each hash [n]; `labels_at(position)` is asked for those never seen."""
        rows = self._rows.rows_of(keys, labels_at)
        self._touch(rows, now_ms)
        return rows

    def row_of(self, label_set: Labels, now_ms: int) -> int:
        """The row of a label set."""
        row = self._rows.row_of(label_set)
        self._touch(np.array([row]), now_ms)
        return row

    def add(self, family: int, rows: NDArray[np.int64], amounts: NDArray[np.float64]) -> None:
        """Add to a metric, by its position; rows may stand more than once."""
        np.add.at(self.value[:, family], rows, amounts)
        self.has[rows, family] = True

    def replace(self, values: Mapping[Labels, Sequence[float | None]], now_ms: int) -> None:
        """These are all rows, and their values by metric; None where there is none. Others are retired."""
        rows = np.array([self._rows.row_of(each) for each in values], np.int64)
        self._touch(rows, now_ms)
        self.retired[:] = self.key[:, 0] != 0 if len(self.key) else False
        self.retired[rows] = False
        for row, row_values in zip(rows.tolist(), values.values(), strict=True):
            for family, value in enumerate(row_values):
                self.has[row, family] = value is not None
                self.value[row, family] = 0.0 if value is None else value

    def retire_idle(self, before_ms: int) -> None:
        """End the rows that were not touched since then."""
        if len(self.key):
            self.retired |= (self.key[:, 0] != 0) & (self.touched_ms < before_ms)

    def _touch(self, rows: NDArray[np.int64], now_ms: int) -> None:
        self._reserve(len(self._rows))
        self.touched_ms[rows] = now_ms
        self.retired[rows] = False
        for row in np.unique(rows[self.key[rows, 0] == 0]).tolist():
            digest = blake2b(repr(self._rows.values[row]).encode(), digest_size=8, key=self._salt).digest()
            self.key[row] = _family_keys(np.uint64(int.from_bytes(digest, "little")), len(self.families))

    def _reserve(self, n_rows: int) -> None:
        more = max(n_rows, 16, 2 * len(self.key)) - len(self.key) if n_rows > len(self.key) else 0
        if more:
            for name in ("value", "shown", "has", "told", "key", "touched_ms", "retired"):
                column = getattr(self, name)
                setattr(self, name, np.concatenate([column, np.zeros((more, *column.shape[1:]), column.dtype)]))

    def forget_retired(self, rows: NDArray[np.int64]) -> None:
        """Free rows whose end was written."""
        self._rows.forget(rows[rows != OVERFLOW_ROW])
        for column in (self.value, self.shown, self.has, self.told, self.key, self.touched_ms, self.retired):
            column[rows] = 0


class _Shown(NamedTuple):
    """Series of one table that a batch has samples of [n]."""

    table: SeriesTable
    rows: NDArray[np.int64]
    families: NDArray[np.int64]


class Publication:
    """One batch of all tables of one tenant. Call `written` once it was taken."""

    def __init__(self, tables: Sequence[SeriesTable], index: SeriesIndex, tenant: str, moment: Moment) -> None:
        parts = []
        for table in tables:
            rows, families = np.nonzero(table.has & (~table.retired[:, np.newaxis] | table.told))
            parts.append(_Shown(table, rows, families))
        self._parts = parts
        self._ended = [np.flatnonzero(table.retired) for table in tables]
        keys = np.concatenate([np.zeros(0, np.uint64), *(part.table.key[part.rows, part.families] for part in parts)])
        self.batch = self._to_batch(keys, index.resolve(tenant, keys), tenant, moment)

    def _to_batch(self, keys: NDArray[np.uint64], refs: NDArray[np.int64], tenant: str, moment: Moment) -> MetricBatch:
        values, begins = [np.zeros(0)], [np.zeros(0, np.bool_)]
        for table, rows, families in self._parts:
            is_counter = np.array([family.is_counter for family in table.families])[families]
            value = table.value[rows, families]
            value = np.where(is_counter, np.maximum(value, table.shown[rows, families]), value)
            table.shown[rows, families] = value
            begins.append(is_counter & ~table.told[rows, families] & (value > 0))
            value[table.retired[rows]] = STALE_NAN
            values.append(value)
        value, zero = np.concatenate(values), np.flatnonzero(np.concatenate(begins))
        n = len(value)
        return MetricBatch(
            keys,
            refs,
            LabelSets.from_dicts(self._labels_at(np.flatnonzero(refs == UNKNOWN_SERIES))),
            np.concatenate([zero, np.arange(n)]),
            np.concatenate([np.full(len(zero), moment.zero_ms), np.full(n, moment.now_ms)]),
            np.concatenate([np.zeros(len(zero)), value]),
            metadata=self._metadata(),
            tenant=tenant,
        )

    def _labels_at(self, positions: NDArray[np.int64]) -> list[dict[str, str]]:
        found, begin = [], 0
        for table, rows, families in self._parts:
            here = positions[(positions >= begin) & (positions < begin + len(rows))] - begin
            for row, family in zip(rows[here].tolist(), families[here].tolist(), strict=True):
                found.append({METRIC_NAME: table.families[family].name, **dict(table.labels_of(row))})
            begin += len(rows)
        return found

    def _metadata(self) -> MetadataColumns:
        families = [family for part in self._parts if len(part.rows) for family in part.table.families]
        return MetadataColumns(
            [family.name for family in families], [family.kind for family in families],
            [family.unit for family in families], [family.help for family in families],
        )  # fmt: skip

    def written(self) -> None:
        """The batch was taken: what began has begun, and what ended is free."""
        for (table, rows, families), ended in zip(self._parts, self._ended, strict=True):
            table.told[rows, families] = True
            # Touched again meanwhile: its end is a gap, which the next sample closes.
            table.forget_retired(ended[table.retired[ended]])


@njit(nogil=True, cache=True)
def _family_keys(row_key: np.uint64, n_families: int) -> NDArray[np.uint64]:
    """The key [n_families] of each series of a row, never 0."""
    keys = np.empty(n_families, np.uint64)
    for family in range(n_families):
        keys[family] = max(mix(row_key, np.uint64(family + 1)), np.uint64(1))
    return keys
