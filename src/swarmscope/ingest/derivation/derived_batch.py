"""From a table's counts to a batch of samples, native histograms and exemplars."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.derivation.derived_table import DerivedTable, Labels
from swarmscope.ingest.derivation.duration_histograms import FIRST_INDEX, SCHEMA, ZERO_THRESHOLD, HistogramState
from swarmscope.model.byte_hash import mix
from swarmscope.model.contracts import SeriesIndex
from swarmscope.model.labels import METRIC_NAME, LabelSets
from swarmscope.model.metrics import (
    UNKNOWN_SERIES,
    Buckets,
    ExemplarColumns,
    HistogramColumns,
    MetadataColumns,
    MetricBatch,
    ResetHint,
)
from swarmscope.model.staleness import STALE_NAN

# Parts of a histogram behind its buckets, by their distance from the number of bounds.
_SUM, _COUNT, _NATIVE = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Moment:
    """When samples are written; a series that begins gets a zero at `zero_ms`, so that `rate` sees its start."""

    now_ms: int
    zero_ms: int


@dataclass(slots=True)
class _Samples:
    """Columns in the making; a series is (row, family, part)."""

    series: list[NDArray[np.int64]] = field(default_factory=list)  # [n, 3]
    value: list[NDArray[np.float64]] = field(default_factory=list)
    is_first: list[NDArray[np.bool_]] = field(default_factory=list)

    def add(
        self, rows: NDArray[np.int64], family: int, part: int, value: NDArray[np.float64], first: NDArray[np.bool_]
    ) -> None:
        """One series of each row."""
        series = np.empty((len(rows), 3), np.int64)
        series[:, 0], series[:, 1], series[:, 2] = rows, family, part
        self.series.append(series)
        self.value.append(value)
        self.is_first.append(first)


class BatchBuilder:
    """Batches of one tenant's table."""

    def __init__(self, table: DerivedTable, index: SeriesIndex, tenant: str) -> None:
        self._table = table
        self._index = index
        self._tenant = tenant
        self._bounds = [*(np.format_float_positional(bound, trim="-") for bound in table.bounds_s), "+Inf"]

    def samples(self, rows: NDArray[np.int64], moment: Moment) -> MetricBatch:
        """Everything of some rows as it is now; forgets their slowest spans. `told` is the caller's to set."""
        samples, natives, owners = self._collect(rows)
        keys, refs, labels, place = self._resolve(np.concatenate([*samples.series, *(n for _, n, _ in natives)]))
        value, first = np.concatenate(samples.value), np.concatenate(samples.is_first)
        n = len(value)
        zero = np.flatnonzero(first)
        batch = MetricBatch(
            keys, refs, labels, np.concatenate([place[:n][zero], place[:n]]),
            np.concatenate([np.full(len(zero), moment.zero_ms), np.full(n, moment.now_ms)]),
            np.concatenate([np.zeros(len(zero)), value]), metadata=self._metadata(), tenant=self._tenant,
        )  # fmt: skip
        parts, at = [], n
        for (state, series, told), own in zip(natives, owners, strict=True):
            at += len(series)
            positions = place[at - len(series) : at]
            begun = np.flatnonzero(~told)
            parts.append(_empty_histograms(positions[begun], moment.zero_ms))
            parts.append(_histograms(state, own, positions, moment.now_ms))
        batch.histograms = HistogramColumns.concat(parts)
        batch.exemplars = self._exemplars(keys)
        return batch

    def ends(self, rows: NDArray[np.int64], now_ms: int) -> MetricBatch:
        """Staleness markers for all series of some rows that were told."""
        samples, natives, _ = self._collect(rows, told_only=True)
        n = sum(map(len, samples.value))
        keys, refs, labels, place = self._resolve(np.concatenate([*samples.series, *(s for _, s, _ in natives)]))
        batch = MetricBatch(
            keys, refs, labels, place[:n], np.full(n, now_ms, np.int64), np.full(n, STALE_NAN), tenant=self._tenant
        )
        marks = _empty_histograms(place[n:], now_ms)
        marks.sum[:] = STALE_NAN
        batch.histograms = marks
        return batch

    def _collect(
        self, rows: NDArray[np.int64], *, told_only: bool = False
    ) -> tuple[_Samples, list[tuple[HistogramState, NDArray[np.int64], NDArray[np.bool_]]], list[NDArray[np.int64]]]:
        table, samples = self._table, _Samples()
        n_counters = len(table.counters)
        for family in range(n_counters):
            told = table.told[rows, family]
            shown = told if told_only else told | (table.counts[rows, family] > 0)
            samples.add(rows[shown], family, 0, table.counts[rows[shown], family], ~told[shown])
        natives, owners = [], []
        n_bounds = len(table.bounds_s)
        for position, histogram in enumerate(table.histograms):
            family, state = n_counters + position, histogram.state
            told = table.told[rows, family]
            shown = told if told_only else told | (state.total[rows] > 0)
            own, first = rows[shown], ~told[shown]
            cumulative = np.cumsum(state.buckets[own], axis=1)
            for bound in range(n_bounds + 1):
                samples.add(own, family, bound, cumulative[:, bound], first)
            samples.add(own, family, n_bounds + _SUM, state.sum_s[own], first)
            samples.add(own, family, n_bounds + _COUNT, state.total[own], first)
            series = np.stack([own, np.full_like(own, family), np.full_like(own, n_bounds + _NATIVE)], axis=1)
            natives.append((state, series, ~first))
            owners.append(own)
        return samples, natives, owners

    def _resolve(
        self, series: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64], LabelSets, NDArray[np.int64]]:
        keys = _series_keys(self._table.key, series)
        refs = self._index.resolve(self._tenant, keys)
        new = [self._labels(*series[at].tolist()) for at in np.flatnonzero(refs == UNKNOWN_SERIES).tolist()]
        return keys, refs, LabelSets.from_dicts(new), np.arange(len(keys))

    def _labels(self, row: int, family: int, part: int) -> dict[str, str]:
        table = self._table
        labels: Labels = table.rows.values[row] or ()
        if family < len(table.counters):
            return {METRIC_NAME: table.counters[family].name, **dict(labels)}
        name, n_bounds = table.histogram_families[family - len(table.counters)].name, len(table.bounds_s)
        if part <= n_bounds:
            return {METRIC_NAME: name + "_bucket", **dict(labels), "le": self._bounds[part]}
        suffix = {_SUM: "_sum", _COUNT: "_count", _NATIVE: ""}[part - n_bounds]
        return {METRIC_NAME: name + suffix, **dict(labels)}

    def _metadata(self) -> MetadataColumns:
        table = self._table
        families = [*table.counters, *table.histogram_families]
        kinds = ["counter"] * len(table.counters) + ["histogram"] * len(table.histogram_families)
        return MetadataColumns(
            [family.name for family in families], kinds, [family.unit for family in families],
            [family.help for family in families],
        )  # fmt: skip

    def _exemplars(self, keys: NDArray[np.uint64]) -> ExemplarColumns | None:
        """The slowest span of each row since the last write, on its classic bucket and on the native histogram."""
        order = np.argsort(keys)
        series, times, values, ids = [], [], [], []
        for position, histogram in enumerate(self._table.histograms):
            state, n_bounds = histogram.state, len(self._table.bounds_s)
            rows = np.flatnonzero(state.slowest_s >= 0)
            family = np.full_like(rows, len(self._table.counters) + position)
            bucket = np.searchsorted(histogram.bounds_s, state.slowest_s[rows])
            for part in (bucket, np.full_like(rows, n_bounds + _NATIVE)):
                wanted = _series_keys(self._table.key, np.stack([rows, family, part], axis=1))
                place = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)] if len(keys) else rows
                here = np.flatnonzero(keys[place] == wanted) if len(keys) else rows[:0]
                series.append(place[here])
                times.append(state.slowest_ms[rows[here]])
                values.append(state.slowest_s[rows[here]])
                ids.append(_id_rows(state, rows[here]))
            state.slowest_s[np.unique(rows[here])] = -1
        if not sum(map(len, series)):
            return None
        return ExemplarColumns(
            np.concatenate(series), np.concatenate(times), np.concatenate(values),
            LabelSets.from_dicts(_id_labels(np.concatenate(ids))),
        )  # fmt: skip


def _id_rows(state: HistogramState, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The words of trace and span id [n, 3]."""
    return np.concatenate([state.trace[rows], state.span[rows, np.newaxis]], axis=1)


def _id_labels(ids: NDArray[np.uint64]) -> list[dict[str, str]]:
    """At most two a row and write, so this costs nothing a span."""
    texts = [row.tobytes().hex() for row in ids]
    return [{"traceID": text[:32], "spanID": text[32:]} for text in texts]


@njit(nogil=True, cache=True)
def _series_keys(row_key: NDArray[np.uint64], series: NDArray[np.int64]) -> NDArray[np.uint64]:
    keys = np.empty(len(series), np.uint64)
    for i in range(len(series)):
        keys[i] = mix(mix(row_key[series[i, 0]], series[i, 1] + 1), series[i, 2] + 1)
    return keys


def _histograms(
    state: HistogramState, rows: NDArray[np.int64], series: NDArray[np.int64], ts_ms: int
) -> HistogramColumns:
    counts = state.native[rows]
    owner, index = np.nonzero(counts)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.count_nonzero(counts, axis=1))])
    columns = _empty_histograms(series, ts_ms)
    columns.zero_count[:], columns.count[:], columns.sum[:] = state.zeros[rows], state.total[rows], state.sum_s[rows]
    positive = Buckets(offsets, (index + FIRST_INDEX).astype(np.int32), counts[owner, index])
    return HistogramColumns(
        columns.series, columns.ts_ms, columns.schema, columns.reset_hint, columns.is_float, columns.zero_threshold,
        columns.zero_count, columns.count, columns.sum, positive, columns.negative, columns.custom_offsets,
        columns.custom_bounds,
    )  # fmt: skip


def _empty_histograms(series: NDArray[np.int64], ts_ms: int) -> HistogramColumns:
    n = len(series)
    return HistogramColumns(
        series, np.full(n, ts_ms, np.int64), np.full(n, SCHEMA, np.int8), np.full(n, ResetHint.UNKNOWN, np.uint8),
        np.zeros(n, np.bool_), np.full(n, ZERO_THRESHOLD), np.zeros(n), np.zeros(n), np.zeros(n), Buckets.empty(n),
        Buckets.empty(n), np.zeros(n + 1, np.int64), np.zeros(0),
    )  # fmt: skip
