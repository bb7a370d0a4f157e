"""Running totals of delta series: what turns delta temporality into Prometheus' cumulative counters.

Rules of https://opentelemetry.io/docs/specs/otel/metrics/data-model/#sums-delta-to-cumulative and the collector's
deltatocumulative: a series' total begins with its first point; a point that begins before the total did, or is not
newer than the last one, is refused; over a gap the total goes on; a total that nobody added to for a while, or whose
bucket bounds change, begins anew, which readers see as a counter reset. Totals live in memory only.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

ACCEPTED, OUT_OF_ORDER, OLDER_START = 0, 1, 2
_SMALLEST = 1024


class _Totals(NamedTuple):
    """An open-addressing hash table; key 0 marks a free place."""

    key: NDArray[np.uint64]
    last_ns: NDArray[np.uint64]
    start_ns: NDArray[np.uint64]
    seen_s: NDArray[np.int64]
    value: NDArray[np.float64]


class DeltaSamples(NamedTuple):
    """Delta samples, in time order within a series."""

    key: NDArray[np.uint64]  # [n]
    time_ns: NDArray[np.uint64]  # [n]
    start_ns: NDArray[np.uint64]  # [n]
    value: NDArray[np.float64]  # [n]; `add` replaces the deltas by totals


class Undo(NamedTuple):
    """What an `add` changed, to take it back when the totals could not be stored."""

    key: NDArray[np.uint64]
    delta: NDArray[np.float64]
    time_ns: NDArray[np.uint64]
    previous_ns: NDArray[np.uint64]  # 0: the series was new


@njit(nogil=True, cache=True)
def _place_of(key: np.uint64, keys: NDArray[np.uint64]) -> int:
    mask = uint64(len(keys) - 1)
    at = key & mask
    while keys[at] != uint64(0) and keys[at] != key:
        at = (at + uint64(1)) & mask
    return int(at)


@njit(nogil=True, cache=True)
def _count_new(known: NDArray[np.uint64], keys: NDArray[np.uint64]) -> int:
    """How many of the keys have no total; a new key that stands twice counts twice."""
    n = 0
    for key in keys:
        if known[_place_of(key | uint64(1), known)] == uint64(0):
            n += 1
    return n


@njit(nogil=True, cache=True)
def _add_all(
    totals: _Totals, samples: DeltaSamples, now_s: int, verdict: NDArray[np.int8], previous_ns: NDArray[np.uint64]
) -> int:
    """Returns how many series are new."""
    n_new = 0
    for i in range(len(samples.key)):
        key = samples.key[i] | uint64(1)
        at = _place_of(key, totals.key)
        if totals.key[at] == uint64(0):
            n_new += 1
            totals.key[at] = key
            totals.start_ns[at] = samples.start_ns[i]
            totals.value[at] = 0.0
            totals.last_ns[at] = uint64(0)
        elif samples.time_ns[i] <= totals.last_ns[at]:
            verdict[i] = OUT_OF_ORDER
            continue
        elif samples.start_ns[i] != uint64(0) and samples.start_ns[i] < totals.start_ns[at]:
            verdict[i] = OLDER_START
            continue
        previous_ns[i] = totals.last_ns[at]
        totals.last_ns[at] = samples.time_ns[i]
        totals.seen_s[at] = now_s
        totals.value[at] += samples.value[i]
        samples.value[i] = totals.value[at]
    return n_new


@njit(nogil=True, cache=True)
def _take_back(totals: _Totals, undo: Undo) -> None:
    for i in range(len(undo.key) - 1, -1, -1):
        at = _place_of(undo.key[i] | uint64(1), totals.key)
        if totals.key[at] == uint64(0):
            continue
        totals.value[at] -= undo.delta[i]
        if totals.last_ns[at] == undo.time_ns[i]:
            totals.last_ns[at] = undo.previous_ns[i]


@njit(nogil=True, cache=True)
def _copy_fresh(old: _Totals, new: _Totals, oldest_s: int) -> int:
    n = 0
    for i in range(len(old.key)):
        if old.key[i] == uint64(0) or old.seen_s[i] < oldest_s:
            continue
        at = _place_of(old.key[i], new.key)
        new.key[at] = old.key[i]
        new.last_ns[at] = old.last_ns[i]
        new.start_ns[at] = old.start_ns[i]
        new.seen_s[at] = old.seen_s[i]
        new.value[at] = old.value[i]
        n += 1
    return n


def _empty_totals(size: int) -> _Totals:
    return _Totals(
        np.zeros(size, np.uint64), np.zeros(size, np.uint64), np.zeros(size, np.uint64),
        np.zeros(size, np.int64), np.zeros(size),
    )  # fmt: skip


class DeltaTotals:
    """Running totals of at most `max_series` series, by key; thread-safe.

    When there is no room, totals not added to for `max_stale_s` go, and then the least recently used.
    """

    def __init__(self, max_series: int, max_stale_s: int) -> None:
        self._max_series = max_series
        self._max_stale_s = max_stale_s
        self._totals = _empty_totals(_SMALLEST)
        self._n = 0
        self._swept_s = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._n

    def add(self, samples: DeltaSamples, now_s: int) -> tuple[NDArray[np.int8], Undo]:
        """Add deltas to their totals and put the totals in their place. Returns a verdict for each [n].

        Values of refused samples stay as they are. The `Undo` names the accepted ones.
        """
        n = len(samples.key)
        verdict, previous_ns, deltas = np.zeros(n, np.int8), np.zeros(n, np.uint64), samples.value.copy()
        with self._lock:
            if now_s - self._swept_s >= self._max_stale_s:
                self._resize(0, now_s)
            n_new = _count_new(self._totals.key, samples.key)
            needed = self._n + n_new
            if 2 * needed > len(self._totals.key) or (n_new and needed > self._max_series):
                self._resize(n_new, now_s)
            self._n += _add_all(self._totals, samples, now_s, verdict, previous_ns)
        ok = verdict == ACCEPTED
        return verdict, Undo(samples.key[ok], deltas[ok], samples.time_ns[ok], previous_ns[ok])

    def take_back(self, undo: Undo) -> None:
        """Undo an `add` that could not be stored, so that the sender's retry counts once."""
        with self._lock:
            _take_back(self._totals, undo)

    def _resize(self, n_more: int, now_s: int) -> None:
        """Forget stale totals, make room for `n_more` and keep to the bound."""
        used = self._totals.key != 0
        oldest_s = now_s - self._max_stale_s
        seen = self._totals.seen_s[used & (self._totals.seen_s >= oldest_s)]
        room = max(self._max_series - n_more, 0)
        if len(seen) > room:
            oldest_s = int(np.partition(seen, len(seen) - room - 1)[len(seen) - room - 1]) + 1
        kept = int(np.count_nonzero(seen >= oldest_s))
        size = _SMALLEST
        while size < 2 * (kept + n_more) + 1:
            size *= 2
        fresh = _empty_totals(size)
        self._n = _copy_fresh(self._totals, fresh, oldest_s)
        self._totals = fresh
        self._swept_s = now_s
