"""Counter resets between consecutive histograms; see "Counter reset considerations" of the specification."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA, ResetHint
from swarmscope.query.histograms.bounds import bucket_capacity
from swarmscope.query.histograms.rows import HistogramRows
from swarmscope.query.histograms.scratch import (
    SUM_SLOT,
    TERM_SLOT,
    ZERO_CARRY,
    ZERO_COUNT,
    Scratch,
    covering_threshold,
    load_row,
    new_scratch,
    reconcile_custom_bounds,
    reduce_schema,
    same_bounds,
    widen_zero_bucket,
)

_RESET = int(ResetHint.RESET)
_NO_RESET = int(ResetHint.NO_RESET)


def detect_resets(rows: HistogramRows, offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each row [n_rows] begins anew against the row before it; false for the first of a series.

    Series i owns the rows `offsets[i] : offsets[i + 1]`, in time order.
    """
    bound_capacity = int(np.diff(rows.custom_offsets).max(initial=0))
    return _detect_all(rows, offsets, new_scratch(int(bucket_capacity(rows)), bound_capacity))


@njit(nogil=True, cache=True)
def _detect_all(rows: HistogramRows, offsets: NDArray[np.int64], scratch: Scratch) -> NDArray[np.bool_]:
    found = np.zeros(len(rows.schema), np.bool_)
    for series in range(len(offsets) - 1):
        for row in range(offsets[series] + 1, offsets[series + 1]):
            found[row] = is_reset(rows, row - 1, row, scratch)
    return found


@njit(nogil=True, cache=True)
def is_reset(rows: HistogramRows, previous: int, current: int, scratch: Scratch) -> bool:
    """Whether the counter began anew between two rows.

    A drop of the count or of any bucket is a reset, as is a change that no loss of resolution explains. The hint
    decides where it is definite; a gauge's rows are compared as a counter's would be.
    """
    if rows.reset_hint[current] == _RESET:
        return True
    if rows.reset_hint[current] == _NO_RESET:
        return False
    if rows.count[current] < rows.count[previous]:
        return True
    schema = rows.schema[current]
    if (schema == CUSTOM_BUCKETS_SCHEMA) != (rows.schema[previous] == CUSTOM_BUCKETS_SCHEMA):
        return True
    if schema > rows.schema[previous] or rows.zero_threshold[current] < rows.zero_threshold[previous]:
        return True
    alike = schema == rows.schema[previous] and rows.zero_threshold[current] == rows.zero_threshold[previous]
    if alike and schema != CUSTOM_BUCKETS_SCHEMA:
        return _drops_alike(rows, previous, current)
    load_row(scratch, SUM_SLOT, rows, previous, 1.0)
    load_row(scratch, TERM_SLOT, rows, current, 1.0)
    if schema == CUSTOM_BUCKETS_SCHEMA:
        if not same_bounds(scratch):
            reconcile_custom_bounds(scratch)
        return _any_drop(scratch, 0)
    threshold = rows.zero_threshold[current]
    if threshold > rows.zero_threshold[previous]:
        if covering_threshold(scratch, SUM_SLOT, threshold) != threshold:
            return True
        widen_zero_bucket(scratch, SUM_SLOT, threshold)
    before = scratch.number[SUM_SLOT, ZERO_COUNT] + scratch.number[SUM_SLOT, ZERO_CARRY]
    if rows.zero_count[current] < before:
        return True
    reduce_schema(scratch, SUM_SLOT, schema)
    return _any_drop(scratch, 0) or _any_drop(scratch, 1)


@njit(nogil=True, cache=True)
def _drops_alike(rows: HistogramRows, previous: int, current: int) -> bool:
    """Fast path: the comparison for two rows of one schema and zero threshold, straight from the rows."""
    if rows.zero_count[current] < rows.zero_count[previous]:
        return True
    positive = _lane_drops(rows.pos_offsets, rows.pos_index, rows.pos_count, previous, current)
    return positive or _lane_drops(rows.neg_offsets, rows.neg_index, rows.neg_count, previous, current)


@njit(nogil=True, cache=True)
def _lane_drops(
    offsets: NDArray[np.int64], index: NDArray[np.int32], count: NDArray[np.float64], previous: int, current: int
) -> bool:
    j, end = offsets[current], offsets[current + 1]
    for i in range(offsets[previous], offsets[previous + 1]):
        while j < end and index[j] < index[i]:
            j += 1
        if j == end or index[j] != index[i] or count[j] < count[i]:
            return True
    return False


@njit(nogil=True, cache=True)
def _any_drop(scratch: Scratch, side: int) -> bool:
    """Whether a bucket of the sum's lane is larger than the same bucket of the term's lane, or missing there."""
    now = 2 * TERM_SLOT + side
    j = 0
    for i in range(scratch.size[side]):
        before = scratch.value[side, i] + scratch.carry[side, i]
        while j < scratch.size[now] and scratch.bucket[now, j] < scratch.bucket[side, i]:
            j += 1
        if j == scratch.size[now] or scratch.bucket[now, j] != scratch.bucket[side, i]:
            if before != 0:
                return True
        elif scratch.value[now, j] + scratch.carry[now, j] < before:
            return True
    return False


@njit(nogil=True, cache=True)
def same_histogram(rows: HistogramRows, a: int, b: int) -> bool:
    """Equality as the `==` operator has it: everything but the counter reset hint; NaN equals NaN."""
    if rows.schema[a] != rows.schema[b]:
        return False
    for numbers in (rows.count, rows.sum, rows.zero_count, rows.zero_threshold):
        if not _same(numbers[a], numbers[b]):
            return False
    return (
        _same_entries(rows.pos_offsets, rows.pos_index, rows.pos_count, a, b)
        and _same_entries(rows.neg_offsets, rows.neg_index, rows.neg_count, a, b)
        and _same_bounds(rows, a, b)
    )


@njit(nogil=True, cache=True)
def _same(a: float, b: float) -> bool:
    return bool(a == b or (np.isnan(a) and np.isnan(b)))


@njit(nogil=True, cache=True)
def _same_entries(
    offsets: NDArray[np.int64], index: NDArray[np.int32], count: NDArray[np.float64], a: int, b: int
) -> bool:
    n = offsets[a + 1] - offsets[a]
    if offsets[b + 1] - offsets[b] != n:
        return False
    for k in range(n):
        i, j = offsets[a] + k, offsets[b] + k
        if index[i] != index[j] or not _same(count[i], count[j]):
            return False
    return True


@njit(nogil=True, cache=True)
def _same_bounds(rows: HistogramRows, a: int, b: int) -> bool:
    n = rows.custom_offsets[a + 1] - rows.custom_offsets[a]
    if rows.custom_offsets[b + 1] - rows.custom_offsets[b] != n:
        return False
    for k in range(n):
        if rows.custom_bounds[rows.custom_offsets[a] + k] != rows.custom_bounds[rows.custom_offsets[b] + k]:
            return False
    return True
