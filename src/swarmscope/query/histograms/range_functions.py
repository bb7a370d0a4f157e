"""Functions of range vectors that hold native histograms.

What they do to histograms is described in Prometheus' native histogram specification ("Functions"); extrapolation is
that of float counters, decided by the count of observations alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA, ResetHint
from swarmscope.query.histograms.annotations import (
    COLLISION_AGGREGATION,
    MIXED_FLOATS,
    MIXED_SCHEMAS,
    RECONCILED_ADDITION,
    RECONCILED_AGGREGATION,
    RECONCILED_SUBTRACTION,
)
from swarmscope.query.histograms.combination import NO_SCHEMA_CAP as _NO_CAP
from swarmscope.query.histograms.combination import Combined, Finish, Terms, combine, plain_terms
from swarmscope.query.histograms.rates import RateRows, choose_pairs, choose_rates
from swarmscope.query.histograms.resets import detect_resets
from swarmscope.query.histograms.rows import NO_HISTOGRAM, HistogramMatrix, HistogramRows, row_count
from swarmscope.query.histograms.windows import Windows, window_bounds

HISTOGRAM_RANGE_FUNCTIONS = frozenset(
    {
        "rate", "increase", "delta", "irate", "idelta",
        "sum_over_time", "avg_over_time", "last_over_time", "first_over_time",
    }
)  # fmt: skip


class RangeInput(NamedTuple):
    """Range vectors of n series. Samples are in CSR form, sorted by time, staleness markers dropped.

    `float_offsets` and `float_ts_ms` are the float samples of the same series (all zeros and empty if there are
    none); they decide what a window with both kinds gives.
    """

    rows: HistogramRows
    offsets: NDArray[np.int64]  # [n_series + 1]
    ts_ms: NDArray[np.int64]  # [n_rows]
    float_offsets: NDArray[np.int64]  # [n_series + 1]
    float_ts_ms: NDArray[np.int64]  # [n_floats]
    ends_ms: NDArray[np.int64]  # [n_steps] ascending: evaluation times with offset and @ applied
    range_ms: int


class RangeResult(NamedTuple):
    """`drops_float` [n_series, n_steps]: the float answer of this cell must go; `notes` [n_series]: HistogramNote."""

    matrix: HistogramMatrix
    drops_float: NDArray[np.bool_]
    notes: NDArray[np.int64]


class _Sides(NamedTuple):
    histograms: Windows
    floats: Windows

    @property
    def mixed(self) -> NDArray[np.bool_]:
        """Windows with samples of both kinds."""
        both = (self.histograms.past > self.histograms.first) & (self.floats.past > self.floats.first)
        return np.asarray(both, np.bool_)


def evaluate_range(function: str, given: RangeInput) -> RangeResult:
    """Apply one of HISTOGRAM_RANGE_FUNCTIONS to the histograms of every series and step.

    Raises KeyError for another function.
    """
    sides = _Sides(
        window_bounds(given.offsets, given.ts_ms, given.ends_ms, given.range_ms),
        window_bounds(given.float_offsets, given.float_ts_ms, given.ends_ms, given.range_ms),
    )
    if function in ("rate", "increase", "delta"):
        return _extrapolated(function, given, sides)
    if function in ("irate", "idelta"):
        return _instant(function, given, sides)
    if function in ("sum_over_time", "avg_over_time"):
        return _aggregated(function, given, sides)
    if function in ("last_over_time", "first_over_time"):
        return _picked(function, given, sides)
    raise KeyError(function)


def _rate_rows(given: RangeInput) -> RateRows:
    """Facts about rows as running totals, so that a window's share is one subtraction."""
    rows = given.rows
    resets = detect_resets(rows, given.offsets)
    custom = rows.schema == CUSTOM_BUCKETS_SCHEMA
    gauge = rows.reset_hint == int(ResetHint.GAUGE)
    return RateRows(
        rows.schema, rows.count, given.ts_ms, resets, custom, gauge, _running(resets), _running(custom), _running(gauge)
    )


def _running(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(flags)))


def _result(shape: tuple[int, int], made: Combined, notes: NDArray[np.int64], drops: NDArray[np.bool_]) -> RangeResult:
    """Shape flat outputs; `notes` is per cell and is joined per series."""
    per_cell = notes | made.notes.reshape(shape)
    joined = np.bitwise_or.reduce(per_cell, axis=1) if shape[1] else np.zeros(shape[0], np.int64)
    return RangeResult(HistogramMatrix(made.cells.reshape(shape), made.rows), drops, joined)


def _extrapolated(function: str, given: RangeInput, sides: _Sides) -> RangeResult:
    is_counter = function != "delta"
    seconds = given.range_ms / 1000.0 if function == "rate" else 1.0
    chosen = choose_rates(
        _rate_rows(given), sides.histograms, sides.mixed, given.ends_ms, (given.range_ms, seconds, is_counter)
    )
    terms = Terms(chosen.offsets[:-1].copy(), chosen.offsets[1:].copy(), chosen.row, chosen.factor, chosen.schema_cap)
    made = combine(given.rows, terms, Finish(chosen.scale, False, False, True))
    # Conflicting hints are no news here: resets are what this function looks for.
    notes = made.notes & (MIXED_SCHEMAS | RECONCILED_ADDITION | RECONCILED_SUBTRACTION)
    return _result(sides.mixed.shape, made._replace(notes=notes), chosen.notes, sides.mixed)


def _instant(function: str, given: RangeInput, sides: _Sides) -> RangeResult:
    chosen = choose_pairs(_rate_rows(given), sides.histograms, sides.floats, given.float_ts_ms, function == "irate")
    made = combine(
        given.rows, plain_terms(chosen.offsets, chosen.row, chosen.factor), Finish(chosen.scale, True, False, True)
    )
    notes = made.notes & (MIXED_SCHEMAS | RECONCILED_SUBTRACTION)
    shape = sides.mixed.shape
    # With a histogram among the newest two samples there is no float answer, be there a histogram's or not.
    drops = (np.diff(chosen.offsets).reshape(shape) > 0) | (chosen.notes != 0)
    return _result(shape, made._replace(notes=notes), chosen.notes, drops)


def _aggregated(function: str, given: RangeInput, sides: _Sides) -> RangeResult:
    mixed = sides.mixed
    n = row_count(given.rows)
    first = sides.histograms.first.ravel()
    past = np.where(mixed, sides.histograms.first, sides.histograms.past).ravel()
    terms = Terms(first, past, np.arange(n), np.ones(n), np.full(len(first), _NO_CAP, np.int8))
    mean = function == "avg_over_time"
    made = combine(given.rows, terms, Finish(np.ones(len(first)), mean, mean, False))
    notes = np.where(mixed, MIXED_FLOATS, 0)
    return _result(mixed.shape, made._replace(notes=as_aggregation(made.notes)), notes, mixed)


def as_aggregation(notes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Notes of additions, said of an aggregation."""
    reconciled = (notes & (RECONCILED_ADDITION | RECONCILED_SUBTRACTION)) != 0
    kept = notes & (MIXED_SCHEMAS | COLLISION_AGGREGATION)
    return np.asarray(kept | np.where(reconciled, RECONCILED_AGGREGATION, 0), np.int64)


def _picked(function: str, given: RangeInput, sides: _Sides) -> RangeResult:
    """The first or last histogram where no float is further to that side."""
    shape = sides.mixed.shape
    has = sides.histograms.past > sides.histograms.first
    has_float = sides.floats.past > sides.floats.first
    if function == "last_over_time":
        row, sample = sides.histograms.past - 1, sides.floats.past - 1
    else:
        row, sample = sides.histograms.first, sides.floats.first
    ts_ms = _at(given.ts_ms, row, has)
    float_ts_ms = _at(given.float_ts_ms, sample, has_float)
    later = ts_ms >= float_ts_ms if function == "last_over_time" else ts_ms <= float_ts_ms
    chosen = has & (~has_float | later)
    cells = np.where(chosen, row, NO_HISTOGRAM)
    return RangeResult(HistogramMatrix(cells, given.rows), chosen & has_float, np.zeros(shape[0], np.int64))


def _at(values: NDArray[np.int64], index: NDArray[np.int64], valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    if len(values) == 0:
        return np.zeros(index.shape, np.int64)
    return values[np.where(valid, index, 0)]
