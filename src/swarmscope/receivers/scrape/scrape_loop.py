"""The loop that scrapes one target at its interval, at its own offset within it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from swarmscope.instrument import metrics
from swarmscope.model.contracts import Clock, SeriesIndex, Sink
from swarmscope.model.durations import format_duration_ms
from swarmscope.model.targets import ActiveTarget
from swarmscope.receivers.scrape.config_model import ScrapeJob
from swarmscope.receivers.scrape.http_client import MAX_BODY_BYTES, FetchError, HttpClient
from swarmscope.receivers.scrape.negotiation import accept_header
from swarmscope.receivers.scrape.scrape_work import Fetched, ScrapeOutcome, ScrapeWork
from swarmscope.receivers.scrape.target import Target
from swarmscope.receivers.wire.decode_room import DecodeRoom

_log = logging.getLogger(__name__)
_NS_PER_MS = 1_000_000
# A scrape that begins this little after its time is given its time: even steps compress far better.
_ALIGNMENT_NS = 2_000_000


class Surroundings(NamedTuple):
    """What the loops are handed by whoever starts them. `workers` None: the event loop's own threads."""

    sink: Sink
    series_index: SeriesIndex
    clock: Clock
    workers: Executor | None
    room: DecodeRoom


@dataclass(slots=True)
class _Status:
    """How the last scrape went."""

    health: str = "unknown"
    error: str = ""
    begun_ns: int = 0
    duration_s: float = 0.0


def next_tick_ns(now_ns: int, interval_ns: int, offset_ns: int) -> int:
    """The first moment after `now_ns` that is `offset_ns` into an interval counted from the epoch."""
    return now_ns + interval_ns - (now_ns - offset_ns) % interval_ns


def aligned_ns(now_ns: int, tick_ns: int, interval_ns: int) -> int:
    """`tick_ns` where `now_ns` is close to it, else `now_ns`."""
    tolerance_ns = min(_ALIGNMENT_NS, interval_ns // 100)
    return tick_ns if abs(now_ns - tick_ns) <= tolerance_ns else now_ns


class ScrapeLoop:
    """Scrapes one target until it is stopped."""

    def __init__(self, job: ScrapeJob, target: Target, client: HttpClient, surroundings: Surroundings) -> None:
        self.target = target
        self.work = ScrapeWork(job, target, surroundings.sink, surroundings.series_index, surroundings.room)
        self.forced_error = ""
        self.last_tick_ns = 0
        self._job = job
        self._client = client
        self._surroundings = surroundings
        self._status = _Status()
        self._headers = {
            "Accept": accept_header(job),
            "Accept-Encoding": "gzip" if job.config.enable_compression else "identity",
            "X-Prometheus-Scrape-Timeout-Seconds": f"{target.timeout_ms / 1000:g}",
        }

    async def run(self) -> None:
        """Scrape at each tick; a scrape that outlasts its interval makes the loop skip ticks, not pile up."""
        interval_ns = self.target.interval_ms * _NS_PER_MS
        clock = self._surroundings.clock
        while True:
            tick_ns = next_tick_ns(clock.now_ns(), interval_ns, self.target.identity % interval_ns)
            while (wait_ns := tick_ns - clock.now_ns()) > 0:
                if wait_ns > interval_ns:  # the clock was set back: the tick may be hours away
                    tick_ns -= wait_ns // interval_ns * interval_ns
                    continue
                await asyncio.sleep(wait_ns / 1e9)
            self.last_tick_ns = tick_ns
            begun_ns = aligned_ns(clock.now_ns(), tick_ns, interval_ns)
            try:
                await self.scrape(begun_ns)
            except Exception:
                # One target's trouble must not end its loop: the next scrape may well succeed.
                _log.exception("scrape of %s failed in an unforeseen way", self.target.url)

    async def scrape(self, begun_ns: int) -> None:
        """Scrape once; samples without a time of their own get `begun_ns`."""
        begun_s = time.perf_counter()
        fetched = await self._fetch(begun_s)
        outcome = await self._in_worker(lambda: self.work.run(fetched, begun_ns // _NS_PER_MS))
        error = outcome.error or outcome.warning
        health = "down" if outcome.error else "up"
        duration_s = time.perf_counter() - begun_s
        self._status = _Status(health, error, begun_ns, duration_s)
        metrics.SCRAPES.labels(health=health).inc()
        metrics.SCRAPE_DURATION_S.observe(duration_s)
        if error and self._job.failure_log_file:
            await self._in_worker(lambda: self._log_failure(error))

    async def _fetch(self, begun_s: float) -> Fetched:
        if self.forced_error:
            return Fetched(None, self.forced_error, begun_s)
        # The limit is on the plain body; a packed one that exceeds it cannot fit either.
        max_bytes = self._job.body_size_limit or MAX_BODY_BYTES
        timeout_s = self.target.timeout_ms / 1000
        try:
            answer = await self._client.get(self.target.url, self._headers, timeout_s=timeout_s, max_bytes=max_bytes)
        except FetchError as error:
            return Fetched(None, str(error), begun_s)
        return Fetched(answer, "", begun_s)

    async def _in_worker(self, task: Callable[[], ScrapeOutcome]) -> ScrapeOutcome:
        """Run `task` in a worker thread; when cancelled, wait for its end first, so that nothing writes afterwards."""
        future = asyncio.get_running_loop().run_in_executor(self._surroundings.workers, task)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise

    def _log_failure(self, error: str) -> ScrapeOutcome:
        moment = datetime.now(UTC).isoformat()
        entry = {"time": moment, "level": "ERROR", "msg": error, "job_name": self._job.name, "target": self.target.url}
        try:
            with open(self._job.failure_log_file, "a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as reason:
            _log.warning("cannot write scrape_failure_log_file: %s", reason)
        return ScrapeOutcome(error)

    def describe(self) -> ActiveTarget:
        """The target as /api/v1/targets shows it."""
        target, status = self.target, self._status
        return ActiveTarget(
            discovered_labels=target.discovered,
            labels=target.labels,
            scrape_pool=target.job_name,
            scrape_url=target.url,
            global_url=target.global_url,
            last_error=status.error,
            last_scrape_ns=status.begun_ns,
            last_scrape_duration_s=status.duration_s,
            health=status.health,
            scrape_interval=format_duration_ms(target.interval_ms),
            scrape_timeout=format_duration_ms(target.timeout_ms),
        )
