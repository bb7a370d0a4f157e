"""Remote write bodies to metric batches: pure, no I/O but the question whether a series is known.

The common request names known series and brings a float sample for each; it costs one compiled walk, one look into
the index and no Python per series. What is rare (new series, histograms, exemplars, metadata) is decoded apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import SeriesIndex
from swarmscope.model.labels import DEFAULT_TENANT, LabelSets, Utf8Column
from swarmscope.model.metrics import (
    UNKNOWN_SERIES,
    ExemplarColumns,
    HistogramColumns,
    MetricBatch,
    empty_label_sets,
)
from swarmscope.receivers.remote_write import bucket_kernel, label_check
from swarmscope.receivers.remote_write.histograms import decode_histograms
from swarmscope.receivers.remote_write.label_check import PairArrays, describe_set, judge, keep_sets, make_pairs
from swarmscope.receivers.remote_write.metadata import decode_family_metadata, decode_series_metadata
from swarmscope.receivers.remote_write.refusals import Refusals
from swarmscope.receivers.remote_write.schema import V1, V1_EXTRAS, V1_LABELS, V2, V2_EXTRAS, V2_LABELS
from swarmscope.receivers.remote_write.series_kernel import N_EXEMPLARS, N_HISTOGRAMS, N_METADATA
from swarmscope.receivers.remote_write.series_scan import (
    DEFAULT_BOUNDS,
    RequestBounds,
    SeriesScan,
    scan_symbol_request,
    scan_write_request,
)
from swarmscope.receivers.remote_write.zero_samples import inject_zero_histograms, inject_zero_samples
from swarmscope.receivers.wire.scanner import Scan, ScanLimits, scan_message

# 256 MiB of cells: enough for the labels of 250,000 new series, all that fits into the largest body that is taken.
_SCAN_LIMITS = ScanLimits(max_cells=1 << 25)

# Memory that decoding takes at its worst, measured with bodies of the smallest messages there are: so many bytes for
# each of the body, whose effect the bounds on series, samples and cells end at the second figure.
_WORST_FACTOR = 64
_WORST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class DecodeContext:
    """What a decoder is told besides the bytes.

    `known_metadata` holds keys of version 2 metadata that has already been written; the caller adds
    `DecodedWrite.metadata_keys` once the batch is.
    """

    index: SeriesIndex
    tenant: str = DEFAULT_TENANT
    zero_ingestion: bool = False
    known_metadata: set[int] = field(default_factory=set)
    bounds: RequestBounds = DEFAULT_BOUNDS


@dataclass(slots=True)
class DecodedWrite:
    """A batch, and what of the request is not in it."""

    batch: MetricBatch
    refusals: Refusals
    metadata_keys: list[int]


@dataclass(slots=True)
class _Series:
    """Series that stay, in wire order; `position` maps a TimeSeries' row to its place in the batch, or -1."""

    key: NDArray[np.uint64]
    ref: NDArray[np.int64]
    new_labels: LabelSets
    position: NDArray[np.int64] | None  # None: every row stays where it is


def decode_bytes(n_bytes: int) -> int:
    """Memory that decoding an unpacked body of `n_bytes` takes at most, the body included."""
    return n_bytes + min(_WORST_FACTOR * n_bytes, _WORST_BYTES)


def decode_write_request(body: NDArray[np.uint8], proto: str, context: DecodeContext) -> DecodedWrite:
    """Decode an unpacked body; `proto` is `schema.V1` or `schema.V2`.

    Raises MalformedInputError where the bytes are not that message, LimitExceededError where it holds more than
    `context.bounds`. Series whose labels are not a label set,
    impossible histograms and bad exemplars are refused one by one, the rest stays.
    """
    scan_series = scan_write_request if proto == V1 else scan_symbol_request
    scan = scan_series(body, context.index.seed, context.bounds)
    refusals = Refusals()
    series = _resolve(scan, context, refusals)
    batch = MetricBatch(
        series_key=series.key,
        series_ref=series.ref,
        new_labels=series.new_labels,
        sample_series=scan.samples.series,
        ts_ms=scan.samples.ts_ms,
        value=scan.samples.value,
        tenant=context.tenant,
    )
    if context.zero_ingestion and proto == V2:
        batch.sample_series, batch.ts_ms, batch.value = inject_zero_samples(scan)
    if series.position is not None:
        _drop_samples(batch, series.position)
    metadata_keys = _add_extras(batch, scan, series, context, refusals)
    return DecodedWrite(batch, refusals, metadata_keys)


def _resolve(scan: SeriesScan, context: DecodeContext, refusals: Refusals) -> _Series:
    ref = context.index.resolve(context.tenant, scan.series.key)
    unknown = ref == UNKNOWN_SERIES
    if scan.details is not None:
        unknown |= scan.details.verdict != label_check.GOOD
    if not unknown.any():  # Fast path
        return _Series(scan.series.key, ref, empty_label_sets(), None)
    rows = np.flatnonzero(unknown)
    pairs, verdict = _pairs_v1(scan, rows) if scan.symbols is None else _pairs_v2(scan, rows)
    judge(pairs, verdict, context.index.seed, needs_name=True)
    _note_refused_sets(pairs, verdict, refusals)
    good = verdict == label_check.GOOD
    kept = good & _has_data(scan, rows)
    # The same new series twice in a request is one series: the later rows follow the first.
    _, first, again = np.unique(scan.series.key[rows], return_index=True, return_inverse=True)
    leader = np.zeros(len(rows), np.bool_)
    leader[first] = True
    any_data = np.bincount(again[kept], minlength=len(first)) > 0
    chosen = leader & good & any_data[again]
    stays = ~unknown
    stays[rows[chosen]] = True
    position = np.where(stays, np.cumsum(stays) - 1, -1)
    followers = good & any_data[again]
    position[rows[followers]] = position[rows[first[again[followers]]]]
    keys = scan.series.key[stays]
    return _Series(keys, np.where(unknown, UNKNOWN_SERIES, ref)[stays], keep_sets(pairs, chosen), position)


def _has_data(scan: SeriesScan, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the series bring a sample; where the request has histograms or exemplars, all are taken for such."""
    if scan.counts[N_HISTOGRAMS] or scan.counts[N_EXEMPLARS]:
        return np.ones(len(rows), np.bool_)
    return np.bincount(scan.samples.series, minlength=len(scan.series.key))[rows] > 0


def _pairs_v1(scan: SeriesScan, rows: NDArray[np.int64]) -> tuple[PairArrays, NDArray[np.int64]]:
    labels = scan_message(V1_LABELS, scan.body, (scan.series.start[rows], scan.series.end[rows]), _SCAN_LIMITS)
    table = labels.table("Label")
    offsets = labels.children("TimeSeries", "labels").offsets
    return make_pairs(offsets, table.texts("name"), table.texts("value")), np.zeros(len(rows), np.int64)


def _pairs_v2(scan: SeriesScan, rows: NDArray[np.int64]) -> tuple[PairArrays, NDArray[np.int64]]:
    assert scan.details is not None  # noqa: S101 (version 2 only)
    verdict = scan.details.verdict[rows].copy()
    labels = scan_message(V2_LABELS, scan.body, (scan.series.start[rows], scan.series.end[rows]), _SCAN_LIMITS)
    refs = labels.values("TimeSeries", "labels_refs")
    return _pairs_of_refs(scan, refs.ints, refs.offsets, verdict), verdict


def _pairs_of_refs(
    scan: SeriesScan, refs: NDArray[np.int64], offsets: NDArray[np.int64], verdict: NDArray[np.int64]
) -> PairArrays:
    """Label pairs of reference lists; lists whose verdict is bad get none (the verdict is filled in here)."""
    assert scan.symbols is not None  # noqa: S101 (version 2 only)
    n_symbols = len(scan.symbols.start)
    lengths = np.diff(offsets)
    set_of_ref = np.repeat(np.arange(len(lengths)), lengths)
    beyond = np.bincount(set_of_ref[refs >= n_symbols], minlength=len(lengths)) > 0
    verdict[(lengths & 1) == 1] = label_check.ODD_REFS
    verdict[beyond] = label_check.REF_OUT_OF_RANGE
    good = verdict == label_check.GOOD
    refs = refs[good[set_of_ref]]
    pair_offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(np.where(good, lengths, 0)))) // 2
    start, length = scan.symbols.start, scan.symbols.length
    names = Utf8Column(scan.body, start[refs[0::2]], length[refs[0::2]])
    values = Utf8Column(scan.body, start[refs[1::2]], length[refs[1::2]])
    return make_pairs(pair_offsets, names, values)


def _note_refused_sets(pairs: PairArrays, verdict: NDArray[np.int64], refusals: Refusals) -> None:
    for code in np.unique(verdict[verdict != label_check.GOOD]).tolist():
        rows = np.flatnonzero(verdict == code)
        refusals.add(label_check.REASONS[code], len(rows), "series", describe_set(pairs, int(rows[0])))


def _drop_samples(batch: MetricBatch, position: NDArray[np.int64]) -> None:
    batch.sample_series = position[batch.sample_series]
    kept = batch.sample_series >= 0
    if not kept.all():
        batch.sample_series = batch.sample_series[kept]
        batch.ts_ms, batch.value = batch.ts_ms[kept], batch.value[kept]


def _add_extras(
    batch: MetricBatch, scan: SeriesScan, series: _Series, context: DecodeContext, refusals: Refusals
) -> list[int]:
    """Histograms, exemplars and metadata, where there are any; returns the keys of new version 2 metadata."""
    extras: Scan | None = None
    if scan.counts[[N_HISTOGRAMS, N_EXEMPLARS, N_METADATA]].any():
        extras = scan_message(V1_EXTRAS if scan.symbols is None else V2_EXTRAS, scan.body, limits=_SCAN_LIMITS)
        if scan.counts[N_HISTOGRAMS]:
            batch.histograms = _take_histograms(extras, series, context, refusals)
        if scan.counts[N_EXEMPLARS]:
            batch.exemplars = _take_exemplars(extras, scan, series, context.index.seed, refusals)
    if scan.symbols is None:
        batch.metadata = decode_family_metadata(extras) if extras is not None else None
        return []
    taken = np.ones(len(scan.series.key), np.bool_) if series.position is None else series.position >= 0
    batch.metadata, keys = decode_series_metadata(scan, taken, context.known_metadata, context.index.seed)
    return keys


def _take_histograms(extras: Scan, series: _Series, context: DecodeContext, refusals: Refusals) -> HistogramColumns:
    histograms, verdict = decode_histograms(extras)
    for code in np.unique(verdict[verdict != bucket_kernel.GOOD]).tolist():
        refusals.add(bucket_kernel.REASONS[code], int((verdict == code).sum()), "histograms", "")
    if context.zero_ingestion:
        histograms, verdict = inject_zero_histograms(extras, histograms, verdict)
    place = histograms.series if series.position is None else series.position[histograms.series]
    chosen = np.flatnonzero((verdict == bucket_kernel.GOOD) & (place >= 0))
    histograms = histograms.take(chosen)
    histograms.series[:] = place[chosen]
    return histograms


def _take_exemplars(
    extras: Scan, scan: SeriesScan, series: _Series, seed: int, refusals: Refusals
) -> ExemplarColumns | None:
    table = extras.table("Exemplar")
    verdict = np.zeros(len(table), np.int64)
    if scan.symbols is None:
        labels = extras.table("Label")
        offsets = extras.children("Exemplar", "labels").offsets
        pairs = make_pairs(offsets, labels.texts("name"), labels.texts("value"))
    else:
        refs = extras.values("Exemplar", "labels_refs")
        pairs = _pairs_of_refs(scan, refs.ints, refs.offsets, verdict)
    judge(pairs, verdict, seed, needs_name=False)
    for code in np.unique(verdict[verdict != label_check.GOOD]).tolist():
        rows = np.flatnonzero(verdict == code)
        refusals.add(
            f"exemplar: {label_check.REASONS[code]}", len(rows), "exemplars", describe_set(pairs, int(rows[0]))
        )
    place = table.parent if series.position is None else series.position[table.parent]
    kept = (verdict == label_check.GOOD) & (place >= 0)
    if not kept.any():
        return None
    return ExemplarColumns(
        place[kept], table.ints("timestamp")[kept], table.floats("value")[kept], keep_sets(pairs, kept)
    )
