"""Native histograms as the engine holds them: one a row, sparse buckets, no series and no time.

Where a histogram belongs (series, step) is said by `HistogramMatrix.cells`, so that results share rows
instead of copying them. Rows are never changed in place.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.metrics import Buckets, HistogramColumns, ResetHint

NO_HISTOGRAM = -1


class HistogramRows(NamedTuple):
    """n histograms. Row i owns the entries `offsets[i] : offsets[i + 1]` of each sparse part.

    Buckets are absolute populations in ascending index; a population of zero is never stored, so a bucket
    that is absent and one that is empty look alike. Schema -53 has custom bounds and positive buckets only.
    """

    schema: NDArray[np.int8]  # [n]
    reset_hint: NDArray[np.uint8]  # [n] ResetHint
    zero_threshold: NDArray[np.float64]  # [n]
    zero_count: NDArray[np.float64]  # [n]
    count: NDArray[np.float64]  # type: ignore[assignment]  # [n]; hides tuple.count, as the model names it
    sum: NDArray[np.float64]  # [n]
    pos_offsets: NDArray[np.int64]  # [n + 1]
    pos_index: NDArray[np.int32]  # [n_positive]
    pos_count: NDArray[np.float64]  # [n_positive]
    neg_offsets: NDArray[np.int64]  # [n + 1]
    neg_index: NDArray[np.int32]  # [n_negative]
    neg_count: NDArray[np.float64]  # [n_negative]
    custom_offsets: NDArray[np.int64]  # [n + 1]
    custom_bounds: NDArray[np.float64]  # [n_bounds]


class HistogramMatrix(NamedTuple):
    """Histograms of series over steps: `cells` [n_series, n_steps] are rows of `rows`, NO_HISTOGRAM where none is."""

    cells: NDArray[np.int64]
    rows: HistogramRows


def row_count(rows: HistogramRows) -> int:
    """How many histograms `rows` holds (`len` of a NamedTuple counts its fields)."""
    return len(rows.schema)


def from_columns(columns: HistogramColumns) -> HistogramRows:
    """Rows of the store in the engine's form, row for row; empty buckets are dropped, staleness markers are kept."""
    positive, negative = _populated(columns.positive), _populated(columns.negative)
    return HistogramRows(
        _own(columns.schema, np.int8),
        _own(columns.reset_hint, np.uint8),
        _own(columns.zero_threshold, np.float64),
        _own(columns.zero_count, np.float64),
        _own(columns.count, np.float64),
        _own(columns.sum, np.float64),
        _own(positive.offsets, np.int64),
        _own(positive.index, np.int32),
        _own(positive.count, np.float64),
        _own(negative.offsets, np.int64),
        _own(negative.index, np.int32),
        _own(negative.count, np.float64),
        _own(columns.custom_offsets, np.int64),
        _own(columns.custom_bounds, np.float64),
    )


def take_rows(rows: HistogramRows, index: NDArray[np.int64]) -> HistogramRows:
    """The rows numbered `index` [n], in that order; raises IndexError where a number is out of range."""
    if len(index) and (index.min() < 0 or index.max() >= row_count(rows)):
        raise IndexError("no such histogram row")
    pos_offsets, pos_entries = _gather(rows.pos_offsets, index)
    neg_offsets, neg_entries = _gather(rows.neg_offsets, index)
    custom_offsets, custom_entries = _gather(rows.custom_offsets, index)
    return HistogramRows(
        rows.schema[index], rows.reset_hint[index], rows.zero_threshold[index], rows.zero_count[index],
        rows.count[index], rows.sum[index],
        pos_offsets, rows.pos_index[pos_entries], rows.pos_count[pos_entries],
        neg_offsets, rows.neg_index[neg_entries], rows.neg_count[neg_entries],
        custom_offsets, rows.custom_bounds[custom_entries],
    )  # fmt: skip


def concat_rows(left: HistogramRows, right: HistogramRows) -> HistogramRows:
    """All rows of both; the numbers of `right` grow by `row_count(left)`."""
    if row_count(right) == 0:
        return left
    if row_count(left) == 0:
        return right
    parts: list[NDArray[Any]] = []
    for name in HistogramRows._fields:
        a, b = getattr(left, name), getattr(right, name)
        parts.append(np.concatenate((a, b[1:] + a[-1])) if name.endswith("_offsets") else np.concatenate((a, b)))
    return HistogramRows(*parts)


def with_hint(rows: HistogramRows, hint: ResetHint) -> HistogramRows:
    """The same rows under another counter reset hint."""
    return rows._replace(reset_hint=np.full(row_count(rows), int(hint), np.uint8))


def _own(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Contiguous and writable: Numba compiles read-only arrays as another type, and Arrow hands out such arrays."""
    return np.require(array, dtype, ["C", "W"])


def _populated(buckets: Buckets) -> Buckets:
    keep = buckets.count != 0
    if keep.all():
        return buckets
    kept_before = np.concatenate((np.zeros(1, np.int64), np.cumsum(keep)))
    return Buckets(kept_before[buckets.offsets], buckets.index[keep], buckets.count[keep])


@njit(nogil=True, cache=True)
def _gather(offsets: NDArray[np.int64], index: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Offsets of the chosen rows, and the entry numbers that they own."""
    taken = np.zeros(len(index) + 1, np.int64)
    for k in range(len(index)):
        taken[k + 1] = taken[k] + offsets[index[k] + 1] - offsets[index[k]]
    entries = np.empty(taken[-1], np.int64)
    for k in range(len(index)):
        begin = offsets[index[k]]
        for j in range(taken[k + 1] - taken[k]):
            entries[taken[k] + j] = begin + j
    return taken, entries
