"""Which of a batch's streams and lines may come in: their labels' shape, how many streams there are, and sizes.

Known streams' labels are not looked at: they have been let in before.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import LogBatch
from swarmscope.model.metrics import UNKNOWN_SERIES

_CONTINUATION_MASK, _CONTINUATION = 0xC0, 0x80  # UTF-8 bytes that go on with a character
_MAX_CONTINUATIONS = 3


class Oversized(Enum):
    """What becomes of a line that is too long."""

    REFUSE = "refuse"
    TRUNCATE = "truncate"


@dataclass(frozen=True, slots=True)
class LogLimits:
    """Limits of one tenant, and `max_total_streams` of all together; 0 means no limit."""

    max_streams: int = 0
    max_label_names: int = 0
    max_label_name_bytes: int = 0
    max_label_value_bytes: int = 0
    max_line_bytes: int = 0
    oversized_lines: Oversized = Oversized.REFUSE
    max_metadata_entries: int = 0
    max_metadata_bytes: int = 0
    max_bytes_per_second: int = 0
    max_total_streams: int = 0


class StreamCounts(Protocol):
    """What the limits ask the catalogue of streams. Cheap enough to ask per request, thread-safe."""

    def active_total(self, tenant: str | None = None) -> int:
        """Active streams of a tenant, or of all."""
        ...


class StreamVerdict(IntEnum):
    """Why a stream stays out. The order is that of the checks: the first that fails counts."""

    ADMITTED = 0
    LABEL_NAMES = 1
    LABEL_NAME_BYTES = 2
    LABEL_VALUE_BYTES = 3
    STREAMS = 4
    TOTAL_STREAMS = 5

    @property
    def field(self) -> str:
        """The limit's field in `LogLimits`, and its key below `limits.logs`."""
        return _STREAM_FIELDS[self]

    @property
    def is_retryable(self) -> bool:
        """Whether the same stream may be let in later, without being changed."""
        return self >= StreamVerdict.STREAMS


_STREAM_FIELDS = {
    StreamVerdict.LABEL_NAMES: "max_label_names",
    StreamVerdict.LABEL_NAME_BYTES: "max_label_name_bytes",
    StreamVerdict.LABEL_VALUE_BYTES: "max_label_value_bytes",
    StreamVerdict.STREAMS: "max_streams",
    StreamVerdict.TOTAL_STREAMS: "max_total_streams",
}


class LineVerdict(IntEnum):
    """Why a line stays out."""

    ADMITTED = 0
    LINE_BYTES = 1
    METADATA_ENTRIES = 2
    METADATA_BYTES = 3

    @property
    def field(self) -> str:
        """The limit's field in `LogLimits`, and its key below `limits.logs`."""
        return _LINE_FIELDS[self]


_LINE_FIELDS = {
    LineVerdict.LINE_BYTES: "max_line_bytes",
    LineVerdict.METADATA_ENTRIES: "max_metadata_entries",
    LineVerdict.METADATA_BYTES: "max_metadata_bytes",
}


def judge_labels(labels: LabelSets, limits: LogLimits) -> NDArray[np.int8]:
    """Stream verdicts [n_sets] on number and length of labels."""
    verdicts = np.zeros(len(labels), np.int8)
    if limits.max_label_names:
        verdicts[np.diff(labels.offsets) > limits.max_label_names] = StreamVerdict.LABEL_NAMES
    _mark_long(verdicts, labels, labels.names.length, limits.max_label_name_bytes, StreamVerdict.LABEL_NAME_BYTES)
    _mark_long(verdicts, labels, labels.values.length, limits.max_label_value_bytes, StreamVerdict.LABEL_VALUE_BYTES)
    return verdicts


def _mark_long(
    verdicts: NDArray[np.int8], labels: LabelSets, length: NDArray[np.int64], max_bytes: int, verdict: StreamVerdict
) -> None:
    if not max_bytes or not len(length) or length.max() <= max_bytes:
        return
    pairs = np.flatnonzero(length > max_bytes)
    owners = np.searchsorted(labels.offsets, pairs, side="right") - 1
    verdicts[owners[verdicts[owners] == StreamVerdict.ADMITTED]] = verdict


def refuse_surplus(verdicts: NDArray[np.int8], room: int, verdict: StreamVerdict) -> None:
    """Admit the first `room` of the sets that are admitted so far; the others get `verdict`."""
    admitted = np.flatnonzero(verdicts == StreamVerdict.ADMITTED)
    verdicts[admitted[max(room, 0) :]] = verdict


def metadata_bytes(metadata: LabelSets) -> NDArray[np.int64]:
    """Bytes [n_sets] of each set's names and values."""
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(metadata.names.length + metadata.values.length)])
    sizes: NDArray[np.int64] = np.diff(ends[metadata.offsets])
    return sizes


def judge_lines(batch: LogBatch, limits: LogLimits) -> NDArray[np.int8]:
    """Line verdicts [n_lines] on the sizes of lines and their metadata."""
    verdicts = np.zeros(len(batch), np.int8)
    if limits.max_metadata_bytes:
        verdicts[metadata_bytes(batch.metadata) > limits.max_metadata_bytes] = LineVerdict.METADATA_BYTES
    if limits.max_metadata_entries:
        verdicts[np.diff(batch.metadata.offsets) > limits.max_metadata_entries] = LineVerdict.METADATA_ENTRIES
    if limits.max_line_bytes and limits.oversized_lines is Oversized.REFUSE:
        verdicts[batch.line.length > limits.max_line_bytes] = LineVerdict.LINE_BYTES
    return verdicts


def truncated(lines: Utf8Column, max_bytes: int) -> tuple[Utf8Column, int]:
    """`lines` cut to `max_bytes`, never inside a character, and how many were cut."""
    long = np.flatnonzero(lines.length > max_bytes)
    if not len(long):
        return lines, 0
    cut = lines.start[long] + max_bytes
    for _ in range(_MAX_CONTINUATIONS):
        cut -= (lines.buffer[cut] & _CONTINUATION_MASK) == _CONTINUATION
    length = lines.length.copy()
    length[long] = np.maximum(cut - lines.start[long], 0)
    return Utf8Column(lines.buffer, lines.start, length), len(long)


def without_streams(batch: LogBatch, keep: NDArray[np.bool_]) -> None:
    """Take the unknown streams where `keep` [len(batch.new_labels)] is false out of `batch`, with their lines."""
    kept = np.ones(len(batch.stream_key), np.bool_)
    kept[np.flatnonzero(batch.stream_ref == UNKNOWN_SERIES)[~keep]] = False
    batch.take(np.flatnonzero(kept[batch.stream]))
    batch.stream = (np.cumsum(kept) - 1)[batch.stream]
    batch.stream_key = batch.stream_key[kept]
    batch.stream_ref = batch.stream_ref[kept]
    batch.new_labels = batch.new_labels.take(np.flatnonzero(keep))
