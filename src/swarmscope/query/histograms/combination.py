"""Linear combinations of histograms: sums, differences, means and rates are all of this one form.

Output k is `scale[k] * sum(factor[j] * rows[row[j]] for j in begin[k] … end[k] - 1)`, reconciled term by term.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA, ResetHint
from swarmscope.query.histograms.annotations import (
    COLLISION_AGGREGATION,
    MIXED_SCHEMAS,
    RECONCILED_ADDITION,
    RECONCILED_SUBTRACTION,
)
from swarmscope.query.histograms.rows import NO_HISTOGRAM, HistogramRows
from swarmscope.query.histograms.scratch import (
    COUNT,
    SUM,
    SUM_SLOT,
    TERM_SLOT,
    ZERO_COUNT,
    ZERO_THRESHOLD,
    Scratch,
    add_alike,
    add_term,
    load_row,
    new_scratch,
    reduce_schema,
)

NO_SCHEMA_CAP = 127
_UNKNOWN = int(ResetHint.UNKNOWN)
_RESET = int(ResetHint.RESET)
_NO_RESET = int(ResetHint.NO_RESET)
_GAUGE = int(ResetHint.GAUGE)


class Terms(NamedTuple):
    """What to add up for n outputs; output k owns the terms `begin[k] : end[k]` (ranges may overlap)."""

    begin: NDArray[np.int64]  # [n]
    end: NDArray[np.int64]  # [n]
    row: NDArray[np.int64]  # [n_terms]
    factor: NDArray[np.float64]  # [n_terms]
    schema_cap: NDArray[np.int8]  # [n] coarsen the first term to this schema, NO_SCHEMA_CAP to leave it


class Finish(NamedTuple):
    """What becomes of each sum."""

    scale: NDArray[np.float64]  # [n] multiplied with, or divided by
    divide: bool
    mean: bool  # divide by the number of terms as well
    gauge: bool  # the result is a gauge whatever its terms were


class Combined(NamedTuple):
    """`cells` [n] number the rows (NO_HISTOGRAM where nothing could be made), `notes` [n] are HistogramNote bits."""

    cells: NDArray[np.int64]
    rows: HistogramRows
    notes: NDArray[np.int64]


class _Heads(NamedTuple):
    """The dense part of the rows under construction."""

    schema: NDArray[np.int8]
    reset_hint: NDArray[np.uint8]
    number: NDArray[np.float64]  # [n, 4]: zero threshold, zero count, count, sum
    offsets: NDArray[np.int64]  # [n + 1, 3]: positive, negative, custom


_Lane = tuple[NDArray[np.int32], NDArray[np.float64]]  # indices and populations of one side's buckets


def combine(rows: HistogramRows, terms: Terms, finish: Finish) -> Combined:
    """Evaluate the combinations; an output without terms is NO_HISTOGRAM."""
    capacity, bound_capacity = _capacity(rows, terms)
    scratch = new_scratch(capacity, bound_capacity)
    cells, notes, heads, positive, negative, bounds = _combine(rows, terms, finish, scratch)
    number = heads.number
    made = HistogramRows(
        heads.schema, heads.reset_hint, number[:, 0].copy(), number[:, 1].copy(), number[:, 2].copy(),
        number[:, 3].copy(),
        heads.offsets[:, 0].copy(), positive[0], positive[1],
        heads.offsets[:, 1].copy(), negative[0], negative[1],
        heads.offsets[:, 2].copy(), bounds,
    )  # fmt: skip
    return Combined(cells, made, notes)


def plain_terms(offsets: NDArray[np.int64], row: NDArray[np.int64], factor: NDArray[np.float64]) -> Terms:
    """Terms in CSR form: output k owns `offsets[k] : offsets[k + 1]`."""
    n = len(offsets) - 1
    begin, end = offsets[:-1].copy(), offsets[1:].copy()
    return Terms(begin, end, row, factor, np.full(n, NO_SCHEMA_CAP, np.int8))


@njit(nogil=True, cache=True, error_model="numpy")
def _capacity(rows: HistogramRows, terms: Terms) -> tuple[int, int]:
    """The most buckets that a sum can have on a side, and the most custom bounds."""
    size = np.zeros(len(terms.row) + 1, np.int64)
    bounds = 0
    for j in range(len(terms.row)):
        row = terms.row[j]
        positive = rows.pos_offsets[row + 1] - rows.pos_offsets[row]
        negative = rows.neg_offsets[row + 1] - rows.neg_offsets[row]
        size[j + 1] = size[j] + max(positive, negative)
        bounds = max(bounds, rows.custom_offsets[row + 1] - rows.custom_offsets[row])
    capacity = 0
    for k in range(len(terms.begin)):
        if terms.end[k] > terms.begin[k]:
            capacity = max(capacity, size[terms.end[k]] - size[terms.begin[k]])
    return capacity, bounds


@njit(nogil=True, cache=True, error_model="numpy")
def _sum_terms(rows: HistogramRows, terms: Terms, k: int, inner: float, scratch: Scratch) -> tuple[int, int]:
    """Leave the sum of output k in the scratch: `(notes, reset hint)`. `inner` multiplies every factor."""
    begin = terms.begin[k]
    first = terms.row[begin]
    load_row(scratch, SUM_SLOT, rows, first, terms.factor[begin] * inner)
    cap = terms.schema_cap[k]
    if cap != NO_SCHEMA_CAP and cap != CUSTOM_BUCKETS_SCHEMA:
        reduce_schema(scratch, SUM_SLOT, cap)
    notes = 0
    hint = int(rows.reset_hint[first])
    seen = 1 << hint
    for j in range(begin + 1, terms.end[k]):
        row = terms.row[j]
        if not add_alike(scratch, rows, row, terms.factor[j] * inner):
            load_row(scratch, TERM_SLOT, rows, row, terms.factor[j] * inner)
            possible, reconciled = add_term(scratch)
            if not possible:
                return notes | MIXED_SCHEMAS, hint
            if reconciled:
                notes |= RECONCILED_SUBTRACTION if terms.factor[j] < 0 else RECONCILED_ADDITION
        other = int(rows.reset_hint[row])
        seen |= 1 << other
        if other != hint:
            hint = _GAUGE if other == _GAUGE or hint == _GAUGE else _UNKNOWN
    if seen & (1 << _RESET) and seen & (1 << _NO_RESET):
        notes |= COLLISION_AGGREGATION
    return notes, hint


@njit(nogil=True, cache=True, error_model="numpy")
def _overflowed(scratch: Scratch) -> bool:
    number = scratch.number
    if math.isinf(number[SUM_SLOT, ZERO_COUNT]) or math.isinf(number[SUM_SLOT, COUNT]):
        return True
    if math.isinf(number[SUM_SLOT, SUM]):
        return True
    for lane in range(2):
        for i in range(scratch.size[lane]):
            if math.isinf(scratch.value[lane, i]):
                return True
    return False


@njit(nogil=True, cache=True, error_model="numpy")
def _scaled(value: float, carry: float, scale: float, divide: bool) -> float:
    if divide:
        return value / scale + carry / scale if carry != 0 else value / scale
    return (value + carry) * scale


@njit(nogil=True, cache=True, error_model="numpy")
def _grown(
    index: NDArray[np.int32], count: NDArray[np.float64], used: int, need: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    if used + need <= len(index):
        return index, count
    size = max(2 * len(index), used + need)
    more_index, more_count = np.empty(size, np.int32), np.empty(size, np.float64)
    more_index[:used], more_count[:used] = index[:used], count[:used]
    return more_index, more_count


@njit(nogil=True, cache=True, error_model="numpy")
def _write_lane(
    scratch: Scratch,
    lane: int,
    how: tuple[float, bool],
    index: NDArray[np.int32],
    count: NDArray[np.float64],
    used: int,
) -> int:
    """Append the sum's populated buckets to an output with room for them; returns the output's new length."""
    scale, divide = how
    for k in range(scratch.size[lane]):
        value = _scaled(scratch.value[lane, k], scratch.carry[lane, k], scale, divide)
        if value != 0:
            index[used], count[used] = scratch.bucket[lane, k], value
            used += 1
    return used


@njit(nogil=True, cache=True, error_model="numpy")
def _write_head(scratch: Scratch, heads: _Heads, at: int, how: tuple[float, bool], hint: int) -> None:
    scale, divide = how
    number = scratch.number
    heads.schema[at] = scratch.schema[SUM_SLOT]
    heads.reset_hint[at] = hint
    heads.number[at, 0] = number[SUM_SLOT, ZERO_THRESHOLD]
    for column, source in ((1, ZERO_COUNT), (2, COUNT), (3, SUM)):
        heads.number[at, column] = _scaled(number[SUM_SLOT, source], number[SUM_SLOT, source + 1], scale, divide)


@njit(nogil=True, cache=True, error_model="numpy")
def _mean_scale(rows: HistogramRows, terms: Terms, k: int, scratch: Scratch) -> float:
    """The divisor that makes a mean of the sum in the scratch; redone from scaled terms where the sum overflowed."""
    n = float(terms.end[k] - terms.begin[k])
    if not _overflowed(scratch):
        return n
    _sum_terms(rows, terms, k, 1.0 / n, scratch)
    return 1.0


@njit(nogil=True, cache=True, error_model="numpy")
def _likely_size(rows: HistogramRows, terms: Terms) -> tuple[int, int]:
    """How many buckets the sums have if none has more than its first term: room to begin with."""
    positive, negative = 16, 16
    for k in range(len(terms.begin)):
        if terms.end[k] > terms.begin[k]:
            row = terms.row[terms.begin[k]]
            positive += rows.pos_offsets[row + 1] - rows.pos_offsets[row]
            negative += rows.neg_offsets[row + 1] - rows.neg_offsets[row]
    return positive, negative


@njit(nogil=True, cache=True, error_model="numpy")
def _combine(
    rows: HistogramRows, terms: Terms, finish: Finish, scratch: Scratch
) -> tuple[NDArray[np.int64], NDArray[np.int64], _Heads, _Lane, _Lane, NDArray[np.float64]]:
    n = len(terms.begin)
    cells, notes = np.full(n, NO_HISTOGRAM, np.int64), np.zeros(n, np.int64)
    heads = _Heads(
        np.empty(n, np.int8), np.empty(n, np.uint8), np.empty((n, 4), np.float64), np.zeros((n + 1, 3), np.int64)
    )
    likely_pos, likely_neg = _likely_size(rows, terms)
    pos_index, pos_count = np.empty(likely_pos, np.int32), np.empty(likely_pos, np.float64)
    neg_index, neg_count = np.empty(likely_neg, np.int32), np.empty(likely_neg, np.float64)
    bounds, unused = np.empty(16, np.float64), np.empty(16, np.int32)
    made, p, q, c = 0, 0, 0, 0
    for k in range(n):
        if terms.end[k] <= terms.begin[k]:
            continue
        notes[k], hint = _sum_terms(rows, terms, k, 1.0, scratch)
        if notes[k] & MIXED_SCHEMAS:
            continue
        scale = finish.scale[k]
        if finish.mean:
            scale *= _mean_scale(rows, terms, k, scratch)
        if finish.gauge or scale < 0:
            hint = _GAUGE
        how = (scale, finish.divide)
        _write_head(scratch, heads, made, how, hint)
        # Prometheus drops all regular buckets when a histogram is divided by zero.
        if not (finish.divide and scale == 0):
            pos_index, pos_count = _grown(pos_index, pos_count, p, scratch.size[0])
            p = _write_lane(scratch, 0, how, pos_index, pos_count, p)
            neg_index, neg_count = _grown(neg_index, neg_count, q, scratch.size[1])
            q = _write_lane(scratch, 1, how, neg_index, neg_count, q)
        n_bounds = scratch.n_bounds[SUM_SLOT]
        unused, bounds = _grown(unused, bounds, c, n_bounds)
        bounds[c : c + n_bounds] = scratch.bounds[SUM_SLOT, :n_bounds]
        c += n_bounds
        cells[k] = made
        made += 1
        heads.offsets[made, 0], heads.offsets[made, 1], heads.offsets[made, 2] = p, q, c
    heads = _Heads(
        heads.schema[:made].copy(), heads.reset_hint[:made].copy(), heads.number[:made].copy(),
        heads.offsets[: made + 1].copy(),
    )  # fmt: skip
    positive, negative = (pos_index[:p], pos_count[:p]), (neg_index[:q], neg_count[:q])
    return cells, notes, heads, positive, negative, bounds[:c]
