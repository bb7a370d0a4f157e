"""A generation of lines: what has been acknowledged since the last one was sealed, and the segment that holds it."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES, LogBatch
from swarmscope.store.embedded.journal import Frame, Segment
from swarmscope.store.embedded.logs.lines import (
    ROW_COLUMNS,
    Lines,
    copy_texts,
    count_bytes,
    empty_lines,
    incoming,
    row_bytes,
    rows_of,
    text_starts,
)
from swarmscope.store.embedded.rows import from_ipc, to_ipc

# The journal's names of the columns of lines; every other column of a frame is an Arrow stream of that table's rows.
_COLUMNS = (
    "stream", "ts_ns", "level", "severity", "observed_ns", "trace_id", "span_id", "shape", "line_length",
    "metadata_length", "text",
)  # fmt: skip
_MIN_ROWS = 1 << 14
_MIN_BYTES = 1 << 20


class LiveLines:
    """Lines in order of arrival. One thread writes, any thread reads a prefix.

    Rows are first written behind the published ones (`stage`), where the journal takes them from, and seen by readers
    only once they are published.
    """

    def __init__(self, n_rows: int = _MIN_ROWS, n_bytes: int = _MIN_BYTES) -> None:
        """Room for so many rows and bytes to begin with; memory that is never touched costs nothing."""
        self._room = empty_lines(n_rows, n_bytes)
        self._length = 0
        self._bytes = 0
        self._staged = (0, 0)

    def __len__(self) -> int:
        return self._length

    @property
    def n_bytes(self) -> int:
        """Bytes of published lines and metadata."""
        return self._bytes

    def stage(
        self, batch: LogBatch, refs: NDArray[np.int64], shapes: NDArray[np.int64], rows: NDArray[np.int64]
    ) -> Lines:
        """Write the batch's `rows` [n] behind what is there; `refs` by stream of the batch, `shapes` by its row."""
        source = incoming(batch, rows)
        begin, at = self._staged
        end = begin + len(rows)
        self._make_room(end, at + int(count_bytes(source)))
        room = self._room
        self._staged = (end, int(copy_texts(source, room, begin, at)))
        room.stream[begin:end] = refs[batch.stream[rows]]
        room.shape[begin:end] = shapes[rows]
        for name in ("ts_ns", "level", "severity", "observed_ns", "trace_id", "span_id"):
            getattr(room, name)[begin:end] = getattr(batch, name)[rows]
        return rows_of(room, slice(begin, end))

    def stage_lines(self, lines: Lines) -> None:
        """Write rows of a frame behind what is there."""
        begin, at = self._staged
        end, stop = begin + len(lines.ts_ns), at + len(lines.text)
        self._make_room(end, stop)
        for name in ROW_COLUMNS:
            getattr(self._room, name)[begin:end] = getattr(lines, name)
        self._room.line_start[begin:end] = lines.line_start + at
        self._room.text[at:stop] = lines.text
        self._staged = (end, stop)

    def unstage(self, lines: Lines) -> None:
        """Take back the rows that the last `stage` returned."""
        self._staged = (self._staged[0] - len(lines.ts_ns), self._staged[1] - row_bytes(lines))

    def staged(self) -> Lines:
        """What is written and not yet published; the text is that of these rows alone."""
        lines = rows_of(self._room, slice(self._length, self._staged[0]))
        return lines._replace(text=self._room.text[self._bytes : self._staged[1]])

    def publish(self) -> None:
        """Let readers see what was staged."""
        self._length, self._bytes = self._staged

    def withdraw(self) -> None:
        """Forget what was staged."""
        self._staged = (self._length, self._bytes)

    def snapshot(self) -> Lines:
        """Views on everything published so far."""
        # The length first: room is replaced before a longer length is published.
        length = self._length
        return rows_of(self._room, slice(0, length))

    def _make_room(self, n_rows: int, n_bytes: int) -> None:
        room = self._room
        if n_rows <= len(room.ts_ns) and n_bytes <= len(room.text):
            return
        larger = empty_lines(max(n_rows, 2 * len(room.ts_ns)), max(n_bytes, 2 * len(room.text)))
        end, stop = self._staged
        for name in ROW_COLUMNS:
            getattr(larger, name)[:end] = getattr(room, name)[:end]
        larger.text[:stop] = room.text[:stop]
        self._room = larger


def to_frame(lines: Lines, batches: dict[str, pa.RecordBatch]) -> Frame:
    """The journal's form of a commit; the lines' text MUST be theirs alone."""
    frame: Frame = {}
    if len(lines.ts_ns):
        frame = {name: np.ascontiguousarray(getattr(lines, name)).reshape(-1) for name in _COLUMNS}
    for table, batch in batches.items():
        frame[table] = to_ipc(batch)
    return frame


def from_frame(frame: Frame) -> tuple[Lines, dict[str, pa.RecordBatch]]:
    """Read back what `to_frame` wrote. Raises ValueError where the columns do not fit one another."""
    batches = {name: from_ipc(column.view(np.uint8)) for name, column in frame.items() if name not in _COLUMNS}
    if "ts_ns" not in frame:
        return empty_lines(0, 0), batches
    missing = [name for name in _COLUMNS if name not in frame]
    if missing:
        raise ValueError(f"columns {missing} are missing")
    columns = {name: frame[name] for name in _COLUMNS}
    n = len(columns["ts_ns"])
    columns["trace_id"] = columns["trace_id"].reshape(n, TRACE_ID_BYTES)
    columns["span_id"] = columns["span_id"].reshape(n, SPAN_ID_BYTES)
    if any(len(column) != n for name, column in columns.items() if name != "text"):
        raise ValueError("its columns differ in length")
    starts = text_starts(columns["line_length"].astype(np.uint32), columns["metadata_length"].astype(np.uint32))
    template = empty_lines(0, 0)
    typed = {name: columns[name].astype(getattr(template, name).dtype, copy=False) for name in _COLUMNS}
    lines = template._replace(line_start=starts, **typed)
    if row_bytes(lines) != len(lines.text):
        raise ValueError("its text is not as long as its lines")
    return lines, batches


class LogGeneration:
    """Acknowledged lines on their way to parts."""

    def __init__(self, segment: Segment, *, n_rows: int = _MIN_ROWS, n_bytes: int = _MIN_BYTES) -> None:
        self.segment = segment
        self.lines = LiveLines(n_rows, n_bytes)
        self.batches: dict[str, list[pa.RecordBatch]] = {}
        self.started_s = time.monotonic()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was acknowledged in it yet."""
        return len(self.lines) == 0 and not self.batches

    def publish(self, batches: dict[str, pa.RecordBatch]) -> None:
        """Make the staged lines, which are in the journal now, visible to readers."""
        if self.is_empty:
            self.started_s = time.monotonic()
        self.lines.publish()
        for table, batch in batches.items():
            self.batches = {**self.batches, table: [*self.batches.get(table, []), batch]}
