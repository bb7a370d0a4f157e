"""Lines from parts and from memory as `LogRows` of a selection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import LineColumns, LineRequest, LogRows
from swarmscope.store.embedded.logs.flush import observed_times
from swarmscope.store.embedded.logs.lines import Lines, compact, line_column, metadata_column
from swarmscope.store.embedded.logs.sorting import is_ordered, order_by_stream_and_time, part_order
from swarmscope.store.embedded.native import AnyArray, AnyColumn
from swarmscope.store.embedded.runs import position_table

_ALL_LEVELS = 0xFF


@dataclass(frozen=True, slots=True)
class Positions:
    """Where each stream of a selection stands in it."""

    lowest: int
    table: NDArray[np.int32]  # position by ref - lowest, -1 for none

    @classmethod
    def of(cls, refs: NDArray[np.int64]) -> Positions:
        """For the streams `refs` [n]."""
        return cls(*position_table(np.ascontiguousarray(refs)))


def rows_of_block(block: Mapping[str, AnyColumn], positions: Positions) -> LogRows:
    """A block of `statements.lines_sql`, sorted; views on the block where it was in order."""
    arrays = {name: column for name, column in block.items() if not isinstance(column, Utf8Column)}
    ts_ns = arrays["ts"].view(np.int64)
    stream = positions.table[arrays["stream"].astype(np.int64) - positions.lowest].astype(np.int64)
    rows = replace(LogRows.empty(), stream=stream, ts_ns=ts_ns)
    if "line" in block:
        rows = replace(rows, line=cast("Utf8Column", block["line"]))
    if "level" in block:
        rows = replace(rows, level=arrays["level"].view(np.uint8))
    if "metadata" in block:
        rows = _with_metadata(rows, arrays, cast("Utf8Column", block["metadata"]))
    if len(stream) and stream.min() < 0:
        rows = taken(rows, np.flatnonzero(stream >= 0))
    return ordered(rows)


def _with_metadata(rows: LogRows, arrays: Mapping[str, AnyArray], metadata: Utf8Column) -> LogRows:
    return replace(
        rows,
        shape=arrays["shape"].astype(np.int64),
        metadata=metadata,
        severity=arrays["severity"].view(np.uint8),
        observed_ns=observed_times(arrays["observed"].view(np.int64), rows.ts_ns),
        trace_id=arrays["trace_id"].view(np.uint8),
        span_id=arrays["span_id"].view(np.uint8),
    )


def find_lines(lines: Lines, positions: Positions, request: LineRequest) -> NDArray[np.int64]:
    """Rows of `lines` that belong to the selection and to the request's time and levels, in order of arrival."""
    levels = _ALL_LEVELS if request.levels is None else sum(1 << int(level) for level in request.levels)
    found: NDArray[np.int64] = _find(
        lines.stream, lines.ts_ns, lines.level, (positions.table, positions.lowest),
        (request.start_ns, request.end_ns), levels,
    )  # fmt: skip
    return found


@njit(nogil=True, cache=True)
def _find(
    stream: NDArray[np.uint32],
    ts_ns: NDArray[np.int64],
    level: NDArray[np.uint8],
    positions: tuple[NDArray[np.int32], int],
    range_ns: tuple[int, int],
    levels: int,
) -> NDArray[np.int64]:
    table, lowest = positions
    found = np.empty(len(stream), np.int64)
    count = 0
    for row in range(len(stream)):
        slot = np.int64(stream[row]) - lowest
        if (
            0 <= slot < len(table)
            and table[slot] >= 0
            and range_ns[0] <= ts_ns[row] < range_ns[1]
            and (levels >> level[row]) & 1
        ):
            found[count] = row
            count += 1
    return found[:count].copy()


def rows_of_lines(lines: Lines, found: NDArray[np.int64], positions: Positions, columns: LineColumns) -> LogRows:
    """Rows `found` [n] of lines in memory, sorted."""
    stream = positions.table[lines.stream[found].astype(np.int64) - positions.lowest].astype(np.int64)
    order = part_order(stream, lines.ts_ns[found])
    found, stream = found[order], stream[order]
    rows = replace(LogRows.empty(), stream=stream, ts_ns=lines.ts_ns[found])
    if columns.line:
        rows = replace(rows, line=line_column(lines, found))
    if columns.level:
        rows = replace(rows, level=lines.level[found])
    if columns.metadata:
        rows = replace(
            rows,
            shape=lines.shape[found].astype(np.int64),
            metadata=metadata_column(lines, found),
            severity=lines.severity[found],
            observed_ns=lines.observed_ns[found],
            trace_id=lines.trace_id[found],
            span_id=lines.span_id[found],
        )
    return rows


def ordered(rows: LogRows) -> LogRows:
    """The rows sorted by (stream, ts_ns), equal ones as they stand."""
    if is_ordered(rows.stream, rows.ts_ns):
        return rows
    return taken(rows, order_by_stream_and_time(rows.stream, rows.ts_ns))


def taken(rows: LogRows, which: NDArray[np.int64]) -> LogRows:
    """Rows `which` [n], in that order; columns that are empty stay so."""
    columns: dict[str, Any] = {}
    for column in fields(LogRows):
        values = getattr(rows, column.name)
        if isinstance(values, Utf8Column):
            columns[column.name] = values.take(which) if len(values) else values
        else:
            columns[column.name] = values[which] if len(values) else values
    return LogRows(**columns)


def joined_rows(parts: list[LogRows]) -> LogRows:
    """All rows of all parts, sorted, with texts of their own: what they came from may go."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return LogRows.empty()
    columns: dict[str, Any] = {}
    for column in fields(LogRows):
        values = [getattr(part, column.name) for part in parts]
        texts = isinstance(values[0], Utf8Column)
        columns[column.name] = _joined_texts(values) if texts else np.concatenate(values)
    return ordered(LogRows(**columns))


def _joined_texts(parts: list[Utf8Column]) -> Utf8Column:
    compacted = [compact(part) for part in parts]
    offsets = np.cumsum([0, *(len(part.buffer) for part in compacted)])
    return Utf8Column(
        np.concatenate([part.buffer for part in compacted]),
        np.concatenate([part.start + offset for part, offset in zip(compacted, offsets.tolist(), strict=False)]),
        np.concatenate([part.length for part in compacted]),
    )


def text_bytes(rows: LogRows) -> int:
    """Bytes of lines and metadata."""
    return int(rows.line.length.sum() + rows.metadata.length.sum())
