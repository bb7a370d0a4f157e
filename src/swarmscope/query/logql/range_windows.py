"""The windows of a range aggregation, cut into buckets: time between neighbouring edges of windows.

A line falls into one bucket, a window (end - range, end] is a run of whole buckets, and so lines are added up as they
come, in any order, and need not be kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.raw_memory import Int
from swarmscope.model.series import ABSENT


@dataclass(frozen=True, slots=True)
class WindowGrid:
    """Windows (ends_ns[k] - range_ns, ends_ns[k]], and the buckets that they are made of.

    The span (edges[i], edges[i + 1]] is bucket `bucket_of_span[i]`, ABSENT where it lies in no window. Window k is
    made of the buckets `first[k] : past[k]`.
    """

    ends_ns: NDArray[np.int64]  # [n_steps] ascending
    range_ns: int
    edges: NDArray[np.int64]  # [n_spans + 1]
    bucket_of_span: NDArray[np.int64]  # [n_spans]
    first: NDArray[np.int64]  # [n_steps]
    past: NDArray[np.int64]  # [n_steps]

    @classmethod
    def of(cls, ends_ns: NDArray[np.int64], range_ns: int) -> WindowGrid:
        """The buckets of windows of one length; there is at least one window."""
        edges = np.unique(np.concatenate((ends_ns - range_ns, ends_ns)))
        first = np.searchsorted(edges, ends_ns - range_ns).astype(np.int64)
        past = np.searchsorted(edges, ends_ns).astype(np.int64)
        depth = np.zeros(len(edges), np.int64)
        np.add.at(depth, first, 1)
        np.add.at(depth, past, -1)
        inside = np.cumsum(depth)[:-1] > 0
        numbers: NDArray[np.int64] = np.concatenate((np.zeros(1, np.int64), np.cumsum(inside, dtype=np.int64)))
        bucket_of_span = np.where(inside, numbers[:-1], np.int64(ABSENT))
        return cls(ends_ns, range_ns, edges, bucket_of_span, numbers[first], numbers[past])

    @property
    def n_buckets(self) -> int:
        """How many buckets lie in windows."""
        return int(self.bucket_of_span.max(initial=-1)) + 1

    def buckets_of(self, ts_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """The bucket of each time [n], ABSENT for what lies in no window."""
        return _buckets_of(ts_ns, self.edges, self.bucket_of_span)

    def intervals(self) -> list[tuple[int, int]]:
        """What is to be read: half-open [start, end) intervals of time that do not touch."""
        wanted = (self.bucket_of_span >= 0).astype(np.int8)
        turns = np.diff(np.concatenate((np.zeros(1, np.int8), wanted, np.zeros(1, np.int8))))
        begins, ends = self.edges[np.flatnonzero(turns == 1)], self.edges[np.flatnonzero(turns == -1)]
        return [(begin + 1, end + 1) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]


@njit(nogil=True, cache=True)
def _span_of(time: Int, edges: NDArray[np.int64]) -> Int:
    """The span that holds a time, by halving; -1 and n_spans for what lies outside."""
    low, high = 0, len(edges)  # the first edge that is not before the time
    while low < high:
        middle = (low + high) >> 1
        if edges[middle] < time:
            low = middle + 1
        else:
            high = middle
    return low - 1


@njit(nogil=True, cache=True)
def _buckets_of(
    ts_ns: NDArray[np.int64], edges: NDArray[np.int64], bucket_of_span: NDArray[np.int64]
) -> NDArray[np.int64]:
    buckets = np.full(len(ts_ns), np.int64(ABSENT))
    n_spans = len(bucket_of_span)
    span = np.int64(-1)
    for row in range(len(ts_ns)):
        time = ts_ns[row]
        # Lines come in order of time mostly: the span is often the last one's.
        if span < 0 or span >= n_spans or time <= edges[span] or time > edges[span + 1]:
            span = _span_of(time, edges)
        if 0 <= span < n_spans:
            buckets[row] = bucket_of_span[span]
    return buckets
