"""The outermost sink for spans: counts what one protocol brings and what becomes of it."""

from __future__ import annotations

from swarmscope.ingest.counting import BatchCounts
from swarmscope.instrument import metrics
from swarmscope.model.contracts import Receipt, SpanSink
from swarmscope.model.spans import SpanBatch


class CountedSpanSink:
    """Counts into the program's own metrics under the label `protocol`; changes nothing."""

    def __init__(self, inner: SpanSink, protocol: str) -> None:
        self._inner = inner
        self._batches = BatchCounts(protocol, metrics.REFUSED_SPANS, metrics.LIMITED_SPANS)
        self._ingested = metrics.INGESTED_SPANS.labels(protocol=protocol)

    def write_spans(self, batch: SpanBatch) -> Receipt:
        """As `SpanSink.write_spans`."""
        receipt = self._batches.counted(self._inner.write_spans, batch, len(batch))
        self._ingested.inc(receipt.spans)
        return receipt
