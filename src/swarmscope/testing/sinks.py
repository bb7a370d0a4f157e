"""A recording sink and a series index for tests."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import Receipt
from swarmscope.model.metrics import UNKNOWN_SERIES, MetricBatch


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
        with self._lock:
            for key in batch.series_key[batch.series_ref == UNKNOWN_SERIES].tolist():
                self._numbers.setdefault((batch.tenant, key), len(self._numbers))
        return self.resolve(batch.tenant, batch.series_key)


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
