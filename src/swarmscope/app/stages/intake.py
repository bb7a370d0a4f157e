"""Everything that takes data in, by signal: the write paths, and the receivers at their beginnings."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple

from starlette.routing import BaseRoute

from swarmscope.app.settings import Settings
from swarmscope.app.stages.agents import Fleet, FleetStore, FleetStores, make_fleet
from swarmscope.app.stages.evaluations import Evaluations, make_evaluations
from swarmscope.app.stages.listening import CompatPort
from swarmscope.app.stages.receiving import (
    SpanRoutes,
    make_decode_room,
    make_jaeger,
    make_jaeger_agent,
    make_loki_push,
    make_otlp,
    make_otlp_http,
    make_otlp_logs,
    make_otlp_traces,
    make_remote_write,
    make_scraper,
    make_zipkin,
)
from swarmscope.app.stages.redaction import open_redactor
from swarmscope.app.stages.sampling import Sampling
from swarmscope.app.stages.writing import LogWritePath, SpanTaps, SpanWritePath, Watched, WritePath
from swarmscope.app.workers import WorkerPool
from swarmscope.ingest.derivation.deriving_spans import DerivingSpanSink
from swarmscope.instrument import metrics
from swarmscope.model.agents import Vocabulary
from swarmscope.model.contracts import Clock, LogSink, Sink
from swarmscope.receivers.otlp.export import OtlpMetrics
from swarmscope.receivers.otlp.exporter import OtlpExporter
from swarmscope.receivers.scrape import ScrapeSettings, ScrapeSupervisor
from swarmscope.store.embedded.store import EmbeddedStore


class Kept(NamedTuple):
    """Where everything goes, and how traces on their way there are chosen; without sampling all are kept.

    Without `fleet` nobody watches over agents.
    """

    store: EmbeddedStore
    sampling: Sampling | None
    fleet: FleetStore | None
    vocabulary: Vocabulary


@dataclass(frozen=True, slots=True)
class Intake:
    """The receivers, ready to be served."""

    metrics: OtlpMetrics
    logs: OtlpExporter
    traces: OtlpExporter
    derivation: DerivingSpanSink
    fleet: Fleet | None
    evaluations: Evaluations | None
    otlp_routes: Sequence[BaseRoute]
    write_routes: Sequence[BaseRoute]
    push_routes: Sequence[BaseRoute]
    zipkin: SpanRoutes
    jaeger: SpanRoutes
    serve_datagrams: Callable[[], AbstractAsyncContextManager[object]]
    scraper: ScrapeSupervisor
    own_series: Sink  # where series that rules make go in
    own_lines: LogSink  # and lines that tell of alerts

    @property
    def signals(self) -> tuple[OtlpExporter, ...]:
        """What OTLP brings."""
        return self.metrics, self.logs, self.traces

    @property
    def routes(self) -> list[BaseRoute]:
        """All endpoints, as the main port has them."""
        spans = [*self.zipkin("/zipkin"), *self.jaeger("/jaeger")]
        return [*self.write_routes, *self.push_routes, *self.otlp_routes, *spans]

    def at_root(self, kind: CompatPort) -> Sequence[BaseRoute]:
        """What a program's own port takes in at `/`."""
        match kind:
            case CompatPort.ZIPKIN:
                return self.zipkin("")
            case CompatPort.JAEGER_COLLECTOR:
                return self.jaeger("")
        return ()

    @contextlib.contextmanager
    def deriving(self) -> Iterator[None]:
        """Write the metrics of spans while the context lives, and one last time when it ends."""
        self.derivation.start()
        try:
            yield
        finally:
            self.derivation.close()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch over agents and what is said of their work while the context lives, where that is wanted."""
        with contextlib.ExitStack() as stack:
            for each in (self.fleet, self.evaluations):
                if each is not None:
                    stack.enter_context(each.watching())
            yield

    def refresh(self) -> None:
        """Set the gauges that describe the receivers."""
        metrics.OTLP_RUNNING_TOTALS.set(self.metrics.n_running_totals)


def make_intake(settings: Settings, jobs: ScrapeSettings, kept: Kept, clock: Clock, workers: WorkerPool) -> Intake:
    """All receivers, and what lies between them and the store."""
    store = kept.store
    room = make_decode_room(settings)
    redactor = open_redactor(settings)
    path = WritePath(settings, store.sink, store.catalogue, store.reader.metadata)
    log_counts = store.logs.catalogue
    fleet = None
    if kept.fleet is not None and settings.agents.enabled:
        # What the watch itself says is not looked at again.
        own_lines = LogWritePath(settings, store.log_sink, log_counts, redactor, clock).entry("fleet")
        stores = FleetStores(store, kept.fleet, path.entry("fleet"), own_lines)
        fleet = make_fleet(settings, stores, kept.vocabulary, clock)
    watched = Watched() if fleet is None else fleet.watched
    evaluations = None
    if settings.evaluations.enabled:
        evaluations = make_evaluations(settings, path.entry("evaluations"), store.index, fleet, clock)
        watched = evaluations.watched
    log_path = LogWritePath(settings, store.log_sink, log_counts, redactor, clock, watched)
    taps = SpanTaps(path.entry("derived"), store.index, watched)
    span_path = SpanWritePath(settings, store.span_sink, redactor, clock, kept.sampling, taps)
    otlp = make_otlp(settings, path, store.index, clock, room)
    otlp_logs = make_otlp_logs(settings, log_path, store.log_index, clock, room)
    otlp_traces = make_otlp_traces(settings, span_path.entry("otlp"), room)
    jaeger_sink = span_path.entry("jaeger")
    return Intake(
        metrics=otlp,
        logs=otlp_logs,
        traces=otlp_traces,
        derivation=span_path.deriving,
        fleet=fleet,
        evaluations=evaluations,
        otlp_routes=make_otlp_http((otlp, otlp_logs, otlp_traces), workers),
        write_routes=make_remote_write(settings, path, store.index, workers, room),
        push_routes=make_loki_push(settings, log_path, store.log_index, workers, room),
        zipkin=make_zipkin(settings, span_path.entry("zipkin"), workers, room),
        jaeger=make_jaeger(settings, jaeger_sink, workers, room),
        serve_datagrams=make_jaeger_agent(settings, jaeger_sink, workers, room),
        scraper=make_scraper(jobs, path, store.index, clock, workers, room),
        own_series=path.entry("rules"),
        own_lines=LogWritePath(settings, store.log_sink, log_counts, redactor, clock).entry("alerting"),
    )
