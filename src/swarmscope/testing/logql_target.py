"""What LogQL scripts run against: a sink that takes their lines and engines that answer their queries."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import LogReader, LogSink
from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES, Level, LogBatch
from swarmscope.model.metrics import UNKNOWN_SERIES
from swarmscope.query.logql.engine import LogqlEngine
from swarmscope.query.logql.log_answers import LogsRequest
from swarmscope.query.logql.metric_queries import MetricRequest, run_metric_query
from swarmscope.testing.logql_script import LogEvaluation, ScriptLine
from swarmscope.testing.promql_script import Grid
from swarmscope.testing.script_target import Answer, QueryTarget, to_answer

_NS_PER_MS = 1_000_000


class LogScriptTarget(QueryTarget, Protocol):
    """Whatever can be loaded with lines and queried."""

    def load(self, labels: dict[str, str], lines: Sequence[ScriptLine]) -> None:
        """Store lines of one stream; later loads add to earlier ones."""
        ...

    def clear(self) -> None:
        """Forget everything loaded before."""
        ...

    def query_logs(self, wanted: LogEvaluation) -> list[ScriptLine]:
        """The lines of a log query in the answer's order, with all their labels."""
        ...


class LogEngineTarget:
    """A real store behind the real engines. Every script and every `clear` gets a tenant of its own."""

    _numbers = itertools.count()

    def __init__(
        self, sink: LogSink, reader: LogReader, *, batch_lines: int = 1_000, settle: Callable[[], object] | None = None
    ) -> None:
        """Sink and reader MUST belong to one store. `batch_lines` are written at once, then `settle` is called."""
        self._sink, self._reader = sink, reader
        self._engine = LogqlEngine(reader)
        self._batch_lines = batch_lines
        self._settle = settle
        self._tenant = ""
        self.clear()

    def clear(self) -> None:
        """Go on in an empty tenant."""
        self._tenant = f"log-script-{next(self._numbers)}"

    def load(self, labels: dict[str, str], lines: Sequence[ScriptLine]) -> None:
        """Write lines in batches."""
        for begin in range(0, len(lines), self._batch_lines):
            self._sink.write_logs(to_log_batch(labels, lines[begin : begin + self._batch_lines], self._tenant))
            if self._settle is not None:
                self._settle()

    def query_logs(self, wanted: LogEvaluation) -> list[ScriptLine]:
        """Run a log query."""
        request = LogsRequest(wanted.query, wanted.start_ns, wanted.end_ns, wanted.limit, wanted.backward, self._tenant)
        result = self._engine.query_logs(request)
        rows = zip(result.ts_ns.tolist(), result.group.tolist(), result.line.to_strings(), strict=True)
        streams = result.streams
        return [ScriptLine(ts_ns, streams[group].labels, line) for ts_ns, group, line in rows]

    def query_instant(self, query: str, time_ms: int) -> Answer:
        """Evaluate at one time."""
        at_ns = time_ms * _NS_PER_MS
        return to_answer(run_metric_query(self._reader, MetricRequest(query, at_ns, at_ns, None, self._tenant)).result)

    def query_range(self, query: str, grid: Grid) -> Answer:
        """Evaluate at every step."""
        start_ns, end_ns, step_ns = (each * _NS_PER_MS for each in (grid.start_ms, grid.end_ms, grid.step_ms))
        request = MetricRequest(query, start_ns, end_ns, step_ns, self._tenant)
        return to_answer(run_metric_query(self._reader, request).result)


def to_log_batch(labels: dict[str, str], lines: Sequence[ScriptLine], tenant: str) -> LogBatch:
    """Lines of one stream as a sink's batch; metadata with a column of its own goes there."""
    n = len(lines)
    sets = [dict(line.labels) for line in lines]
    levels = [Level[metadata.pop("detected_level", "unknown").upper()] for metadata in sets]
    digest = hashlib.blake2b(repr((tenant, sorted(labels.items()))).encode(), digest_size=8).digest()
    return LogBatch(
        stream_key=np.array([int.from_bytes(digest, "little")], np.uint64),
        stream_ref=np.full(1, UNKNOWN_SERIES, np.int64),
        new_labels=LabelSets.from_dicts([labels]),
        stream=np.zeros(n, np.int64),
        ts_ns=np.array([line.ts_ns for line in lines], np.int64),
        line=Utf8Column.from_strings([line.line for line in lines]),
        level=np.array(levels, np.uint8),
        severity=np.array([int(metadata.pop("severity_number", "0")) for metadata in sets], np.uint8),
        observed_ns=np.array([int(metadata.pop("observed_timestamp", "0")) for metadata in sets], np.int64),
        trace_id=_ids([metadata.pop("trace_id", "") for metadata in sets], TRACE_ID_BYTES),
        span_id=_ids([metadata.pop("span_id", "") for metadata in sets], SPAN_ID_BYTES),
        metadata=LabelSets.from_dicts(sets),
        tenant=tenant,
    )


def _ids(texts: Sequence[str], width: int) -> NDArray[np.uint8]:
    raw = b"".join(bytes.fromhex(text or "00" * width) for text in texts)
    return np.frombuffer(raw, np.uint8).reshape(len(texts), width).copy()
