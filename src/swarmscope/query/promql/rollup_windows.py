"""Selectors and range functions answered from down-sampled buckets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.series import RollupColumns
from swarmscope.query.promql.rate_kernel import RateKind
from swarmscope.query.promql.rollup_kernels import Buckets, Ends, newest_of_buckets, rate_buckets, reduce_buckets
from swarmscope.query.promql.sliding import Output
from swarmscope.query.promql.threads import run_rows
from swarmscope.query.promql.window_kernels import WindowOp

if TYPE_CHECKING:
    from swarmscope.query.promql.context import Evaluation

_Matrix = tuple[NDArray[np.float64], NDArray[np.bool_]]


def without_empty_buckets(columns: RollupColumns) -> RollupColumns:
    """The buckets that hold samples; those with staleness markers alone are left out."""
    kept = columns.count > 0
    if kept.all():
        return columns
    before = np.zeros(len(kept) + 1, np.int64)
    np.cumsum(kept, out=before[1:])
    taken = {
        name: getattr(columns, name)[kept]
        for name in ("bucket_ms", "count", "total", "minimum", "maximum", "first_ts_ms", "first", "last_ts_ms", "last",
                     "increase", "stale_ts_ms")
    }  # fmt: skip
    return replace(columns, offsets=before[columns.offsets], **taken)


def newest_in_buckets(columns: RollupColumns, ends_ms: NDArray[np.int64], lookback_ms: int, out: _Matrix) -> None:
    """Fill (values, present) [n_series, n_steps] with what an instant selector sees."""
    buckets, windows = _rows(columns), Ends(ends_ms, lookback_ms, 1.0)

    def work(first: int, past: int) -> None:
        newest_of_buckets(buckets, windows, Output(*out), first, past)

    run_rows(len(out[0]), out[0].size + len(columns.bucket_ms), work)


def range_function_of_buckets(
    operation: RateKind | WindowOp, filled: RollupColumns, windows: Ends, out: _Matrix, evaluation: Evaluation
) -> bool:
    """Fill (values, present) [n_series, n_steps]; false where buckets do not tell enough and samples must be read."""
    buckets = _rows(filled)
    certain: list[bool] = []

    def work(first: int, past: int) -> None:
        run = rate_buckets if isinstance(operation, RateKind) else reduce_buckets
        certain.append(bool(run(int(operation), buckets, windows, Output(*out), first, past)))

    spacing_ms = max(1, int(windows.ends[-1] - windows.ends[0]) // max(1, len(windows.ends) - 1))
    rows_read = len(filled.bucket_ms) * min(len(windows.ends), 1 + windows.range_ms // spacing_ms)
    run_rows(len(out[0]), out[0].size + rows_read, work, evaluation.cancellation.check)
    return all(certain)


def _rows(columns: RollupColumns) -> Buckets:
    ints = (columns.offsets, columns.bucket_ms, columns.count, columns.first_ts_ms, columns.last_ts_ms)
    offsets, bucket, count, first_ts, last_ts = (np.require(a, np.int64, ["C", "W"]) for a in ints)
    floats = (columns.total, columns.minimum, columns.maximum, columns.first, columns.last, columns.increase)
    total, low, high, first, last, increase = (np.require(a, np.float64, ["C", "W"]) for a in floats)
    stale_ts = np.require(columns.stale_ts_ms, np.int64, ["C", "W"])
    return Buckets(offsets, bucket, count, total, low, high, first_ts, first, last_ts, last, increase, stale_ts)
