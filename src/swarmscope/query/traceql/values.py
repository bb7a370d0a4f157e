"""Typed values in columns: what a field of many spans is, without a Python object per span."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.traceql.fields import Literal
from swarmscope.lang.traceql.registry import ValueType
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import SpanKind, SpanStatus


class Tag(IntEnum):
    """The type of one value."""

    NIL = 0
    STRING = 1
    INTEGER = 2
    FLOAT = 3
    BOOLEAN = 4
    DURATION = 5
    STATUS = 6
    KIND = 7
    ARRAY = 8  # on the way alone: its elements are values of their own
    OTHER = 9  # bytes and maps: there, and equal to nothing


_TAGS = {
    ValueType.STRING: Tag.STRING,
    ValueType.INTEGER: Tag.INTEGER,
    ValueType.FLOAT: Tag.FLOAT,
    ValueType.DURATION: Tag.DURATION,
    ValueType.BOOLEAN: Tag.BOOLEAN,
    ValueType.NIL: Tag.NIL,
    ValueType.STATUS: Tag.STATUS,
    ValueType.KIND: Tag.KIND,
}


class TypedValue(NamedTuple):
    """One value with its type, for answers. Durations are nanoseconds, OTHER is None."""

    tag: Tag
    value: str | int | float | bool | None

    def __str__(self) -> str:
        """As Tempo shows it."""
        match self.tag:
            case Tag.NIL:
                return "nil"
            case Tag.STATUS:
                return SpanStatus(int(self.value or 0)).name.lower()
            case Tag.KIND:
                return SpanKind(int(self.value or 0)).name.lower()
            case Tag.BOOLEAN:
                return "true" if self.value else "false"
            case _:
                return str(self.value)


NIL = TypedValue(Tag.NIL, None)


class Cells(NamedTuple):
    """Values by position, for kernels; the text's bytes stand at the address `base`, whose owner must stay alive."""

    tag: NDArray[np.uint8]  # [n]
    whole: NDArray[np.int64]  # [n] of integers, durations, booleans, statuses and kinds
    real: NDArray[np.float64]  # [n] of all numbers
    base: int
    start: NDArray[np.int64]  # [n]
    length: NDArray[np.int64]  # [n]


@dataclass(frozen=True, slots=True)
class Values:
    """Values of n spans.

    With `index`, value i is cell `index[i]`: what is said of a resource is said once. With `owner`, value i is one of
    span `owner[i]`'s, which may have any number of them: elements of arrays, events, links.
    """

    tag: NDArray[np.uint8]  # [n_cells] Tag
    whole: NDArray[np.int64]  # [n_cells] of integers, durations, booleans, statuses and kinds
    real: NDArray[np.float64]  # [n_cells] of all numbers
    text: Utf8Column  # [n_cells]
    index: NDArray[np.int64] | None = None  # [n]
    owner: NDArray[np.int64] | None = None  # [n]
    elements: bool = False  # of arrays: a negative comparison must hold for all of a span's

    def __len__(self) -> int:
        return len(self.tag) if self.index is None else len(self.index)

    @property
    def cells(self) -> Cells:
        """What kernels take."""
        text = self.text
        return Cells(
            self.tag,
            self.whole,
            self.real,
            text.buffer.ctypes.data,
            np.ascontiguousarray(text.start),
            np.ascontiguousarray(text.length),
        )

    @property
    def tags(self) -> NDArray[np.uint8]:
        """The type [n] of every value."""
        return self.tag if self.index is None else self.tag[self.index]

    def take(self, positions: NDArray[np.int64]) -> Values:
        """The values at these positions [k], each a cell of its own, of no owner."""
        cells = positions if self.index is None else self.index[positions]
        return Values(self.tag[cells], self.whole[cells], self.real[cells], self.text.take(cells))

    def flat(self) -> Values:
        """The same without an index."""
        if self.index is None:
            return self
        flat = self.take(np.arange(len(self.index)))
        return replace(flat, owner=self.owner, elements=self.elements)

    def first_per_span(self, n_spans: int) -> Values:
        """One value for each span: its first, nil where it has none."""
        if self.owner is None:
            return self
        found = np.full(n_spans, len(self), np.int64)
        there = np.flatnonzero(self.tags != Tag.NIL)
        # Backwards, so that the first one stays.
        found[self.owner[there][::-1]] = there[::-1]
        padded = concatenated([replace(self.flat(), owner=None), nil_values(1)])
        return padded.take(found)

    def typed(self, position: int) -> TypedValue:
        """Value `position` as a Python object. # Slow path"""
        cell = position if self.index is None else int(self.index[position])
        tag = Tag(int(self.tag[cell]))
        match tag:
            case Tag.STRING:
                text = self.text
                begin = int(text.start[cell])
                raw = text.buffer[begin : begin + int(text.length[cell])].tobytes()
                return TypedValue(tag, raw.decode("utf-8", "replace"))
            case Tag.FLOAT:
                return TypedValue(tag, float(self.real[cell]))
            case Tag.BOOLEAN:
                return TypedValue(tag, bool(self.whole[cell]))
            case Tag.NIL | Tag.ARRAY | Tag.OTHER:
                return TypedValue(tag, None)
            case _:
                return TypedValue(tag, int(self.whole[cell]))


def whole_values(tag: Tag, numbers: NDArray[np.int64]) -> Values:
    """Values that integers stand for, all of one type."""
    n = len(numbers)
    return Values(np.full(n, tag, np.uint8), numbers, numbers.astype(np.float64), no_texts(n))


def real_values(numbers: NDArray[np.float64]) -> Values:
    """Floats; NaN is none of them and stands for nil."""
    n = len(numbers)
    tag = np.where(np.isnan(numbers), np.uint8(Tag.NIL), np.uint8(Tag.FLOAT))
    return Values(tag, np.zeros(n, np.int64), numbers, no_texts(n))


def text_values(texts: Utf8Column, there: NDArray[np.bool_] | None = None) -> Values:
    """Strings; nil where they are not `there` [n]."""
    n = len(texts)
    tag = np.full(n, Tag.STRING, np.uint8)
    if there is not None:
        tag[~there] = Tag.NIL
    return Values(tag, np.zeros(n, np.int64), np.zeros(n), texts)


def nil_values(n: int) -> Values:
    """n times nil."""
    return Values(np.zeros(n, np.uint8), np.zeros(n, np.int64), np.zeros(n), no_texts(n))


def literal_value(node: Literal) -> Values:
    """A literal as one cell."""
    tag = _TAGS[node.type]
    if tag == Tag.STRING:
        return text_values(Utf8Column.from_strings([str(node.value)]))
    if tag == Tag.FLOAT:
        values = whole_values(tag, np.zeros(1, np.int64))
        return replace(values, real=np.array([float(node.value or 0.0)]))
    if tag == Tag.NIL:
        return nil_values(1)
    return whole_values(tag, np.array([int(node.value or 0)], np.int64))


def no_texts(n: int) -> Utf8Column:
    """n empty texts."""
    zeros = np.zeros(n, np.int64)
    return Utf8Column(np.zeros(0, np.uint8), zeros, zeros)


def concatenated_texts(parts: list[Utf8Column]) -> Utf8Column:
    """Columns one behind the other; parts that share a buffer go on sharing it."""
    buffers: list[NDArray[np.uint8]] = []
    bases: dict[int, int] = {}
    starts, size = [], 0
    for part in parts:
        base = bases.get(id(part.buffer))
        if base is None:
            base = bases[id(part.buffer)] = size
            buffers.append(part.buffer)
            size += len(part.buffer)
        starts.append(part.start + base)
    return Utf8Column(
        np.concatenate(buffers) if len(buffers) != 1 else buffers[0],
        np.concatenate(starts),
        np.concatenate([part.length for part in parts]),
    )


def concatenated(parts: list[Values]) -> Values:
    """Cells one behind the other; indexes and owners are lost."""
    return Values(
        np.concatenate([part.tag for part in parts]),
        np.concatenate([part.whole for part in parts]),
        np.concatenate([part.real for part in parts]),
        concatenated_texts([part.text for part in parts]),
    )
