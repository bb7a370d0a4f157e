"""Native histograms' buckets: spans and deltas on the wire, absolute sparse buckets in the model.

Rules: prometheus/prompb/types.proto and the checks of prometheus/model/histogram (spans and buckets agree, no
negative population, custom bounds ascend).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.raw_memory import Int

GOOD, SPANS_DIFFER, NEGATIVE_COUNT, NEGATIVE_OFFSET, INDEX_RANGE, BAD_BOUNDS, CUSTOM_EXTRAS, BAD_SCHEMA, BAD_TOTAL = (
    range(9)
)
REASONS = (
    "",
    "a histogram's spans and buckets differ in number",
    "a histogram's bucket has a negative population",
    "a histogram's span has a negative offset",
    "a histogram's bucket index is out of range",
    "a histogram's custom bounds do not ascend or are not finite",
    "a histogram with custom bounds has a zero bucket or negative buckets",
    "a histogram's schema is not known (known: -53, -4 to 8, and 9 to 52, which are reduced to 8)",
    "a histogram's count is not the sum of its buckets",
)

_MAX_INDEX = 2**31 - 1


class SideArrays(NamedTuple):
    """One side (positive or negative) of n histograms on the wire; `*_offsets` [n + 1] say whose entries are whose."""

    span_offsets: NDArray[np.int64]
    gap: NDArray[np.int64]  # [n_spans] BucketSpan.offset
    length: NDArray[np.int64]  # [n_spans]
    delta_offsets: NDArray[np.int64]
    deltas: NDArray[np.int64]
    count_offsets: NDArray[np.int64]
    counts: NDArray[np.float64]


class SideResult(NamedTuple):
    """Absolute buckets: histogram i owns `offsets[i] : offsets[i + 1]`; empty buckets are left out."""

    offsets: NDArray[np.int64]  # [n + 1]
    bucket: NDArray[np.int32]  # [room for all deltas and counts]
    population: NDArray[np.float64]
    total: NDArray[np.float64]  # [n] sum of the populations


@njit(nogil=True, cache=True)
def _count_spanned(side: SideArrays, row: Int) -> Int:
    total = np.int64(0)
    for span in range(side.span_offsets[row], side.span_offsets[row + 1]):
        total += side.length[span]
    return total


@njit(nogil=True, cache=True)
def _expand(side: SideArrays, row: Int, is_float: bool, shift: Int, out: SideResult) -> Int:
    """Write one histogram's buckets behind those before it; the verdict."""
    begin = side.count_offsets[row] if is_float else side.delta_offsets[row]
    end = side.count_offsets[row + 1] if is_float else side.delta_offsets[row + 1]
    if _count_spanned(side, row) != end - begin:
        return SPANS_DIFFER
    first = out.offsets[row]
    target = first
    entry = begin
    population: Int = np.int64(0)
    place: Int = np.int64(0)
    for span in range(side.span_offsets[row], side.span_offsets[row + 1]):
        if span > side.span_offsets[row] and side.gap[span] < 0:
            return NEGATIVE_OFFSET
        place += side.gap[span]
        for _ in range(side.length[span]):
            if abs(place) > _MAX_INDEX:
                return INDEX_RANGE
            if not is_float:
                population += side.deltas[entry]
            count = side.counts[entry] if is_float else np.float64(population)
            if count < 0:
                return NEGATIVE_COUNT
            target_bucket: Int = place if shift == 0 else ((place - 1) >> shift) + 1
            if target > first and out.bucket[target - 1] == target_bucket:
                out.population[target - 1] += count
            elif count != 0:
                out.bucket[target] = target_bucket
                out.population[target] = count
                target += 1
            out.total[row] += count
            place += 1
            entry += 1
    out.offsets[row + 1] = target
    return GOOD


@njit(nogil=True, cache=True)
def expand_side(
    side: SideArrays, is_float: NDArray[np.bool_], shift: NDArray[np.int64], out: SideResult, verdict: NDArray[np.int64]
) -> None:
    """Resolve one side of n histograms; those whose verdict is not GOOD get no buckets."""
    for row in range(len(verdict)):
        out.offsets[row + 1] = out.offsets[row]
        if verdict[row] == GOOD:
            verdict[row] = _expand(side, row, is_float[row], shift[row], out)


@njit(nogil=True, cache=True)
def _check_custom(bounds: NDArray[np.float64], begin: Int, end: Int, positive: SideResult, row: Int) -> Int:
    for entry in range(begin, end):
        if not np.isfinite(bounds[entry]) or (entry > begin and bounds[entry] <= bounds[entry - 1]):
            return BAD_BOUNDS
    for entry in range(positive.offsets[row], positive.offsets[row + 1]):
        if positive.bucket[entry] < 0 or positive.bucket[entry] > end - begin:
            return INDEX_RANGE
    return GOOD


@njit(nogil=True, cache=True)
def check_bounds(
    custom: NDArray[np.bool_],
    offsets: NDArray[np.int64],
    bounds: NDArray[np.float64],
    positive: SideResult,
    verdict: NDArray[np.int64],
) -> None:
    """Custom bounds ascend and are finite, and no bucket lies beyond the one that is open to +Inf."""
    for row in range(len(verdict)):
        if custom[row] and verdict[row] == GOOD:
            verdict[row] = _check_custom(bounds, offsets[row], offsets[row + 1], positive, row)
