"""Stand-ins for the store: a catalogue that learns labels, and a sink that remembers every sample."""

from __future__ import annotations

import struct
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from swarmscope.model.contracts import Receipt
from swarmscope.model.metrics import UNKNOWN_SERIES, MetricBatch
from swarmscope.model.staleness import STALE_BITS

Labels = tuple[tuple[str, str], ...]


class LearningIndex:
    """Equal label sets get equal numbers, whatever their keys, as in the real catalogue."""

    seed = 0x1234_5678_9ABC_DEF0

    def __init__(self):
        self.by_key: dict[tuple[str, int], int] = {}
        self.labels: list[Labels] = []
        self.by_labels: dict[Labels, int] = {}

    def resolve(self, tenant, keys):
        return np.array([self.by_key.get((tenant, key), UNKNOWN_SERIES) for key in keys.tolist()], np.int64)

    def learn(self, tenant, key, labels):
        identity = tuple(sorted(labels.items()))
        ref = self.by_labels.setdefault(identity, len(self.labels))
        if ref == len(self.labels):
            self.labels.append(identity)
        self.by_key[(tenant, int(key))] = ref
        return ref


@dataclass
class RecordingSink:
    """Checks what the contract promises of a batch and keeps its samples by labels."""

    index: LearningIndex = field(default_factory=LearningIndex)
    samples: dict[Labels, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    histograms: list[tuple[Labels, dict]] = field(default_factory=list)
    exemplars: list[tuple[Labels, int, float, dict]] = field(default_factory=list)
    metadata: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    decoded: int = 0
    batches: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write_metrics(self, batch: MetricBatch) -> Receipt:
        with self.lock:
            return self._write(batch)

    def _write(self, batch):
        self.batches += 1
        assert len(set(batch.series_key.tolist())) == batch.n_series == len(batch.series_ref)
        fresh = iter(batch.new_labels.to_dicts())
        refs = []
        for key, ref in zip(batch.series_key.tolist(), batch.series_ref.tolist(), strict=True):
            if ref == UNKNOWN_SERIES:
                labels = next(fresh)
                assert all(labels.values())
                assert labels["__name__"]
                self.decoded += 1
                ref = self.index.learn(batch.tenant, key, labels)
            refs.append(ref)
        assert next(fresh, None) is None
        names = [self.index.labels[ref] for ref in refs]
        for series, ts, value in zip(
            batch.sample_series.tolist(), batch.ts_ms.tolist(), batch.value.tolist(), strict=True
        ):
            self.samples[names[series]].append((ts, value))
        self._write_histograms(batch, names)
        if batch.exemplars is not None:
            given = batch.exemplars
            for at, labels in enumerate(given.labels.to_dicts()):
                self.exemplars.append((names[given.series[at]], int(given.ts_ms[at]), float(given.value[at]), labels))
        if batch.metadata is not None:
            rows = zip(
                batch.metadata.metric, batch.metadata.kind, batch.metadata.unit, batch.metadata.help, strict=True
            )
            self.metadata |= {name: rest for name, *rest in rows}
        return Receipt(samples=batch.n_samples)

    def _write_histograms(self, batch, names):
        columns = batch.histograms
        for at in range(len(columns)):
            positive = slice(columns.positive.offsets[at], columns.positive.offsets[at + 1])
            negative = slice(columns.negative.offsets[at], columns.negative.offsets[at + 1])
            custom = slice(columns.custom_offsets[at], columns.custom_offsets[at + 1])
            facts = {
                "ts_ms": int(columns.ts_ms[at]),
                "schema": int(columns.schema[at]),
                "count": float(columns.count[at]),
                "sum": float(columns.sum[at]),
                "is_float": bool(columns.is_float[at]),
                "zero_count": float(columns.zero_count[at]),
                "positive": dict(
                    zip(
                        columns.positive.index[positive].tolist(),
                        columns.positive.count[positive].tolist(),
                        strict=True,
                    )
                ),
                "negative": dict(
                    zip(
                        columns.negative.index[negative].tolist(),
                        columns.negative.count[negative].tolist(),
                        strict=True,
                    )
                ),
                "custom": columns.custom_bounds[custom].tolist(),
            }
            self.histograms.append((names[columns.series[at]], facts))

    def of(self, name, **labels):
        """All samples of the one series that has this name and these labels."""
        wanted = {"__name__": name, **labels}.items()
        found = [key for key in list(self.samples) if wanted <= dict(key).items()]
        assert len(found) <= 1, found
        return list(self.samples[found[0]]) if found else []

    def last(self, name, **labels):
        """The newest value of a series, None where there is none."""
        samples = self.of(name, **labels)
        return samples[-1][1] if samples else None


class WallClock:
    """The machine's time, moved by `ahead_ns`."""

    def __init__(self):
        self.ahead_ns = 0

    def now_ns(self):
        return time.time_ns() + self.ahead_ns


def is_stale(value: float) -> bool:
    return struct.unpack("<Q", struct.pack("<d", value))[0] == STALE_BITS
