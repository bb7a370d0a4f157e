"""A generation of spans: what has been acknowledged since the last one was sealed, and the segment that holds it."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa

from swarmscope.store.embedded.generations import Generations, Snapshot
from swarmscope.store.embedded.journal import Frame, Segment
from swarmscope.store.embedded.rows import from_ipc, to_ipc
from swarmscope.store.embedded.spans.span_columns import (
    ROW_COLUMNS,
    LiveSpans,
    Spans,
    column_width,
    empty_spans,
    row_lengths,
)

# The journal's names of the columns of spans; every other column of a frame is an Arrow stream of that table's rows.
_COLUMNS = (*(name for name in ROW_COLUMNS if name != "text_start"), "text")


def to_frame(spans: Spans, batches: dict[str, pa.RecordBatch]) -> Frame:
    """The journal's form of a commit; the spans' text MUST be theirs alone, and in their order."""
    frame: Frame = {}
    if len(spans.ts_ns):
        frame = {name: np.ascontiguousarray(getattr(spans, name)).reshape(-1) for name in _COLUMNS}
    for table, batch in batches.items():
        frame[table] = to_ipc(batch)
    return frame


def from_frame(frame: Frame) -> tuple[Spans, dict[str, pa.RecordBatch]]:
    """Read back what `to_frame` wrote. Raises ValueError where the columns do not fit one another."""
    batches = {name: from_ipc(column.view(np.uint8)) for name, column in frame.items() if name not in _COLUMNS}
    if "ts_ns" not in frame:
        return empty_spans(0, 0), batches
    missing = [name for name in _COLUMNS if name not in frame]
    if missing:
        raise ValueError(f"columns {missing} are missing")
    template, n = empty_spans(0, 0), len(frame["ts_ns"])
    columns = {name: frame[name].astype(getattr(template, name).dtype, copy=False) for name in _COLUMNS}
    for name, column in columns.items():
        if width := column_width(name):
            columns[name] = column.reshape(n, width)
    if any(len(column) != n for name, column in columns.items() if name != "text"):
        raise ValueError("its columns differ in length")
    spans = template._replace(**columns)
    length = row_lengths(spans)
    if int(length.sum()) != len(spans.text):
        raise ValueError("its text is not as long as its spans")
    return spans._replace(text_start=np.cumsum(length) - length), batches


class SpanGeneration:
    """Acknowledged spans on their way to parts."""

    def __init__(self, segment: Segment, *, n_rows: int = 1 << 12, n_bytes: int = 1 << 20) -> None:
        self.segment = segment
        self.spans = LiveSpans(n_rows, n_bytes)
        self.batches: dict[str, list[pa.RecordBatch]] = {}
        self.started_s = time.monotonic()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was acknowledged in it yet."""
        return len(self.spans) == 0 and not self.batches

    @property
    def n_bytes(self) -> int:
        """Bytes of memory that its spans take."""
        return self.spans.n_bytes + len(self.spans) * BYTES_A_ROW

    def publish(self, batches: dict[str, pa.RecordBatch]) -> None:
        """Make the staged spans, which are in the journal now, visible to readers."""
        if self.is_empty:
            self.started_s = time.monotonic()
        self.spans.publish()
        for table, batch in batches.items():
            self.batches = {**self.batches, table: [*self.batches.get(table, []), batch]}


SpanMemory = Generations[SpanGeneration]
SpanSnapshot = Snapshot[SpanGeneration]
# What a row takes beside its texts.
BYTES_A_ROW = sum(column.nbytes for column in empty_spans(1, 0))


def unflushed_bytes(memory: SpanMemory) -> int:
    """How many bytes of acknowledged spans wait for their part."""
    return sum(generation.n_bytes for generation in memory.snapshot().generations)
