"""Data points that cannot be stored: which, why, and in words that name the first of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.receivers.otlp.float_samples import find_ragged_histograms, to_histogram_input
from swarmscope.receivers.otlp.native_histograms import find_coarse_scales
from swarmscope.receivers.otlp.request_columns import (
    CUMULATIVE,
    DELTA,
    DataKind,
    MetricColumns,
    PointColumns,
)
from swarmscope.receivers.wire.scanner import Scan


class Refusals:
    """Which points of one request are kept. `counts` maps a reason to how many points it cost."""

    def __init__(self, scan: Scan, points: PointColumns) -> None:
        self._names = scan.table("Metric").texts("name")
        self._points = points
        self.keep: NDArray[np.bool_] = points.metric >= 0
        self.counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def refuse(self, points: NDArray[np.int64], reason: str) -> None:
        """Refuse points by number; those already refused are not counted again."""
        if not len(points):
            return
        fresh = np.unique(points)
        fresh = fresh[self.keep[fresh]]
        if not len(fresh):
            return
        self.keep[fresh] = False
        self.counts[reason] = self.counts.get(reason, 0) + len(fresh)
        if reason not in self._first:
            row = int(self._points.metric[fresh[0]])
            start, length = int(self._names.start[row]), int(self._names.length[row])
            self._first[reason] = self._names.buffer[start : start + length].tobytes().decode(errors="replace")

    @property
    def n_points(self) -> int:
        """How many points were refused."""
        return sum(self.counts.values())

    def to_message(self) -> str:
        """All reasons in one line, fit for the sender."""
        return "; ".join(
            f"{count} data points refused: {reason} (first: metric {self._first[reason]!r})"
            for reason, count in self.counts.items()
        )


def _check_histograms(scan: Scan, points: PointColumns, refusals: Refusals) -> None:
    at = points.rows_of("HistogramDataPoint")
    rows = np.flatnonzero(refusals.keep[at])
    if len(rows):
        ragged = find_ragged_histograms(to_histogram_input(scan, rows))
        refusals.refuse(
            at.start + rows[ragged], "explicit_bounds must ascend, and bucket_counts have one entry more than them"
        )
    at = points.rows_of("ExponentialHistogramDataPoint")
    if at.stop > at.start:
        coarse = np.flatnonzero(find_coarse_scales(scan))
        refusals.refuse(at.start + coarse, "an exponential histogram's scale is below -4, the coarsest there is")


def check_points(scan: Scan, metrics: MetricColumns, points: PointColumns) -> Refusals:
    """Refuse what breaks the data model or cannot be expressed."""
    refusals = Refusals(scan, points)
    metric = points.metric
    kind = metrics.kind[metric] if len(metrics.kind) else np.zeros(len(metric), np.int8)
    temporality = metrics.temporality[metric] if len(metrics.kind) else np.zeros(len(metric), np.int64)
    needs_temporality = np.isin(kind, (DataKind.SUM, DataKind.HISTOGRAM, DataKind.EXPONENTIAL_HISTOGRAM))
    known = (temporality == DELTA) | (temporality == CUMULATIVE)
    refusals.refuse(np.flatnonzero(needs_temporality & ~known), "the aggregation temporality is not specified")
    refusals.refuse(np.flatnonzero(points.time_ns == 0), "time_unix_nano is missing")
    at = points.rows_of("NumberDataPoint")
    numbers = scan.table("NumberDataPoint")
    valueless = ~(numbers.has("as_double") | numbers.has("as_int")) & ~points.is_stale[at]
    refusals.refuse(at.start + np.flatnonzero(valueless), "the data point has no value")
    _check_histograms(scan, points, refusals)
    return refusals
