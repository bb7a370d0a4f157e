"""The sink that holds the limits: what is over a limit is refused by name, the rest goes on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from swarmscope.ingest.in_flight import InFlight
from swarmscope.ingest.removal import without_new_series
from swarmscope.ingest.series_limits import (
    MetricGroups,
    SeriesCounts,
    SeriesLimits,
    Verdict,
    group_by_metric,
    judge_shape,
    refuse_surplus,
)
from swarmscope.instrument.metrics import LIMITED_SAMPLES, SAMPLES_IN_FLIGHT
from swarmscope.model.contracts import Receipt, Sink
from swarmscope.model.labels import METRIC_NAME, LabelSets
from swarmscope.model.metrics import UNKNOWN_SERIES, MetricBatch

_MAX_EXAMPLE_CHARACTERS = 200


class LimitedSink:
    """Refuses what is over a limit. Thread-safe.

    Series that are on their way to the catalogue are counted as if they were there, so that requests which arrive
    together cannot pass a limit together.
    """

    def __init__(
        self,
        inner: Sink,
        counts: SeriesCounts,
        limits_for: Callable[[str], SeriesLimits],
        *,
        max_samples_in_flight: int,
    ) -> None:
        self._inner = inner
        self._counts = counts
        self._limits_for = limits_for
        self._in_flight = InFlight("limits", {"samples": max_samples_in_flight}, {"samples": SAMPLES_IN_FLIGHT})
        self._lock = threading.Lock()
        self._arriving: Counter[str] = Counter()  # tenant → series on their way
        self._arriving_of_metric: Counter[tuple[str, str]] = Counter()

    def write_metrics(self, batch: MetricBatch) -> Receipt:
        """As `Sink.write_metrics`; LimitExceededError when too many samples are already on their way."""
        with self._in_flight.holding({"samples": batch.n_samples}):
            if not len(batch.new_labels):
                return self._inner.write_metrics(batch)
            return self._write_with_new_series(batch)

    def _write_with_new_series(self, batch: MetricBatch) -> Receipt:
        limits = self._limits_for(batch.tenant)
        verdicts = judge_shape(batch.new_labels, limits)
        with self._lock:
            groups = self._judge_counts(batch, limits, verdicts)
            arriving = self._announce(batch.tenant, groups, verdicts)
        try:
            if not verdicts.any():
                return self._inner.write_metrics(batch)
            return self._write_admitted(batch, limits, verdicts)
        finally:
            with self._lock:
                self._arriving[batch.tenant] -= int(np.count_nonzero(verdicts == Verdict.ADMITTED))
                if not self._arriving[batch.tenant]:
                    del self._arriving[batch.tenant]
                self._arriving_of_metric.subtract(arriving)
                for key in arriving:
                    if not self._arriving_of_metric[key]:
                        del self._arriving_of_metric[key]

    def _judge_counts(
        self, batch: MetricBatch, limits: SeriesLimits, verdicts: NDArray[np.int8]
    ) -> MetricGroups | None:
        """Give verdicts on how many series there are; the groups by metric when they had to be formed."""
        tenant, everybody = batch.tenant, np.arange(len(verdicts))
        there = self._counts.active_total(tenant) + self._arriving[tenant]
        groups = None
        # Fast path: while the tenant as a whole is below the limit of one metric, no metric can be above it.
        if limits.max_series_per_metric and there + len(verdicts) > limits.max_series_per_metric:
            groups = group_by_metric(batch.new_labels)
            for number, metric in enumerate(groups.names):
                present = self._counts.active_of_metric(tenant, metric) + self._arriving_of_metric[tenant, metric]
                room = limits.max_series_per_metric - present
                refuse_surplus(verdicts, np.flatnonzero(groups.member == number), room, Verdict.SERIES_PER_METRIC)
        if limits.max_active_series:
            refuse_surplus(verdicts, everybody, limits.max_active_series - there, Verdict.ACTIVE_SERIES)
        if limits.max_total_series:
            total = self._counts.active_total() + self._arriving.total()
            refuse_surplus(verdicts, everybody, limits.max_total_series - total, Verdict.TOTAL_SERIES)
        return groups

    def _announce(
        self, tenant: str, groups: MetricGroups | None, verdicts: NDArray[np.int8]
    ) -> dict[tuple[str, str], int]:
        """Note the admitted series as on their way; returns what was noted by metric."""
        admitted = verdicts == Verdict.ADMITTED
        self._arriving[tenant] += int(np.count_nonzero(admitted))
        if groups is None:
            return {}
        numbers = np.bincount(groups.member[admitted], minlength=len(groups.names)).tolist()
        noted = {(tenant, metric): n for metric, n in zip(groups.names, numbers, strict=True) if n}
        self._arriving_of_metric.update(noted)
        return noted

    def _write_admitted(self, batch: MetricBatch, limits: SeriesLimits, verdicts: NDArray[np.int8]) -> Receipt:
        n_samples = _samples_of_new_series(batch)
        rest = without_new_series(batch, verdicts == Verdict.ADMITTED)
        has_rest = rest.n_series or rest.metadata is not None
        receipt = self._inner.write_metrics(rest) if has_rest else Receipt()
        for code in np.unique(verdicts[verdicts != Verdict.ADMITTED]).tolist():
            verdict = Verdict(code)
            refused = np.flatnonzero(verdicts == code)
            lost = int(n_samples[refused].sum())
            example = _spell_series(batch.new_labels, int(refused[0]))
            reason = (
                f"{verdict.setting} is {verdict.value_in(limits)}: {len(refused)} series refused, such as {example}"
            )
            receipt.refused[reason] = receipt.refused.get(reason, 0) + lost
            receipt.retryable |= verdict.is_retryable
            receipt.limit = receipt.limit or verdict.setting
            LIMITED_SAMPLES.labels(limit=verdict.setting).inc(lost)
        return receipt


def _samples_of_new_series(batch: MetricBatch) -> NDArray[np.int64]:
    """How many samples and histograms [len(new_labels)] each unknown series brings."""
    counts = np.bincount(batch.sample_series, minlength=batch.n_series)
    counts = counts + np.bincount(batch.histograms.series, minlength=batch.n_series)
    of_new: NDArray[np.int64] = counts[batch.series_ref == UNKNOWN_SERIES].astype(np.int64)
    return of_new


def _spell_series(labels: LabelSets, index: int) -> str:
    """`name{a="b"}`, cut where it is long. Bytes that are not UTF-8 are shown as replacement characters."""
    one = labels.take(np.array([index]))
    pairs: dict[str, str] = {}
    for pair in range(len(one.names)):
        texts = [
            column.buffer[column.start[pair] : column.start[pair] + column.length[pair]]
            .tobytes()
            .decode("utf-8", "replace")
            for column in (one.names, one.values)
        ]
        pairs[texts[0]] = texts[1]
    name = pairs.pop(METRIC_NAME, "")
    inside = ", ".join(f'{key}="{value}"' for key, value in sorted(pairs.items()))
    text = f"{name}{{{inside}}}"
    return text if len(text) <= _MAX_EXAMPLE_CHARACTERS else f"{text[:_MAX_EXAMPLE_CHARACTERS]}…"
