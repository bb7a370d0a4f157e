"""Which spans are among the slowest of their operation: a histogram of durations by operation, that forgets slowly."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.byte_hash import mix
from swarmscope.model.raw_memory import Int

# Four buckets for each doubling from 1 us up: a bound is at most 19 % off.
_BUCKETS_PER_DOUBLING = 4
_FIRST_BUCKET_NS = 1000.0
_BUCKETS = 160  # up to 18 minutes; what is slower is in the last one
# An operation's slowest percent is known once it has some hundred spans.
_MIN_SPANS = 100.0
# When an operation has so many, old ones count half from then on: it follows changes within some thousand spans.
_HALVED_AT = 10_000.0
_PROBES = 16


class _Histograms(NamedTuple):
    """Open addressing by operation; a free row has the key 0."""

    keys: NDArray[np.uint64]  # [power of two]
    counts: NDArray[np.float32]  # [power of two, _BUCKETS]
    totals: NDArray[np.float64]  # [power of two] sums of `counts`


class SlowSpans:
    """Durations by operation. Thread-safe, bounded: operations beyond the bound have no slow spans."""

    def __init__(self, percentile: float, max_operations: int) -> None:
        """`percentile` in 0 … 1: spans above it are slow."""
        self._percentile = percentile
        size = 1 << max(4, max_operations.bit_length())
        self._histograms = _Histograms(
            np.zeros(size, np.uint64), np.zeros((size, _BUCKETS), np.float32), np.zeros(size, np.float64)
        )
        self._lock = threading.Lock()

    def judge(self, operation: NDArray[np.uint64], duration_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each span [n] is slower than the percentile of those of its operation [n] (a hash) before it."""
        slow = np.zeros(len(operation), np.bool_)
        with self._lock:
            _judge(self._histograms, operation, duration_ns, self._percentile, slow)
        return slow


@njit(nogil=True, cache=True)
def _bucket(duration_ns: Int) -> Int:
    if duration_ns <= _FIRST_BUCKET_NS:
        return np.int64(0)
    bucket = np.int64(np.ceil(np.log2(duration_ns / _FIRST_BUCKET_NS) * _BUCKETS_PER_DOUBLING))
    return min(bucket, np.int64(_BUCKETS - 1))


@njit(nogil=True, cache=True)
def _slot(keys: NDArray[np.uint64], operation: Int) -> int:
    """The operation's row, which it gets where there is room near its place; -1 for none."""
    mask = np.uint64(len(keys) - 1)
    place = mix(np.uint64(0), operation)
    for probe in range(_PROBES):
        slot = np.int64((place + np.uint64(probe)) & mask)
        if keys[slot] == 0:
            keys[slot] = operation
        if keys[slot] == operation:
            return int(slot)
    return -1


@njit(nogil=True, cache=True)
def _is_above(counts: NDArray[np.float32], total: float, bucket: int, percentile: float) -> bool:
    """Whether everything up to and with the bucket before is at least the percentile."""
    below = 0.0
    for index in range(bucket):
        below += counts[index]
    return below >= percentile * total


@njit(nogil=True, cache=True)
def _judge(
    histograms: _Histograms,
    operation: NDArray[np.uint64],
    duration_ns: NDArray[np.int64],
    percentile: float,
    slow: NDArray[np.bool_],
) -> None:
    keys, counts, totals = histograms
    for row in range(len(operation)):
        slot = _slot(keys, max(operation[row], np.uint64(1)))
        if slot < 0:
            continue
        bucket = _bucket(duration_ns[row])
        if totals[slot] >= _MIN_SPANS:
            slow[row] = _is_above(counts[slot], totals[slot], bucket, percentile)
        counts[slot, bucket] += 1
        totals[slot] += 1
        if totals[slot] >= _HALVED_AT:
            for index in range(_BUCKETS):
                counts[slot, index] *= 0.5
            totals[slot] *= 0.5
