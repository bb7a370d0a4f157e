"""Resources and scopes of spans: each distinct one is parsed once a process, and stands once in a batch."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.attributes import AttributeSets, ValueColumn, ValueKind
from swarmscope.model.labels import Utf8Column
from swarmscope.receivers.otlp.log_values import decode_text_part
from swarmscope.receivers.wire.text_tail import TextTail

_MAX_REMEMBERED = 8192  # far more than a fleet has, so forgetting all at once is rare
_MAX_REMEMBERED_BYTES = 4096  # of one of them; longer ones are parsed again
_INTEGER = struct.Struct("<q")
_DOUBLE = struct.Struct("<d")


class ParsedPart(NamedTuple):
    """A resource or a scope."""

    names: tuple[bytes, ...]
    kinds: tuple[int, ...]  # ValueKind
    values: tuple[bytes, ...]
    dropped_attributes: int
    name: bytes  # of a scope
    version: bytes  # of a scope


def spell_value(value: Any) -> tuple[ValueKind, bytes]:
    """Kind and bytes of an AnyValue message."""
    match value.WhichOneof("value"):
        case "string_value":
            return ValueKind.STRING, value.string_value.encode()
        case "bool_value":
            return ValueKind.BOOL, bytes([value.bool_value])
        case "int_value":
            return ValueKind.INT, _INTEGER.pack(value.int_value)
        case "double_value":
            return ValueKind.DOUBLE, _DOUBLE.pack(value.double_value)
        case "bytes_value":
            return ValueKind.BYTES, value.bytes_value
        case "array_value":
            return ValueKind.ARRAY, value.array_value.SerializeToString()
        case "kvlist_value":
            return ValueKind.MAP, value.kvlist_value.SerializeToString()
        case _:
            return ValueKind.EMPTY, b""


def parse_part(message: str, body: NDArray[np.uint8], start: int, length: int) -> ParsedPart:
    """The Resource or InstrumentationScope at a place of a body. Raises MalformedInputError."""
    part = decode_text_part(message, body, start, length)
    found: dict[str, tuple[ValueKind, bytes]] = {}
    for pair in part.attributes:
        found.pop(pair.key, None)  # the last one of a name counts, and stands where it stands
        found[pair.key] = spell_value(pair.value)
    found.pop("", None)
    kinds, values = tuple(int(kind) for kind, _ in found.values()), tuple(text for _, text in found.values())
    names = tuple(name.encode() for name in found)
    is_scope = message == "InstrumentationScope"
    texts = (part.name.encode(), part.version.encode()) if is_scope else (b"", b"")
    return ParsedPart(names, kinds, values, part.dropped_attributes_count, *texts)


class PartBook:
    """Parts of one message type by the hash of their bytes, across requests; thread-safe, bounded."""

    def __init__(self, message: str) -> None:
        self._message = message
        self._known: dict[int, ParsedPart] = {}

    def part(self, body: NDArray[np.uint8], key: int, start: int, length: int) -> ParsedPart:
        """The part at a place, whose bytes have the hash `key`. Raises MalformedInputError."""
        known = self._known.get(key)
        if known is None:
            known = parse_part(self._message, body, start, length)
            if length <= _MAX_REMEMBERED_BYTES:
                if len(self._known) >= _MAX_REMEMBERED:
                    self._known.clear()
                self._known[key] = known
        return known


class Span(NamedTuple):
    """Where texts stand [n]."""

    start: NDArray[np.int64]
    length: NDArray[np.int64]

    def to_column(self, buffer: NDArray[np.uint8]) -> Utf8Column:
        """The texts, in the buffer that they stand in."""
        return Utf8Column(buffer, self.start, self.length)


class PartColumns(NamedTuple):
    """n parts, their texts behind the body."""

    offsets: NDArray[np.int64]  # [n + 1]
    names: Span  # [n_pairs]
    kinds: NDArray[np.uint8]  # [n_pairs]
    values: Span  # [n_pairs]
    dropped_attributes: NDArray[np.uint32]  # [n]
    name: Span  # [n]
    version: Span  # [n]

    def to_sets(self, buffer: NDArray[np.uint8]) -> AttributeSets:
        """The attributes, once body and tail are one buffer."""
        values = ValueColumn(self.kinds, self.values.to_column(buffer))
        return AttributeSets(self.offsets, self.names.to_column(buffer), values)


def to_part_columns(parts: list[ParsedPart], tail: TextTail) -> PartColumns:
    """Parts in columns."""
    lengths = np.fromiter((len(part.names) for part in parts), np.int64, len(parts))
    return PartColumns(
        np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths))),
        Span(*tail.add_texts([name for part in parts for name in part.names])),
        np.array([kind for part in parts for kind in part.kinds], np.uint8),
        Span(*tail.add_texts([value for part in parts for value in part.values])),
        np.array([part.dropped_attributes for part in parts], np.uint32),
        Span(*tail.add_texts([part.name for part in parts])),
        Span(*tail.add_texts([part.version for part in parts])),
    )
