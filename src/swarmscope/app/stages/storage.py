"""The store: opened from the settings, with its figures in the program's own metrics."""

from __future__ import annotations

from swarmscope.app.settings import Settings
from swarmscope.instrument import metrics
from swarmscope.model.agents import Vocabulary
from swarmscope.model.contracts import Clock, TraceJudge
from swarmscope.store.embedded.commit import CommitSettings
from swarmscope.store.embedded.flusher import Flushed
from swarmscope.store.embedded.logs.commit import LogCommitSettings
from swarmscope.store.embedded.logs.log_store import LogStoreSettings
from swarmscope.store.embedded.spans.commit import SpanCommitSettings
from swarmscope.store.embedded.spans.span_store import SpanStoreSettings
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings

_MS_PER_S = 1000
_NS_PER_MS = 1_000_000


def to_store_settings(
    settings: Settings, judge: TraceJudge | None = None, vocabulary: Vocabulary | None = None
) -> StoreSettings:
    """What the store is told; `vocabulary` is that of the whole process."""
    storage, retention, log_retention = settings.storage, settings.retention.metrics, settings.retention.logs
    return StoreSettings(
        folder=settings.data,
        fsync=storage.fsync,
        max_clickhouse_memory_bytes=int(storage.max_memory),
        max_cached_rows=storage.cached_samples,
        metrics_retention_s=retention.ms // _MS_PER_S if retention.ms else None,
        read_connections=storage.readers,
        max_label_cells=settings.query.max_label_cells,
        commit=CommitSettings(
            max_generation_rows=storage.flush_samples,
            max_generation_age_s=storage.flush_after.seconds,
            max_unflushed_rows=storage.max_unflushed_samples,
            retention_ms=retention.ms or None,
            max_future_ms=storage.max_future.ms,
        ),
        logs=LogStoreSettings(
            retention_s=log_retention.ms // _MS_PER_S if log_retention.ms else None,
            max_label_cells=settings.query.max_label_cells,
            commit=LogCommitSettings(
                max_generation_lines=storage.flush_lines,
                max_generation_bytes=int(storage.flush_log_bytes),
                max_generation_age_s=storage.flush_after.seconds,
                max_unflushed_bytes=int(storage.max_unflushed_log_bytes),
                retention_ns=log_retention.ms * _NS_PER_MS if log_retention.ms else None,
                max_future_ns=storage.max_future.ms * _NS_PER_MS,
            ),
        ),
        spans=_to_span_settings(settings, judge),
        vocabulary=vocabulary or Vocabulary(),
    )


def _to_span_settings(settings: Settings, judge: TraceJudge | None) -> SpanStoreSettings:
    storage, retention = settings.storage, settings.retention.traces
    return SpanStoreSettings(
        retention_s=retention.ms // _MS_PER_S if retention.ms else None,
        commit=SpanCommitSettings(
            max_generation_spans=storage.flush_spans,
            max_generation_bytes=int(storage.flush_span_bytes),
            max_generation_age_s=storage.flush_after.seconds,
            max_unflushed_bytes=int(storage.max_unflushed_span_bytes),
            max_future_ns=storage.max_future.ms * _NS_PER_MS,
        ),
        judge=judge,
    )


def open_store(
    settings: Settings, clock: Clock, judge: TraceJudge | None = None, vocabulary: Vocabulary | None = None
) -> EmbeddedStore:
    """Open the data folder. Raises FolderInUseError, NewerSchemaError and StoreUnusableError.

    `judge`: which traces stay; None keeps all. `vocabulary`: the process's, where it has one.
    """
    store = EmbeddedStore(to_store_settings(settings, judge, vocabulary), clock)
    store.sink.listeners.append(_count_commit)
    store.flusher.listeners.append(_count_flush)
    return store


def _count_commit(rows: int, duration_s: float) -> None:
    metrics.COMMIT_ROWS.observe(rows)
    metrics.COMMIT_DURATION_S.observe(duration_s)


def _count_flush(flushed: Flushed) -> None:
    metrics.FLUSHED_ROWS.inc(flushed.rows)
    metrics.FLUSH_DURATION_S.observe(flushed.seconds)


class StoreFigures:
    """Sets the gauges that describe the store; called before each exposition, in a worker thread."""

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store

    def refresh(self) -> None:
        """Read the figures; the tables' sizes cost one small statement."""
        catalogue = self._store.catalogue
        metrics.ACTIVE_SERIES.set(catalogue.active_total())
        metrics.CATALOGUE_SERIES.set(catalogue.n_series)
        metrics.CATALOGUE_BYTES.set(catalogue.memory_bytes)
        memory = self._store.memory
        metrics.UNFLUSHED_ROWS.set(memory.unflushed_rows())
        metrics.GENERATIONS.set(len(memory.snapshot().generations))
        metrics.CACHED_ROWS.set(memory.cached_rows())
        metrics.DETACHED_PARTS.set(len(self._store.repair.detached()))
        for table, size in self._store.table_sizes().items():
            metrics.STORE_BYTES.labels(table=table).set(size.n_bytes)
            metrics.STORE_ROWS.labels(table=table).set(size.n_rows)
            metrics.STORE_PARTS.labels(table=table).set(size.n_parts)
