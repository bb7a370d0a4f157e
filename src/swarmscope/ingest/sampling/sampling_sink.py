"""The sink that looks at spans on their way in, and the judge that says at the end which traces stay.

Everything goes on to the store: what is acknowledged is found at once. The store asks the judge when spans leave the
journal, and until then a trace can still become remarkable.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.sampling.policies import SERVICE_NAME, Policy
from swarmscope.ingest.sampling.service_rates import ServiceRates
from swarmscope.ingest.sampling.slow_spans import SlowSpans
from swarmscope.ingest.sampling.trace_ledger import Arrivals, TraceLedger
from swarmscope.instrument.metrics import SAMPLED_SPANS, SPANS_KEPT_FOR
from swarmscope.model.byte_hash import hash_bytes, mix
from swarmscope.model.contracts import Clock, Receipt, SpanSink
from swarmscope.model.raw_memory import address_of
from swarmscope.model.spans import KeepReason, SpanBatch, SpanStatus


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """What is kept. `share` 1 keeps everything."""

    share: float = 1.0  # of ordinary traces
    rate_threshold: float = 100.0  # new traces a second of one service; up to it everything is kept
    patience_s: float = 10.0  # how long spans wait for the rest of their trace
    keep_errors: bool = True
    slow_percentile: float = 0.99  # spans above it are kept, by operation; 1 keeps none for being slow
    policies: tuple[Policy, ...] = ()
    max_traces: int = 500_000  # remembered at once
    max_operations: int = 10_000  # whose slowest spans are known


class SamplingSpanSink:
    """Fills `keep` and `share` of batches. Thread-safe."""

    def __init__(self, inner: SpanSink, settings: SamplingSettings, ledger: TraceLedger, clock: Clock) -> None:
        """Raises BadPolicyError."""
        for policy in settings.policies:
            policy.check()
        self._inner = inner
        self._settings = settings
        self._ledger = ledger
        self._slow = SlowSpans(settings.slow_percentile, settings.max_operations)
        self._rates = ServiceRates(clock)
        self._lock = threading.Lock()

    def write_spans(self, batch: SpanBatch) -> Receipt:
        """As `SpanSink.write_spans`."""
        if len(batch):
            services = _services(batch)
            batch.keep = self._reasons(batch, services)
            keys = self._ledger.keys(batch.tenant, batch.trace_id)
            with self._lock:
                rows = self._rates.rows(batch.tenant, services)
                elapsed = self._rates.turn()
                settings = self._settings
                arrivals = Arrivals(
                    rows[batch.resource], self._rates.counts, elapsed, settings.rate_threshold, settings.share
                )
                batch.share = self._ledger.observe(keys, batch.keep, arrivals)
        return self._inner.write_spans(batch)

    def _reasons(self, batch: SpanBatch, services: list[str]) -> NDArray[np.uint8]:
        settings = self._settings
        reasons = np.zeros(len(batch), np.uint8)
        if settings.keep_errors:
            reasons[batch.status == SpanStatus.ERROR] |= np.uint8(KeepReason.ERROR)
        if settings.slow_percentile < 1:
            name = batch.name
            owners = np.array([hash(service) & (2**63 - 1) for service in services], np.uint64)[batch.resource]
            operation = _operations(name.buffer, name.start, name.length, owners, batch.kind)
            reasons[self._slow.judge(operation, batch.end_ns - batch.start_ns)] |= np.uint8(KeepReason.SLOW)
        for policy in settings.policies:
            reasons[policy.matches(batch)] |= np.uint8(KeepReason.POLICY)
        for reason in (KeepReason.ERROR, KeepReason.SLOW, KeepReason.POLICY):
            count = int(np.count_nonzero(reasons & np.uint8(reason)))
            if count:
                SPANS_KEPT_FOR.labels(reason=str(reason.name).lower()).inc(count)
        return reasons


class SamplingJudge:
    """The `TraceJudge` over a ledger."""

    def __init__(self, settings: SamplingSettings, ledger: TraceLedger) -> None:
        self._settings = settings
        self._ledger = ledger

    @property
    def patience_s(self) -> float:
        """As `TraceJudge.patience_s`; 0 where everything is kept."""
        return self._settings.patience_s if self._settings.share < 1 else 0.0

    def weigh(
        self, tenant: str, trace_id: NDArray[np.uint8], keep: NDArray[np.uint8], share: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """As `TraceJudge.weigh`."""
        keys = self._ledger.keys(tenant, trace_id)
        weights = self._ledger.weigh(keys, trace_id, keep, share)
        n_kept = int(np.count_nonzero(weights))
        SAMPLED_SPANS.labels(decision="kept").inc(n_kept)
        SAMPLED_SPANS.labels(decision="dropped").inc(len(weights) - n_kept)
        return weights


def _services(batch: SpanBatch) -> list[str]:
    """The service of each of the batch's resources; "" where it has no name."""
    column = batch.resources.attributes.column(SERVICE_NAME)
    named = [column.scalar(row) for row in range(len(column))]
    return [name if isinstance(name, str) else "" for name in named]


@njit(nogil=True, cache=True)
def _operations(
    buffer: NDArray[np.uint8],
    start: NDArray[np.int64],
    length: NDArray[np.int64],
    owners: NDArray[np.uint64],
    kind: NDArray[np.uint8],
) -> NDArray[np.uint64]:
    """A hash [n] of each span's service, name and kind."""
    base = address_of(buffer)
    hashes = np.empty(len(start), np.uint64)
    for row in range(len(start)):
        hashes[row] = mix(hash_bytes(base + start[row], length[row], owners[row]), kind[row])
    return hashes
