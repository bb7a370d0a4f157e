"""From sealed generations of lines to ClickHouse parts: for each day one insert of lines and one of counts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarmscope.schema.log_tables import LOG_COUNTS, LOGS, partitions
from swarmscope.schema.tables import Table
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.logs.counts import counts_of
from swarmscope.store.embedded.logs.generation import LogGeneration
from swarmscope.store.embedded.logs.lines import Lines, line_column, metadata_column
from swarmscope.store.embedded.logs.memory import LogMemory
from swarmscope.store.embedded.logs.sorting import part_order
from swarmscope.store.embedded.native import AnyArray, AnyColumn

# (table, day): what of a segment is one insert, and one part.
Insert = tuple[str, int]


def observed_offsets(observed_ns: NDArray[np.int64], ts_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Column `observed`: 0 where no time was told, else the difference to `ts`, from 0 on upwards one higher."""
    offset = observed_ns - ts_ns
    offset[offset >= 0] += 1
    offset[observed_ns <= 0] = 0
    return offset


def observed_times(offset: NDArray[np.int64], ts_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Back from `observed_offsets`."""
    observed: NDArray[np.int64] = np.where(offset == 0, 0, ts_ns + offset - (offset > 0))
    return observed


class LogPartWriter:
    """Writes a segment's lines to parts. Not thread-safe: one flush at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(
        self, lines: Lines, batches: dict[str, list[pa.RecordBatch]], segment: int, done: set[Insert] | None = None
    ) -> set[Insert]:
        """Insert everything but what is in `done`, which grows insert by insert; returns it.

        Rows carry `segment`: where a process died in the middle, `inserted` says what is in. Raises what the engine
        raises.
        """
        for table, parts in batches.items():
            self._engine.insert_arrow(table, pa.concat_batches(parts) if len(parts) > 1 else parts[0])
        done = set() if done is None else done
        stream = lines.stream.astype(np.int64)
        order = part_order(stream, lines.ts_ns)
        for day, rows in _by_day(lines.ts_ns[order]):
            if (LOGS.name, day) not in done:
                self._engine.insert(LOGS.name, _columns(lines, order[rows], segment))
                done.add((LOGS.name, day))
        level, size = lines.level[order], lines.line_length[order].astype(np.int64)
        counts = counts_of(stream[order], lines.ts_ns[order], level, size)
        for day, rows in _by_day(counts.bucket_ns):
            if (LOG_COUNTS.name, day) not in done:
                columns: dict[str, AnyArray] = {
                    "stream": counts.stream[rows].astype(np.uint32),
                    "bucket": counts.bucket_ns[rows],
                    "level": counts.level[rows],
                    "lines": counts.lines[rows].astype(np.uint64),
                    "bytes": counts.bytes[rows].astype(np.uint64),
                    "segment": np.full(len(rows), segment, np.uint32),
                }
                self._engine.insert(LOG_COUNTS.name, columns)
                done.add((LOG_COUNTS.name, day))
        return done

    def inserted(self, segment: int) -> set[Insert]:
        """What of the segment is in parts already."""
        return self._days(LOGS, segment) | self._days(LOG_COUNTS, segment)

    def _days(self, table: Table, segment: int) -> set[Insert]:
        found = self._engine.columns(
            f"SELECT DISTINCT {table.partition_by} AS day FROM {table.name} WHERE segment = {segment}"
        )
        return {(table.name, int(day)) for day in found["day"].astype(np.int64)} if found else set()


def _by_day(ts_ns: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Partitions (days mostly) and the rows that belong to each, in their order."""
    if len(ts_ns) == 0:
        return
    day = partitions(ts_ns)
    if day.min() == day.max():
        yield int(day[0]), np.arange(len(day))
        return
    order = np.argsort(day, kind="stable")
    bounds = np.flatnonzero(np.diff(day[order])) + 1
    for rows in np.split(order, bounds):
        yield int(day[rows[0]]), rows


def _columns(lines: Lines, rows: NDArray[np.int64], segment: int) -> dict[str, AnyColumn]:
    ts_ns = lines.ts_ns[rows]
    return {
        "stream": lines.stream[rows],
        "ts": ts_ns,
        "level": lines.level[rows],
        "severity": lines.severity[rows],
        "observed": observed_offsets(lines.observed_ns[rows], ts_ns),
        "trace_id": lines.trace_id[rows],
        "span_id": lines.span_id[rows],
        "shape": lines.shape[rows],
        "metadata": metadata_column(lines, rows),
        "line": line_column(lines, rows),
        "segment": np.full(len(rows), segment, np.uint32),
    }


class LogWriter:
    """Implements `flusher.Writer` for lines."""

    def __init__(self, writer: LogPartWriter, memory: LogMemory) -> None:
        self._writer = writer
        self._memory = memory

    def __call__(self, generation: LogGeneration, *, is_retry: bool) -> int:
        """As `flusher.Writer`."""
        segment = generation.segment.number
        done = self._writer.inserted(segment) if is_retry else set()
        self._writer.write(generation.lines.snapshot(), generation.batches, segment, done)
        n_lines = len(generation.lines)
        self._memory.flushed(generation)
        return n_lines
