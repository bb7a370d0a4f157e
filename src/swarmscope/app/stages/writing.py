"""The write path: each policy is a sink around a sink, in the order that this page shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import lru_cache
from typing import NamedTuple

from swarmscope.app.settings import Settings
from swarmscope.app.stages.sampling import Sampling
from swarmscope.ingest.counted import CountedSink
from swarmscope.ingest.counted_logs import CountedLogSink
from swarmscope.ingest.counted_spans import CountedSpanSink
from swarmscope.ingest.derivation.deriving_spans import DerivingSpanSink
from swarmscope.ingest.levels import LevellingSink
from swarmscope.ingest.limited import LimitedSink
from swarmscope.ingest.limited_logs import LimitedLogSink
from swarmscope.ingest.limited_metadata import LimitedMetadataSink, MetadataLimits
from swarmscope.ingest.limited_metadata import Stored as StoredMetadata
from swarmscope.ingest.limited_spans import LimitedSpanSink
from swarmscope.ingest.log_limits import LogLimits, StreamCounts
from swarmscope.ingest.log_rates import ByteRates
from swarmscope.ingest.redacting import RedactingLogSink
from swarmscope.ingest.redacting_spans import RedactingSpanSink
from swarmscope.ingest.redaction.redactor import Redactor
from swarmscope.ingest.sampling.sampling_sink import SamplingSpanSink
from swarmscope.ingest.series_limits import SeriesCounts, SeriesLimits
from swarmscope.ingest.span_limits import SpanLimits
from swarmscope.model.contracts import Clock, LogSink, SeriesIndex, Sink, SpanSink

# A forged tenant name costs one entry; more of them than this push each other out.
_REMEMBERED_TENANTS = 10_000
_METADATA_LIMITS = tuple(field.name for field in fields(MetadataLimits))


class WritePath:
    """limits of series → limits of metadata → commit; the way in for each protocol is counted under its name."""

    def __init__(self, settings: Settings, commit: Sink, counts: SeriesCounts, stored_metadata: StoredMetadata) -> None:
        limits = settings.limits

        @lru_cache(_REMEMBERED_TENANTS)
        def limits_for(tenant: str) -> tuple[SeriesLimits, MetadataLimits]:
            own = limits.for_tenant(tenant).model_dump()
            of_metadata = MetadataLimits(**{name: own.pop(name) for name in _METADATA_LIMITS})
            return SeriesLimits(**own, max_total_series=limits.max_total_series), of_metadata

        self._first: Sink = LimitedSink(
            LimitedMetadataSink(commit, stored_metadata, lambda tenant: limits_for(tenant)[1]),
            counts,
            lambda tenant: limits_for(tenant)[0],
            max_samples_in_flight=limits.max_samples_in_flight,
        )

    def entry(self, protocol: str) -> Sink:
        """Where batches of one protocol go in."""
        return CountedSink(self._first, protocol)


class Watched(NamedTuple):
    """Sinks around a sink that tell the watch over the fleet what passes."""

    spans: Callable[[SpanSink], SpanSink] = lambda sink: sink
    lines: Callable[[LogSink], LogSink] = lambda sink: sink


_UNWATCHED = Watched()


class LogWritePath:
    """limits → redact → watch for evaluations and agents → detect levels → commit.

    The way in for each protocol is counted under its name.
    """

    def __init__(
        self,
        settings: Settings,
        commit: LogSink,
        counts: StreamCounts,
        redactor: Redactor | None,
        clock: Clock,
        watched: Watched = _UNWATCHED,
    ) -> None:
        limits = settings.limits

        @lru_cache(_REMEMBERED_TENANTS)
        def limits_for(tenant: str) -> LogLimits:
            own = limits.logs_for_tenant(tenant).model_dump()
            return LogLimits(**own, max_total_streams=limits.logs.max_total_streams)

        levelled = watched.lines(LevellingSink(commit))
        redacted = levelled if redactor is None else RedactingLogSink(levelled, redactor)
        self._first: LogSink = LimitedLogSink(
            redacted,
            counts,
            limits_for,
            ByteRates(clock),
            max_lines_in_flight=limits.logs.max_lines_in_flight,
            max_bytes_in_flight=limits.logs.max_bytes_in_flight,
        )

    def entry(self, protocol: str) -> LogSink:
        """Where batches of one protocol go in."""
        return CountedLogSink(self._first, protocol)


class SpanTaps(NamedTuple):
    """What is made of spans while they pass."""

    metrics: Sink  # takes what is derived
    series: SeriesIndex  # knows its series
    watched: Watched = _UNWATCHED


class SpanWritePath:
    """limits → redact → watch for evaluations and agents → derive → sample → commit.

    The way in for each protocol is counted under its name.
    """

    def __init__(
        self,
        settings: Settings,
        commit: SpanSink,
        redactor: Redactor | None,
        clock: Clock,
        sampling: Sampling | None,
        taps: SpanTaps,
    ) -> None:
        limits = settings.limits

        @lru_cache(_REMEMBERED_TENANTS)
        def limits_for(tenant: str) -> SpanLimits:
            return SpanLimits(**limits.traces_for_tenant(tenant).model_dump())

        sampled = commit if sampling is None else SamplingSpanSink(commit, sampling.settings, sampling.ledger, clock)
        derivation = settings.derivation.to_settings()
        self.deriving = DerivingSpanSink(sampled, taps.metrics, taps.series, clock, derivation)
        watched = taps.watched.spans(self.deriving)
        redacted = watched if redactor is None else RedactingSpanSink(watched, redactor)
        self._first: SpanSink = LimitedSpanSink(
            redacted,
            limits_for,
            ByteRates(clock),
            max_spans_in_flight=limits.traces.max_spans_in_flight,
            max_bytes_in_flight=limits.traces.max_bytes_in_flight,
        )

    def entry(self, protocol: str) -> SpanSink:
        """Where batches of one protocol go in."""
        return CountedSpanSink(self._first, protocol)
