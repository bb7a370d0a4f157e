"""One addition of two histograms, in place: what every operator, aggregation and rate is made of.

A `Scratch` has two slots: 0 is the running sum, 1 the term to add. Each slot has a positive and a negative lane.
Sums carry Neumaier's compensation, so that the order of terms and their size matter little. Reconciliation follows
"Compatibility between histograms" in Prometheus' native histogram specification.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA
from swarmscope.query.histograms.bounds import exponential_bound
from swarmscope.query.histograms.rows import HistogramRows

SUM_SLOT = 0
TERM_SLOT = 1

# Columns of Scratch.number: values and, where they are summed, their compensation.
ZERO_THRESHOLD = 0
ZERO_COUNT = 1
ZERO_CARRY = 2
COUNT = 3
COUNT_CARRY = 4
SUM = 5
SUM_CARRY = 6
_NUMBERS = 7


class Scratch(NamedTuple):
    """Working memory of one thread; lanes are numbered 2 * slot (positive) and 2 * slot + 1 (negative)."""

    bucket: NDArray[np.int32]  # [4, capacity] bucket indices
    value: NDArray[np.float64]  # [4, capacity]
    carry: NDArray[np.float64]  # [4, capacity]
    size: NDArray[np.int64]  # [4]
    number: NDArray[np.float64]  # [2, 7]
    schema: NDArray[np.int64]  # [2]
    bounds: NDArray[np.float64]  # [2, bound_capacity]
    n_bounds: NDArray[np.int64]  # [2]


def new_scratch(capacity: int, bound_capacity: int) -> Scratch:
    """Room for sums of at most `capacity` buckets a side and `bound_capacity` custom bounds."""
    capacity, bound_capacity = max(capacity, 1), max(bound_capacity, 1)
    return Scratch(
        np.zeros((4, capacity), np.int32), np.zeros((4, capacity)), np.zeros((4, capacity)), np.zeros(4, np.int64),
        np.zeros((2, _NUMBERS)), np.zeros(2, np.int64), np.zeros((2, bound_capacity)), np.zeros(2, np.int64),
    )  # fmt: skip


@njit(nogil=True, cache=True)
def compensated(value: float, carry: float, increment: float) -> tuple[float, float]:
    """`value + increment` and the new compensation (Neumaier, 1974); none once the sum has left the finite numbers."""
    total = value + increment
    if math.isinf(total):
        return total, 0.0
    if abs(value) >= abs(increment):
        return total, carry + ((value - total) + increment)
    return total, carry + ((increment - total) + value)


@njit(nogil=True, cache=True)
def load_row(scratch: Scratch, slot: int, rows: HistogramRows, row: int, factor: float) -> None:
    """Put `factor` times a histogram into a slot."""
    number = scratch.number
    number[slot, :] = 0.0
    number[slot, ZERO_THRESHOLD] = rows.zero_threshold[row]
    number[slot, ZERO_COUNT] = rows.zero_count[row] * factor
    number[slot, COUNT] = rows.count[row] * factor
    number[slot, SUM] = rows.sum[row] * factor
    scratch.schema[slot] = rows.schema[row]
    lane = 2 * slot
    begin = rows.pos_offsets[row]
    scratch.size[lane] = rows.pos_offsets[row + 1] - begin
    for k in range(scratch.size[lane]):
        scratch.bucket[lane, k] = rows.pos_index[begin + k]
        scratch.value[lane, k] = rows.pos_count[begin + k] * factor
        scratch.carry[lane, k] = 0.0
    begin = rows.neg_offsets[row]
    scratch.size[lane + 1] = rows.neg_offsets[row + 1] - begin
    for k in range(scratch.size[lane + 1]):
        scratch.bucket[lane + 1, k] = rows.neg_index[begin + k]
        scratch.value[lane + 1, k] = rows.neg_count[begin + k] * factor
        scratch.carry[lane + 1, k] = 0.0
    begin = rows.custom_offsets[row]
    scratch.n_bounds[slot] = rows.custom_offsets[row + 1] - begin
    for k in range(scratch.n_bounds[slot]):
        scratch.bounds[slot, k] = rows.custom_bounds[begin + k]


@njit(nogil=True, cache=True)
def add_alike(scratch: Scratch, rows: HistogramRows, row: int, factor: float) -> bool:
    """Fast path: add a row with the very layout of the sum without loading it; false where the layouts differ."""
    number = scratch.number
    if scratch.schema[SUM_SLOT] != rows.schema[row] or scratch.schema[SUM_SLOT] == CUSTOM_BUCKETS_SCHEMA:
        return False
    if number[SUM_SLOT, ZERO_THRESHOLD] != rows.zero_threshold[row]:
        return False
    positive, negative = rows.pos_offsets[row], rows.neg_offsets[row]
    n, m = scratch.size[0], scratch.size[1]
    if rows.pos_offsets[row + 1] - positive != n or rows.neg_offsets[row + 1] - negative != m:
        return False
    alike = True
    for k in range(n):
        alike &= scratch.bucket[0, k] == rows.pos_index[positive + k]
    for k in range(m):
        alike &= scratch.bucket[1, k] == rows.neg_index[negative + k]
    if not alike:
        return False
    _add_counts(scratch.value[0], scratch.carry[0], rows.pos_count[positive : positive + n], factor)
    _add_counts(scratch.value[1], scratch.carry[1], rows.neg_count[negative : negative + m], factor)
    for column, term in ((ZERO_COUNT, rows.zero_count[row]), (COUNT, rows.count[row]), (SUM, rows.sum[row])):
        number[SUM_SLOT, column], number[SUM_SLOT, column + 1] = compensated(
            number[SUM_SLOT, column], number[SUM_SLOT, column + 1], term * factor
        )
    return True


@njit(nogil=True, cache=True)
def _add_counts(
    value: NDArray[np.float64], carry: NDArray[np.float64], terms: NDArray[np.float64], factor: float
) -> None:
    """Compensated addition without branches: the error of a sum by Knuth's two-sum, for which size does not matter."""
    for k in range(len(terms)):
        term = terms[k] * factor
        total = value[k] + term
        seen = total - value[k]
        error = (value[k] - (total - seen)) + (term - seen)
        carry[k] = carry[k] + error if abs(total) < math.inf else 0.0
        value[k] = total


@njit(nogil=True, cache=True)
def covering_threshold(scratch: Scratch, slot: int, threshold: float) -> float:
    """The smallest zero threshold from `threshold` on that cuts through no populated bucket of the slot."""
    schema = scratch.schema[slot]
    moved = True
    while moved:
        moved = False
        for lane in range(2 * slot, 2 * slot + 2):
            for k in range(scratch.size[lane]):
                index = scratch.bucket[lane, k]
                if exponential_bound(index - 1, schema) >= threshold:
                    break
                populated = scratch.value[lane, k] + scratch.carry[lane, k] != 0
                if populated and exponential_bound(index, schema) > threshold:
                    threshold = exponential_bound(index, schema)
                    moved = True
    return threshold


@njit(nogil=True, cache=True)
def widen_zero_bucket(scratch: Scratch, slot: int, threshold: float) -> None:
    """Let the zero bucket take in every bucket that begins below `threshold` (from `covering_threshold`)."""
    number = scratch.number
    schema = scratch.schema[slot]
    for lane in range(2 * slot, 2 * slot + 2):
        taken = 0
        while taken < scratch.size[lane]:
            if exponential_bound(scratch.bucket[lane, taken] - 1, schema) >= threshold:
                break
            number[slot, ZERO_COUNT], number[slot, ZERO_CARRY] = compensated(
                number[slot, ZERO_COUNT], number[slot, ZERO_CARRY], scratch.value[lane, taken]
            )
            number[slot, ZERO_CARRY] += scratch.carry[lane, taken]
            taken += 1
        if taken:
            rest = scratch.size[lane] - taken
            for k in range(rest):
                scratch.bucket[lane, k] = scratch.bucket[lane, k + taken]
                scratch.value[lane, k] = scratch.value[lane, k + taken]
                scratch.carry[lane, k] = scratch.carry[lane, k + taken]
            scratch.size[lane] = rest
    number[slot, ZERO_THRESHOLD] = threshold


@njit(nogil=True, cache=True)
def reduce_schema(scratch: Scratch, slot: int, schema: int) -> None:
    """Merge neighbouring buckets down to a coarser exponential schema."""
    shift = scratch.schema[slot] - schema
    if shift <= 0:
        return
    scratch.schema[slot] = schema
    for lane in range(2 * slot, 2 * slot + 2):
        kept = 0
        for k in range(scratch.size[lane]):
            index = ((scratch.bucket[lane, k] - 1) >> shift) + 1
            kept = _push(scratch, lane, kept, index, k)
        scratch.size[lane] = kept


@njit(nogil=True, cache=True)
def _push(scratch: Scratch, lane: int, kept: int, index: int, source: int) -> int:
    """Put entry `source` of a lane behind its first `kept` entries, joined with the last one if that has `index`."""
    value, carry = scratch.value[lane, source], scratch.carry[lane, source]
    if kept and scratch.bucket[lane, kept - 1] == index:
        scratch.value[lane, kept - 1], scratch.carry[lane, kept - 1] = compensated(
            scratch.value[lane, kept - 1], scratch.carry[lane, kept - 1], value
        )
        scratch.carry[lane, kept - 1] += carry
        return kept
    scratch.bucket[lane, kept], scratch.value[lane, kept], scratch.carry[lane, kept] = index, value, carry
    return kept + 1


@njit(nogil=True, cache=True)
def reconcile_zero_buckets(scratch: Scratch) -> None:
    """Widen the narrower zero bucket until both slots agree."""
    number = scratch.number
    while True:
        ours, theirs = number[SUM_SLOT, ZERO_THRESHOLD], number[TERM_SLOT, ZERO_THRESHOLD]
        if ours < theirs:
            widen_zero_bucket(scratch, SUM_SLOT, covering_threshold(scratch, SUM_SLOT, theirs))
        elif theirs < ours:
            widen_zero_bucket(scratch, TERM_SLOT, covering_threshold(scratch, TERM_SLOT, ours))
        else:
            return


@njit(nogil=True, cache=True)
def same_bounds(scratch: Scratch) -> bool:
    """Whether both slots have the same custom bounds."""
    if scratch.n_bounds[SUM_SLOT] != scratch.n_bounds[TERM_SLOT]:
        return False
    n = scratch.n_bounds[SUM_SLOT]
    return bool(np.array_equal(scratch.bounds[SUM_SLOT, :n], scratch.bounds[TERM_SLOT, :n]))


@njit(nogil=True, cache=True)
def reconcile_custom_bounds(scratch: Scratch) -> None:
    """Bring both slots to the custom bounds that they share; what lies between two shared bounds is merged."""
    n_shared = 0
    shared = np.empty(min(scratch.n_bounds[SUM_SLOT], scratch.n_bounds[TERM_SLOT]), np.float64)
    i, j = 0, 0
    while i < scratch.n_bounds[SUM_SLOT] and j < scratch.n_bounds[TERM_SLOT]:
        ours, theirs = scratch.bounds[SUM_SLOT, i], scratch.bounds[TERM_SLOT, j]
        if ours == theirs:
            shared[n_shared] = ours
            n_shared += 1
        if ours <= theirs:
            i += 1
        if theirs <= ours:
            j += 1
    for slot in range(2):
        lane = 2 * slot
        kept, target = 0, 0
        for k in range(scratch.size[lane]):
            index = scratch.bucket[lane, k]
            upper = scratch.bounds[slot, index] if index < scratch.n_bounds[slot] else math.inf
            while target < n_shared and shared[target] < upper:
                target += 1
            kept = _push(scratch, lane, kept, target, k)
        scratch.size[lane] = kept
        scratch.n_bounds[slot] = n_shared
        scratch.bounds[slot, :n_shared] = shared[:n_shared]


@njit(nogil=True, cache=True)
def _merge_lane(scratch: Scratch, side: int) -> None:
    """Add the term's lane to the sum's: both are sorted, so the union is written from its end, in place."""
    index, value, carry = scratch.bucket, scratch.value, scratch.carry
    term = 2 * TERM_SLOT + side
    n, m = scratch.size[side], scratch.size[term]
    fresh, i = 0, 0
    for j in range(m):
        while i < n and index[side, i] < index[term, j]:
            i += 1
        if i == n or index[side, i] != index[term, j]:
            fresh += 1
    i, j, at = n - 1, m - 1, n + fresh - 1
    while j >= 0:
        if i >= 0 and index[side, i] == index[term, j]:
            total, rest = compensated(value[side, i], carry[side, i], value[term, j])
            index[side, at], value[side, at], carry[side, at] = index[term, j], total, rest + carry[term, j]
            i -= 1
            j -= 1
        elif i >= 0 and index[side, i] > index[term, j]:
            index[side, at], value[side, at], carry[side, at] = index[side, i], value[side, i], carry[side, i]
            i -= 1
        else:
            index[side, at], value[side, at], carry[side, at] = index[term, j], value[term, j], carry[term, j]
            j -= 1
        at -= 1
    scratch.size[side] = n + fresh


@njit(nogil=True, cache=True)
def add_term(scratch: Scratch) -> tuple[bool, bool]:
    """Add the term slot to the sum slot: `(possible, bounds were reconciled)`.

    Not possible means that one has exponential and the other custom buckets; the sum is unchanged then.
    """
    ours = scratch.schema[SUM_SLOT] == CUSTOM_BUCKETS_SCHEMA
    theirs = scratch.schema[TERM_SLOT] == CUSTOM_BUCKETS_SCHEMA
    if ours != theirs:
        return False, False
    reconciled = False
    if ours:
        if not same_bounds(scratch):
            reconcile_custom_bounds(scratch)
            reconciled = True
    else:
        reconcile_zero_buckets(scratch)
        schema = min(scratch.schema[SUM_SLOT], scratch.schema[TERM_SLOT])
        reduce_schema(scratch, SUM_SLOT, schema)
        reduce_schema(scratch, TERM_SLOT, schema)
    number = scratch.number
    for column in (ZERO_COUNT, COUNT, SUM):
        number[SUM_SLOT, column], number[SUM_SLOT, column + 1] = compensated(
            number[SUM_SLOT, column], number[SUM_SLOT, column + 1], number[TERM_SLOT, column]
        )
        number[SUM_SLOT, column + 1] += number[TERM_SLOT, column + 1]
    _merge_lane(scratch, 0)
    _merge_lane(scratch, 1)
    return True, reconciled
