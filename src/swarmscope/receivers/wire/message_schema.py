"""What a protobuf message looks like to the scanner: tables, columns and how a field number leads to them.

A protocol declares its schema from the published descriptor and the names of the fields it wants:

    SCHEMA = MessageSchema.from_descriptor(ExportMetricsServiceRequest.DESCRIPTOR, {"Metric": ("name", "gauge")})

Every message type that is reached becomes one table; every repeated scalar, string or bytes field one table of
values. `scanner.scan` fills them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from numpy.typing import NDArray


class Kind(IntEnum):
    """How a field's bytes become cells. Numbers below FIXED64 are varints."""

    RAW64 = 0  # int64, uint64
    INT32 = 1  # int32, enum
    UINT32 = 2
    BOOL = 3
    ZIGZAG32 = 4
    ZIGZAG64 = 5
    FIXED64 = 6  # fixed64, sfixed64, double: the 64 bits
    FIXED32 = 7
    SFIXED32 = 8
    FLOAT32 = 9  # widened to the bits of a float64
    BYTES = 10  # string, bytes: start and length
    MESSAGE = 11


_KINDS = {
    FieldDescriptor.TYPE_INT64: Kind.RAW64,
    FieldDescriptor.TYPE_UINT64: Kind.RAW64,
    FieldDescriptor.TYPE_INT32: Kind.INT32,
    FieldDescriptor.TYPE_ENUM: Kind.INT32,
    FieldDescriptor.TYPE_UINT32: Kind.UINT32,
    FieldDescriptor.TYPE_BOOL: Kind.BOOL,
    FieldDescriptor.TYPE_SINT32: Kind.ZIGZAG32,
    FieldDescriptor.TYPE_SINT64: Kind.ZIGZAG64,
    FieldDescriptor.TYPE_FIXED64: Kind.FIXED64,
    FieldDescriptor.TYPE_SFIXED64: Kind.FIXED64,
    FieldDescriptor.TYPE_DOUBLE: Kind.FIXED64,
    FieldDescriptor.TYPE_FIXED32: Kind.FIXED32,
    FieldDescriptor.TYPE_SFIXED32: Kind.SFIXED32,
    FieldDescriptor.TYPE_FLOAT: Kind.FLOAT32,
    FieldDescriptor.TYPE_STRING: Kind.BYTES,
    FieldDescriptor.TYPE_BYTES: Kind.BYTES,
    FieldDescriptor.TYPE_MESSAGE: Kind.MESSAGE,
}

# Columns that every message table begins with. Value tables have PARENT, then the value (or start and length).
PARENT, EDGE, START, END, PRESENCE = range(5)
N_MESSAGE_COLUMNS = 5
MAX_FIELDS = 63  # presence is one bit a field in one 64-bit cell


@dataclass(frozen=True, slots=True)
class Field:
    """One wanted field. `column` is its first column in the message's table, `child` the table it fills, or -1."""

    number: int
    name: str
    kind: Kind
    repeated: bool
    slot: int
    column: int
    child: int
    bit: int
    oneof: str | None


@dataclass(slots=True)
class TableShape:
    """One table: a message type, or the values of a repeated scalar field ("Message.field")."""

    name: str
    n_columns: int
    is_message: bool
    fields: dict[str, Field] = field(default_factory=dict)


class Plan(NamedTuple):
    """The schema as the kernel sees it. Slots number all fields of all tables."""

    order: NDArray[np.int64]  # [n_message_tables] parents before children, but for recursion
    lookup: NDArray[np.int64]  # slot by lookup_base[table] + field number, -1 where not wanted
    lookup_base: NDArray[np.int64]  # [n_tables]
    max_number: NDArray[np.int64]  # [n_tables]
    is_message: NDArray[np.int64]  # [n_tables] 0 or 1
    kind: NDArray[np.int64]  # [n_slots]
    column: NDArray[np.int64]  # [n_slots]
    child: NDArray[np.int64]  # [n_slots]
    bit: NDArray[np.int64]  # [n_slots]
    clear: NDArray[np.int64]  # [n_slots] bits of the other members of the same oneof
    owner: NDArray[np.int64]  # [n_slots] table that the field belongs to


def table_name(descriptor: Descriptor) -> str:
    """A message's name without its package; nested types keep their outer type's name."""
    package = descriptor.file.package
    return descriptor.full_name[len(package) + 1 :] if package else descriptor.full_name


class MessageSchema:
    """Tables and fields of one protocol message; immutable once built, shared by all threads.

    `wanted` names the fields by message (table name); a message it does not name is taken whole. Fields of
    messages nobody wants are skipped without a look inside. Raises ValueError for an unknown name.
    """

    def __init__(self, root: str, shapes: list[TableShape], plan: Plan) -> None:
        self.root = root
        self.shapes = shapes
        self.plan = plan
        self.table_index = {shape.name: index for index, shape in enumerate(shapes)}
        self.rows_per_byte = np.zeros(len(shapes))  # what past scans needed: a hint for the first allocation

    @classmethod
    def from_descriptor(
        cls, descriptor: Descriptor, wanted: Mapping[str, Collection[str]] | None = None
    ) -> MessageSchema:
        """Derive the schema from a published message descriptor."""
        builder = _SchemaBuilder(wanted or {})
        builder.add_message(descriptor)
        unknown = set(builder.wanted) - set(builder.index)
        if unknown:
            raise ValueError(f"messages not reached from {descriptor.full_name}: {sorted(unknown)}")
        return cls(table_name(descriptor), builder.shapes, builder.to_plan())

    def field(self, message: str, name: str) -> Field:
        """One wanted field; raises KeyError where it is not part of the schema."""
        return self.shapes[self.table_index[message]].fields[name]

    def field_name(self, table: int, number: int) -> str:
        """A field's name for a message to people, or its number where it is not wanted."""
        for known in self.shapes[table].fields.values():
            if known.number == number:
                return known.name
        return str(number)


class _SchemaBuilder:
    def __init__(self, wanted: Mapping[str, Collection[str]]) -> None:
        self.wanted = wanted
        self.shapes: list[TableShape] = []
        self.index: dict[str, int] = {}
        self.full_names: dict[str, str] = {}
        self.finished: list[int] = []
        self.n_slots = 0

    def add_message(self, descriptor: Descriptor) -> int:
        name = table_name(descriptor)
        if name in self.index:
            if self.full_names[name] != descriptor.full_name:
                raise ValueError(f"two message types are called {name}")
            return self.index[name]
        table = self._add_table(TableShape(name, N_MESSAGE_COLUMNS, True))
        self.full_names[name] = descriptor.full_name
        names = self.wanted.get(name)
        chosen = [known for known in descriptor.fields if names is None or known.name in names]
        if names is not None and len(chosen) != len(set(names)):
            raise ValueError(f"{name} has no fields {sorted(set(names) - {known.name for known in chosen})}")
        if len(chosen) > MAX_FIELDS:
            raise ValueError(f"{name} has more than {MAX_FIELDS} wanted fields")
        for bit, known in enumerate(chosen):
            self._add_field(table, known, bit)
        self.finished.append(table)
        return table

    def _add_table(self, shape: TableShape) -> int:
        self.index[shape.name] = len(self.shapes)
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def _add_field(self, table: int, known: Any, bit: int) -> None:
        if known.type not in _KINDS:
            raise ValueError(f"{known.full_name}: groups are not supported")
        shape, kind = self.shapes[table], _KINDS[known.type]
        repeated = bool(known.is_repeated)
        oneof = known.containing_oneof.name if known.containing_oneof is not None else None
        column, child = -1, -1
        if kind is Kind.MESSAGE:
            child = self.add_message(known.message_type)
        elif repeated:
            width = 3 if kind is Kind.BYTES else 2
            child = self._add_table(TableShape(f"{shape.name}.{known.name}", width, False))
        if not repeated:
            column = shape.n_columns
            shape.n_columns += 2 if kind is Kind.BYTES else 1
        shape.fields[known.name] = Field(
            known.number, known.name, kind, repeated, self.n_slots, column, child, 1 << bit, oneof
        )
        self.n_slots += 1

    def to_plan(self) -> Plan:
        fields = sorted((f for shape in self.shapes for f in shape.fields.values()), key=lambda f: f.slot)
        owner = {f.slot: table for table, shape in enumerate(self.shapes) for f in shape.fields.values()}
        max_number = [max((f.number for f in shape.fields.values()), default=0) for shape in self.shapes]
        base = np.cumsum([0, *(number + 1 for number in max_number)])
        lookup = np.full(base[-1], -1, np.int64)
        clear = np.zeros(len(fields), np.int64)
        for known in fields:
            table = owner[known.slot]
            lookup[base[table] + known.number] = known.slot
            for mate in self.shapes[table].fields.values():
                if known.oneof is not None and mate.oneof == known.oneof and mate is not known:
                    clear[known.slot] |= mate.bit
        return Plan(
            order=np.array(self.finished[::-1], np.int64),
            lookup=lookup,
            lookup_base=base[:-1].astype(np.int64),
            max_number=np.array(max_number, np.int64),
            kind=np.array([f.kind for f in fields], np.int64),
            column=np.array([f.column for f in fields], np.int64),
            child=np.array([f.child for f in fields], np.int64),
            bit=np.array([f.bit for f in fields], np.int64),
            clear=clear,
            owner=np.array([owner[f.slot] for f in fields], np.int64),
            is_message=np.array([shape.is_message for shape in self.shapes], np.int64),
        )
