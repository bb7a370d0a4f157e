"""The sink that turns passing spans into metrics. It never refuses, delays or fails the spans themselves."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.ingest.derivation.derivation_settings import DerivationSettings
from swarmscope.ingest.derivation.derived_batch import BatchBuilder, Moment
from swarmscope.ingest.derivation.derived_table import DerivedTable
from swarmscope.ingest.derivation.service_edges import ServiceEdges
from swarmscope.ingest.derivation.span_operations import SpanOperations
from swarmscope.instrument.metrics import DERIVATION_FAILURES, DERIVED_SAMPLES, UNDERIVED_SPANS
from swarmscope.model.contracts import Clock, Receipt, SeriesIndex, Sink, SpanSink
from swarmscope.model.metrics import MetricBatch
from swarmscope.model.spans import SpanBatch

_log = logging.getLogger(__name__)
_NS_PER_MS = 1_000_000
_MS_PER_S = 1000
# Label sets in one batch: some 40,000 samples.
_ROWS_PER_BATCH = 2_000


class _Tenant:
    """What is counted of one tenant's spans."""

    def __init__(self, settings: DerivationSettings, seed: int) -> None:
        self.lock = threading.Lock()
        self.operations = SpanOperations(settings.span_metrics, seed) if settings.span_metrics.enabled else None
        self.edges = ServiceEdges(settings.service_graph, seed) if settings.service_graph.enabled else None
        self.written_ms = 0

    def tables(self) -> list[DerivedTable]:
        """Those that are in use."""
        return [part.table for part in (self.operations, self.edges) if part is not None]


class DerivingSpanSink:
    """Counts spans that the sink behind it took, and writes metrics every few seconds. Thread-safe."""

    def __init__(
        self, inner: SpanSink, metrics: Sink, index: SeriesIndex, clock: Clock, settings: DerivationSettings
    ) -> None:
        self._inner, self._metrics, self._index, self._clock = inner, metrics, index, clock
        self._settings = settings
        self._tenants: dict[str, _Tenant] = {}
        self._tenants_lock = threading.Lock()
        self._writing = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write metrics on a thread of its own."""
        self._thread = threading.Thread(target=self._write_on, name="derivation", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write one last time, and end."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        self.write_metrics()

    def write_spans(self, batch: SpanBatch) -> Receipt:
        """As `SpanSink.write_spans`. What the sink behind refuses as a whole is not counted: it comes again."""
        passing = replace(batch)
        receipt = self._inner.write_spans(batch)
        if len(passing):
            try:
                self._derive(passing)
            except Exception:
                DERIVATION_FAILURES.labels(stage="spans").inc()
                _log.exception("metrics of spans could not be derived")
        return receipt

    def write_metrics(self) -> None:
        """Write everything as it is now."""
        with self._writing:
            with self._tenants_lock:
                tenants = list(self._tenants.items())
            for name, tenant in tenants:
                try:
                    self._write_tenant(name, tenant)
                except Exception:
                    DERIVATION_FAILURES.labels(stage="metrics").inc()
                    _log.exception("derived metrics could not be written")

    def _write_on(self) -> None:
        while not self._stopped.wait(self._settings.interval_s):
            self.write_metrics()

    def _now_ms(self) -> int:
        return self._clock.now_ns() // _NS_PER_MS

    def _derive(self, batch: SpanBatch) -> None:
        tenant = self._tenant(batch.tenant)
        if tenant is None:
            UNDERIVED_SPANS.labels(reason="tenants").inc(len(batch))
            return
        now_ms = self._now_ms()
        with tenant.lock:
            if tenant.operations is not None:
                overflow = tenant.operations.observe(batch, now_ms)
                if overflow:
                    UNDERIVED_SPANS.labels(reason="overflow").inc(overflow)
            if tenant.edges is not None:
                tenant.edges.observe(batch, now_ms)

    def _tenant(self, name: str) -> _Tenant | None:
        with self._tenants_lock:
            tenant = self._tenants.get(name)
            if tenant is None and len(self._tenants) < self._settings.max_tenants:
                tenant = self._tenants[name] = _Tenant(self._settings, self._index.seed)
            return tenant

    def _write_tenant(self, name: str, tenant: _Tenant) -> None:
        now_ms = self._now_ms()
        if now_ms < tenant.written_ms + 2:
            return  # the clock went back: a sample would be older than the last one
        with tenant.lock:
            if tenant.edges is not None:
                tenant.edges.expire(now_ms)
        # Behind the last write, so that what began since then begins behind a series that ended there.
        interval_ms = round(self._settings.interval_s * _MS_PER_S)
        moment = Moment(now_ms, max(tenant.written_ms + 1, now_ms - interval_ms))
        tenant.written_ms = now_ms
        idle_ms = round(self._settings.idle_s * _MS_PER_S)
        for table in tenant.tables():
            builder = BatchBuilder(table, self._index, name)
            with tenant.lock:
                idle = table.idle_rows(now_ms - idle_ms)
                ends = builder.ends(idle, now_ms) if len(idle) else None
                if len(idle):
                    table.forget(idle)
            if ends is not None:
                self._write(ends)
            for rows in _parts(np.flatnonzero(table.created_ms > 0)):
                with tenant.lock:
                    before = table.told[rows].copy()
                    batch = builder.samples(rows, moment)
                    table.told[rows] = before | _shown(table, rows)
                if not self._write(batch):
                    with tenant.lock:
                        table.told[rows] = before

    def _write(self, batch: MetricBatch) -> bool:
        """Whether the metric sink took it."""
        try:
            receipt = self._metrics.write_metrics(batch)
        except Exception as error:
            DERIVATION_FAILURES.labels(stage="metrics").inc()
            _log.warning("derived metrics were refused: %s", error)
            return False
        DERIVED_SAMPLES.inc(receipt.samples + receipt.histograms)
        if receipt.refused:
            DERIVATION_FAILURES.labels(stage="metrics").inc()
            _log.warning("derived metrics were refused in part: %s", "; ".join(receipt.refused))
        return True


def _shown(table: DerivedTable, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which families [n_rows, n_families] have something to tell."""
    counts = [table.counts[rows] > 0]
    counts += [(histogram.state.total[rows] > 0)[:, np.newaxis] for histogram in table.histograms]
    return np.concatenate(counts, axis=1)


def _parts(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for begin in range(0, len(rows), _ROWS_PER_BATCH):
        yield rows[begin : begin + _ROWS_PER_BATCH]
