"""Log queries: the newest (or oldest) lines that a pipeline lets through, of all streams together.

Lines are read in slices of time, newest first where those are wanted, until there are enough. While reading, a line is
only led through what decides whether it passes; all labels are taken out of the lines of the answer alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.logql.nodes import LogPipeline
from swarmscope.model.contracts import LogReader, ReadBudget
from swarmscope.model.errors import LimitExceededError, QueryFailedError
from swarmscope.model.logs import LogRows
from swarmscope.query.logql.blocks import LineBlock, Shapes, Streams
from swarmscope.query.logql.demand import Demand
from swarmscope.query.logql.log_answers import LogsRequest, LogsResult, LogStats, to_result
from swarmscope.query.logql.pipeline import Pipeline
from swarmscope.query.logql.row_taking import concatenated_rows, taken_rows
from swarmscope.query.logql.settings import LogqlSettings
from swarmscope.query.logql.sure_misses import with_values

INSTANT_REFUSAL = (
    "log queries are not supported as an instant query type, please change your query to a range query type"
)
# Whether a line passes and nothing else.
_PASSING = Demand(frozenset(), line=False)


@dataclass(slots=True)
class LinesRead:
    """How much a query has read, and may."""

    settings: LogqlSettings
    lines: int = 0
    bytes: int = 0

    def add(self, rows: LogRows) -> None:
        """Count a batch. Raises LimitExceededError."""
        self.lines += len(rows)
        self.bytes += int(rows.line.length.sum())
        max_lines, max_bytes = self.settings.max_lines, self.settings.max_line_bytes
        if max_lines is not None and self.lines > max_lines:
            raise LimitExceededError(
                f"the query would read more than {max_lines} lines; narrow the time range or add stream selectors",
                limit="query.max_lines",
            )
        if max_bytes is not None and self.bytes > max_bytes:
            raise LimitExceededError(
                f"the query would read more than {max_bytes} bytes of lines; narrow the time range or add "
                "stream selectors",
                limit="query.max_line_bytes",
            )


@dataclass(slots=True)
class ChosenLines:
    """The lines of an answer once they are through the pipeline, in order of time (`order`)."""

    block: LineBlock
    order: NDArray[np.int64]  # [n]
    read: LinesRead


def run_log_query(
    reader: LogReader, settings: LogqlSettings, request: LogsRequest, tree: LogPipeline, parse_s: float
) -> LogsResult:
    """The answer of a log query. Raises QueryFailedError, LimitExceededError and what the cancellation raises."""
    began = time.perf_counter()
    chosen = choose_lines(reader, settings, request, tree)
    stats = LogStats(chosen.read.lines, chosen.read.bytes, parse_s, time.perf_counter() - began)
    return to_result(chosen.block, chosen.order, stats)


def check_limit(limit: int, settings: LogqlSettings) -> None:
    """Raise where a request asks for no lines or for too many."""
    if limit <= 0:
        raise QueryFailedError("limit must be a positive value")
    if limit > settings.max_entries:
        raise LimitExceededError(
            f"max entries limit per query exceeded, limit > max_entries_limit ({limit} > {settings.max_entries})",
            limit="query.max_entries",
        )


def choose_lines(reader: LogReader, settings: LogqlSettings, request: LogsRequest, tree: LogPipeline) -> ChosenLines:
    """The lines that a request wants, with all their labels. Raises as `run_log_query`."""
    check_limit(request.limit, settings)
    now_ns = time.time_ns()
    sieve, pipeline = Pipeline.compile(tree, _PASSING, now_ns), Pipeline.compile(tree, None, now_ns)
    read = LinesRead(settings)
    selection = reader.select_streams(request.tenant, tree.matchers, request.start_ns, request.end_ns)
    streams, shapes = Streams(selection.labels, reader.symbols.text), Shapes(reader.shape_names)
    budget = ReadBudget(request.cancellation, settings.max_samples, max_bytes=settings.max_bytes)
    wanted = pipeline.request(request.start_ns, request.end_ns)
    wanted = with_values(wanted, pipeline.equalities, selection.labels, reader)
    batches = reader.walk_lines(
        selection, wanted, budget,
        backward=request.backward, batch_lines=request.limit,
    )  # fmt: skip
    found: list[LogRows] = []
    left = request.limit
    for rows in batches:
        request.cancellation.check()
        read.add(rows)
        block = LineBlock.from_rows(rows, streams, shapes)
        sieve.run(block)
        passed = block.rows[_first_in_time(block, left, backward=request.backward)]
        if len(passed):
            found.append(taken_rows(rows, passed))
            left -= len(passed)
        if left <= 0:
            break
    block = LineBlock.from_rows(concatenated_rows(found), streams, shapes)
    pipeline.run(block)
    return ChosenLines(block, time_order(block, backward=request.backward), read)


def _first_in_time(block: LineBlock, limit: int, *, backward: bool) -> NDArray[np.int64]:
    """Places of the lines that an answer takes from a batch, in the batch's order."""
    if len(block) <= limit:
        return np.arange(len(block))
    return np.sort(time_order(block, backward=backward)[:limit])


def time_order(block: LineBlock, *, backward: bool) -> NDArray[np.int64]:
    """The lines in order of time [n]; those of one time in the order of their streams and arrival."""
    order = np.argsort(block.ts_ns, kind="stable")
    return order[::-1] if backward else order
