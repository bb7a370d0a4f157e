"""The receivers: each gets its own way into the write path, its settings, and a route or a loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from starlette.routing import BaseRoute

from swarmscope.app.access import TokenInterceptor, Tokens
from swarmscope.app.ports import spell_address
from swarmscope.app.settings import Settings
from swarmscope.app.stages.writing import LogWritePath, WritePath
from swarmscope.app.workers import WorkerPool
from swarmscope.instrument import metrics
from swarmscope.model.contracts import Clock, SeriesIndex, SpanSink
from swarmscope.receivers.jaeger.routes import routes as jaeger_routes
from swarmscope.receivers.jaeger.settings import JaegerSettings
from swarmscope.receivers.jaeger.udp import serving_udp
from swarmscope.receivers.loki.routes import routes as loki_routes
from swarmscope.receivers.loki.settings import LokiSettings
from swarmscope.receivers.otlp.export import OtlpMetrics
from swarmscope.receivers.otlp.exporter import OtlpExporter
from swarmscope.receivers.otlp.grpc_service import grpc_server
from swarmscope.receivers.otlp.log_export import OtlpLogs
from swarmscope.receivers.otlp.routes import http_routes
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.otlp.span_export import OtlpTraces
from swarmscope.receivers.remote_write.routes import routes as remote_write_routes
from swarmscope.receivers.remote_write.settings import RemoteWriteSettings
from swarmscope.receivers.scrape import ScrapeSettings, ScrapeSupervisor
from swarmscope.receivers.wire.decode_room import DecodeRoom
from swarmscope.receivers.wire.span_push import PushLimits
from swarmscope.receivers.zipkin.routes import routes as zipkin_routes
from swarmscope.receivers.zipkin.settings import ZipkinSettings

_log = logging.getLogger(__name__)
_GRPC_GRACE_S = 2.0
# Endpoints under a prefix.
SpanRoutes = Callable[[str], Sequence[BaseRoute]]


def make_decode_room(settings: Settings) -> DecodeRoom:
    """The memory that all receivers' requests may take while they are decoded."""
    return DecodeRoom(int(settings.limits.max_decode_memory))


def make_remote_write(
    settings: Settings, path: WritePath, index: SeriesIndex, workers: WorkerPool, room: DecodeRoom
) -> list[BaseRoute]:
    """The endpoints of Prometheus remote write."""
    limits = settings.limits
    told = RemoteWriteSettings(
        max_body_bytes=int(limits.max_body_bytes),
        max_body_bytes_decompressed=int(limits.max_body_bytes_decompressed),
        created_timestamp_zero_ingestion=settings.remote_write.created_timestamp_zero_ingestion,
    )
    return list(remote_write_routes(told, path.entry("remote_write"), index, workers.run, room))


def to_otlp_settings(settings: Settings) -> OtlpSettings:
    """What the receivers of OTLP are told."""
    otlp, limits = settings.otlp, settings.limits
    return OtlpSettings(
        translation_strategy=otlp.translation_strategy,
        promote_resource_attributes=tuple(otlp.promote_resource_attributes),
        promote_all_resource_attributes=otlp.promote_all_resource_attributes,
        ignore_resource_attributes=tuple(otlp.ignore_resource_attributes),
        keep_identifying_resource_attributes=otlp.keep_identifying_resource_attributes,
        promote_scope_metadata=otlp.promote_scope_metadata,
        convert_histograms_to_nhcb=otlp.convert_histograms_to_nhcb,
        target_info=otlp.target_info,
        zero_sample_at_start=otlp.zero_sample_at_start,
        max_delta_series=otlp.max_delta_series,
        max_delta_histograms=otlp.max_delta_histograms,
        delta_max_stale_s=int(otlp.delta_max_stale.seconds),
        log_stream_attributes=tuple(otlp.log_stream_attributes),
        discover_service_name=tuple(settings.loki.discover_service_name),
        max_body_bytes=int(limits.max_body_bytes),
        max_body_bytes_decompressed=int(limits.max_body_bytes_decompressed),
        max_json_bytes=int(otlp.max_json_bytes),
        max_concurrent_requests=otlp.max_concurrent_requests,
    )


def make_otlp(settings: Settings, path: WritePath, index: SeriesIndex, clock: Clock, room: DecodeRoom) -> OtlpMetrics:
    """OTLP metrics, shared by all of its ports."""
    return OtlpMetrics(to_otlp_settings(settings), path.entry("otlp"), index, clock.now_ns, room)


def make_otlp_logs(
    settings: Settings, path: LogWritePath, streams: SeriesIndex, clock: Clock, room: DecodeRoom
) -> OtlpLogs:
    """OTLP logs, shared by all of its ports."""
    return OtlpLogs(to_otlp_settings(settings), path.entry("otlp"), streams, clock.now_ns, room)


def make_otlp_traces(settings: Settings, sink: SpanSink, room: DecodeRoom) -> OtlpTraces:
    """OTLP traces, shared by all of its ports."""
    return OtlpTraces(to_otlp_settings(settings), sink, room)


def make_loki_push(
    settings: Settings, path: LogWritePath, streams: SeriesIndex, workers: WorkerPool, room: DecodeRoom
) -> list[BaseRoute]:
    """The endpoints that Loki's agents push to."""
    limits = settings.limits
    told = LokiSettings(
        max_body_bytes=int(limits.max_body_bytes),
        max_body_bytes_decompressed=int(limits.max_body_bytes_decompressed),
        discover_service_name=tuple(settings.loki.discover_service_name),
    )
    return list(loki_routes(told, path.entry("loki"), streams, workers.run, room))


def make_zipkin(settings: Settings, sink: SpanSink, workers: WorkerPool, room: DecodeRoom) -> SpanRoutes:
    """The endpoints of Zipkin's collector under a prefix."""
    told = ZipkinSettings(limits=_to_push_limits(settings), max_json_bytes=int(settings.otlp.max_json_bytes))
    return lambda prefix: zipkin_routes(prefix, told, sink, workers.run, room)


def make_jaeger(settings: Settings, sink: SpanSink, workers: WorkerPool, room: DecodeRoom) -> SpanRoutes:
    """The endpoint of Jaeger's collector under a prefix."""
    told = JaegerSettings(limits=_to_push_limits(settings))
    return lambda prefix: jaeger_routes(prefix, told, sink, workers.run, room)


def make_jaeger_agent(
    settings: Settings, sink: SpanSink, workers: WorkerPool, room: DecodeRoom
) -> Callable[[], AbstractAsyncContextManager[object]]:
    """Serves Jaeger's datagrams while a context lives, where the compatibility ports are open."""

    @contextlib.asynccontextmanager
    async def serving() -> AsyncIterator[None]:
        ports = {"udp_compact_port": settings.jaeger_compact_port, "udp_binary_port": settings.jaeger_binary_port}
        async with contextlib.AsyncExitStack() as stack:
            for name, port in ports.items() if settings.compat_ports else ():
                told = JaegerSettings(limits=_to_push_limits(settings), udp_host=settings.host, **{name: port})
                try:
                    await stack.enter_async_context(serving_udp(told, sink, workers.run, room))
                except OSError as error:
                    _log.warning("skipping UDP port %d of Jaeger's agent: %s", port, error.strerror)
            yield

    return serving


def _to_push_limits(settings: Settings) -> PushLimits:
    limits = settings.limits
    return PushLimits(
        max_body_bytes=int(limits.max_body_bytes), max_body_bytes_decompressed=int(limits.max_body_bytes_decompressed)
    )


def make_otlp_http(signals: Sequence[OtlpExporter], workers: WorkerPool) -> list[BaseRoute]:
    """The endpoints of OTLP over HTTP, for the main port and for its own."""
    return list(http_routes(signals, workers.run))


@contextlib.asynccontextmanager
async def serving_grpc(signals: Sequence[OtlpExporter], host: str, port: int, tokens: Tokens) -> AsyncIterator[int]:
    """Serve OTLP over gRPC while the context lives; gives the port. Raises OSError when it cannot bind."""
    server = grpc_server(signals, spell_address(host, port), interceptors=(TokenInterceptor(tokens),) if tokens else ())
    server.start()
    try:
        yield server.port
    finally:
        # In a thread, because it waits for calls under way.
        await asyncio.to_thread(server.stop, _GRPC_GRACE_S)


def make_scraper(
    jobs: ScrapeSettings, path: WritePath, index: SeriesIndex, clock: Clock, workers: WorkerPool, room: DecodeRoom
) -> ScrapeSupervisor:
    """The scraper, not yet started."""
    return ScrapeSupervisor(jobs, path.entry("scrape"), index, clock, workers.executor, room)


@contextlib.asynccontextmanager
async def scraping(scraper: ScrapeSupervisor) -> AsyncIterator[None]:
    """Scrape while the context lives."""

    def count_targets() -> None:
        targets = scraper.targets().active
        for health in ("up", "down", "unknown"):
            metrics.SCRAPE_TARGETS.labels(health=health).set(sum(target.health == health for target in targets))

    await scraper.start()
    try:
        with metrics.refreshed_by(count_targets):
            yield
    finally:
        await scraper.stop()
