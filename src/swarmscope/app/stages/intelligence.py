"""Measuring the fleet as a whole: made behind the watch over agents, and asked by the API."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute

from swarmscope.api.incidents.endpoint import JsonApiParts
from swarmscope.api.intelligence.routes import MAX_BODY_BYTES, IntelligenceApiParts, intelligence_routes
from swarmscope.api.parts import ApiParts
from swarmscope.api.work import QueryQueue
from swarmscope.app.settings import Settings
from swarmscope.app.stages.agents import Fleet
from swarmscope.app.stages.intake import Intake
from swarmscope.intelligence.brain_window import BrainSource
from swarmscope.intelligence.computer import Computer
from swarmscope.intelligence.jobs import Jobs
from swarmscope.intelligence.worker import IntelligenceWorker, Outlets, Sources
from swarmscope.store.embedded.store import EmbeddedStore


@dataclass(frozen=True, slots=True)
class Intelligence:
    """What the rest of the program needs of it."""

    worker: IntelligenceWorker
    computer: Computer
    jobs: Jobs
    routes: Sequence[BaseRoute]
    is_measuring: bool

    @contextlib.contextmanager
    def measuring(self) -> Iterator[None]:
        """Measure while the context lives, where that is wanted; what is asked for is measured in any case."""
        if self.is_measuring:
            self.worker.start()
        try:
            yield
        finally:
            self.jobs.close()
            self.computer.close()
            self.worker.close()


def make_intelligence(
    settings: Settings, store: EmbeddedStore, intake: Intake, fleet: Fleet, parts: ApiParts
) -> Intelligence:
    """The worker, not yet begun, and its API."""
    chosen, spans, clock = settings.intelligence, store.span_reader, parts.clock
    outlets = (intake.own_series, store.index)
    results = None if intake.evaluations is None else intake.evaluations.watch.observe_results

    def tenants() -> list[str]:
        return [tenant.name for tenant in fleet.watch.tenants()]

    sources = Sources(fleet.view, BrainSource(spans), tenants)
    worker = IntelligenceWorker(chosen.to_settings(), sources, Outlets(*outlets), clock, results)
    computer, jobs = Computer(), Jobs(chosen.job_timeout.seconds, chosen.niceness)
    queue = parts.queue or QueryQueue(parts.run, settings.limits.max_concurrent_queries)
    shared = JsonApiParts(
        queue, timeout_s=chosen.timeout.seconds + 5, max_body_bytes=MAX_BODY_BYTES, on_request=parts.on_request
    )
    routes = intelligence_routes(IntelligenceApiParts(worker, computer, jobs, clock), shared)
    return Intelligence(worker, computer, jobs, routes, chosen.enabled)
