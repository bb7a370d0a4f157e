"""The outermost sink: counts what one protocol brings and what becomes of it."""

from __future__ import annotations

from swarmscope.ingest.counting import BatchCounts
from swarmscope.instrument import metrics
from swarmscope.model.contracts import Receipt, Sink
from swarmscope.model.metrics import MetricBatch


class CountedSink:
    """Counts into the program's own metrics under the label `protocol`; changes nothing."""

    def __init__(self, inner: Sink, protocol: str) -> None:
        self._inner = inner
        self._batches = BatchCounts(protocol, metrics.REFUSED_SAMPLES, metrics.LIMITED_SAMPLES)
        self._ingested = metrics.INGESTED_SAMPLES.labels(protocol=protocol)
        self._exemplars = metrics.INGESTED_EXEMPLARS.labels(protocol=protocol)

    def write_metrics(self, batch: MetricBatch) -> Receipt:
        """As `Sink.write_metrics`."""
        receipt = self._batches.counted(self._inner.write_metrics, batch, batch.n_samples)
        self._ingested.inc(receipt.samples + receipt.histograms)
        self._exemplars.inc(receipt.exemplars)
        return receipt
