"""The write path: each policy is a sink around a sink, in the order that this page shows."""

from __future__ import annotations

from functools import lru_cache

from swarmscope.app.settings import Settings
from swarmscope.ingest.counted import CountedSink
from swarmscope.ingest.counted_logs import CountedLogSink
from swarmscope.ingest.levels import LevellingSink
from swarmscope.ingest.limited import LimitedSink
from swarmscope.ingest.limited_logs import LimitedLogSink
from swarmscope.ingest.log_limits import LogLimits, StreamCounts
from swarmscope.ingest.log_rates import ByteRates
from swarmscope.ingest.redacting import RedactingLogSink
from swarmscope.ingest.redaction.redactor import Redactor
from swarmscope.ingest.series_limits import SeriesCounts, SeriesLimits
from swarmscope.model.contracts import Clock, LogSink, Sink

# A forged tenant name costs one entry; more of them than this push each other out.
_REMEMBERED_TENANTS = 10_000


class WritePath:
    """limits → commit; the way in for each protocol is counted under its name."""

    def __init__(self, settings: Settings, commit: Sink, counts: SeriesCounts) -> None:
        limits = settings.limits

        @lru_cache(_REMEMBERED_TENANTS)
        def limits_for(tenant: str) -> SeriesLimits:
            own = limits.for_tenant(tenant).model_dump()
            return SeriesLimits(**own, max_total_series=limits.max_total_series)

        self._first: Sink = LimitedSink(commit, counts, limits_for, max_samples_in_flight=limits.max_samples_in_flight)

    def entry(self, protocol: str) -> Sink:
        """Where batches of one protocol go in."""
        return CountedSink(self._first, protocol)


class LogWritePath:
    """limits → redact → detect levels → commit; the way in for each protocol is counted under its name."""

    def __init__(
        self, settings: Settings, commit: LogSink, counts: StreamCounts, redactor: Redactor | None, clock: Clock
    ) -> None:
        limits = settings.limits

        @lru_cache(_REMEMBERED_TENANTS)
        def limits_for(tenant: str) -> LogLimits:
            own = limits.logs_for_tenant(tenant).model_dump()
            return LogLimits(**own, max_total_streams=limits.logs.max_total_streams)

        levelled: LogSink = LevellingSink(commit)
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
