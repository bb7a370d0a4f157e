"""Running totals of delta histograms that are stored as native ones. Rules as in `delta_totals`.

Two histograms of different scale are added at the coarser one; of two zero thresholds the larger counts, and
buckets that reach into it are moved to the zero bucket whole. With other custom bounds a total begins anew.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA
from swarmscope.receivers.otlp.delta_totals import ACCEPTED, OLDER_START, OUT_OF_ORDER
from swarmscope.receivers.otlp.native_histograms import NativeRows, Sparse


class Side(NamedTuple):
    """Sparse buckets of one histogram: ascending indexes and their populations."""

    place: NDArray[np.int64]
    population: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NativeTotal:
    """One native histogram, never changed in place."""

    schema: int
    zero_threshold: float
    zero_count: float
    count: float
    sum: float
    positive: Side
    negative: Side
    bounds: NDArray[np.float64]


class TimedTotal(NamedTuple):
    """A total and the times that decide what may be added."""

    total: NativeTotal
    last_ns: int
    start_ns: int
    seen_s: int


def _add_sides(left: Side, right: Side) -> Side:
    place, entry = np.unique(np.concatenate((left.place, right.place)), return_inverse=True)
    population = np.zeros(len(place))
    np.add.at(population, entry, np.concatenate((left.population, right.population)))
    return Side(place, population)


def _coarsen_side(side: Side, shift: int) -> Side:
    # Prometheus' index i is one above OTLP's, whose halves join by shifting.
    return _add_sides(Side(((side.place - 1) >> shift) + 1, side.population), Side(side.place[:0], side.population[:0]))


def _coarsen(histogram: NativeTotal, schema: int) -> NativeTotal:
    if histogram.schema == schema:
        return histogram
    shift = histogram.schema - schema
    return replace(
        histogram,
        schema=schema,
        positive=_coarsen_side(histogram.positive, shift),
        negative=_coarsen_side(histogram.negative, shift),
    )


def _bound(index: int, schema: int) -> float:
    return float(2.0 ** (index * 2.0**-schema))


def _in_zero(side: Side, schema: int, threshold: float) -> NDArray[np.bool_]:
    return np.array([_bound(index - 1, schema) < threshold for index in side.place.tolist()], np.bool_)


def _widen_zero(histogram: NativeTotal, threshold: float) -> NativeTotal:
    """Move buckets that begin below `threshold` into the zero bucket, which then ends where the last of them does."""
    if threshold <= histogram.zero_threshold:
        return histogram
    sides = (histogram.positive, histogram.negative)
    while True:
        inside = [_in_zero(side, histogram.schema, threshold) for side in sides]
        ends = [_bound(int(side.place[mask][-1]), histogram.schema) for side, mask in zip(sides, inside, strict=True)
                if mask.any()]  # fmt: skip
        reach = max(threshold, *ends) if ends else threshold
        if reach == threshold:
            break
        threshold = reach
    moved = sum(float(side.population[mask].sum()) for side, mask in zip(sides, inside, strict=True))
    kept = [Side(side.place[~mask], side.population[~mask]) for side, mask in zip(sides, inside, strict=True)]
    return replace(
        histogram,
        zero_threshold=threshold,
        zero_count=histogram.zero_count + moved,
        positive=kept[0],
        negative=kept[1],
    )


def add_histograms(left: NativeTotal, right: NativeTotal) -> NativeTotal:
    """The sum of two histograms with compatible buckets."""
    if left.schema != CUSTOM_BUCKETS_SCHEMA:
        schema = min(left.schema, right.schema)
        left, right = _coarsen(left, schema), _coarsen(right, schema)
        while left.zero_threshold != right.zero_threshold:
            threshold = max(left.zero_threshold, right.zero_threshold)
            left, right = _widen_zero(left, threshold), _widen_zero(right, threshold)
    return NativeTotal(
        left.schema,
        left.zero_threshold,
        left.zero_count + right.zero_count,
        left.count + right.count,
        left.sum + right.sum,
        _add_sides(left.positive, right.positive),
        _add_sides(left.negative, right.negative),
        left.bounds,
    )


def _is_same_layout(left: NativeTotal, right: NativeTotal) -> bool:
    custom = (left.schema == CUSTOM_BUCKETS_SCHEMA, right.schema == CUSTOM_BUCKETS_SCHEMA)
    return custom == (False, False) or (custom == (True, True) and np.array_equal(left.bounds, right.bounds))


def _row(native: NativeRows, row: int) -> NativeTotal:
    def side(sparse: Sparse) -> Side:
        entries = slice(int(sparse.offsets[row]), int(sparse.offsets[row + 1]))
        return Side(sparse.place[entries].astype(np.int64), sparse.population[entries])

    bounds = native.custom_bounds[int(native.custom_offsets[row]) : int(native.custom_offsets[row + 1])]
    return NativeTotal(
        int(native.schema[row]),
        float(native.zero_threshold[row]),
        float(native.zero_count[row]),
        float(native.observations[row]),
        float(native.sum[row]),
        side(native.positive),
        side(native.negative),
        bounds.copy(),
    )


def _to_sparse(sides: list[Side]) -> Sparse:
    return Sparse(
        np.cumsum([0, *(len(side.place) for side in sides)]).astype(np.int64),
        np.concatenate([side.place for side in sides]).astype(np.int32),
        np.concatenate([side.population for side in sides]),
    )


def _to_rows(point: NDArray[np.int64], totals: list[NativeTotal]) -> NativeRows:
    return NativeRows(
        point,
        np.array([total.schema for total in totals], np.int8),
        np.array([total.zero_threshold for total in totals]),
        np.array([total.zero_count for total in totals]),
        np.array([total.count for total in totals]),
        np.array([total.sum for total in totals]),
        _to_sparse([total.positive for total in totals]),
        _to_sparse([total.negative for total in totals]),
        np.cumsum([0, *(len(total.bounds) for total in totals)]).astype(np.int64),
        np.concatenate([total.bounds for total in totals]),
    )


class PointTimes(NamedTuple):
    """What is known of the rows' points: keys, times and whether they are deltas with a value. All [n]."""

    key: list[int]
    time_ns: list[int]
    start_ns: list[int]
    is_delta: list[bool]


NativeUndo = list[tuple[int, TimedTotal, TimedTotal | None]]  # key, what was put, what stood there before


class NativeTotals:
    """Running totals of at most `max_histograms` histograms, least recently used first out; thread-safe."""

    def __init__(self, max_histograms: int, max_stale_s: int) -> None:
        self._max_histograms = max_histograms
        self._max_stale_s = max_stale_s
        self._totals: OrderedDict[int, TimedTotal] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._totals)

    def add(self, native: NativeRows, times: PointTimes, now_s: int) -> tuple[NativeRows, NDArray[np.int8], NativeUndo]:
        """Replace delta rows by their totals. Returns the rows, a verdict for each [n] and the undo list."""
        verdict = np.zeros(len(native.point), np.int8)
        totals = [_row(native, row) for row in range(len(native.point))]
        undo: NativeUndo = []
        order = sorted((row for row, delta in enumerate(times.is_delta) if delta), key=times.time_ns.__getitem__)
        with self._lock:
            self._forget(now_s)
            for row in order:
                key, time_ns, start_ns = times.key[row], times.time_ns[row], times.start_ns[row]
                old = self._totals.get(key)
                known = old if old is not None and _is_same_layout(old.total, totals[row]) else None
                verdict[row] = _judge(known, time_ns, start_ns)
                if verdict[row] != ACCEPTED:
                    continue
                if known is not None:
                    totals[row] = add_histograms(known.total, totals[row])
                new = TimedTotal(totals[row], time_ns, start_ns if known is None else known.start_ns, now_s)
                self._totals[key] = new
                self._totals.move_to_end(key)
                undo.append((key, new, old))
        return _to_rows(native.point, totals), verdict, undo

    def take_back(self, undo: NativeUndo) -> None:
        """Undo an `add` that could not be stored; totals that went on meanwhile stay."""
        with self._lock:
            for key, new, old in reversed(undo):
                if self._totals.get(key) is not new:
                    continue
                if old is None:
                    del self._totals[key]
                else:
                    self._totals[key] = old

    def _forget(self, now_s: int) -> None:
        while self._totals:
            key, oldest = next(iter(self._totals.items()))
            if len(self._totals) <= self._max_histograms and now_s - oldest.seen_s < self._max_stale_s:
                return
            del self._totals[key]


def _judge(known: TimedTotal | None, time_ns: int, start_ns: int) -> int:
    if known is None:
        return ACCEPTED
    if time_ns <= known.last_ns:
        return OUT_OF_ORDER
    return OLDER_START if start_ns != 0 and start_ns < known.start_ns else ACCEPTED
