"""What a range aggregation keeps of the lines that it has seen, and the windows' values from it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.logql.nodes import RangeAggregation
from swarmscope.model.errors import LimitExceededError
from swarmscope.query.logql.counter_rate import counter_rates
from swarmscope.query.logql.range_buckets import BucketOp, Buckets, Lines, add_counts, add_lines, reduce_buckets
from swarmscope.query.logql.range_windows import WindowGrid
from swarmscope.query.logql.sample_sorting import sort_samples
from swarmscope.query.promql.context import TOO_MANY_SAMPLES, Evaluation
from swarmscope.query.promql.sliding import Output, Windows
from swarmscope.query.promql.threads import run_rows, run_slices
from swarmscope.query.promql.window_kernels import WindowOp, reduce_windows

_NS_PER_S = 1e9
_BYTES_PER_CELL = 8
_BYTES_PER_SAMPLE = 24
_SORTING_WEIGHT = 20  # what a value costs in a quantile, where adding it up costs 1
PER_SECOND = frozenset({"rate", "bytes_rate"})
OF_BYTES = frozenset({"bytes_over_time", "bytes_rate"})
_WITH_VALUES = {
    "avg_over_time": BucketOp.MEAN,
    "first_over_time": BucketOp.FIRST,
    "last_over_time": BucketOp.LAST,
    "max_over_time": BucketOp.MAX,
    "min_over_time": BucketOp.MIN,
    "rate": BucketOp.SUM,
    "stddev_over_time": BucketOp.STDDEV,
    "stdvar_over_time": BucketOp.STDVAR,
    "sum_over_time": BucketOp.SUM,
}
_Result = tuple[NDArray[np.float64], NDArray[np.bool_]]


class Samples(NamedTuple):
    """What became of a batch's lines."""

    series: NDArray[np.int64]  # [n]
    ts_ns: NDArray[np.int64]  # [n]
    value: NDArray[np.float64]  # [n], [0] where lines are only counted


class Totals(Protocol):
    """What is known of the windows so far. Not thread-safe."""

    def add(self, samples: Samples, n_series: int) -> None:
        """Take in samples of series below `n_series`. Raises LimitExceededError."""
        ...

    def windows(self, n_series: int, evaluation: Evaluation) -> _Result:
        """(values, present) [n_series, n_steps]."""
        ...


def totals_for(node: RangeAggregation, grid: WindowGrid, evaluation: Evaluation) -> Totals:
    """What the aggregation needs to keep."""
    if node.op in ("quantile_over_time", "rate_counter"):
        return KeptSamples(node, grid, evaluation)
    return BucketTotals(bucket_op(node), grid, evaluation, rate_divisor(node))


def bucket_op(node: RangeAggregation) -> BucketOp:
    """What is added up in buckets."""
    if node.op == "absent_over_time":
        return BucketOp.COUNT
    if node.unwrap is not None:
        return _WITH_VALUES[node.op]
    return BucketOp.SUM if node.op in OF_BYTES else BucketOp.COUNT


def rate_divisor(node: RangeAggregation) -> float:
    """What a sum is divided by: seconds of the range for what counts by the second."""
    return node.range_ns / _NS_PER_S if node.op in PER_SECOND else 1.0


class BucketTotals:
    """States by series and bucket: as large as the answer, however many lines there are."""

    def __init__(self, op: BucketOp, grid: WindowGrid, evaluation: Evaluation, divisor: float) -> None:
        self._op, self._grid, self._evaluation = op, grid, evaluation
        self._divisor = divisor
        self._buckets = self._new(0)

    def _new(self, n_series: int) -> Buckets:
        shape = (n_series, self._grid.n_buckets)
        states = (0, 0) if self._op is BucketOp.COUNT else shape
        return Buckets(np.zeros(shape, np.int64), np.zeros(states), np.zeros(states))

    def add(self, samples: Samples, n_series: int) -> None:
        """As `Totals.add`."""
        self._grow(n_series)
        begin = int(self._grid.edges[0])
        time = samples.ts_ns - begin
        add_lines(
            int(self._op), Lines(samples.series, self._grid.buckets_of(samples.ts_ns), time, samples.value),
            self._buckets,
        )  # fmt: skip

    def add_counted(
        self, series: NDArray[np.int64], ts_ns: NDArray[np.int64], lines: NDArray[np.int64], sizes: NDArray[np.int64],
        n_series: int,
    ) -> None:  # fmt: skip
        """Take in lines [n] that the store has counted, as COUNT, or their bytes as SUM; `ts_ns` are ends of grains."""
        self._grow(n_series)
        taken = sizes.astype(np.float64) if self._op is BucketOp.SUM else np.zeros(0)
        add_counts(series, self._grid.buckets_of(ts_ns), lines, taken, self._buckets)

    def _grow(self, n_series: int) -> None:
        held = len(self._buckets.lines)
        if n_series <= held:
            return
        capacity = max(n_series, 2 * held)
        planes = 1 if self._op is BucketOp.COUNT else 3
        needed = capacity * self._grid.n_buckets * planes * _BYTES_PER_CELL
        if needed > self._evaluation.max_bytes:
            raise LimitExceededError(
                f"query needs {n_series} series x {self._grid.n_buckets} buckets of time, which take more than "
                f"{self._evaluation.max_bytes} bytes",
                limit="limits.max_query_memory",
            )
        larger = self._new(capacity)
        for old, new in zip(self._buckets, larger, strict=True):
            if new.size:
                new[:held] = old[:held]
        self._buckets = larger

    def windows(self, n_series: int, evaluation: Evaluation) -> _Result:
        """As `Totals.windows`."""
        self._grow(n_series)
        grid = self._grid
        out = evaluation.matrix(n_series, len(grid.ends_ns))

        def work(first: int, past: int) -> None:
            reduce_buckets(int(self._op), self._buckets, (grid.first, grid.past), out, (first, past))

        per_window = int((grid.past - grid.first).sum())
        run_rows(n_series, n_series * max(1, per_window), work, evaluation.cancellation.check)
        if self._divisor != 1.0:
            np.divide(out[0], self._divisor, out=out[0])
        return out


class KeptSamples:
    """Every value, for what cannot be put together from parts: quantiles and counters."""

    def __init__(self, node: RangeAggregation, grid: WindowGrid, evaluation: Evaluation) -> None:
        self._node, self._grid = node, grid
        self._most = min(evaluation.max_samples, evaluation.max_bytes // (3 * _BYTES_PER_SAMPLE))
        self._batches: list[Samples] = []
        self._count = 0

    def add(self, samples: Samples, n_series: int) -> None:
        """As `Totals.add`."""
        del n_series
        self._count += len(samples.series)
        if self._count > self._most:
            raise LimitExceededError(TOO_MANY_SAMPLES, limit="limits.max_query_samples")
        self._batches.append(samples)

    def windows(self, n_series: int, evaluation: Evaluation) -> _Result:
        """As `Totals.windows`."""
        values, present = evaluation.matrix(n_series, len(self._grid.ends_ns))
        empty = Samples(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        columns = [np.concatenate(column) for column in zip(empty, *self._batches, strict=True)]
        self._batches.clear()
        offsets, ts_ns, value = sort_samples(columns[0], columns[1], columns[2], n_series)
        quantile = np.full(values.shape[1], self._node.parameter or 0.0)
        # The kernels know no unit of time; here it is nanoseconds.
        whole = Windows(offsets, ts_ns, value, self._grid.ends_ns, self._grid.range_ns, quantile, quantile)

        def work(rows: slice, steps: slice) -> None:
            cut = slice(steps.start, steps.stop)
            windows = whole._replace(
                offsets=offsets[rows.start : rows.stop + 1], ends=whole.ends[cut], p0=quantile[cut], p1=quantile[cut]
            )
            out = Output(values[rows, steps], present[rows, steps])
            if self._node.op == "rate_counter":
                counter_rates(windows, out, 0, rows.stop - rows.start)
            else:
                reduce_windows(int(WindowOp.QUANTILE), windows, out, 0, rows.stop - rows.start)

        overlap = int((self._grid.past - self._grid.first).sum()) // max(1, self._grid.n_buckets) + 1
        cost = values.size + _SORTING_WEIGHT * overlap * len(ts_ns)
        run_slices((values.shape[0], values.shape[1]), cost, work, evaluation.cancellation.check)
        return values, present
