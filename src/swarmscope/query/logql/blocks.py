"""Lines on their way through a pipeline, in columns: a block is what one batch of the reader has become so far.

A line's labels are of three kinds, as in Loki: those of its stream, its structured metadata, and those that stages
have made (parsers, formats). A label is looked for among the made ones first, then in the metadata, then in the
stream. Columns of labels are made when somebody asks for them, so a query pays for the labels that it names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import Level, LogRows, find_packed
from swarmscope.model.series import ABSENT as NO_CODE
from swarmscope.model.series import LabelFrame
from swarmscope.query.logql.extraction import ABSENT

DETECTED_LEVEL = "detected_level"
SEVERITY_NUMBER = "severity_number"
OBSERVED_TIMESTAMP = "observed_timestamp"
TRACE_ID, SPAN_ID = "trace_id", "span_id"
TYPED_METADATA = (DETECTED_LEVEL, SEVERITY_NUMBER, OBSERVED_TIMESTAMP, TRACE_ID, SPAN_ID)
EXTRACTED = "_extracted"  # what Loki adds to a name that is taken
ERROR, ERROR_DETAILS = "__error__", "__error_details__"
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_:]")
_LEVEL_TEXTS = tuple(level.name.lower() for level in Level)


class LabelKind(IntEnum):
    """Where a label comes from."""

    STREAM = 0
    METADATA = 1
    MADE = 2


def sanitised_name(name: str) -> str:
    """A metadata name as LogQL has it."""
    clean = _NOT_IN_NAMES.sub("_", name)
    return f"_{clean}" if clean[:1].isdigit() else clean


class Streams:
    """The labels of a selection's streams, as texts by stream."""

    def __init__(self, labels: LabelFrame, text_of: Callable[[int], str]) -> None:
        self._frame = labels
        self._text_of = text_of
        self._columns: dict[str, Utf8Column] = {}
        self.names = frozenset(labels.names)

    def column(self, name: str) -> Utf8Column:
        """The label's values [n_streams], ABSENT where a stream has none. Raises ValueError for an unknown name."""
        if name not in self._columns:
            codes = self._frame.codes[self._frame.names.index(name)]
            known, place = np.unique(codes, return_inverse=True)
            texts = Utf8Column.from_strings(["" if code == NO_CODE else self._text_of(int(code)) for code in known])
            lengths = np.where(known == NO_CODE, ABSENT, texts.length)
            self._columns[name] = Utf8Column(texts.buffer, texts.start[place], lengths[place])
        return self._columns[name]


class Shapes:
    """The sanitised metadata names of shapes, and where a name's value stands in each of them."""

    def __init__(self, names_of: Callable[[int], tuple[str, ...]]) -> None:
        self._names_of = names_of
        self._names: dict[int, tuple[str, ...]] = {}

    def names(self, shape: int) -> tuple[str, ...]:
        """The names of a shape's values, in their order."""
        if shape not in self._names:
            self._names[shape] = tuple(map(sanitised_name, self._names_of(shape)))
        return self._names[shape]

    def index_of(self, name: str, shapes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Place of the name's value for lines of these shapes [n], -1 where they have none."""
        known, place = np.unique(shapes, return_inverse=True)
        at = [self.names(shape).index(name) if name in self.names(shape) else -1 for shape in known.tolist()]
        return np.array(at, np.int64)[place]


@dataclass(slots=True)
class LineBlock:
    """n lines. Stages change the block in place; `source` stays what the reader gave, `rows` says what is left."""

    source: LogRows
    streams: Streams
    shapes: Shapes
    rows: NDArray[np.int64]  # [n] places in `source`
    line: Utf8Column  # [n]
    made: dict[str, Utf8Column] = field(default_factory=dict)
    _of_stream: dict[str, Utf8Column] = field(default_factory=dict)
    _metadata: dict[str, Utf8Column] = field(default_factory=dict)
    _dropped: dict[str, NDArray[np.bool_]] = field(default_factory=dict)  # stream and metadata labels that are gone

    @classmethod
    def from_rows(cls, rows: LogRows, streams: Streams, shapes: Shapes) -> LineBlock:
        """A block of all lines of a batch; where nobody asked for their text, it is absent."""
        line = rows.line if len(rows.line) == len(rows) else absent_column(len(rows))
        return cls(rows, streams, shapes, np.arange(len(rows)), line)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ts_ns(self) -> NDArray[np.int64]:
        """Times [n]."""
        return self.source.ts_ns[self.rows]

    @property
    def stream(self) -> NDArray[np.int64]:
        """Positions in the selection [n]."""
        return self.source.stream[self.rows]

    def keep(self, chosen: NDArray[np.bool_]) -> None:
        """Go on with the chosen lines [n] alone."""
        if chosen.all():
            return
        left = np.flatnonzero(chosen)
        self.rows = self.rows[left]
        self.line = self.line.take(left)
        for columns in (self.made, self._of_stream, self._metadata):
            for name, column in columns.items():
                columns[name] = column.take(left)
        for name, gone in self._dropped.items():
            self._dropped[name] = gone[left]

    def label(self, name: str) -> Utf8Column:
        """The label's values [n], ABSENT where a line has none."""
        parts = [self.made.get(name), self.metadata_label(name), self.stream_label(name)]
        found = [part for part in parts if part is not None]
        if not found:
            return absent_column(len(self))
        column = found[0]
        for other in found[1:]:
            column = coalesced(column, other)
        return column

    def stream_label(self, name: str) -> Utf8Column | None:
        """The stream's label [n] as far as it was not dropped; None where no stream has it."""
        if name not in self.streams.names:
            return None
        if name not in self._of_stream:
            column = self.streams.column(name).take(self.stream)
            self._of_stream[name] = without(column, self._dropped.get(name))
        return self._of_stream[name]

    def metadata_label(self, name: str) -> Utf8Column | None:
        """The metadata's value [n] as far as it was not dropped; None where no line of the batch has it."""
        if name not in self._metadata:
            column = self._typed(name) if name in TYPED_METADATA else None
            packed = self._beside_labels(name)
            if column is not None and packed is not None:
                column = coalesced(column, packed)
            column = column if column is not None else packed
            if column is None:
                return None
            self._metadata[name] = without(column, self._dropped.get(name))
        return self._metadata[name]

    def _beside_labels(self, name: str) -> Utf8Column | None:
        """As `_packed`; metadata with the name of one of its stream's labels goes under Loki's suffix instead."""
        column = self._packed(name)
        if column is not None and name in self.streams.names:
            column = without(column, self.streams.column(name).take(self.stream).length >= 0)
        base = name.removesuffix(EXTRACTED)
        renamed = self._packed(base) if base != name and base in self.streams.names else None
        if renamed is None:
            return column
        renamed = without(renamed, self.streams.column(base).take(self.stream).length < 0)
        return renamed if column is None else coalesced(column, renamed)

    def _packed(self, name: str) -> Utf8Column | None:
        if not len(self.source.shape):
            return None
        index = self.shapes.index_of(name, self.source.shape[self.rows])
        if not (index >= 0).any():
            return None
        held = self.source.metadata.take(self.rows)
        start, length = find_packed(held.buffer, held.start, held.length, index)
        return Utf8Column(held.buffer, start, length)

    def _typed(self, name: str) -> Utf8Column | None:
        source, rows = self.source, self.rows
        if name == DETECTED_LEVEL and len(source.level):
            texts = Utf8Column.from_strings(_LEVEL_TEXTS)
            return texts.take(source.level[rows].astype(np.int64))
        if name == SEVERITY_NUMBER and len(source.severity):
            return number_texts(source.severity[rows].astype(np.int64))
        if name == OBSERVED_TIMESTAMP and len(source.observed_ns):
            return number_texts(source.observed_ns[rows])
        if name == TRACE_ID and len(source.trace_id):
            return hex_texts(source.trace_id[rows])
        if name == SPAN_ID and len(source.span_id):
            return hex_texts(source.span_id[rows])
        return None

    def names(self, kind: LabelKind) -> list[str]:
        """Names of that kind that any line may have."""
        if kind is LabelKind.MADE:
            return list(self.made)
        if kind is LabelKind.STREAM:
            return [name for name in sorted(self.streams.names) if not self._is_gone(name)]
        typed = [name for name in TYPED_METADATA if self._typed(name) is not None]
        shapes = np.unique(self.source.shape[self.rows]).tolist() if len(self.source.shape) else []
        packed = {name for shape in shapes for name in self.shapes.names(shape)}
        packed |= {name + EXTRACTED for name in packed & self.streams.names}
        return [name for name in (*typed, *sorted(packed - set(typed))) if not self._is_gone(name)]

    def _is_gone(self, name: str) -> bool:
        gone = self._dropped.get(name)
        return gone is not None and bool(gone.all())

    def set_label(self, name: str, column: Utf8Column) -> None:
        """Make a label [n]: present cells win over what was there, ABSENT ones leave it."""
        before = self.made.get(name)
        self.made[name] = column if before is None else coalesced(column, before)

    def drop_label(self, name: str, chosen: NDArray[np.bool_]) -> None:
        """Take a label of every kind off the chosen lines [n]."""
        if name in self.made:
            self.made[name] = without(self.made[name], chosen)
        before = self._dropped.get(name)
        self._dropped[name] = chosen if before is None else before | chosen
        for columns in (self._of_stream, self._metadata):
            if name in columns:
                columns[name] = without(columns[name], chosen)

    def note_error(self, chosen: NDArray[np.bool_], error: str, details: str | Utf8Column) -> None:
        """Put `__error__` and `__error_details__` ([n] or the same for all) on chosen lines without one yet."""
        before = self.made.get(ERROR)
        fresh = chosen if before is None else chosen & (before.length <= 0)
        if fresh.any():
            texts = constant_column(details, fresh) if isinstance(details, str) else without(details, ~fresh)
            self.set_label(ERROR, constant_column(error, fresh))
            self.set_label(ERROR_DETAILS, texts)


def absent_column(n: int) -> Utf8Column:
    """A label that no line has."""
    return Utf8Column(np.zeros(0, np.uint8), np.zeros(n, np.int64), np.full(n, ABSENT, np.int64))


def constant_column(text: str, chosen: NDArray[np.bool_]) -> Utf8Column:
    """The same text for the chosen lines [n], ABSENT for the others."""
    encoded = np.frombuffer(text.encode(), np.uint8)
    return Utf8Column(encoded, np.zeros(len(chosen), np.int64), np.where(chosen, len(encoded), ABSENT))


def without(column: Utf8Column, gone: NDArray[np.bool_] | None) -> Utf8Column:
    """The column [n] without the values of some lines."""
    if gone is None or not gone.any():
        return column
    return Utf8Column(column.buffer, column.start, np.where(gone, ABSENT, column.length))


def coalesced(first: Utf8Column, second: Utf8Column) -> Utf8Column:
    """Values of `first` [n], and of `second` where that has none."""
    missing = first.length < 0
    if not missing.any() or not (second.length >= 0).any():
        return first
    if missing.all():
        return second
    if first.buffer is second.buffer:
        start = np.where(missing, second.start, first.start)
        return Utf8Column(first.buffer, start, np.where(missing, second.length, first.length))
    # Slow path: two buffers become one.
    start = np.where(missing, second.start + len(first.buffer), first.start)
    return Utf8Column(
        np.concatenate((first.buffer, second.buffer)), start, np.where(missing, second.length, first.length)
    )


@njit(nogil=True, cache=True)
def _write_numbers(
    numbers: NDArray[np.int64],
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    longest = 19
    buffer = np.empty(longest * len(numbers), np.uint8)
    start, length = np.zeros(len(numbers), np.int64), np.full(len(numbers), np.int64(ABSENT))
    for row in range(len(numbers)):
        left = numbers[row]
        if left <= 0:
            continue
        at = (row + 1) * longest
        while left > 0:
            at -= 1
            buffer[at] = 48 + left % 10
            left //= 10
        start[row], length[row] = at, (row + 1) * longest - at
    return buffer, start, length


def number_texts(numbers: NDArray[np.int64]) -> Utf8Column:
    """Positive numbers [n] in decimal, ABSENT for 0."""
    return Utf8Column(*_write_numbers(numbers))


@njit(nogil=True, cache=True)
def _write_hex(ids: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    n, width = ids.shape
    buffer = np.empty(n * width * 2, np.uint8)
    start, length = np.arange(n) * (width * 2), np.full(n, np.int64(ABSENT))
    for row in range(n):
        for k in range(width):
            byte = ids[row, k]
            if byte != 0:
                length[row] = width * 2
            for half in range(2):
                digit = byte >> 4 if half == 0 else byte & 15
                buffer[start[row] + 2 * k + half] = digit + (48 if digit < 10 else 87)
    return buffer, start, length


def hex_texts(ids: NDArray[np.uint8]) -> Utf8Column:
    """Ids [n, width] in lower-case hexadecimal, ABSENT for zeros."""
    return Utf8Column(*_write_hex(np.ascontiguousarray(ids)))
