"""What is counted of every batch that comes in, whatever its signal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from prometheus_client import Counter

from swarmscope.instrument import metrics
from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError

Batch = TypeVar("Batch")


class BatchCounts:
    """Batches, their durations and their refusals under the label `protocol`; changes nothing."""

    def __init__(self, protocol: str, refused: Counter, limited: Counter) -> None:
        """`refused` counts a signal's rows by `protocol`, `limited` those of refused batches by `limit`."""
        self._protocol = protocol
        self._refused = refused.labels(protocol=protocol)
        self._limited = limited
        self._in_flight = metrics.INGEST_IN_FLIGHT.labels(protocol=protocol)
        self._duration_s = metrics.INGEST_DURATION_S.labels(protocol=protocol)

    def counted(self, write: Callable[[Batch], Receipt], batch: Batch, n_rows: int) -> Receipt:
        """Write a batch of so many rows; returns what `write` returns and raises what it raises."""
        started = time.perf_counter()
        self._in_flight.inc()
        outcome = "failed"
        try:
            receipt = write(batch)
            outcome = "partial" if receipt.refused else "ok"
        except LimitExceededError as error:
            outcome = "refused"
            self._refused.inc(n_rows)
            self._limited.labels(limit=error.limit).inc(n_rows)
            raise
        finally:
            self._in_flight.dec()
            self._duration_s.observe(time.perf_counter() - started)
            metrics.INGEST_BATCHES.labels(protocol=self._protocol, outcome=outcome).inc()
        self._refused.inc(sum(receipt.refused.values()))
        return receipt
