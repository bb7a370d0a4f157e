"""Strings and label sets in columns: no Python object per label until somebody asks for text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.runs_of_entries import taken_runs

METRIC_NAME = "__name__"
DEFAULT_TENANT = "default"


@dataclass(frozen=True, slots=True)
class Utf8Column:
    """Strings as slices of one buffer: string i is `buffer[start[i] : start[i] + length[i]]`, UTF-8.

    The buffer belongs to whoever made the column and MUST NOT change while the column lives.
    """

    buffer: NDArray[np.uint8]  # [n_bytes]
    start: NDArray[np.int64]  # [n]
    length: NDArray[np.int64]  # [n]

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def from_strings(cls, strings: Sequence[str]) -> Utf8Column:
        """Copy Python strings into a column."""
        encoded = [text.encode() for text in strings]
        length = np.fromiter(map(len, encoded), np.int64, len(encoded))
        start = np.cumsum(length) - length
        return cls(np.frombuffer(b"".join(encoded), np.uint8), start, length)

    def take(self, rows: NDArray[np.int64]) -> Utf8Column:
        """The strings `rows` [n], in that order, in the same buffer."""
        return Utf8Column(self.buffer, self.start[rows], self.length[rows])

    def compact(self) -> Utf8Column:
        """The same strings one behind the other in a buffer that holds nothing else."""
        offsets, data = _gather_bytes(self.buffer, self.start, self.length)
        start = offsets[:-1].astype(np.int64)
        return Utf8Column(data, start, np.diff(offsets).astype(np.int64))

    def text(self, index: int) -> str:
        """String `index`; raises UnicodeDecodeError where the bytes are not UTF-8."""
        begin = int(self.start[index])
        return self.buffer[begin : begin + int(self.length[index])].tobytes().decode()

    def to_strings(self) -> list[str]:
        """All strings as Python objects. # Slow path"""
        return [self.text(index) for index in range(len(self))]

    def to_arrow(self) -> pa.StringArray:
        """A copy as Arrow strings [n]; the bytes are taken as they are, so they must be UTF-8."""
        offsets, data = _gather_bytes(self.buffer, self.start, self.length)
        return pa.StringArray.from_buffers(len(self), pa.py_buffer(offsets), pa.py_buffer(data))


@njit(nogil=True, cache=True)
def _gather_bytes(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    offsets = np.zeros(len(start) + 1, np.int32)
    for i in range(len(start)):
        offsets[i + 1] = offsets[i] + length[i]
    data = np.empty(offsets[-1], np.uint8)
    for i in range(len(start)):
        at = offsets[i]
        for k in range(length[i]):
            data[at + k] = buffer[start[i] + k]
    return offsets, data


@dataclass(frozen=True, slots=True)
class LabelSets:
    """Label sets in columns: set i owns the pairs `offsets[i] : offsets[i + 1]`.

    Pairs may stand in any order inside a set (the catalogue sorts them by name). The metric name is the
    pair `__name__`. Names and values are not empty and a name stands once: decoders drop empty values, as
    Prometheus does, and refuse repeated names.
    """

    offsets: NDArray[np.int64]  # [n_sets + 1]
    names: Utf8Column  # [n_pairs]
    values: Utf8Column  # [n_pairs]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: NDArray[np.int64]) -> LabelSets:
        """The sets `rows` [n], in that order; the strings stay in the same buffer."""
        offsets, pairs = taken_runs(self.offsets, rows)
        return LabelSets(offsets, self.names.take(pairs), self.values.take(pairs))

    @classmethod
    def from_dicts(cls, sets: Iterable[Mapping[str, str]]) -> LabelSets:
        """Build columns from Python mappings. # Slow path: scrape set-up, tests, small senders."""
        names: list[str] = []
        values: list[str] = []
        offsets = [0]
        for labels in sets:
            names.extend(labels)
            values.extend(labels.values())
            offsets.append(len(names))
        return cls(np.array(offsets, np.int64), Utf8Column.from_strings(names), Utf8Column.from_strings(values))

    def to_dicts(self) -> list[dict[str, str]]:
        """Every set as a mapping. # Slow path"""
        names, values = self.names.to_strings(), self.values.to_strings()
        bounds = self.offsets.tolist()
        return [dict(zip(names[a:b], values[a:b], strict=True)) for a, b in zip(bounds, bounds[1:], strict=False)]
