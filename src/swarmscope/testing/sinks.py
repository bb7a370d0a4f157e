"""Recording sinks, ones that take all and keep nothing, and a series index, for tests."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import Receipt
from swarmscope.model.logs import LogBatch
from swarmscope.model.metrics import UNKNOWN_SERIES, MetricBatch
from swarmscope.model.spans import SpanBatch
from swarmscope.testing.plain_spans import PlainSpan, from_batch


class DictSeriesIndex:
    """A `SeriesIndex` in a dictionary: knows what `learn` was told."""

    def __init__(self, seed: int = 0x5EED) -> None:
        self._seed = seed
        self._numbers: dict[tuple[str, int], int] = {}
        self._lock = threading.Lock()

    @property
    def seed(self) -> int:
        """The seed that keys are hashed with."""
        return self._seed

    def resolve(self, tenant: str, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Numbers of known keys, UNKNOWN_SERIES for others."""
        numbers = self._numbers
        found = [numbers.get((tenant, key), UNKNOWN_SERIES) for key in keys.tolist()]
        return np.array(found, np.int64).reshape(len(keys))

    def learn(self, batch: MetricBatch) -> NDArray[np.int64]:
        """Give numbers to the batch's new series; the numbers of all of its series [n_series]."""
        return self._learn(batch.tenant, batch.series_key, batch.series_ref)

    def learn_streams(self, batch: LogBatch) -> NDArray[np.int64]:
        """Give numbers to the batch's new streams; the numbers of all of its streams [n_streams]."""
        return self._learn(batch.tenant, batch.stream_key, batch.stream_ref)

    def _learn(self, tenant: str, keys: NDArray[np.uint64], refs: NDArray[np.int64]) -> NDArray[np.int64]:
        with self._lock:
            for key in keys[refs == UNKNOWN_SERIES].tolist():
                self._numbers.setdefault((tenant, key), len(self._numbers))
        return self.resolve(tenant, keys)


@dataclass(slots=True)
class RecordingSink:
    """Keeps every batch, and the labels of every series by number; resolves new series through its index."""

    index: DictSeriesIndex = field(default_factory=DictSeriesIndex)
    batches: list[MetricBatch] = field(default_factory=list)
    labels: dict[int, dict[str, str]] = field(default_factory=dict)
    receipt: Receipt | None = None  # what to answer instead of "all taken"
    error: Exception | None = None  # what to raise
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write_metrics(self, batch: MetricBatch) -> Receipt:
        """Keep the batch with its series resolved."""
        if self.error is not None:
            raise self.error
        with self._lock:
            new = batch.series_ref == UNKNOWN_SERIES
            batch.series_ref = self.index.learn(batch)
            for number, labels in zip(batch.series_ref[new].tolist(), batch.new_labels.to_dicts(), strict=True):
                self.labels[number] = labels
            self.batches.append(batch)
        if self.receipt is not None:
            return self.receipt
        n_exemplars = 0 if batch.exemplars is None else len(batch.exemplars)
        return Receipt(len(batch.ts_ms), len(batch.histograms), n_exemplars)

    def samples(self) -> list[tuple[dict[str, str], int, float]]:
        """Every float sample so far: labels, time stamp in ms, value."""
        found = []
        for batch in self.batches:
            numbers = batch.series_ref[batch.sample_series].tolist()
            for number, ts_ms, value in zip(numbers, batch.ts_ms.tolist(), batch.value.tolist(), strict=True):
                found.append((self.labels[number], ts_ms, value))
        return found


@dataclass(frozen=True, slots=True)
class RecordedLine:
    """One line as it came in, in Python's words."""

    tenant: str
    labels: dict[str, str]
    ts_ns: int
    line: str
    metadata: dict[str, str]
    level: int
    severity: int
    observed_ns: int
    trace_id: str  # hex, "" for none
    span_id: str


@dataclass(slots=True)
class RecordingLogSink:
    """Keeps every line, and every batch; resolves new streams through its index."""

    index: DictSeriesIndex = field(default_factory=DictSeriesIndex)
    batches: list[LogBatch] = field(default_factory=list)
    labels: dict[int, dict[str, str]] = field(default_factory=dict)
    receipt: Receipt | None = None  # what to answer instead of "all taken"
    error: Exception | None = None  # what to raise
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write_logs(self, batch: LogBatch) -> Receipt:
        """Keep the batch with its streams resolved."""
        if self.error is not None:
            raise self.error
        with self._lock:
            new = batch.stream_ref == UNKNOWN_SERIES
            batch.stream_ref = self.index.learn_streams(batch)
            for number, labels in zip(batch.stream_ref[new].tolist(), batch.new_labels.to_dicts(), strict=True):
                self.labels[number] = labels
            self.batches.append(batch)
        return self.receipt or Receipt(lines=len(batch))

    def lines(self) -> list[RecordedLine]:
        """Every line so far, in the order in which they came."""
        return [line for batch in self.batches for line in self._to_lines(batch)]

    def _to_lines(self, batch: LogBatch) -> list[RecordedLine]:
        return [
            RecordedLine(
                batch.tenant, self.labels[int(batch.stream_ref[batch.stream[row]])], int(batch.ts_ns[row]),
                batch.line.text(row), metadata, int(batch.level[row]), int(batch.severity[row]),
                int(batch.observed_ns[row]), _to_hex(batch.trace_id[row]), _to_hex(batch.span_id[row]),
            )
            for row, metadata in enumerate(batch.metadata.to_dicts())
        ]  # fmt: skip


def _to_hex(identity: NDArray[np.uint8]) -> str:
    return identity.tobytes().hex() if identity.any() else ""


@dataclass(slots=True)
class NullLogSink:
    """Takes every line and keeps nothing but the streams' numbers and a count."""

    index: DictSeriesIndex = field(default_factory=DictSeriesIndex)
    n_lines: int = 0

    def write_logs(self, batch: LogBatch) -> Receipt:
        """Count the lines."""
        self.index.learn_streams(batch)
        self.n_lines += len(batch)
        return Receipt(lines=len(batch))


@dataclass(slots=True)
class RecordingSpanSink:
    """Keeps every batch."""

    batches: list[SpanBatch] = field(default_factory=list)
    receipt: Receipt | None = None  # what to answer instead of "all taken"
    error: Exception | None = None  # what to raise
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write_spans(self, batch: SpanBatch) -> Receipt:
        """Keep the batch."""
        if self.error is not None:
            raise self.error
        with self._lock:
            self.batches.append(batch)
        return self.receipt or Receipt(spans=len(batch))

    def spans(self) -> list[PlainSpan]:
        """Every span so far, in the order in which they came."""
        return [span for batch in self.batches for span in from_batch(batch)]


@dataclass(slots=True)
class NullSpanSink:
    """Takes every span and keeps nothing but a count."""

    n_spans: int = 0

    def write_spans(self, batch: SpanBatch) -> Receipt:
        """Count the spans."""
        self.n_spans += len(batch)
        return Receipt(spans=len(batch))
