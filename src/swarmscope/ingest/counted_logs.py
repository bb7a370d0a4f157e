"""The outermost sink for lines: counts what one protocol brings and what becomes of it."""

from __future__ import annotations

import time

from swarmscope.instrument import metrics
from swarmscope.model.contracts import LogSink, Receipt
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.logs import LogBatch


class CountedLogSink:
    """Counts into the program's own metrics under the label `protocol`; changes nothing."""

    def __init__(self, inner: LogSink, protocol: str) -> None:
        self._inner = inner
        self._protocol = protocol
        self._ingested = metrics.INGESTED_LINES.labels(protocol=protocol)
        self._bytes = metrics.RECEIVED_LINE_BYTES.labels(protocol=protocol)
        self._refused = metrics.REFUSED_LINES.labels(protocol=protocol)
        self._in_flight = metrics.INGEST_IN_FLIGHT.labels(protocol=protocol)
        self._duration_s = metrics.INGEST_DURATION_S.labels(protocol=protocol)

    def write_logs(self, batch: LogBatch) -> Receipt:
        """As `LogSink.write_logs`."""
        n_lines = len(batch)
        self._bytes.inc(int(batch.line.length.sum()))
        started = time.perf_counter()
        self._in_flight.inc()
        outcome = "failed"
        try:
            receipt = self._inner.write_logs(batch)
            outcome = "partial" if receipt.refused else "ok"
        except LimitExceededError as error:
            outcome = "refused"
            self._refused.inc(n_lines)
            metrics.LIMITED_LINES.labels(limit=error.limit).inc(n_lines)
            raise
        finally:
            self._in_flight.dec()
            self._duration_s.observe(time.perf_counter() - started)
            metrics.INGEST_BATCHES.labels(protocol=self._protocol, outcome=outcome).inc()
        self._ingested.inc(receipt.lines)
        self._refused.inc(sum(receipt.refused.values()))
        return receipt
