"""The outermost sink: counts what one protocol brings and what becomes of it."""

from __future__ import annotations

import time

from swarmscope.instrument import metrics
from swarmscope.model.contracts import Receipt, Sink
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.metrics import MetricBatch


class CountedSink:
    """Counts into the program's own metrics under the label `protocol`; changes nothing."""

    def __init__(self, inner: Sink, protocol: str) -> None:
        self._inner = inner
        self._protocol = protocol
        self._ingested = metrics.INGESTED_SAMPLES.labels(protocol=protocol)
        self._exemplars = metrics.INGESTED_EXEMPLARS.labels(protocol=protocol)
        self._refused = metrics.REFUSED_SAMPLES.labels(protocol=protocol)
        self._in_flight = metrics.INGEST_IN_FLIGHT.labels(protocol=protocol)
        self._duration_s = metrics.INGEST_DURATION_S.labels(protocol=protocol)

    def write_metrics(self, batch: MetricBatch) -> Receipt:
        """As `Sink.write_metrics`."""
        n_samples = batch.n_samples
        started = time.perf_counter()
        self._in_flight.inc()
        outcome = "failed"
        try:
            receipt = self._inner.write_metrics(batch)
            outcome = "partial" if receipt.refused else "ok"
        except LimitExceededError as error:
            outcome = "refused"
            self._refused.inc(n_samples)
            metrics.LIMITED_SAMPLES.labels(limit=error.limit).inc(n_samples)
            raise
        finally:
            self._in_flight.dec()
            self._duration_s.observe(time.perf_counter() - started)
            metrics.INGEST_BATCHES.labels(protocol=self._protocol, outcome=outcome).inc()
        self._ingested.inc(receipt.samples + receipt.histograms)
        self._exemplars.inc(receipt.exemplars)
        self._refused.inc(sum(receipt.refused.values()))
        return receipt
