"""Metrics on their way in: one batch is what one request, scrape or export brought.

Everything is a column. A series is named by the hash of its bytes on the wire, so that only label sets never
seen before are ever decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.labels import DEFAULT_TENANT, LabelSets, Utf8Column
from swarmscope.model.runs_of_entries import joined_offsets, taken_runs

UNKNOWN_SERIES = -1
CUSTOM_BUCKETS_SCHEMA = -53
MIN_EXPONENTIAL_SCHEMA = -4
MAX_EXPONENTIAL_SCHEMA = 8


class ResetHint(IntEnum):
    """What a native histogram says of counter resets before it (prompb.Histogram.ResetHint)."""

    UNKNOWN = 0
    RESET = 1
    NO_RESET = 2
    GAUGE = 3


@dataclass(frozen=True, slots=True)
class Buckets:
    """Sparse buckets of n histograms: histogram i owns entries `offsets[i] : offsets[i + 1]`.

    `index` is the bucket's index as in Prometheus' spans resolved to absolute numbers (ascending inside a
    histogram), `count` its absolute (not delta-coded) population.
    """

    offsets: NDArray[np.int64]  # [n + 1]
    index: NDArray[np.int32]  # [n_entries]
    count: NDArray[np.float64]  # [n_entries]

    @classmethod
    def empty(cls, n: int = 0) -> Buckets:
        """Buckets of n histograms that have none."""
        return cls(np.zeros(n + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float64))

    def take(self, rows: NDArray[np.int64]) -> Buckets:
        """Those of the histograms `rows` [n]."""
        offsets, entries = taken_runs(self.offsets, rows)
        return Buckets(offsets, self.index[entries], self.count[entries])

    @classmethod
    def concat(cls, parts: Sequence[Buckets]) -> Buckets:
        """Those of all parts (at least one), one behind the other."""
        return cls(
            joined_offsets(part.offsets for part in parts),
            np.concatenate([part.index for part in parts]),
            np.concatenate([part.count for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class HistogramColumns:
    """Native histograms, one a row; `series` says whose row it is (what it indexes, the owner says).

    Schema -4 … 8 is exponential with base 2**(2**-schema); schema -53 has custom bounds: bucket k of `positive`
    is (custom[k-1], custom[k]], the last one is open to +Inf. A staleness marker is a row whose `sum` has the
    marker's bits.
    """

    series: NDArray[np.int64]  # [n]
    ts_ms: NDArray[np.int64]  # [n]
    schema: NDArray[np.int8]  # [n]
    reset_hint: NDArray[np.uint8]  # [n] ResetHint
    is_float: NDArray[np.bool_]  # [n] counts came as floats, not integers
    zero_threshold: NDArray[np.float64]  # [n]
    zero_count: NDArray[np.float64]  # [n]
    count: NDArray[np.float64]  # [n]
    sum: NDArray[np.float64]  # [n]
    positive: Buckets
    negative: Buckets
    custom_offsets: NDArray[np.int64]  # [n + 1]
    custom_bounds: NDArray[np.float64]  # [n_bounds]

    def __len__(self) -> int:
        return len(self.series)

    @classmethod
    def empty(cls) -> HistogramColumns:
        """No histograms."""
        i64, f64 = np.zeros(0, np.int64), np.zeros(0, np.float64)
        return cls(
            i64, i64, np.zeros(0, np.int8), np.zeros(0, np.uint8), np.zeros(0, np.bool_), f64, f64, f64, f64,
            Buckets.empty(), Buckets.empty(), np.zeros(1, np.int64), f64,
        )  # fmt: skip

    def take(self, rows: NDArray[np.int64]) -> HistogramColumns:
        """The histograms `rows` [n], in that order; `series` says what it said."""
        custom_offsets, bounds = taken_runs(self.custom_offsets, rows)
        flat = {name: getattr(self, name)[rows] for name in _FLAT_HISTOGRAM_FIELDS}
        return HistogramColumns(
            **flat,
            positive=self.positive.take(rows),
            negative=self.negative.take(rows),
            custom_offsets=custom_offsets,
            custom_bounds=self.custom_bounds[bounds],
        )

    @classmethod
    def concat(cls, parts: Sequence[HistogramColumns]) -> HistogramColumns:
        """The histograms of all parts, one behind the other; `series` says what it said."""
        if not parts:
            return cls.empty()
        flat = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _FLAT_HISTOGRAM_FIELDS}
        return cls(
            **flat,
            positive=Buckets.concat([part.positive for part in parts]),
            negative=Buckets.concat([part.negative for part in parts]),
            custom_offsets=joined_offsets(part.custom_offsets for part in parts),
            custom_bounds=np.concatenate([part.custom_bounds for part in parts]),
        )


# One number a histogram.
_FLAT_HISTOGRAM_FIELDS = (
    "series", "ts_ms", "schema", "reset_hint", "is_float", "zero_threshold", "zero_count", "count", "sum",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExemplarColumns:
    """Exemplars: a measured value with labels (a trace id, usually) that lead to its origin."""

    series: NDArray[np.int64]  # [n] index into the batch's series
    ts_ms: NDArray[np.int64]  # [n]
    value: NDArray[np.float64]  # [n]
    labels: LabelSets  # [n]

    def __len__(self) -> int:
        return len(self.series)


@dataclass(frozen=True, slots=True)
class MetadataColumns:
    """What is known of metric families; `kind` is Prometheus' lower-case type ("counter", "gauge" …)."""

    metric: list[str]  # [n] family name as in Prometheus' /api/v1/metadata
    kind: list[str]  # [n]
    unit: list[str]  # [n]
    help: list[str]  # [n]

    def __len__(self) -> int:
        return len(self.metric)


@dataclass(slots=True)
class MetricBatch:
    """One request's metrics. `sample_series` points into the batch's own series, as do histograms and exemplars.

    `series_key` is a hash of what identifies the series on the wire, seeded per process; the pair (tenant, key) is
    looked up in the `SeriesIndex` before labels are decoded. `series_ref` is the answer: the catalogue's number,
    or UNKNOWN_SERIES, and `new_labels` holds the label sets of the unknown ones, in their order of appearance.
    A sink that refuses some series MUST drop what points at them; `MetricBatch` may be changed in place by the
    sink that owns it.
    """

    series_key: NDArray[np.uint64]  # [n_series]
    series_ref: NDArray[np.int64]  # [n_series]
    new_labels: LabelSets  # [count of series_ref == UNKNOWN_SERIES]
    sample_series: NDArray[np.int64]  # [n_samples]
    ts_ms: NDArray[np.int64]  # [n_samples]
    value: NDArray[np.float64]  # [n_samples]
    histograms: HistogramColumns = field(default_factory=HistogramColumns.empty)
    exemplars: ExemplarColumns | None = None
    metadata: MetadataColumns | None = None
    tenant: str = DEFAULT_TENANT

    @property
    def n_series(self) -> int:
        """How many distinct series the batch names."""
        return len(self.series_key)

    @property
    def n_samples(self) -> int:
        """Float samples and histograms together."""
        return len(self.ts_ms) + len(self.histograms)


def empty_label_sets() -> LabelSets:
    """No label sets."""
    nothing = Utf8Column(np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64))
    return LabelSets(np.zeros(1, np.int64), nothing, nothing)
