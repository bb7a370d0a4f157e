"""Logs: lines on their way in (one batch is what one request brought) and on their way out, in columns.

A line belongs to a stream, which is a set of labels, as in Loki. What else is known of the line is structured metadata:
pairs of name and value under the names that the sender used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import DEFAULT_TENANT, LabelSets, Utf8Column

TRACE_ID_BYTES = 16
SPAN_ID_BYTES = 8
# Every packed value stands behind its length in this many bytes, little-endian.
LENGTH_BYTES = 4


class Level(IntEnum):
    """How grave a line is. The names in lower case are the values of Loki's `detected_level`."""

    UNKNOWN = 0
    TRACE = 1
    DEBUG = 2
    INFO = 3
    WARN = 4
    ERROR = 5
    CRITICAL = 6
    FATAL = 7


@dataclass(slots=True)
class LogBatch:
    """One request's lines. `stream` points into the batch's own streams.

    `stream_key`, `stream_ref` and `new_labels` are to streams what they are to series in `MetricBatch`, looked up in
    the `SeriesIndex` of streams. A sink that refuses some lines MUST drop their rows (`take`); the sink that owns a
    batch may change it in place. Values are UTF-8: decoders replace what is not.
    """

    stream_key: NDArray[np.uint64]  # [n_streams]
    stream_ref: NDArray[np.int64]  # [n_streams]
    new_labels: LabelSets  # [count of stream_ref == UNKNOWN_SERIES]
    stream: NDArray[np.int64]  # [n_lines]
    ts_ns: NDArray[np.int64]  # [n_lines] Unix nanoseconds
    line: Utf8Column  # [n_lines]
    metadata: LabelSets  # [n_lines] structured metadata; a name stands once a line, values are not empty
    level: NDArray[np.uint8]  # [n_lines] Level; UNKNOWN where the sender did not say
    severity: NDArray[np.uint8]  # [n_lines] OpenTelemetry's severity number, 0 for none
    observed_ns: NDArray[np.int64]  # [n_lines] 0 for not told
    trace_id: NDArray[np.uint8]  # [n_lines, TRACE_ID_BYTES] zeros for none
    span_id: NDArray[np.uint8]  # [n_lines, SPAN_ID_BYTES] zeros for none
    tenant: str = DEFAULT_TENANT

    def __len__(self) -> int:
        return len(self.ts_ns)

    def take(self, rows: NDArray[np.int64]) -> None:
        """Keep the lines `rows` [n] alone, in that order; the streams stay."""
        for name in _LINE_COLUMNS:
            setattr(self, name, getattr(self, name)[rows])
        self.line = self.line.take(rows)
        self.metadata = self.metadata.take(rows)


_LINE_COLUMNS = ("stream", "ts_ns", "level", "severity", "observed_ns", "trace_id", "span_id")


@dataclass(frozen=True, slots=True)
class LogRows:
    """Lines on their way out, sorted by (stream, ts_ns); `stream` is the position in the selection.

    `shape` names the metadata names that the line's values stand for (`LogReader.shape_names`), `metadata` holds the
    values one behind the other as `pack_values` made them. Columns that the request did not ask for are empty.
    """

    stream: NDArray[np.int64]  # [n]
    ts_ns: NDArray[np.int64]  # [n]
    line: Utf8Column  # [n]
    shape: NDArray[np.int64]  # [n]
    metadata: Utf8Column  # [n]
    level: NDArray[np.uint8]  # [n] Level
    severity: NDArray[np.uint8]  # [n]
    observed_ns: NDArray[np.int64]  # [n]
    trace_id: NDArray[np.uint8]  # [n, TRACE_ID_BYTES]
    span_id: NDArray[np.uint8]  # [n, SPAN_ID_BYTES]

    def __len__(self) -> int:
        return len(self.ts_ns)

    @classmethod
    def empty(cls) -> LogRows:
        """No lines."""
        i64, u8 = np.zeros(0, np.int64), np.zeros(0, np.uint8)
        texts = Utf8Column(u8, i64, i64)
        ids = (np.zeros((0, TRACE_ID_BYTES), np.uint8), np.zeros((0, SPAN_ID_BYTES), np.uint8))
        return cls(i64, i64, texts, i64, texts, u8, u8, i64, *ids)


@dataclass(frozen=True, slots=True)
class LineCounts:
    """Lines and bytes by stream, level and bucket of time; a bucket is (bucket_ns - grain, bucket_ns].

    One row for each combination that has lines, in any order, and a combination may stand more than once.
    """

    stream: NDArray[np.int64]  # [n] position in the selection
    level: NDArray[np.uint8]  # [n] Level
    bucket_ns: NDArray[np.int64]  # [n] end of the bucket
    lines: NDArray[np.int64]  # [n]
    bytes: NDArray[np.int64]  # [n] of the lines' text


@dataclass(frozen=True, slots=True)
class LineColumns:
    """Which columns of `LogRows` are wanted beside stream and time."""

    line: bool = True
    metadata: bool = True  # shape and metadata, severity, observed time, trace and span ids
    level: bool = True


@dataclass(frozen=True, slots=True)
class LineRequest:
    """What lines are wanted: start_ns <= ts < end_ns.

    `needles` are texts of which every wanted line has all (`absent`: none); they are hints: a reader MAY leave out
    lines that break them, and the caller filters again. So are `values`, which a wanted line has all of unless there
    is a backslash in it, behind which anything may be spelled.
    """

    start_ns: int
    end_ns: int
    columns: LineColumns = field(default_factory=LineColumns)
    needles: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    levels: frozenset[Level] | None = None  # a hint as well
    values: tuple[str, ...] = ()


@njit(nogil=True, cache=True)
def pack_values(
    offsets: NDArray[np.int64], buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Values of n rows (row i has entries `offsets[i] : offsets[i + 1]`) as one byte string a row.

    Returns buffer, starts [n] and lengths [n] of the packed rows.
    """
    n = len(offsets) - 1
    starts, lengths = np.empty(n, np.int64), np.empty(n, np.int64)
    total = 0
    for row in range(n):
        starts[row] = total
        for entry in range(offsets[row], offsets[row + 1]):
            total += LENGTH_BYTES + length[entry]
        lengths[row] = total - starts[row]
    packed = np.empty(total, np.uint8)
    at = 0
    for entry in range(offsets[0], offsets[n]):
        size = length[entry]
        for k in range(LENGTH_BYTES):
            packed[at + k] = (size >> (8 * k)) & 0xFF
        at += LENGTH_BYTES
        for k in range(size):
            packed[at + k] = buffer[start[entry] + k]
        at += size
    return packed, starts, lengths


@njit(nogil=True, cache=True)
def find_packed(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], index: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where value `index[i]` of packed row i stands: starts [n] and lengths [n] in `buffer`; length -1 where index < 0
    or the row has fewer values.
    """
    n = len(start)
    starts, lengths = np.zeros(n, np.int64), np.full(n, -1, np.int64)
    for row in range(n):
        at, end, left = start[row], start[row] + length[row], index[row]
        if left < 0:
            continue
        while at + LENGTH_BYTES <= end:
            size = np.int64(0)
            for k in range(LENGTH_BYTES):
                size |= np.int64(buffer[at + k]) << (8 * k)
            if left == 0:
                starts[row], lengths[row] = at + LENGTH_BYTES, size
                break
            at += LENGTH_BYTES + size
            left -= 1
    return starts, lengths
