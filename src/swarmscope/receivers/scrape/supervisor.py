"""Scraping as a whole: a pool per job, started, changed and stopped together."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor

from swarmscope.model.contracts import Clock, SeriesIndex, Sink
from swarmscope.model.targets import ScrapeTargets
from swarmscope.receivers.scrape.config_model import ScrapeSettings
from swarmscope.receivers.scrape.endings import Endings
from swarmscope.receivers.scrape.scrape_loop import Surroundings
from swarmscope.receivers.scrape.scrape_pool import ScrapePool
from swarmscope.receivers.wire.decode_room import DecodeRoom


class ScrapeSupervisor:
    """Scrapes what the settings say into a sink.

    All methods belong to one event loop's thread. Decoding and `sink.write_metrics` run in `workers`, or in the event
    loop's own threads where none are handed in; the pool stays its owner's and MUST outlive `stop`.
    """

    def __init__(
        self,
        settings: ScrapeSettings,
        sink: Sink,
        index: SeriesIndex,
        clock: Clock,
        workers: Executor | None = None,
        room: DecodeRoom | None = None,
    ) -> None:
        """`room` is shared with other receivers."""
        self._settings = settings
        self._surroundings = Surroundings(sink, index, clock, workers, room or DecodeRoom())
        self._endings = Endings(self._surroundings)
        self._pools: dict[str, ScrapePool] = {}

    async def start(self) -> None:
        """Start every job; returns at once, the first scrapes come within their intervals."""
        await self.reload(self._settings)

    async def reload(self, settings: ScrapeSettings) -> None:
        """Change to `settings`: equal jobs go on untouched, targets of changed jobs keep their series' history."""
        jobs = {job.name: job for job in settings.jobs}
        outdated = [pool for name, pool in self._pools.items() if jobs.get(name) != pool.job]
        for pool in outdated:
            del self._pools[pool.job.name]
        await asyncio.gather(*(pool.stop(for_good=True) for pool in outdated))
        for name, job in jobs.items():
            if name not in self._pools:
                self._pools[name] = ScrapePool(job, self._surroundings, self._endings)
                self._pools[name].start()
        self._settings = settings

    async def stop(self) -> None:
        """End all scraping; returns when nothing is being written any more. No series is marked stale."""
        pools = list(self._pools.values())
        self._pools.clear()
        await asyncio.gather(*(pool.stop(for_good=False) for pool in pools))
        await self._endings.close()

    def targets(self) -> ScrapeTargets:
        """All targets, for /api/v1/targets."""
        pools = list(self._pools.values())
        return ScrapeTargets(
            active=[target for pool in pools for target in pool.active()],
            dropped=[target for pool in pools for target in pool.dropped()],
            dropped_counts={pool.job.name: pool.dropped_count for pool in pools},
        )
