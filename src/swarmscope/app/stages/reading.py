"""The read path: engine and API over the store's reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from swarmscope import __version__
from swarmscope.api.application import create_app
from swarmscope.api.parts import ApiParts, ApiSettings, RequestRecord, TargetSource
from swarmscope.api.work import QueryQueue
from swarmscope.app.settings import Settings
from swarmscope.app.status import ProgramStatus
from swarmscope.app.workers import WorkerPool
from swarmscope.instrument import metrics
from swarmscope.model.contracts import Clock
from swarmscope.query.promql import EngineSettings, PromqlEngine
from swarmscope.store.embedded.administration import MetricAdministration
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


def main_app(parts: ApiParts, receivers: Sequence[BaseRoute], guard: Callable[[ASGIApp], ASGIApp]) -> ASGIApp:
    """Everything under its prefix, receivers first."""
    return guard(create_app(replace(parts, extra_routes=receivers)))


def prometheus_app(parts: ApiParts, receivers: Sequence[BaseRoute], guard: Callable[[ASGIApp], ASGIApp]) -> ASGIApp:
    """The Prometheus API at `/`, as on Prometheus' own port."""
    at_root = replace(parts, extra_routes=receivers, settings=replace(parts.settings, prefix=""))
    return guard(create_app(at_root))


def _count_request(record: RequestRecord) -> None:
    metrics.QUERY_DURATION_S.labels(endpoint=record.endpoint).observe(record.duration_s)
    metrics.QUERIES.labels(endpoint=record.endpoint, status=str(record.status)).inc()
