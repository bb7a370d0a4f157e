"""The write path: each policy is a sink around a sink, in the order that this page shows."""

from __future__ import annotations

from functools import lru_cache

from swarmscope.app.settings import Settings
from swarmscope.ingest.counted import CountedSink
from swarmscope.ingest.limited import LimitedSink
from swarmscope.ingest.series_limits import SeriesCounts, SeriesLimits
from swarmscope.model.contracts import Sink

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
