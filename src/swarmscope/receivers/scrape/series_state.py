"""What is remembered of one target's series from scrape to scrape, and the batch that a scrape becomes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import SeriesIndex
from swarmscope.model.labels import DEFAULT_TENANT, LabelSets
from swarmscope.model.metrics import (
    UNKNOWN_SERIES,
    ExemplarColumns,
    HistogramColumns,
    MetadataColumns,
    MetricBatch,
    empty_label_sets,
)
from swarmscope.model.staleness import STALE_NAN
from swarmscope.receivers.scrape.config_model import ScrapeJob
from swarmscope.receivers.scrape.exposition import NO_TIMESTAMP_MS, Exposition, ExpositionError, Family
from swarmscope.receivers.scrape.label_text import parse_braces, parse_series
from swarmscope.receivers.scrape.sample_labels import SampleLabeller, SampleLimitError
from swarmscope.receivers.scrape.series_hash import hash_text
from swarmscope.receivers.scrape.target import Target
from swarmscope.receivers.scrape.text_decode import FamilyCache

_NO_KEYS: NDArray[np.uint64] = np.zeros(0, np.uint64)
# OpenMetrics 1.0: names and values of an exemplar's labels together.
_MAX_EXEMPLAR_CHARACTERS = 128


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which series the rows of an exposition belong to; holds as long as the target exposes the same lines."""

    raw_key: NDArray[np.uint64]  # [n_rows]
    series_key: NDArray[np.uint64]  # [n_series] unique, dropped ones left out
    row_series: NDArray[np.int64]  # [n_rows] -1: dropped by relabelling
    first_row: NDArray[np.int64]  # [n_series]
    has_repeats: bool


@dataclass(frozen=True, slots=True)
class BuiltScrape:
    """One scrape's batch and its numbers. `tracked` are the keys to be marked stale once they vanish."""

    batch: MetricBatch
    tracked: NDArray[np.uint64]
    seen: NDArray[np.uint64]
    scraped: int
    post_relabel: int
    added: int


class TargetSeries:
    """The memory of one scrape loop. Used by one thread at a time."""

    def __init__(self, job: ScrapeJob, target: Target, index: SeriesIndex, tenant: str = DEFAULT_TENANT) -> None:
        self._job = job
        self._index = index
        self._tenant = tenant
        self._labeller = SampleLabeller(job, target.labels)
        self._target_labels = target.labels
        self.seed = _seed(job, target, index.seed)
        self._report_seed = hash_text(b"report", self.seed)
        self.family_cache = FamilyCache()
        self._layout: _Layout | None = None
        self._dropped = _NO_KEYS  # sorted
        self._tracked = _NO_KEYS
        self._seen = _NO_KEYS
        self._exemplars: set[tuple[int, bytes, float, int]] = set()
        self._metadata_hash = -1

    def inherit(self, other: TargetSeries) -> None:
        """Take over what `other` would have marked stale: its target goes on under a changed configuration."""
        self._tracked = other._tracked

    def build(self, exposition: Exposition, scrape_ts_ms: int) -> BuiltScrape:
        """The batch of a scrape; raises ExpositionError or SampleLimitError, and then nothing is remembered."""
        layout, refs, labels = self._resolve(exposition)
        row_series = layout.row_series
        kept = row_series >= 0
        n_kept = int(np.count_nonzero(kept))
        limit = self._job.sample_limit
        if limit and n_kept > limit:
            raise SampleLimitError(f"sample_limit exceeded (limit: {limit})")
        given = exposition.ts_ms
        explicit = given != NO_TIMESTAMP_MS
        if not self._job.config.honor_timestamps:
            explicit = np.zeros_like(explicit)
        ts_ms = np.where(explicit, given, scrape_ts_ms)
        rows = np.flatnonzero(kept[: exposition.n_samples])
        if layout.has_repeats:
            rows = _without_repeats(rows, row_series, ts_ms)
        batch = MetricBatch(
            series_key=layout.series_key,
            series_ref=refs,
            new_labels=LabelSets.from_dicts(labels) if labels else empty_label_sets(),
            sample_series=row_series[rows],
            ts_ms=ts_ms[rows],
            value=exposition.value[rows],
            histograms=self._histograms(exposition, row_series, ts_ms),
            exemplars=self._new_exemplars(exposition, row_series, ts_ms),
            metadata=self._new_metadata(exposition.families),
            tenant=self._tenant,
        )
        added = 0 if layout.series_key is self._seen else int(np.count_nonzero(~np.isin(layout.series_key, self._seen)))
        return BuiltScrape(
            batch, self._to_track(layout, explicit, kept), layout.series_key, len(row_series), n_kept, added
        )

    def _to_track(self, layout: _Layout, explicit: NDArray[np.bool_], kept: NDArray[np.bool_]) -> NDArray[np.uint64]:
        if self._job.config.track_timestamps_staleness or not explicit.any():
            return layout.series_key
        return layout.series_key[np.unique(layout.row_series[kept & ~explicit])]

    def _resolve(self, exposition: Exposition) -> tuple[_Layout, NDArray[np.int64], list[dict[str, str]]]:
        layout = self._layout
        if layout is None or not np.array_equal(layout.raw_key, exposition.key):
            layout = _lay_out(exposition.key, self._dropped)
        refs = self._index.resolve(self._tenant, layout.series_key)
        unknown = np.flatnonzero(refs == UNKNOWN_SERIES)
        labels: list[dict[str, str]] = []
        dropped: list[int] = []
        for series in unknown.tolist():
            found = self._labels_of(exposition, int(layout.first_row[series]))
            if found is None:
                dropped.append(int(layout.series_key[series]))
            else:
                labels.append(found)
        if dropped:
            # Only what the target exposes now is worth remembering, or a target of many names would fill memory.
            still = self._dropped[np.isin(self._dropped, exposition.key)]
            self._dropped = np.union1d(still, np.array(dropped, np.uint64))
            kept_refs = refs[~np.isin(layout.series_key, self._dropped)]
            layout = _lay_out(exposition.key, self._dropped, like=layout)
            refs = kept_refs
        self._layout = layout
        return layout, refs, labels

    def _labels_of(self, exposition: Exposition, row: int) -> dict[str, str] | None:
        family = int(exposition.family[row])
        kind = exposition.families[family].kind if family >= 0 else "unknown"
        try:
            return self._labeller.label(parse_series(exposition.series_text(row)), kind)
        except ExpositionError as error:
            begin = int(exposition.series_start[row])
            number = int(np.count_nonzero(exposition.buffer[:begin] == ord("\n"))) + 1
            raise ExpositionError(f"line {number}: {error}") from None

    def _histograms(
        self, exposition: Exposition, row_series: NDArray[np.int64], ts_ms: NDArray[np.int64]
    ) -> HistogramColumns:
        histograms = exposition.histograms
        if not len(histograms):
            return histograms
        rows = histograms.series + exposition.n_samples
        kept = np.flatnonzero(row_series[rows] >= 0)
        return replace(histograms.take(kept), series=row_series[rows[kept]], ts_ms=ts_ms[rows[kept]])

    def _new_exemplars(
        self, exposition: Exposition, row_series: NDArray[np.int64], ts_ms: NDArray[np.int64]
    ) -> ExemplarColumns | None:
        """Exemplars that the last scrape did not have: one without a time would else be stored at each scrape."""
        given = exposition.exemplars
        if not len(given):
            return None
        series: list[int] = []
        times: list[int] = []
        values: list[float] = []
        labels: list[dict[str, str]] = []
        seen: set[tuple[int, bytes, float, int]] = set()
        for at in range(len(given)):
            row = int(given.row[at])
            text = exposition.buffer[int(given.label_start[at]) : int(given.label_end[at])].tobytes()
            identity = (int(exposition.key[row]), text, float(given.value[at]), int(given.ts_ms[at]))
            seen.add(identity)
            if row_series[row] < 0 or identity in self._exemplars:
                continue
            found = {name: value for name, value in parse_braces(text).items() if value}
            if sum(len(name) + len(value) for name, value in found.items()) > _MAX_EXEMPLAR_CHARACTERS:
                continue
            series.append(int(row_series[row]))
            times.append(int(ts_ms[row]) if identity[3] == NO_TIMESTAMP_MS else identity[3])
            values.append(identity[2])
            labels.append(found)
        self._exemplars = seen
        if not series:
            return None
        return ExemplarColumns(
            np.array(series, np.int64), np.array(times, np.int64), np.array(values), LabelSets.from_dicts(labels)
        )

    def _new_metadata(self, families: Sequence[Family]) -> MetadataColumns | None:
        digest = hash(tuple(families)) if families is not self.family_cache.families else self.family_cache.hash
        if not families or digest == self._metadata_hash:
            return None
        self._metadata_hash = digest
        return MetadataColumns(
            [family.name for family in families], [family.kind for family in families],
            [family.unit for family in families], [family.help for family in families],
        )  # fmt: skip

    def remember(self, built: BuiltScrape) -> None:
        """Note what was written, after it was."""
        self._seen = built.seen

    def forget_extras(self) -> None:
        """The last batch was not stored: its metadata and exemplars are to be told again."""
        self._metadata_hash = -1
        self._exemplars = set()

    def take_vanished(self, tracked: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Keys and catalogue numbers of series that were tracked and are not in `tracked`, the ones from now on.

        Compared by catalogue number: a series that goes on under another spelling has not vanished.
        """
        before, self._tracked = self._tracked, tracked
        if before is tracked or np.array_equal(before, tracked) or not len(before):
            return _NO_KEYS, np.zeros(0, np.int64)
        refs = self._index.resolve(self._tenant, before)
        now = self._index.resolve(self._tenant, tracked)
        gone = (refs != UNKNOWN_SERIES) & ~np.isin(refs, now)
        return before[gone], refs[gone]

    def stale_batch(self, keys: NDArray[np.uint64], refs: NDArray[np.int64], ts_ms: int) -> MetricBatch:
        """Staleness markers at `ts_ms` for series that the catalogue knows."""
        n = len(keys)
        return MetricBatch(
            keys, refs, empty_label_sets(), np.arange(n), np.full(n, ts_ms, np.int64), np.full(n, STALE_NAN),
            tenant=self._tenant,
        )  # fmt: skip

    def report_batch(self, report: dict[str, float], ts_ms: int) -> MetricBatch:
        """`up` and its kin, with the target's labels."""
        names = list(report)
        keys = self.report_keys(names)
        refs = self._index.resolve(self._tenant, keys)
        new = [{**self._target_labels, "__name__": names[at]} for at in np.flatnonzero(refs == UNKNOWN_SERIES).tolist()]
        n = len(names)
        return MetricBatch(
            keys, refs, LabelSets.from_dicts(new), np.arange(n), np.full(n, ts_ms, np.int64),
            np.array([report[name] for name in names], np.float64), tenant=self._tenant,
        )  # fmt: skip

    def report_keys(self, names: Sequence[str]) -> NDArray[np.uint64]:
        """Keys of the report series; their own seed keeps an exposed `up` apart."""
        return np.array([hash_text(name.encode(), self._report_seed) for name in names], np.uint64)

    def known(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """The keys that the catalogue knows, with their numbers."""
        refs = self._index.resolve(self._tenant, keys)
        found = refs != UNKNOWN_SERIES
        return keys[found], refs[found]


def _seed(job: ScrapeJob, target: Target, process_seed: int) -> int:
    """Two targets, or one target under another relabelling, never share a key."""
    config = job.config
    rules = [rule.model_dump() for rule in config.metric_relabel_configs]
    text = json.dumps(
        [config.honor_labels, job.validation_scheme, target.identity, sorted(target.labels.items()), rules]
    )
    return hash_text(text.encode(), process_seed)


def _lay_out(keys: NDArray[np.uint64], dropped: NDArray[np.uint64], like: _Layout | None = None) -> _Layout:
    """The layout of rows with `keys` without the `dropped` series; `like` keeps the order of its series."""
    if like is not None:
        kept = ~np.isin(like.series_key, dropped)
        renumbered = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)
        row_series = renumbered[like.row_series]
        return _Layout(keys, like.series_key[kept], row_series, like.first_row[kept], like.has_repeats)
    unique, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    everything = _Layout(keys, unique, inverse.astype(np.int64), first.astype(np.int64), len(unique) < len(keys))
    if not everything.has_repeats:
        rows = np.arange(len(keys))
        everything = _Layout(keys, keys, rows, rows, False)
    return _lay_out(keys, dropped, like=everything) if len(dropped) else everything


def _without_repeats(
    rows: NDArray[np.int64], row_series: NDArray[np.int64], ts_ms: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The first of several samples of one series at one time stays, as in Prometheus."""
    order = np.lexsort((rows, ts_ms[rows], row_series[rows]))
    ranked = rows[order]
    same = (row_series[ranked][1:] == row_series[ranked][:-1]) & (ts_ms[ranked][1:] == ts_ms[ranked][:-1])
    return np.sort(ranked[np.concatenate((np.ones(min(1, len(ranked)), np.bool_), ~same))])
