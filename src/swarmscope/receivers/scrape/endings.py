"""Targets that went away: their series are marked stale, unless the target comes back first.

As in Prometheus the markers bear the time of the scrape that would have been next, and are written an interval and a
tenth later, so that a target that merely moved between configurations leaves no gap.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from swarmscope.model.errors import SwarmscopeError
from swarmscope.receivers.scrape.scrape_loop import ScrapeLoop, Surroundings, next_tick_ns
from swarmscope.receivers.scrape.scrape_work import ScrapeWork

_log = logging.getLogger(__name__)
_NS_PER_MS = 1_000_000
LabelsKey = tuple[tuple[str, str], ...]


def labels_key(labels: dict[str, str]) -> LabelsKey:
    """What two targets share that write the same series."""
    return tuple(sorted(labels.items()))


@dataclass(frozen=True, slots=True)
class _Ending:
    work: ScrapeWork
    stopped: asyncio.Task[None]  # the loop's own end
    marking: asyncio.Task[None]


class Endings:
    """The targets whose end is not yet told."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._pending: dict[LabelsKey, _Ending] = {}

    def add(self, loop: ScrapeLoop, stopped: asyncio.Task[None]) -> None:
        """`loop` ends for good as far as is known; `stopped` is its cancelled task."""
        key = labels_key(loop.target.labels)
        if key in self._pending:
            self._pending.pop(key).marking.cancel()
        marking = asyncio.create_task(self._mark(key, loop, stopped))
        self._pending[key] = _Ending(loop.work, stopped, marking)

    async def hand_over(self, loop: ScrapeLoop) -> None:
        """Before `loop` starts: let it take over from a target with its labels, if one is ending."""
        ending = self._pending.pop(labels_key(loop.target.labels), None)
        if ending is None:
            return
        ending.marking.cancel()
        await asyncio.wait([ending.stopped, ending.marking])
        loop.work.series.inherit(ending.work.series)

    async def _mark(self, key: LabelsKey, loop: ScrapeLoop, stopped: asyncio.Task[None]) -> None:
        await asyncio.wait([stopped])
        interval_ns = loop.target.interval_ms * _NS_PER_MS
        clock = self._surroundings.clock
        stale_ns = next_tick_ns(clock.now_ns(), interval_ns, loop.target.identity % interval_ns)
        wait_ns = stale_ns - clock.now_ns() + interval_ns + interval_ns // 10
        await asyncio.sleep(max(wait_ns, 0) / 1e9)
        self._pending.pop(key, None)
        running = asyncio.get_running_loop()
        try:
            await running.run_in_executor(self._surroundings.workers, loop.work.end, stale_ns // _NS_PER_MS)
        except SwarmscopeError as error:
            _log.warning("staleness markers of %s could not be stored: %s", loop.target.url, error)

    async def close(self) -> None:
        """Forget all: a program that stops marks nothing, as it may be back before anybody asks."""
        tasks = [ending.marking for ending in self._pending.values()]
        self._pending.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
