"""A range aggregation over lines: from batches of the reader to one value for each series and step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.logql.nodes import Grouping, RangeAggregation
from swarmscope.lang.promql.nodes import VectorSelector
from swarmscope.model.contracts import LogReader, ReadBudget
from swarmscope.model.logs import LineRequest, LogRows
from swarmscope.model.series import Selection
from swarmscope.query.logql.batch_workers import run_batches
from swarmscope.query.logql.blocks import LineBlock, Shapes, Streams
from swarmscope.query.logql.demand import Demand, filter_labels
from swarmscope.query.logql.line_errors import asks_for_errors, refuse_errors
from swarmscope.query.logql.line_series import Identity, number_series
from swarmscope.query.logql.log_query import LinesRead
from swarmscope.query.logql.pipeline import Pipeline
from swarmscope.query.logql.range_counts import add_stored_counts, needs_no_metadata
from swarmscope.query.logql.range_totals import OF_BYTES, Samples, Totals, totals_for
from swarmscope.query.logql.range_windows import WindowGrid
from swarmscope.query.logql.series_table import SeriesTable
from swarmscope.query.logql.settings import LogqlSettings
from swarmscope.query.logql.sure_misses import with_values
from swarmscope.query.logql.text_interning import TextTable
from swarmscope.query.logql.unwrap import unwrap_values
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.frames import Frame
from swarmscope.query.promql.label_calls import absent_frame
from swarmscope.query.promql.selectors import without_empty_series

TOO_MANY_SERIES = "maximum of series ({}) reached for a single query"


@dataclass(frozen=True, slots=True)
class RangePlan:
    """A range aggregation with the grouping that may be done as lines come in. Equal plans have equal answers."""

    node: RangeAggregation
    grouping: Grouping | None
    is_answer: bool = field(default=False, compare=False)  # its series are the query's

    @property
    def identity(self) -> Identity:
        """What tells its series apart."""
        if self.node.op == "absent_over_time":
            return Identity(())
        return Identity.of(self.grouping, self.node.unwrap.label if self.node.unwrap else None)

    @property
    def demand(self) -> Demand:
        """What it wants of lines at the pipeline's end."""
        demand = Demand(None if self.identity.by is None else frozenset(self.identity.by), self.node.op in OF_BYTES)
        if self.node.unwrap is None:
            return demand
        demand = demand.with_labels((self.node.unwrap.label,))
        for condition in self.node.unwrap.filters:
            demand = demand.with_labels(filter_labels(condition))
        return demand


@dataclass(slots=True)
class Reading:
    """What a query reads with, and how much it has read."""

    reader: LogReader
    tenant: str
    budget: ReadBudget
    settings: LogqlSettings
    texts: TextTable
    read: LinesRead


def run_range(plan: RangePlan, times_ns: NDArray[np.int64], reading: Reading, evaluation: Evaluation) -> Frame:
    """The aggregation at all steps. Raises QueryFailedError for lines with errors, and LimitExceededError."""
    node = plan.node
    grid = WindowGrid.of(times_ns - node.offset_ns, node.range_ns)
    matchers = node.pipeline.matchers
    start_ns, end_ns = int(grid.edges[0]) + 1, int(grid.edges[-1]) + 1
    selection = reading.reader.select_streams(reading.tenant, matchers, start_ns, end_ns)
    most = reading.settings.max_series if plan.is_answer else None
    series = SeriesTable(most, TOO_MANY_SERIES.format(most))
    totals = totals_for(node, grid, evaluation)
    if len(selection.refs):
        _fill(plan, selection, (grid, totals, series), reading)
    values, present = totals.windows(len(series), evaluation)
    if node.op == "absent_over_time":
        missing = np.ones(len(times_ns), np.bool_)
        if len(series):
            missing &= ~present[0]
        return absent_frame(VectorSelector(matchers), missing, evaluation)
    return without_empty_series(Frame(series.labels, values, present))


def _fill(
    plan: RangePlan, selection: Selection, into: tuple[WindowGrid, Totals, SeriesTable], reading: Reading
) -> None:
    grid, totals, series = into
    left = add_stored_counts(plan.node, plan.identity, selection, (grid, totals, series), reading)
    if not left:
        return
    pipeline = Pipeline.compile(plan.node.pipeline, plan.demand)
    lines = _LineWork(plan, pipeline, totals, series, reading.texts)
    lines.streams = Streams(selection.labels, reading.reader.symbols.text)
    lines.shapes = Shapes(reading.reader.shape_names)
    requests = [_request(pipeline, selection, interval, reading.reader) for interval in left]
    run_batches(_batches(selection, requests, reading), lines.work, reading.budget.cancellation.check)


def _request(pipeline: Pipeline, selection: Selection, interval_ns: tuple[int, int], reader: LogReader) -> LineRequest:
    request = with_values(pipeline.request(*interval_ns), pipeline.equalities, selection.labels, reader)
    labels = pipeline.demand.labels
    if labels is None or not needs_no_metadata(labels, selection.labels, reader):
        return request
    return replace(request, columns=replace(request.columns, metadata=False))


def _batches(selection: Selection, requests: list[LineRequest], reading: Reading) -> Iterator[LogRows]:
    for request in requests:
        for rows in reading.reader.scan_lines(selection, request, reading.budget):
            reading.read.add(rows)
            yield rows


@dataclass(slots=True)
class _LineWork:
    """What is done with each batch; `work` may run on several threads at once."""

    plan: RangePlan
    pipeline: Pipeline
    totals: Totals
    series: SeriesTable
    texts: TextTable
    streams: Streams = field(init=False)
    shapes: Shapes = field(init=False)
    _lock: Lock = field(default_factory=Lock)

    def work(self, rows: LogRows) -> None:
        """Lead a batch through the pipeline and add what is left of it."""
        node = self.plan.node
        block = LineBlock.from_rows(rows, self.streams, self.shapes)
        self.pipeline.run(block)
        value = np.zeros(0)
        if len(block) == 0:
            return
        if node.unwrap is not None:
            value = unwrap_values(node.unwrap, block)
        elif node.op in OF_BYTES:
            value = block.line.length.astype(np.float64)
        refuse_errors(block, parsers_may_fail=asks_for_errors(node, self.plan.grouping))
        if node.op == "absent_over_time":
            value = np.zeros(0)
        if len(block) == 0:
            return
        sets = self.plan.identity.sets_of(block)
        ts_ns = block.ts_ns
        with self._lock:
            numbers = number_series(sets, self.texts, self.series)
            self.totals.add(Samples(numbers, ts_ns, value), len(self.series))


def answers(plan: RangePlan) -> RangePlan:
    """The plan of an aggregation whose series are the query's."""
    return replace(plan, is_answer=True)
