"""One job: its discoveries, its targets, their loops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from swarmscope.model.targets import ActiveTarget, DroppedTarget
from swarmscope.receivers.scrape.config_model import ScrapeConfig, ScrapeJob, TargetGroup
from swarmscope.receivers.scrape.discovery.dns import DnsDiscovery
from swarmscope.receivers.scrape.discovery.files import FileDiscovery
from swarmscope.receivers.scrape.discovery.groups import Discovery, StaticDiscovery
from swarmscope.receivers.scrape.discovery.http import HttpDiscovery
from swarmscope.receivers.scrape.endings import Endings
from swarmscope.receivers.scrape.http_client import HttpClient
from swarmscope.receivers.scrape.scrape_loop import ScrapeLoop, Surroundings
from swarmscope.receivers.scrape.target import Target, TargetSet, build_targets

_log = logging.getLogger(__name__)


def build_discoveries(config: ScrapeConfig) -> list[Discovery]:
    """The discoveries that a job names."""
    return [
        *([StaticDiscovery(config.static_configs)] if config.static_configs else []),
        *(FileDiscovery(entry) for entry in config.file_sd_configs),
        *(HttpDiscovery(entry) for entry in config.http_sd_configs),
        *(DnsDiscovery(entry) for entry in config.dns_sd_configs),
    ]


class ScrapePool:
    """Runs a loop for each target of one job. All methods belong to the event loop's thread."""

    def __init__(self, job: ScrapeJob, surroundings: Surroundings, endings: Endings) -> None:
        self.job = job
        self._surroundings = surroundings
        self._endings = endings
        self._client = HttpClient(job.config)
        self._rules = job.target_rules()
        self._groups: dict[int, Sequence[TargetGroup]] = {}
        self._found = TargetSet({}, [], [])
        self._loops: dict[int, tuple[ScrapeLoop, asyncio.Task[None]]] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._discoveries: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to discover; loops start as targets are found."""
        for number, discovery in enumerate(build_discoveries(self.job.config)):
            self._discoveries.append(asyncio.create_task(self._discover(number, discovery)))

    async def _discover(self, number: int, discovery: Discovery) -> None:
        def publish(groups: Sequence[TargetGroup]) -> None:
            self._groups[number] = groups
            self._sync()

        try:
            await discovery.run(publish)
        except Exception:
            _log.exception("a discovery of job %r ended in an unforeseen way", self.job.name)

    def _sync(self) -> None:
        """Make the running loops those of the targets found."""
        groups = [group for number in sorted(self._groups) for group in self._groups[number]]
        found = build_targets(self.job, self._rules, groups)
        for fault in found.faults:
            if fault not in self._found.faults:
                _log.warning("job %r: no target: %s", self.job.name, fault)
        self._found = found
        for identity in [known for known in self._loops if known not in found.active]:
            self._retire(identity)
        for identity, target in found.active.items():
            if identity not in self._loops:
                self._add(identity, target)
        limit, count = self.job.target_limit, len(found.active)
        over = f"target_limit exceeded (number of targets: {count}, limit: {limit})" if 0 < limit < count else ""
        for loop, _ in self._loops.values():
            loop.forced_error = over

    def _add(self, identity: int, target: Target) -> None:
        loop = ScrapeLoop(self.job, target, self._client, self._surroundings)

        async def run() -> None:
            await self._endings.hand_over(loop)
            await loop.run()

        self._loops[identity] = (loop, asyncio.create_task(run()))

    def _retire(self, identity: int) -> None:
        loop, task = self._loops.pop(identity)
        task.cancel()
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)
        self._endings.add(loop, task)

    async def stop(self, *, for_good: bool) -> None:
        """End all loops after the scrapes that are being written; `for_good` has the series marked stale later."""
        for discovery in self._discoveries:
            discovery.cancel()
        tasks = [task for _, task in self._loops.values()]
        for identity in list(self._loops):
            if for_good:
                self._retire(identity)
            else:
                self._loops.pop(identity)[1].cancel()
        waited = {*self._discoveries, *tasks, *self._stopping}
        if waited:
            await asyncio.wait(waited)
        await self._client.close()

    def active(self) -> list[ActiveTarget]:
        """The targets that are scraped."""
        return [loop.describe() for loop, _ in self._loops.values()]

    def dropped(self) -> list[DroppedTarget]:
        """The targets that relabelling dropped, at most `keep_dropped_targets` of them."""
        limit = self.job.keep_dropped_targets or len(self._found.dropped)
        return [DroppedTarget(labels, self.job.name) for labels in self._found.dropped[:limit]]

    @property
    def dropped_count(self) -> int:
        """How many targets relabelling dropped."""
        return len(self._found.dropped)
