"""Attributes in columns: names, kinds and values of any of OpenTelemetry's types, no Python object per attribute.

Specification: https://opentelemetry.io/docs/specs/otel/common/#attribute
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.byte_ranges import bytes_equal
from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import address_of
from swarmscope.model.runs_of_entries import taken_runs

NUMBER_BYTES = 8


class ValueKind(IntEnum):
    """What a value is, and how its bytes spell it. The numbers are stored."""

    ABSENT = 0  # no such attribute here; no bytes
    STRING = 1  # UTF-8
    BOOL = 2  # one byte, 0 or 1
    INT = 3  # NUMBER_BYTES, signed, little-endian
    DOUBLE = 4  # NUMBER_BYTES, IEEE 754, little-endian
    BYTES = 5  # as they are
    ARRAY = 6  # a message opentelemetry.proto.common.v1.ArrayValue
    MAP = 7  # a message opentelemetry.proto.common.v1.KeyValueList
    EMPTY = 8  # there is an attribute, and it has no value; no bytes


Scalar = str | bool | int | float | bytes | None


@dataclass(frozen=True, slots=True)
class ValueColumn:
    """n values; `text` holds the bytes, spelled as their kind says."""

    kind: NDArray[np.uint8]  # [n] ValueKind
    text: Utf8Column  # [n] bytes; UTF-8 where the kind is STRING

    def __len__(self) -> int:
        return len(self.kind)

    @classmethod
    def absent(cls, n: int) -> ValueColumn:
        """n times no value."""
        zeros = np.zeros(n, np.int64)
        return cls(np.zeros(n, np.uint8), Utf8Column(np.zeros(0, np.uint8), zeros, zeros))

    def take(self, rows: NDArray[np.int64]) -> ValueColumn:
        """The values `rows` [n], in that order."""
        return ValueColumn(self.kind[rows], self.text.take(rows))

    def scalar(self, index: int) -> Scalar:
        """Value `index` as a Python object; arrays and maps as the bytes of their message. # Slow path"""
        text = self.text
        begin = int(text.start[index])
        return to_scalar(int(self.kind[index]), text.buffer[begin : begin + int(text.length[index])].tobytes())


@dataclass(frozen=True, slots=True)
class AttributeSets:
    """Sets of attributes: set i owns the pairs `offsets[i] : offsets[i + 1]`, in the sender's order.

    A name stands once in a set (of repeated ones the last is kept) and is not empty.
    """

    offsets: NDArray[np.int64]  # [n_sets + 1]
    names: Utf8Column  # [n_pairs]
    values: ValueColumn  # [n_pairs]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def empty(cls, n: int = 0) -> AttributeSets:
        """n sets without attributes."""
        return cls(np.zeros(n + 1, np.int64), Utf8Column.from_strings([]), ValueColumn.absent(0))

    def take(self, rows: NDArray[np.int64]) -> AttributeSets:
        """The sets `rows` [n], in that order; the bytes stay in the same buffers."""
        offsets, pairs = taken_runs(self.offsets, rows)
        return AttributeSets(offsets, self.names.take(pairs), self.values.take(pairs))

    def without(self, pairs: NDArray[np.int64]) -> AttributeSets:
        """All but the pairs at these positions [k]."""
        if not len(pairs):
            return self
        kept = np.ones(len(self.names), np.bool_)
        kept[pairs] = False
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])[self.offsets]
        left = np.flatnonzero(kept)
        return AttributeSets(offsets, self.names.take(left), self.values.take(left))

    def find(self, name: str) -> NDArray[np.int64]:
        """The position [n_sets] of the pair of this name, -1 where a set has none."""
        found: NDArray[np.int64] = _find_pairs(
            np.frombuffer(name.encode(), np.uint8), self.names.buffer, self.names.start, self.names.length, self.offsets
        )
        return found

    def column(self, name: str) -> ValueColumn:
        """The value [n_sets] of one attribute, absent where a set has none of this name."""
        pairs = self.find(name)
        there = pairs >= 0
        if len(self.values) == 0:
            return ValueColumn.absent(len(self))
        found = self.values.take(np.where(there, pairs, 0))
        length = np.where(there, found.text.length, 0)
        return ValueColumn(
            np.where(there, found.kind, np.uint8(ValueKind.ABSENT)),
            Utf8Column(found.text.buffer, found.text.start, length),
        )

    @classmethod
    def from_dicts(cls, sets: Iterable[Mapping[str, Scalar]]) -> AttributeSets:
        """Build columns from Python mappings of scalars. # Slow path: tests, small senders."""
        names: list[str] = []
        spelled: list[tuple[ValueKind, bytes]] = []
        offsets = [0]
        for attributes in sets:
            names.extend(attributes)
            spelled.extend(map(spell_scalar, attributes.values()))
            offsets.append(len(names))
        kinds = np.array([kind for kind, _ in spelled], np.uint8)
        values = ValueColumn(kinds, bytes_column([text for _, text in spelled]))
        return cls(np.array(offsets, np.int64), Utf8Column.from_strings(names), values)

    def to_dicts(self) -> list[dict[str, Scalar]]:
        """Every set as a mapping; arrays and maps as the bytes of their message. # Slow path"""
        names = self.names.to_strings()
        bounds = self.offsets.tolist()
        values = [self.values.scalar(index) for index in range(len(names))]
        return [dict(zip(names[a:b], values[a:b], strict=True)) for a, b in zip(bounds, bounds[1:], strict=False)]


@njit(nogil=True, cache=True)
def _find_pairs(
    wanted: NDArray[np.uint8],
    buffer: NDArray[np.uint8],
    start: NDArray[np.int64],
    length: NDArray[np.int64],
    offsets: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The pair [n_sets] whose name is `wanted`, -1 for none."""
    text, base = address_of(wanted), address_of(buffer)
    found = np.full(len(offsets) - 1, -1, np.int64)
    for row in range(len(found)):
        for pair in range(offsets[row], offsets[row + 1]):
            if length[pair] == len(wanted) and bytes_equal(text, base + start[pair], len(wanted)):
                found[row] = pair
                break
    return found


def bytes_column(texts: list[bytes]) -> Utf8Column:
    """Byte strings one behind the other."""
    length = np.fromiter(map(len, texts), np.int64, len(texts))
    return Utf8Column(np.frombuffer(b"".join(texts), np.uint8), np.cumsum(length) - length, length)


def spell_scalar(value: Scalar) -> tuple[ValueKind, bytes]:
    """Kind and bytes of a Python scalar. Raises OverflowError for an integer that has more than 64 bits."""
    match value:
        case None:
            return ValueKind.EMPTY, b""
        case str():
            return ValueKind.STRING, value.encode()
        case bool():
            return ValueKind.BOOL, bytes([value])
        case int():
            return ValueKind.INT, value.to_bytes(NUMBER_BYTES, "little", signed=True)
        case float():
            return ValueKind.DOUBLE, struct.pack("<d", value)
        case bytes():
            return ValueKind.BYTES, value


def to_scalar(kind: int, text: bytes) -> Scalar:
    """The Python object of a value; arrays and maps as the bytes of their message."""
    match kind:
        case ValueKind.STRING:
            return text.decode("utf-8", "replace")
        case ValueKind.BOOL:
            return text != b"\0"
        case ValueKind.INT:
            return int.from_bytes(text, "little", signed=True)
        case ValueKind.DOUBLE:
            value: float = struct.unpack("<d", text)[0]
            return value
        case ValueKind.ABSENT | ValueKind.EMPTY:
            return None
        case _:
            return text
