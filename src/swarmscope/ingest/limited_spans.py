"""The sink that holds the limits for spans: what is over a limit is refused by name, the rest goes on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from swarmscope.ingest.in_flight import InFlight
from swarmscope.ingest.log_rates import ByteRates
from swarmscope.ingest.span_limits import CHECKED, SpanLimits, measure, span_bytes
from swarmscope.instrument.metrics import LIMITED_SPANS, SPAN_BYTES_IN_FLIGHT, SPANS_IN_FLIGHT
from swarmscope.model.contracts import Receipt, SpanSink
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.spans import SpanBatch

_PREFIX = "limits.traces"


class LimitedSpanSink:
    """Refuses what is over a limit. Thread-safe."""

    def __init__(
        self,
        inner: SpanSink,
        limits_for: Callable[[str], SpanLimits],
        rates: ByteRates,
        *,
        max_spans_in_flight: int,
        max_bytes_in_flight: int,
    ) -> None:
        self._inner = inner
        self._limits_for = limits_for
        self._rates = rates
        self._in_flight = InFlight(
            _PREFIX,
            {"spans": max_spans_in_flight, "bytes": max_bytes_in_flight},
            {"spans": SPANS_IN_FLIGHT, "bytes": SPAN_BYTES_IN_FLIGHT},
        )

    def write_spans(self, batch: SpanBatch) -> Receipt:
        """As `SpanSink.write_spans`; LimitExceededError when too much is already on its way, or comes too fast."""
        limits = self._limits_for(batch.tenant)
        n_bytes = int(span_bytes(batch).sum())
        with self._in_flight.holding({"spans": len(batch), "bytes": n_bytes}):
            self._hold_to_rate(batch.tenant, n_bytes, limits)
            refusals = Receipt()
            self._refuse(batch, limits, refusals)
            receipt = self._inner.write_spans(batch) if len(batch) else Receipt()
        for reason, count in refusals.refused.items():
            receipt.refused[reason] = receipt.refused.get(reason, 0) + count
        receipt.limit = receipt.limit or refusals.limit
        return receipt

    def _hold_to_rate(self, tenant: str, n_bytes: int, limits: SpanLimits) -> None:
        if not limits.max_bytes_per_second:
            return
        wait_s = self._rates.take(tenant, n_bytes, limits.max_bytes_per_second)
        if wait_s:
            name = f"{_PREFIX}.max_bytes_per_second"
            raise LimitExceededError(
                f"{name} is {limits.max_bytes_per_second}: {n_bytes} bytes more arrived",
                limit=name,
                retry_after_s=wait_s,
            )

    def _refuse(self, batch: SpanBatch, limits: SpanLimits, refusals: Receipt) -> None:
        """Take spans that are over a limit out of `batch`."""
        for field in CHECKED:
            most = getattr(limits, field)
            if not most or not len(batch):
                continue
            sizes = measure(batch, field)
            over = sizes > most
            if not over.any():
                continue
            name = f"{_PREFIX}.{field}"
            n_refused, largest = int(np.count_nonzero(over)), int(sizes.max())
            refusals.refused[f"{name} is {most}: {n_refused} spans refused, the largest has {largest}"] = n_refused
            refusals.limit = refusals.limit or name
            LIMITED_SPANS.labels(limit=name).inc(n_refused)
            batch.take(np.flatnonzero(~over))
