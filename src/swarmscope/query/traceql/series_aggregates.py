"""The metrics functions: series of the spans that come through a pipeline.

https://grafana.com/docs/tempo/latest/metrics-from-traces/metrics-queries/functions/. A span of a sampled trace counts
for as many as it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.traceql.nodes import SeriesAggregate
from swarmscope.query.traceql.answers import Label, TraceExemplar, TraceSeries
from swarmscope.query.traceql.log_buckets import bucket_bound, bucket_exponents, quantile_of
from swarmscope.query.traceql.metric_requests import Steps
from swarmscope.query.traceql.series_cells import Cells, measure
from swarmscope.query.traceql.series_exemplars import ExemplarPicker
from swarmscope.query.traceql.series_table import SeriesTable
from swarmscope.query.traceql.settings import TraceqlSettings
from swarmscope.query.traceql.span_block import SpanBlock
from swarmscope.query.traceql.values import Tag, TypedValue

Floats = NDArray[np.float64]
_EXPONENTS = 64  # a bucket for each power of two that a 64-bit number may have
_WITH_BUCKETS = ("quantile_over_time", "histogram_over_time")


class SeriesAccumulator:
    """Takes spans batch by batch and makes series of them."""

    def __init__(self, node: SeriesAggregate, steps: Steps, settings: TraceqlSettings, max_exemplars: int) -> None:
        self._node = node
        self._steps = steps
        self._table = SeriesTable(node.by, settings.max_series)
        self._has_buckets = node.op in _WITH_BUCKETS
        fill = {"min_over_time": np.inf, "max_over_time": -np.inf}.get(node.op, 0.0)
        self._cells = Cells(steps, fill, settings.max_cells)
        self._counts = Cells(steps, 0.0, settings.max_cells)
        # Position in here is the number of a row of the cells: series and exponent.
        self._buckets: dict[tuple[int, int], int] = {}
        self._is_time = False
        self._exemplars = ExemplarPicker(max_exemplars)

    def add(self, block: SpanBlock, positions: NDArray[np.int64]) -> None:
        """Take the spans at these positions into account."""
        node, values = self._node, None
        if node.operand is not None:
            positions, values, is_time = measure(node.operand, block, positions)
            self._is_time |= is_time
        if not len(positions):
            return
        series = self._table.number(block, positions)
        rows, n_series = block.rows, len(self._table)
        whole = len(positions) == len(block)
        start_ns = rows.start_ns if whole else rows.start_ns[positions]
        weight = (rows.weight if whole else rows.weight[positions]).astype(np.float64)
        if values is None:
            self._cells.add(series, start_ns, weight, n_series)
        elif self._has_buckets:
            self._add_buckets(series, start_ns, values, weight)
        elif node.op in ("sum_over_time", "avg_over_time"):
            self._cells.add(series, start_ns, values * weight, n_series)
            self._counts.add(series, start_ns, weight, n_series)
        else:
            self._cells.add(series, start_ns, values, n_series)

    @property
    def counts_alone(self) -> bool:
        """Whether how many spans there are is all that it is about."""
        return self._node.op in ("rate", "count_over_time")

    @property
    def steps(self) -> Steps:
        """The points of the series."""
        return self._steps

    @property
    def wants_exemplars(self) -> bool:
        """Whether there is room for more."""
        return self._exemplars.has_room

    def pick_exemplars(self, block: SpanBlock, positions: NDArray[np.int64]) -> None:
        """Some of the spans at these positions, which count by `add` alone; with trace ids."""
        values = None
        if self._node.operand is not None:
            positions, values, _ = measure(self._node.operand, block, positions)
        positions, values = self._exemplars.chosen(positions, values)
        if len(positions):
            self._exemplars.add(block, positions, self._table.number(block, positions), values)

    def series(self) -> list[TraceSeries]:
        """All series, sorted by their labels."""
        made = self._bucket_series() if self._has_buckets else self._plain_series()
        return sorted(made, key=lambda each: [(name, str(value)) for name, value in each.labels])

    def _plain_series(self) -> Iterator[TraceSeries]:
        matrix = self._cells.values(len(self._table))
        match self._node.op:
            case "rate":
                matrix = matrix / self._steps.step_s
            case "avg_over_time" | "sum_over_time":
                counts = self._counts.values(len(self._table))
                with np.errstate(invalid="ignore", divide="ignore"):
                    divided = matrix / counts if self._node.op == "avg_over_time" else matrix
                matrix = np.where(counts > 0, divided, np.nan)
            case "min_over_time" | "max_over_time":
                matrix = np.where(np.isinf(matrix), np.nan, matrix)
        for number, labels in enumerate(self._table.labels()):
            named = labels or (("__name__", TypedValue(Tag.STRING, self._node.op)),)
            yield TraceSeries(named, matrix[number], self._exemplars.of_series(number))

    def _add_buckets(
        self, series: NDArray[np.int64], start_ns: NDArray[np.int64], values: Floats, weight: Floats
    ) -> None:
        exponents = bucket_exponents(values, self._is_time)
        there = np.flatnonzero(exponents >= 0)
        if len(there):
            keys = series[there] * _EXPONENTS + np.minimum(exponents[there], _EXPONENTS - 1)
            numbers = np.zeros(int(keys.max()) + 1, np.int64)
            for key in np.flatnonzero(np.bincount(keys)).tolist():
                numbers[key] = self._buckets.setdefault(divmod(key, _EXPONENTS), len(self._buckets))
            self._cells.add(numbers[keys], start_ns[there], weight[there], len(self._buckets))

    def _bucket_series(self) -> Iterator[TraceSeries]:
        matrix = self._cells.values(len(self._buckets))
        for number, labels in enumerate(self._table.labels()):
            mine = sorted((exponent, row) for (series, exponent), row in self._buckets.items() if series == number)
            if mine:
                exponents, rows = [each[0] for each in mine], [each[1] for each in mine]
                exemplars = self._exemplars.of_series(number)
                yield from self._shown(labels, exponents, matrix[rows], exemplars)

    def _shown(
        self, labels: tuple[Label, ...], exponents: list[int], counts: Floats, exemplars: tuple[TraceExemplar, ...]
    ) -> Iterator[TraceSeries]:
        if self._node.op == "histogram_over_time":
            for exponent, row in zip(exponents, counts, strict=True):
                bound = TypedValue(Tag.FLOAT, bucket_bound(exponent, self._is_time))
                yield TraceSeries((*labels, ("__bucket", bound)), row, exemplars)
            return
        scale = bucket_bound(0, self._is_time)
        for quantile in self._node.quantiles:
            label = ("p", TypedValue(Tag.FLOAT, quantile))
            yield TraceSeries((*labels, label), quantile_of(quantile, exponents, counts) * scale, exemplars)
