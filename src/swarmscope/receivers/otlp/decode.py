"""An export request's bytes to a batch.

Scan, check, hash, fan out, add deltas to their totals: all in columns. Only what has never been seen is looked at in
Python: labels of new series, metadata of new families, and the resources' `target_info`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import SeriesIndex
from swarmscope.model.labels import LabelSets
from swarmscope.model.metrics import UNKNOWN_SERIES, HistogramColumns, MetricBatch, empty_label_sets
from swarmscope.receivers.otlp.delta_totals import ACCEPTED, OUT_OF_ORDER, DeltaSamples, DeltaTotals, Undo
from swarmscope.receivers.otlp.exemplars import PointSeries, to_exemplar_columns
from swarmscope.receivers.otlp.families import Families, ToldMetadata
from swarmscope.receivers.otlp.float_samples import (
    FloatSamples,
    Role,
    hash_samples,
    join_samples,
    to_histogram_samples,
    to_number_samples,
    to_summary_samples,
    unify_keys,
)
from swarmscope.receivers.otlp.native_histograms import (
    NativeRows,
    join_rows,
    pick_rows,
    to_custom_rows,
    to_exponential_rows,
    to_histogram_columns,
)
from swarmscope.receivers.otlp.native_totals import NativeTotals, NativeUndo, PointTimes
from swarmscope.receivers.otlp.new_series import NewSeries, ResourceMemory
from swarmscope.receivers.otlp.refusals import Refusals, check_points
from swarmscope.receivers.otlp.request_columns import (
    DELTA,
    SCHEMA,
    DataKind,
    MetricColumns,
    PointColumns,
    to_metric_columns,
    to_point_columns,
)
from swarmscope.receivers.otlp.series_labels import LabelMaker
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.wire.key_hash import derive_secrets
from swarmscope.receivers.wire.scanner import Scan, scan_message

_NS_PER_MS = np.uint64(1_000_000)
_LATE = {
    OUT_OF_ORDER: "the delta is not newer than the last one of its series",
}
_OLDER = "the delta begins before its series' running total"
_MISCOUNT = "the buckets do not add up to the count"


@dataclass(slots=True)
class DecodedMetrics:
    """A batch, what of the request is not in it, and what to do when the batch is stored or is not."""

    batch: MetricBatch
    n_points: int
    refusals: Refusals
    told: list[tuple[str, int]] = field(default_factory=list)
    delta_undo: list[tuple[DeltaTotals, Undo]] = field(default_factory=list)
    native_undo: NativeUndo = field(default_factory=list)


class _Entries(NamedTuple):
    """All that needs a series: samples, native histograms, target_info; in that order."""

    key: NDArray[np.uint64]
    point: NDArray[np.int64]  # of target_info: row of ResourceMetrics
    role: NDArray[np.int8]
    bound: NDArray[np.float64]


class _Parts(NamedTuple):
    """One request between scan and batch."""

    scan: Scan
    metrics: MetricColumns
    points: PointColumns
    refusals: Refusals
    families: Families
    tenant: str


class _TargetInfo(NamedTuple):
    resource: NDArray[np.int64]  # [n] rows of ResourceMetrics
    ts_ms: NDArray[np.int64]  # [n]


class MetricsDecoder:
    """Decodes export requests; one for all requests of the process, thread-safe."""

    def __init__(self, settings: OtlpSettings, index: SeriesIndex, now_ns: Callable[[], int]) -> None:
        self._settings = settings
        self._index = index
        self._now_ns = now_ns
        # Other settings give the same bytes other labels, so they must give other keys.
        self._secrets = derive_secrets(index.seed, zlib.crc32(repr(settings).encode()) | 1 << 32)
        self._labels = LabelMaker(settings)
        self._resources = ResourceMemory(self._labels)
        self._told = ToldMetadata()
        self._totals = DeltaTotals(settings.max_delta_series, settings.delta_max_stale_s)
        self._starts = DeltaTotals(settings.max_delta_series, settings.delta_max_stale_s)
        self._native_totals = NativeTotals(settings.max_delta_histograms, settings.delta_max_stale_s)

    def decode(self, body: NDArray[np.uint8], tenant: str) -> DecodedMetrics:
        """Decode one ExportMetricsServiceRequest. Raises MalformedInputError.

        Follow with `confirm` once the batch is stored, or with `take_back` when it is not.
        """
        scan = scan_message(SCHEMA, _to_read_only(body))
        metrics = to_metric_columns(scan, self._secrets)
        points = to_point_columns(scan, metrics, self._secrets)
        families = Families(scan, metrics, self._settings.translation_strategy)
        parts = _Parts(scan, metrics, points, check_points(scan, metrics, points), families, tenant)
        decoded = DecodedMetrics(_empty_batch(tenant), int(np.count_nonzero(points.metric >= 0)), parts.refusals)
        try:
            self._fill(parts, decoded)
        except BaseException:
            self.take_back(decoded)
            raise
        return decoded

    @property
    def n_running_totals(self) -> int:
        """Delta series and histograms whose running total is kept."""
        return len(self._totals) + len(self._starts) + len(self._native_totals)

    def confirm(self, decoded: DecodedMetrics) -> None:
        """The batch is stored."""
        self._told.remember(decoded.told)

    def take_back(self, decoded: DecodedMetrics) -> None:
        """Nothing of the batch is stored: the sender may send it again."""
        for totals, undo in decoded.delta_undo:
            totals.take_back(undo)
        self._native_totals.take_back(decoded.native_undo)

    def _fill(self, parts: _Parts, decoded: DecodedMetrics) -> None:
        points = parts.points
        native = self._to_native(parts, decoded)
        samples, sample_key = self._to_samples(parts, decoded)
        targets = self._to_targets(parts)
        n_native, n_targets = len(native.point) if native is not None else 0, len(targets.resource)
        native_point = native.point if native is not None else np.zeros(0, np.int64)
        entries = _Entries(
            np.concatenate((sample_key, self._plain_keys(points.key, native_point),
                            self._target_keys(parts.metrics, targets))),
            np.concatenate((samples.point, native_point, targets.resource)),
            np.concatenate((samples.role, np.zeros(n_native, np.int8), np.full(n_targets, Role.TARGET_INFO, np.int8))),
            np.concatenate((samples.bound, np.zeros(n_native + n_targets))),
        )  # fmt: skip
        first, number = unify_keys(entries.key)
        series_key = entries.key[first]
        refs = self._index.resolve(parts.tenant, series_key)
        labels, good = self._new_labels(parts, entries, first, number, refs)
        place = np.where(good, np.cumsum(good) - 1, -1)[number] if len(first) else number
        of_sample, of_native = place[: len(samples.point)], place[len(samples.point) : len(samples.point) + n_native]
        of_target = place[len(samples.point) + n_native :]
        zero_at, zero_ms = self._to_zero_samples(parts, samples, sample_key, decoded)
        float_series = np.concatenate((of_sample, of_target, of_sample[zero_at]))
        ts_ms = (points.time_ns[samples.point] // _NS_PER_MS).astype(np.int64)
        stored = float_series >= 0
        batch = decoded.batch
        batch.series_key, batch.series_ref, batch.new_labels = series_key[good], refs[good], labels
        batch.sample_series = float_series[stored]
        batch.ts_ms = np.concatenate((ts_ms, targets.ts_ms, zero_ms))[stored]
        batch.value = np.concatenate((samples.value, np.ones(n_targets), np.zeros(len(zero_at))))[stored]
        if native is not None:
            batch.histograms = _to_histograms(native, of_native, points)
        if parts.scan.count("Exemplar"):
            owners = _to_point_series(samples, of_sample, native_point, of_native, len(points.metric))
            batch.exemplars = to_exemplar_columns(parts.scan, points, owners, self._labels)
        rows = np.flatnonzero(np.bincount(points.metric[parts.refusals.keep], minlength=len(parts.metrics.kind)))
        batch.metadata, decoded.told = self._told.to_columns(parts.tenant, parts.families, parts.metrics, rows)

    def _to_samples(self, parts: _Parts, decoded: DecodedMetrics) -> tuple[FloatSamples, NDArray[np.uint64]]:
        """Float samples and their wire keys, deltas already added to their totals."""
        scan, points, keep = parts.scan, parts.points, parts.refusals.keep
        classic = [] if self._settings.convert_histograms_to_nhcb else [
            to_histogram_samples(scan, points, keep, self._secrets)
        ]  # fmt: skip
        made = [to_number_samples(scan, points, keep), *classic, to_summary_samples(scan, points, keep)]
        samples = join_samples(made, points)
        keys = hash_samples(points.key, samples, self._secrets)
        deltas = np.flatnonzero(_is_delta(parts)[samples.point])
        if not len(deltas):
            return samples, keys
        deltas = deltas[np.argsort(points.time_ns[samples.point[deltas]], kind="stable")]
        owner = samples.point[deltas]
        added = DeltaSamples(
            keys[deltas] ^ samples.layout[deltas], points.time_ns[owner], points.start_ns[owner], samples.value[deltas]
        )
        verdict, undo = self._totals.add(added, self._now_s())
        decoded.delta_undo.append((self._totals, undo))
        samples.value[deltas] = added.value
        _refuse_late(parts.refusals, owner, verdict)
        kept = parts.refusals.keep[samples.point]
        return FloatSamples._make(column[kept] for column in samples), keys[kept]

    def _to_native(self, parts: _Parts, decoded: DecodedMetrics) -> NativeRows | None:
        """Native histograms, deltas already added to their totals; None where the request has none."""
        scan, points, refusals = parts.scan, parts.points, parts.refusals
        made: list[NativeRows] = []
        makers = [("ExponentialHistogramDataPoint", to_exponential_rows)]
        if self._settings.convert_histograms_to_nhcb:
            makers.append(("HistogramDataPoint", to_custom_rows))
        for message, make in makers:
            rows = np.flatnonzero(refusals.keep[points.rows_of(message)])
            if not len(rows):
                continue
            native, miscounts = make(scan, points, rows)
            bad = miscounts & ~points.is_stale[native.point]
            refusals.refuse(native.point[bad], _MISCOUNT)
            made.append(pick_rows(native, ~bad))
        if not made:
            return None
        native = join_rows(made)
        is_delta = _is_delta(parts)[native.point]
        if not is_delta.any():
            return native
        times = PointTimes(
            points.key[native.point].tolist(), points.time_ns[native.point].tolist(),
            points.start_ns[native.point].tolist(), is_delta.tolist(),
        )  # fmt: skip
        native, verdict, decoded.native_undo = self._native_totals.add(native, times, self._now_s())
        _refuse_late(refusals, native.point, verdict)
        return pick_rows(native, refusals.keep[native.point])

    def _to_targets(self, parts: _Parts) -> _TargetInfo:
        """Where a `target_info` sample belongs: resources with points, at the latest of their times."""
        points = parts.points
        kept = np.flatnonzero(parts.refusals.keep)
        resource = parts.metrics.resource_row[points.metric[kept]] if len(kept) else kept
        latest_ns = np.zeros(len(parts.metrics.resource_key), np.uint64)
        np.maximum.at(latest_ns, resource, points.time_ns[kept])
        rows = [row for row in np.flatnonzero(latest_ns).tolist() if self._has_target_info(parts, row)]
        chosen = np.array(rows, np.int64)
        return _TargetInfo(chosen, (latest_ns[chosen] // _NS_PER_MS).astype(np.int64))

    def _has_target_info(self, parts: _Parts, row: int) -> bool:
        try:
            return self._resources.labels(parts.scan, parts.metrics, row).target_info is not None
        except ValueError as error:
            points = np.flatnonzero(parts.refusals.keep)
            mine = parts.metrics.resource_row[parts.points.metric[points]] == row
            parts.refusals.refuse(points[mine], str(error))
            return False

    def _to_zero_samples(
        self, parts: _Parts, samples: FloatSamples, keys: NDArray[np.uint64], decoded: DecodedMetrics
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions of samples whose series' start time is new, and that time in ms."""
        nothing = np.zeros(0, np.int64)
        if not self._settings.zero_sample_at_start or not len(keys):
            return nothing, nothing
        points, metric = parts.points, parts.points.metric[samples.point]
        counts = parts.metrics.is_monotonic[metric] | (parts.metrics.kind[metric] == DataKind.HISTOGRAM)
        start_ns = points.start_ns[samples.point]
        is_before = (start_ns != 0) & (start_ns // _NS_PER_MS < points.time_ns[samples.point] // _NS_PER_MS)
        wanted = np.flatnonzero(counts & is_before & ~_is_delta(parts)[samples.point])
        begun = DeltaSamples(keys[wanted], start_ns[wanted], np.zeros(len(wanted), np.uint64), np.zeros(len(wanted)))
        verdict, undo = self._starts.add(begun, self._now_s())
        decoded.delta_undo.append((self._starts, undo))
        chosen = wanted[verdict == ACCEPTED]
        return chosen, (start_ns[chosen] // _NS_PER_MS).astype(np.int64)

    def _new_labels(
        self, parts: _Parts, entries: _Entries, first: NDArray[np.int64], number: NDArray[np.int64],
        refs: NDArray[np.int64],
    ) -> tuple[LabelSets, NDArray[np.bool_]]:  # fmt: skip
        """Label sets of the unknown series, and which of all series may stay [n_series]."""
        good = np.ones(len(first), np.bool_)
        unknown = np.flatnonzero(refs == UNKNOWN_SERIES)
        if not len(unknown):
            return empty_label_sets(), good
        labels: list[dict[str, str]] = []
        new = NewSeries(parts.scan, (parts.metrics, parts.points), parts.families, self._resources, self._labels)
        at = first[unknown]
        rows = zip(unknown.tolist(), entries.point[at].tolist(), entries.role[at].tolist(), entries.bound[at].tolist(),
                   strict=True)  # fmt: skip
        for series, point, role, bound in rows:
            try:
                labels.append(new.labels(point, role, bound))
            except ValueError as error:
                good[series] = False
                mine = (number == series) & (entries.role != Role.TARGET_INFO)
                parts.refusals.refuse(entries.point[mine], str(error))
        return LabelSets.from_dicts(labels), good

    def _plain_keys(self, point_key: NDArray[np.uint64], point: NDArray[np.int64]) -> NDArray[np.uint64]:
        n = len(point)
        plain = FloatSamples(point, np.zeros(n, np.int8), np.zeros(n), np.zeros(n), np.zeros(n, np.uint64))
        return hash_samples(point_key, plain, self._secrets)

    def _target_keys(self, metrics: MetricColumns, targets: _TargetInfo) -> NDArray[np.uint64]:
        n = len(targets.resource)
        roles = np.full(n, Role.TARGET_INFO, np.int8)
        rows = FloatSamples(targets.resource, roles, np.zeros(n), np.zeros(n), np.zeros(n, np.uint64))
        return hash_samples(metrics.resource_key, rows, self._secrets)

    def _now_s(self) -> int:
        return self._now_ns() // 1_000_000_000


def _to_read_only(body: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Numba compiles a kernel once for arrays that may be written and once for others; this receiver has the latter."""
    view = body.view()
    view.flags.writeable = False
    return view


def _is_delta(parts: _Parts) -> NDArray[np.bool_]:
    """Which points carry an increment since the last one [n_points]."""
    if not len(parts.metrics.kind):
        return np.zeros(len(parts.points.metric), np.bool_)
    is_delta: NDArray[np.bool_] = (parts.metrics.temporality[parts.points.metric] == DELTA) & ~parts.points.is_stale
    return is_delta


def _refuse_late(refusals: Refusals, owner: NDArray[np.int64], verdict: NDArray[np.int8]) -> None:
    refusals.refuse(owner[verdict == OUT_OF_ORDER], _LATE[OUT_OF_ORDER])
    refusals.refuse(owner[(verdict != ACCEPTED) & (verdict != OUT_OF_ORDER)], _OLDER)


def _to_histograms(native: NativeRows, series: NDArray[np.int64], points: PointColumns) -> HistogramColumns:
    known = series >= 0
    return to_histogram_columns(pick_rows(native, known), series[known], points)


def _to_point_series(
    samples: FloatSamples, of_sample: NDArray[np.int64], native_point: NDArray[np.int64],
    of_native: NDArray[np.int64], n_points: int,
) -> PointSeries:  # fmt: skip
    point = np.concatenate((samples.point, native_point))
    bound = np.where(samples.role == Role.BUCKET, samples.bound, np.nan)
    order = np.argsort(point, kind="stable")
    return PointSeries(
        np.searchsorted(point[order], np.arange(n_points + 1)),
        np.concatenate((of_sample, of_native))[order],
        np.concatenate((bound, np.full(len(native_point), np.nan)))[order],
    )


def _empty_batch(tenant: str) -> MetricBatch:
    nothing = np.zeros(0, np.int64)
    return MetricBatch(
        np.zeros(0, np.uint64), nothing, empty_label_sets(), nothing, nothing, np.zeros(0), tenant=tenant
    )  # fmt: skip
