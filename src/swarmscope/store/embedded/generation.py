"""A generation: what has been acknowledged since the last one was sealed, with the journal segment that holds it."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa

from swarmscope.store.embedded.journal import Frame, Segment
from swarmscope.store.embedded.rows import from_ipc, to_ipc
from swarmscope.store.embedded.runs import Rows

_INITIAL_CAPACITY = 1 << 14

# The journal's names of the sample columns; every other column of a frame is an Arrow stream of that table's rows.
REF, TS, VALUE = "ref", "ts_ms", "value"


class LiveRows:
    """Samples in order of arrival, in buffers that double. One thread appends, any thread reads a prefix."""

    def __init__(self) -> None:
        self._rows = _room(_INITIAL_CAPACITY)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, rows: Rows) -> None:
        """Copy rows to the end."""
        needed = self._length + len(rows.ref)
        if needed > len(self._rows.ref):
            larger = _room(max(needed, 2 * len(self._rows.ref)))
            _copy(self.snapshot(), larger, 0)
            self._rows = larger
        _copy(rows, self._rows, self._length)
        # Readers take the length first and the buffers second, so a longer length is published last.
        self._length = needed

    def snapshot(self) -> Rows:
        """Views on everything appended so far."""
        length = self._length
        rows = self._rows
        return Rows(rows.ref[:length], rows.ts_ms[:length], rows.value[:length])


def _copy(source: Rows, target: Rows, at: int) -> None:
    end = at + len(source.ref)
    target.ref[at:end] = source.ref
    target.ts_ms[at:end] = source.ts_ms
    target.value[at:end] = source.value


def _room(capacity: int) -> Rows:
    return Rows(np.empty(capacity, np.uint32), np.empty(capacity, np.int64), np.empty(capacity, np.float64))


class Commit:
    """What one group commit makes durable: samples, and rows of other tables by table name."""

    def __init__(self, rows: Rows, batches: dict[str, pa.RecordBatch]) -> None:
        self.rows = rows
        self.batches = batches

    def to_frame(self) -> Frame:
        """The journal's form."""
        frame: Frame = {}
        if len(self.rows.ref):
            frame = {REF: self.rows.ref, TS: self.rows.ts_ms, VALUE: self.rows.value}
        for table, batch in self.batches.items():
            frame[table] = to_ipc(batch)
        return frame

    @classmethod
    def from_frame(cls, frame: Frame) -> Commit:
        """Read back what `to_frame` wrote."""
        batches = {
            name: from_ipc(column.astype(np.uint8, copy=False))
            for name, column in frame.items()
            if name not in (REF, TS, VALUE)
        }
        if REF not in frame:
            return cls(_room(0), batches)
        ref = frame[REF].astype(np.uint32, copy=False)
        ts_ms = frame[TS].astype(np.int64, copy=False)
        return cls(Rows(ref, ts_ms, frame[VALUE].astype(np.float64, copy=False)), batches)


class Generation:
    """Acknowledged rows on their way to parts."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.samples = LiveRows()
        self.batches: dict[str, list[pa.RecordBatch]] = {}
        self.started_s = time.monotonic()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was acknowledged in it yet."""
        return len(self.samples) == 0 and not self.batches

    @property
    def n_rows(self) -> int:
        """Rows of all tables."""
        others: int = sum(batch.num_rows for batches in self.batches.values() for batch in batches)
        return len(self.samples) + others

    def add(self, commit: Commit) -> None:
        """Make an acknowledged commit visible to readers."""
        self.samples.append(commit.rows)
        for table, batch in commit.batches.items():
            # A new list each time, so that readers never see one change under them.
            self.batches = {**self.batches, table: [*self.batches.get(table, []), batch]}
