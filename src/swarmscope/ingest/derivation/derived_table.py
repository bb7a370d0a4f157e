"""Counters and histograms of spans by label set: what is counted between two writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.derivation.duration_histograms import DurationHistograms
from swarmscope.model.interned_rows import OVERFLOW_ROW, InternedRows

Labels = tuple[tuple[str, str], ...]  # in the order of names
OVERFLOW_LABELS: Labels = (("metric_overflow", "true"),)


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. Histograms have the name without `_bucket`, counters the whole one."""

    name: str
    help: str
    unit: str = ""


class DerivedTable:
    """All series of one tenant that have the same label names. Not thread-safe."""

    def __init__(
        self, counters: tuple[Family, ...], histograms: tuple[Family, ...], bounds_s: tuple[float, ...], max_rows: int,
        seed: int,
    ) -> None:  # fmt: skip
        self.counters, self.histogram_families = counters, histograms
        self.bounds_s = bounds_s
        self.rows: InternedRows[Labels] = InternedRows(max_rows, OVERFLOW_LABELS)
        self.histograms = tuple(DurationHistograms(bounds_s) for _ in histograms)
        n_families = len(counters) + len(histograms)
        self.counts = np.zeros((0, len(counters)))  # [n_rows, n_counters]
        self.told = np.zeros((0, n_families), np.bool_)  # [n_rows, n_families] has samples in the store
        self.key = np.zeros(0, np.uint64)  # [n_rows] hash of the labels
        self.created_ms = np.zeros(0, np.int64)  # [n_rows] 0 for a free row
        self.touched_ms = np.zeros(0, np.int64)  # [n_rows]
        self._salt = seed.to_bytes(8, "little") + (counters[0].name if counters else "").encode()[:48]

    def rows_of(self, keys: NDArray[np.uint64], labels_of: Callable[[int], Labels], now_ms: int) -> NDArray[np.int64]:
        """The row [n] of each hash [n] of labels; `labels_of(position)` is asked for those never seen."""
        rows = self.rows.rows_of(keys, labels_of)
        self._reserve(len(self.rows))
        self._touch(rows, now_ms)
        return rows

    def add(self, counter: int, rows: NDArray[np.int64], amounts: NDArray[np.float64]) -> None:
        """Add to a counter, by its position."""
        _add(self.counts, counter, rows, amounts)

    def idle_rows(self, before_ms: int) -> NDArray[np.int64]:
        """Rows that nothing was added to since then."""
        return np.flatnonzero((self.created_ms > 0) & (self.touched_ms < before_ms))

    def forget(self, rows: NDArray[np.int64]) -> None:
        """Free these rows."""
        self.rows.forget(rows[rows != OVERFLOW_ROW])
        for column in (self.counts, self.told, self.created_ms, self.touched_ms):
            column[rows] = 0
        for histogram in self.histograms:
            histogram.clear(rows)

    def _touch(self, rows: NDArray[np.int64], now_ms: int) -> None:
        self.touched_ms[rows] = now_ms
        fresh = np.flatnonzero((self.created_ms == 0) & (self.touched_ms == now_ms))
        for row in fresh.tolist():
            labels = self.rows.values[row]
            self.key[row] = int.from_bytes(
                blake2b(repr(labels).encode(), digest_size=8, key=self._salt).digest(), "little"
            )
            self.created_ms[row] = now_ms

    def _reserve(self, n_rows: int) -> None:
        have = len(self.key)
        if n_rows > have:
            more = max(16, n_rows, 2 * have) - have
            self.counts = np.concatenate([self.counts, np.zeros((more, self.counts.shape[1]))])
            self.told = np.concatenate([self.told, np.zeros((more, self.told.shape[1]), np.bool_)])
            self.key = np.concatenate([self.key, np.zeros(more, np.uint64)])
            self.created_ms = np.concatenate([self.created_ms, np.zeros(more, np.int64)])
            self.touched_ms = np.concatenate([self.touched_ms, np.zeros(more, np.int64)])
        for histogram in self.histograms:
            histogram.reserve(n_rows)


@njit(nogil=True, cache=True)
def _add(counts: NDArray[np.float64], counter: int, rows: NDArray[np.int64], amounts: NDArray[np.float64]) -> None:
    for i in range(len(rows)):
        counts[rows[i], counter] += amounts[i]
