"""`tail`: a log query over the lines that are coming in."""

from __future__ import annotations

from dataclasses import dataclass

from swarmscope.lang.logql.nodes import LogPipeline
from swarmscope.model.contracts import Following, LogReader
from swarmscope.model.logs import LogRows
from swarmscope.query.logql.blocks import LineBlock, Shapes, Streams
from swarmscope.query.logql.log_answers import LogsResult, LogStats, to_result
from swarmscope.query.logql.log_query import time_order
from swarmscope.query.logql.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class TailBatch:
    """Lines that came in since the last call, each committed batch a result in order of time.

    `dropped` lines came too fast for the one who reads, and were left out.
    """

    results: tuple[LogsResult, ...]
    dropped: int


class Tail:
    """One follower. For one thread at a time; close it when done."""

    def __init__(self, reader: LogReader, tenant: str, tree: LogPipeline) -> None:
        """Begins with the lines that are committed from now on. Raises QueryFailedError."""
        self._reader = reader
        self._pipeline = Pipeline.compile(tree)
        self._shapes = Shapes(reader.shape_names)
        self._following: Following = reader.follow(tenant, tree.matchers)

    def next(self, timeout_s: float) -> TailBatch:
        """Wait for at most `timeout_s` for lines; what came may all be filtered out."""
        batches, dropped = self._following.next(timeout_s)
        if not batches:
            return TailBatch((), dropped)
        # After the rows: their streams are in it.
        streams = Streams(self._following.selection().labels, self._reader.symbols.text)
        results = (self._result(rows, streams) for rows in batches)
        return TailBatch(tuple(result for result in results if len(result)), dropped)

    def _result(self, rows: LogRows, streams: Streams) -> LogsResult:
        block = LineBlock.from_rows(rows, streams, self._shapes)
        self._pipeline.run(block)
        stats = LogStats(len(rows), int(rows.line.length.sum()))
        return to_result(block, time_order(block, backward=False), stats)

    def close(self) -> None:
        """Stop following."""
        self._following.close()
