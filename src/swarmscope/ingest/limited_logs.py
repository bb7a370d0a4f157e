"""The sink that holds the limits for lines: what is over a limit is refused by name, the rest goes on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from swarmscope.ingest.in_flight import InFlight
from swarmscope.ingest.log_limits import (
    LineVerdict,
    LogLimits,
    Oversized,
    StreamCounts,
    StreamVerdict,
    judge_labels,
    judge_lines,
    metadata_bytes,
    refuse_surplus,
    truncated,
    without_streams,
)
from swarmscope.ingest.log_rates import ByteRates
from swarmscope.instrument.metrics import LIMITED_LINES, LINE_BYTES_IN_FLIGHT, LINES_IN_FLIGHT, TRUNCATED_LINES
from swarmscope.model.contracts import LogSink, Receipt
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.labels import LabelSets
from swarmscope.model.logs import LogBatch
from swarmscope.model.metrics import UNKNOWN_SERIES

_PREFIX = "limits.logs"
_MAX_EXAMPLE_CHARACTERS = 200


class LimitedLogSink:
    """Refuses what is over a limit. Thread-safe.

    Streams that are on their way to the catalogue are counted as if they were there, so that requests which arrive
    together cannot pass a limit together.
    """

    def __init__(
        self,
        inner: LogSink,
        counts: StreamCounts,
        limits_for: Callable[[str], LogLimits],
        rates: ByteRates,
        *,
        max_lines_in_flight: int,
        max_bytes_in_flight: int,
    ) -> None:
        self._inner = inner
        self._counts = counts
        self._limits_for = limits_for
        self._rates = rates
        self._in_flight = InFlight(
            _PREFIX,
            {"lines": max_lines_in_flight, "bytes": max_bytes_in_flight},
            {"lines": LINES_IN_FLIGHT, "bytes": LINE_BYTES_IN_FLIGHT},
        )
        self._lock = threading.Lock()
        self._arriving: Counter[str] = Counter()  # tenant → streams on their way

    def write_logs(self, batch: LogBatch) -> Receipt:
        """As `LogSink.write_logs`; LimitExceededError when too much is already on its way, or comes too fast."""
        limits = self._limits_for(batch.tenant)
        n_bytes = int(batch.line.length.sum() + metadata_bytes(batch.metadata).sum())
        with self._in_flight.holding({"lines": len(batch), "bytes": n_bytes}):
            self._hold_to_rate(batch.tenant, n_bytes, limits)
            refusals = Receipt()
            self._refuse_lines(batch, limits, refusals)
            if len(batch.new_labels):
                receipt = self._write_with_new_streams(batch, limits, refusals)
            else:
                receipt = self._write_rest(batch)
        return _joined(receipt, refusals)

    def _hold_to_rate(self, tenant: str, n_bytes: int, limits: LogLimits) -> None:
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

    def _refuse_lines(self, batch: LogBatch, limits: LogLimits, refusals: Receipt) -> None:
        """Take lines that are over a limit of their own out of `batch`, or cut them."""
        if limits.max_line_bytes and limits.oversized_lines is Oversized.TRUNCATE:
            batch.line, n_cut = truncated(batch.line, limits.max_line_bytes)
            TRUNCATED_LINES.inc(n_cut)
        verdicts = judge_lines(batch, limits)
        if not verdicts.any():
            return
        sizes = {
            LineVerdict.LINE_BYTES: batch.line.length,
            LineVerdict.METADATA_BYTES: metadata_bytes(batch.metadata),
            LineVerdict.METADATA_ENTRIES: np.diff(batch.metadata.offsets),
        }
        for code in np.unique(verdicts[verdicts != LineVerdict.ADMITTED]).tolist():
            verdict = LineVerdict(code)
            refused = verdicts == code
            most = int(sizes[verdict][refused].max())
            words = f"{int(np.count_nonzero(refused))} lines refused, the largest has {most}"
            _note(refusals, f"{_PREFIX}.{verdict.field}", getattr(limits, verdict.field), words, refused.sum())
        batch.take(np.flatnonzero(verdicts == LineVerdict.ADMITTED))

    def _write_with_new_streams(self, batch: LogBatch, limits: LogLimits, refusals: Receipt) -> Receipt:
        tenant = batch.tenant
        verdicts = judge_labels(batch.new_labels, limits)
        with self._lock:
            there = self._counts.active_total(tenant) + self._arriving[tenant]
            if limits.max_streams:
                refuse_surplus(verdicts, limits.max_streams - there, StreamVerdict.STREAMS)
            if limits.max_total_streams:
                total = self._counts.active_total() + self._arriving.total()
                refuse_surplus(verdicts, limits.max_total_streams - total, StreamVerdict.TOTAL_STREAMS)
            admitted = int(np.count_nonzero(verdicts == StreamVerdict.ADMITTED))
            self._arriving[tenant] += admitted
        try:
            if verdicts.any():
                _note_streams(batch, verdicts, limits, refusals)
                without_streams(batch, verdicts == StreamVerdict.ADMITTED)
            return self._write_rest(batch)
        finally:
            with self._lock:
                self._arriving[tenant] -= admitted
                if not self._arriving[tenant]:
                    del self._arriving[tenant]

    def _write_rest(self, batch: LogBatch) -> Receipt:
        return self._inner.write_logs(batch) if len(batch) else Receipt()


def _note_streams(batch: LogBatch, verdicts: NDArray[np.int8], limits: LogLimits, refusals: Receipt) -> None:
    n_lines = np.bincount(batch.stream, minlength=len(batch.stream_key))[batch.stream_ref == UNKNOWN_SERIES]
    for code in np.unique(verdicts[verdicts != StreamVerdict.ADMITTED]).tolist():
        verdict = StreamVerdict(code)
        refused = np.flatnonzero(verdicts == code)
        example = _spell_stream(batch.new_labels, int(refused[0]))
        words = f"{len(refused)} streams refused, such as {example}"
        name, value = f"{_PREFIX}.{verdict.field}", getattr(limits, verdict.field)
        _note(refusals, name, value, words, n_lines[refused].sum())
        refusals.retryable |= verdict.is_retryable


def _note(refusals: Receipt, name: str, value: int, words: str, n_lines: np.integer) -> None:
    reason = f"{name} is {value}: {words}"
    refusals.refused[reason] = refusals.refused.get(reason, 0) + int(n_lines)
    refusals.limit = refusals.limit or name
    LIMITED_LINES.labels(limit=name).inc(int(n_lines))


def _joined(receipt: Receipt, refusals: Receipt) -> Receipt:
    for reason, count in refusals.refused.items():
        receipt.refused[reason] = receipt.refused.get(reason, 0) + count
    receipt.retryable |= refusals.retryable
    receipt.limit = receipt.limit or refusals.limit
    return receipt


def _spell_stream(labels: LabelSets, index: int) -> str:
    """`{a="b"}`, cut where it is long. Bytes that are not UTF-8 are shown as replacement characters."""
    one = labels.take(np.array([index]))
    pairs = []
    for pair in range(len(one.names)):
        name, value = (
            column.buffer[column.start[pair] : column.start[pair] + column.length[pair]]
            .tobytes()
            .decode("utf-8", "replace")
            for column in (one.names, one.values)
        )
        pairs.append(f'{name}="{value}"')
    text = "{" + ", ".join(sorted(pairs)) + "}"
    return text if len(text) <= _MAX_EXAMPLE_CHARACTERS else f"{text[:_MAX_EXAMPLE_CHARACTERS]}…"
