"""One time for each line: a line without one has that of its predecessor, and equal times are told apart.

A store takes equal lines of one time for one line, so each line of a file has a nanosecond of its own. What was given
is remembered over blocks and over runs of the command: lines that are sent again after a crash have the same times as
before, and the server knows them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

NO_TIME = -(1 << 62)
# Threads and processes that share a log write some times by turns.
_REMEMBERED = 16
# A line without a time that comes so long after its predecessor does not belong to it.
_BELONGS_NS = 10_000_000_000
_NEXT, _CURRENT, _IS_SAID, _READ_NS = range(4)


class TimeOrder:
    """The times of one file's lines, from its first to its last. Not thread-safe."""

    def __init__(self, state: Sequence[int] = (), now_ns: int = 0) -> None:
        """`state` is what another one's `state` was; anything else begins anew."""
        self._begin = np.zeros(_REMEMBERED, np.int64)
        self._given = np.full(_REMEMBERED, -1, np.int64)
        self._marks = np.array([0, -1, 0, 0], np.int64)
        if len(state) == 2 * _REMEMBERED + 3:
            held = np.array(state, np.int64)
            self._begin, self._given = held[:_REMEMBERED].copy(), held[_REMEMBERED : 2 * _REMEMBERED].copy()
            self._marks[:_READ_NS] = held[2 * _REMEMBERED :]
            self._marks[_READ_NS] = now_ns
            if not -1 <= self._marks[_CURRENT] < _REMEMBERED or not 0 <= self._marks[_NEXT] < _REMEMBERED:
                self._marks[:] = (0, -1, 0, 0)

    @property
    def state(self) -> list[int]:
        """Plain numbers to go on with later."""
        return [*self._begin.tolist(), *self._given.tolist(), *self._marks[:_READ_NS].tolist()]

    def fill(self, times_ns: NDArray[np.int64], now_ns: int) -> None:
        """Change the times [n], NO_TIME where a line says none, into those to be sent. `now_ns`: when it was read."""
        if now_ns - self._marks[_READ_NS] > _BELONGS_NS:
            self._marks[_IS_SAID] = 0
        self._marks[_READ_NS] = now_ns
        _fill(times_ns, now_ns, self._begin, self._given, self._marks)


@njit(nogil=True, cache=True)
def _fill(
    times: NDArray[np.int64], now_ns: int, begin: NDArray[np.int64], given: NDArray[np.int64], marks: NDArray[np.int64]
) -> None:
    at = marks[_CURRENT]
    for row in range(len(times)):
        time = times[row]
        if time != NO_TIME:
            marks[_IS_SAID] = 1
            time = max(time, 0)
        elif marks[_IS_SAID] and at >= 0:
            time = begin[at]
        else:
            time = now_ns
        if at < 0 or not begin[at] <= time <= given[at]:
            at = -1
            for k in range(len(begin)):
                if begin[k] <= time <= given[k]:
                    at = k
            if at < 0:
                at = marks[_NEXT]
                marks[_NEXT] = (at + 1) % len(begin)
                begin[at], given[at] = time, time - 1
        given[at] += 1
        times[row] = given[at]
    marks[_CURRENT] = at
