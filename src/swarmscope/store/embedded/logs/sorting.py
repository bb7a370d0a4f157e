"""Lines in the order of parts: by stream and time, equal ones as they arrived."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def order_by_stream_and_time(stream: NDArray[np.int64], ts_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """The order [n] in which rows ascend in (stream, ts_ns); stable.

    Natural merge sort: what comes is mostly a few runs that are sorted already, and each pass halves their number.
    """
    n = len(ts_ns)
    order, spare = np.arange(n), np.empty(n, np.int64)
    bounds = np.empty(n + 1, np.int64)
    bounds[0] = 0
    runs = 0
    for i in range(1, n + 1):
        if i == n or stream[i] < stream[i - 1] or (stream[i] == stream[i - 1] and ts_ns[i] < ts_ns[i - 1]):
            runs += 1
            bounds[runs] = i
    while runs > 1:
        merged = 0
        for run in range(0, runs, 2):
            left, middle = bounds[run], bounds[run + 1]
            end = bounds[min(run + 2, runs)]
            right = middle
            for target in range(left, end):
                take_right = left >= middle
                if not take_right and right < end:
                    a, b = order[left], order[right]
                    take_right = stream[b] < stream[a] or (stream[b] == stream[a] and ts_ns[b] < ts_ns[a])
                if take_right:
                    spare[target] = order[right]
                    right += 1
                else:
                    spare[target] = order[left]
                    left += 1
            merged += 1
            bounds[merged] = end
        runs = merged
        order, spare = spare, order
    return order


@njit(nogil=True, cache=True)
def order_by_stream(stream: NDArray[np.int64]) -> NDArray[np.int64]:
    """The order [n] in which streams ascend; stable. Counting, as streams are numbered from 0."""
    if len(stream) == 0:
        return np.zeros(0, np.int64)
    lowest, highest = stream.min(), stream.max()
    begins = np.zeros(highest - lowest + 2, np.int64)
    for value in stream:
        begins[value - lowest + 1] += 1
    for k in range(1, len(begins)):
        begins[k] += begins[k - 1]
    order = np.empty(len(stream), np.int64)
    for row in range(len(stream)):
        slot = stream[row] - lowest
        order[begins[slot]] = row
        begins[slot] += 1
    return order


def part_order(stream: NDArray[np.int64], ts_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """As `order_by_stream_and_time`, for rows whose streams come in any order."""
    by_stream = order_by_stream(stream)
    by_time: NDArray[np.int64] = by_stream[order_by_stream_and_time(stream[by_stream], ts_ns[by_stream])]
    return by_time


@njit(nogil=True, cache=True)
def is_ordered(stream: NDArray[np.int64], ts_ns: NDArray[np.int64]) -> bool:
    """Whether rows [n] ascend in (stream, ts_ns)."""
    for i in range(1, len(ts_ns)):
        if stream[i] < stream[i - 1] or (stream[i] == stream[i - 1] and ts_ns[i] < ts_ns[i - 1]):
            return False
    return True
