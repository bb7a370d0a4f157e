"""The outermost sink for lines: counts what one protocol brings and what becomes of it."""

from __future__ import annotations

from swarmscope.ingest.counting import BatchCounts
from swarmscope.instrument import metrics
from swarmscope.model.contracts import LogSink, Receipt
from swarmscope.model.logs import LogBatch


class CountedLogSink:
    """Counts into the program's own metrics under the label `protocol`; changes nothing."""

    def __init__(self, inner: LogSink, protocol: str) -> None:
        self._inner = inner
        self._batches = BatchCounts(protocol, metrics.REFUSED_LINES, metrics.LIMITED_LINES)
        self._ingested = metrics.INGESTED_LINES.labels(protocol=protocol)
        self._bytes = metrics.RECEIVED_LINE_BYTES.labels(protocol=protocol)

    def write_logs(self, batch: LogBatch) -> Receipt:
        """As `LogSink.write_logs`."""
        self._bytes.inc(int(batch.line.length.sum()))
        receipt = self._batches.counted(self._inner.write_logs, batch, len(batch))
        self._ingested.inc(receipt.lines)
        return receipt
