"""The read path: engine and API over the store's reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from swarmscope import __version__
from swarmscope.api.agents.endpoint import FleetApiParts
from swarmscope.api.application import create_app
from swarmscope.api.loki.parts import LokiParts, LokiSettings
from swarmscope.api.parts import ApiParts, ApiSettings, RequestRecord, TargetSource
from swarmscope.api.tempo.parts import TempoParts, TempoSettings
from swarmscope.api.traces.parts import TraceApiParts, TraceApiSettings
from swarmscope.api.work import QueryQueue
from swarmscope.app.settings import Settings
from swarmscope.app.settings.fields import FOREVER
from swarmscope.app.stages.agents import Fleet
from swarmscope.app.status import ProgramStatus
from swarmscope.app.workers import WorkerPool
from swarmscope.instrument import metrics
from swarmscope.model.contracts import Clock
from swarmscope.query.logql.engine import LogqlEngine
from swarmscope.query.logql.settings import LogqlSettings
from swarmscope.query.promql import EngineSettings, PromqlEngine
from swarmscope.query.traceql.engine import TraceqlEngine
from swarmscope.query.traceql.settings import TraceqlSettings
from swarmscope.store.embedded.administration import MetricAdministration
from swarmscope.store.embedded.logs.administration import LogAdministration
from swarmscope.store.embedded.store import EmbeddedStore


def to_api_settings(settings: Settings) -> ApiSettings:
    """What the API is told."""
    return ApiSettings(
        query_timeout_s=settings.limits.query_timeout.seconds,
        max_concurrent_queries=settings.limits.max_concurrent_queries,
        max_response_bytes=int(settings.query.max_response_bytes),
        version=__version__,
        cors_origin=settings.api.cors_origin,
    )


def to_engine_settings(settings: Settings) -> EngineSettings:
    """What the engine is told."""
    return EngineSettings(
        lookback_ms=settings.api.lookback_delta.ms,
        subquery_step_ms=settings.query.subquery_step.ms,
        max_samples=settings.limits.max_query_samples,
        max_bytes=int(settings.limits.max_query_memory),
        max_points=settings.query.max_points,
        max_label_characters=settings.query.max_label_characters,
        rollups=settings.query.rollups,
    )


def make_api_parts(
    settings: Settings,
    store: EmbeddedStore,
    clock: Clock,
    workers: WorkerPool,
    targets: TargetSource,
    administrators: WorkerPool | None = None,
) -> ApiParts:
    """Everything the API works with, without routes of other packages; `administrators` is a pool of one thread."""
    return ApiParts(
        engine=PromqlEngine(store.reader, to_engine_settings(settings)),
        reader=store.reader,
        clock=clock,
        run=workers.run,
        is_ready=lambda: True,
        status=ProgramStatus(settings, store),
        exposition=metrics.to_exposition,
        targets=targets,
        admin=MetricAdministration(store) if settings.api.enable_admin_api else None,
        run_admin=None if administrators is None else administrators.run,
        on_request=_count_request,
        settings=to_api_settings(settings),
        queue=QueryQueue(workers.run, settings.limits.max_concurrent_queries),
    )


def to_logql_settings(settings: Settings) -> LogqlSettings:
    """What the engine of logs is told."""
    query = settings.query
    return LogqlSettings(
        max_entries=query.max_entries,
        max_series=query.max_log_series,
        max_points=query.max_points,
        max_lines=query.max_lines or None,
        max_line_bytes=query.max_line_bytes or None,
        max_samples=settings.limits.max_query_samples,
        max_bytes=int(settings.limits.max_query_memory),
        max_label_characters=query.max_label_characters,
    )


def make_loki_parts(settings: Settings, store: EmbeddedStore, parts: ApiParts) -> LokiParts:
    """Everything that Loki's API works with; what both APIs need is taken from `parts`."""
    return LokiParts(
        engine=LogqlEngine(store.log_reader, to_logql_settings(settings)),
        reader=store.log_reader,
        clock=parts.clock,
        run=parts.run,
        queue=parts.queue or QueryQueue(parts.run, settings.limits.max_concurrent_queries),
        is_ready=parts.is_ready,
        admin=LogAdministration(store.logs) if settings.api.enable_admin_api else None,
        run_admin=parts.run_admin,
        on_request=parts.on_request,
        settings=LokiSettings(
            query_timeout_s=settings.limits.query_timeout.seconds,
            max_response_bytes=int(settings.query.max_response_bytes),
            max_tails=settings.query.max_tails,
            retention_s=None if settings.retention.logs == FOREVER else round(settings.retention.logs.seconds),
            discover_service_name=tuple(settings.loki.discover_service_name),
            version=__version__,
        ),
    )


def make_tempo_parts(settings: Settings, store: EmbeddedStore, parts: ApiParts) -> TempoParts:
    """Everything that Tempo's API works with; what all APIs need is taken from `parts`."""
    query = settings.query
    engine_settings = TraceqlSettings(
        max_points=query.max_points, max_series=query.max_trace_series, max_tag_values=query.max_tag_values
    )
    return TempoParts(
        engine=TraceqlEngine(store.span_reader, engine_settings),
        reader=store.span_reader,
        clock=parts.clock,
        run=parts.run,
        queue=parts.queue or QueryQueue(parts.run, settings.limits.max_concurrent_queries),
        is_ready=parts.is_ready,
        on_request=parts.on_request,
        settings=TempoSettings(
            query_timeout_s=settings.limits.query_timeout.seconds,
            max_spans=settings.limits.max_query_samples,
            max_read_bytes=int(settings.limits.max_query_memory),
            max_trace_bytes=int(query.max_trace_bytes),
            max_whole_spans=query.max_trace_spans,
            max_traces=query.max_traces,
            max_tag_values=query.max_tag_values,
            version=__version__,
        ),
    )


def make_jaeger_parts(settings: Settings, store: EmbeddedStore, parts: ApiParts) -> TraceApiParts:
    """Everything that Jaeger's API works with."""
    return _make_trace_api_parts(settings, store, parts, "/jaeger")


def make_zipkin_parts(settings: Settings, store: EmbeddedStore, parts: ApiParts) -> TraceApiParts:
    """Everything that Zipkin's API works with."""
    return _make_trace_api_parts(settings, store, parts, "/zipkin")


def _make_trace_api_parts(settings: Settings, store: EmbeddedStore, parts: ApiParts, prefix: str) -> TraceApiParts:
    """What all APIs need is taken from `parts`."""
    return TraceApiParts(
        reader=store.span_reader,
        metrics=parts.engine,
        clock=parts.clock,
        queue=parts.queue or QueryQueue(parts.run, settings.limits.max_concurrent_queries),
        settings=TraceApiSettings(
            prefix=prefix,
            query_timeout_s=settings.limits.query_timeout.seconds,
            max_spans=settings.limits.max_query_samples,
            max_read_bytes=int(settings.limits.max_query_memory),
            max_traces=settings.query.max_traces,
            max_whole_spans=settings.query.max_trace_spans,
            version=__version__,
        ),
        is_ready=parts.is_ready,
        on_request=parts.on_request,
    )


def make_fleet_parts(settings: Settings, parts: ApiParts, fleet: Fleet | None) -> FleetApiParts:
    """Everything that the fleet's API works with; what all APIs need is taken from `parts`."""
    return FleetApiParts(
        view=None if fleet is None else fleet.view,
        unknown_models=(list) if fleet is None else fleet.prices.unknown_models,
        clock=parts.clock,
        queue=parts.queue or QueryQueue(parts.run, settings.limits.max_concurrent_queries),
        query_timeout_s=settings.limits.query_timeout.seconds,
        on_request=parts.on_request,
    )


def main_app(parts: ApiParts, routes: Sequence[BaseRoute], guard: Callable[[ASGIApp], ASGIApp]) -> ASGIApp:
    """Everything under its prefix, and `routes` before it."""
    return guard(create_app(replace(parts, extra_routes=routes)))


def prometheus_app(parts: ApiParts, receivers: Sequence[BaseRoute], guard: Callable[[ASGIApp], ASGIApp]) -> ASGIApp:
    """The Prometheus API at `/`, as on Prometheus' own port."""
    at_root = replace(parts, extra_routes=receivers, settings=replace(parts.settings, prefix=""))
    return guard(create_app(at_root))


def _count_request(record: RequestRecord) -> None:
    metrics.QUERY_DURATION_S.labels(endpoint=record.endpoint).observe(record.duration_s)
    metrics.QUERIES.labels(endpoint=record.endpoint, status=str(record.status)).inc()
