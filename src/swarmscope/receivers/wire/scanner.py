"""Protobuf bytes to tables, for every protocol that declares a `MessageSchema`; no Python object per message.

scan = scan_message(SCHEMA, body)
points = scan.table("NumberDataPoint")
times, values = points.uints("time_unix_nano"), points.floats("as_double")
attributes = scan.children("NumberDataPoint", "attributes")   # rows of KeyValue, by data point
bounds = scan.values("HistogramDataPoint", "explicit_bounds").floats
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.errors import MalformedInputError
from swarmscope.model.labels import Utf8Column
from swarmscope.receivers.wire.message_schema import EDGE, END, PARENT, PRESENCE, START, Field, Kind, MessageSchema
from swarmscope.receivers.wire.scan_kernel import FAULT, GROW, Tables, scan_tables

MAX_DEPTH = 64  # levels of recursion (an AnyValue in an AnyValue); protobuf's own parsers stop at 100 messages
MAX_CELLS = 1 << 26  # 512 MiB: an 8-byte cell for each half byte of a 32 MiB body
# The densest honest bytes are packed counts of one byte each, which take two cells; messages of two bytes that say
# nothing would take up to eight.
CELLS_PER_BYTE = 3
_FREE_CELLS = 1 << 18  # small bodies need not be measured that closely
_SMALLEST_CAPACITY = 16

FAULT_TEXTS = (
    "",
    "the bytes end inside a field",
    "a varint is longer than 64 bits",
    "the field has another wire type",
    "a length reaches beyond the enclosing message",
    "groups are not supported",
    "a field tag is not valid",
    "messages are nested too deeply",
    "packed numbers do not fill their field",
)


@dataclass(frozen=True, slots=True)
class Children:
    """Child rows by parent row: parent p has `rows[offsets[p] : offsets[p + 1]]`, in wire order."""

    rows: NDArray[np.int64]  # [n_children] rows of the child's table
    offsets: NDArray[np.int64]  # [n_parents + 1]


@dataclass(frozen=True, slots=True)
class RepeatedNumbers:
    """Numbers of a repeated field by row: row r has `ints[offsets[r] : offsets[r + 1]]`."""

    ints: NDArray[np.int64]
    offsets: NDArray[np.int64]  # [n_rows + 1]

    @property
    def floats(self) -> NDArray[np.float64]:
        """The same cells as float64; for `double` and `float` fields."""
        return self.ints.view(np.float64)

    @property
    def uints(self) -> NDArray[np.uint64]:
        """The same cells as uint64."""
        return self.ints.view(np.uint64)


@dataclass(frozen=True, slots=True)
class RepeatedTexts:
    """Strings of a repeated field by row: row r has `texts[offsets[r] : offsets[r + 1]]`."""

    texts: Utf8Column
    offsets: NDArray[np.int64]  # [n_rows + 1]


class MessageTable:
    """All messages of one type, one a row, in wire order. Columns are views, valid while the table lives.

    Fields that were not on the wire read 0, "" and -1 (`child`). Of a singular field that stands twice the
    last counts, singular messages included (protobuf would merge those).
    """

    def __init__(self, schema: MessageSchema, name: str, buffer: NDArray[np.uint8], grid: NDArray[np.int64]) -> None:
        self._fields = schema.shapes[schema.table_index[name]].fields
        self._buffer = buffer
        self._grid = grid  # [n_columns, n_rows]

    def __len__(self) -> int:
        return int(self._grid.shape[1])

    @property
    def parent(self) -> NDArray[np.int64]:
        """Row of the enclosing message in its own table; for root messages their number."""
        return self._cells(PARENT)

    @property
    def edge(self) -> NDArray[np.int64]:
        """Slot of the field (`MessageSchema.field(…).slot`) that holds the message; -1 for root messages."""
        return self._cells(EDGE)

    @property
    def start(self) -> NDArray[np.int64]:
        """Where the message's bytes begin in the buffer (behind its length)."""
        return self._cells(START)

    @property
    def end(self) -> NDArray[np.int64]:
        """Where the message's bytes end."""
        return self._cells(END)

    @property
    def presence(self) -> NDArray[np.uint64]:
        """Bits (`Field.bit`) of the fields that were on the wire; of a oneof the last one only."""
        return self._cells(PRESENCE).view(np.uint64)

    def has(self, name: str) -> NDArray[np.bool_]:
        """Whether the field was on the wire (and, in a oneof, is the member that counts)."""
        present: NDArray[np.bool_] = (self.presence & np.uint64(self._fields[name].bit)) != 0
        return present

    def ints(self, name: str) -> NDArray[np.int64]:
        """A number column as int64."""
        return self._cells(self._column(name, Kind.BYTES))

    def uints(self, name: str) -> NDArray[np.uint64]:
        """A number column as uint64."""
        return self.ints(name).view(np.uint64)

    def floats(self, name: str) -> NDArray[np.float64]:
        """A `double` or `float` column."""
        return self.ints(name).view(np.float64)

    def texts(self, name: str) -> Utf8Column:
        """A string or bytes column, as slices of the scanned buffer; not checked to be UTF-8."""
        column = self._fields[name].column
        if self._fields[name].kind is not Kind.BYTES or column < 0:
            raise TypeError(f"{name} is not a singular string or bytes field")
        return Utf8Column(self._buffer, self._grid[column], self._grid[column + 1])

    def child(self, name: str) -> NDArray[np.int64]:
        """Rows of a singular message field in its own table; -1 where there is none."""
        known = self._fields[name]
        if known.kind is not Kind.MESSAGE or known.column < 0:
            raise TypeError(f"{name} is not a singular message field")
        # A oneof member that another one has displaced is gone.
        return np.where(self.has(name), self._grid[known.column] - 1, -1)

    def _cells(self, column: int) -> NDArray[np.int64]:
        cells: NDArray[np.int64] = self._grid[column]
        return cells

    def _column(self, name: str, limit: Kind) -> int:
        known = self._fields[name]
        if known.column < 0 or known.kind >= limit:
            raise TypeError(f"{name} is not a singular number")
        return known.column


class Scan:
    """The tables of one scanned message; they point into `buffer`."""

    def __init__(self, schema: MessageSchema, buffer: NDArray[np.uint8], tables: Tables) -> None:
        self.schema = schema
        self.buffer = buffer
        self._tables = tables

    def count(self, name: str) -> int:
        """Rows of a table."""
        return int(self._tables.rows[self.schema.table_index[name]])

    def table(self, name: str) -> MessageTable:
        """One message type's rows. Raises KeyError where the schema has no such message."""
        return MessageTable(self.schema, name, self.buffer, self._grid(self.schema.table_index[name]))

    def children(self, message: str, name: str) -> Children:
        """Rows of a message field by row of `message`."""
        known = self._field(message, name, Kind.MESSAGE)
        grid = self._grid(known.child)
        rows = np.flatnonzero(grid[EDGE] == known.slot)
        return Children(rows, self._offsets(message, grid[PARENT][rows]))

    def values(self, message: str, name: str) -> RepeatedNumbers:
        """A repeated number field, packed or not, by row of `message`."""
        grid = self._grid(self._repeated(message, name).child)
        return RepeatedNumbers(grid[1], self._offsets(message, grid[PARENT]))

    def repeated_texts(self, message: str, name: str) -> RepeatedTexts:
        """A repeated string or bytes field by row of `message`."""
        grid = self._grid(self._field(message, name, Kind.BYTES).child)
        return RepeatedTexts(Utf8Column(self.buffer, grid[1], grid[2]), self._offsets(message, grid[PARENT]))

    def _field(self, message: str, name: str, kind: Kind) -> Field:
        known = self.schema.field(message, name)
        if known.kind is not kind or known.child < 0:
            raise TypeError(f"{message}.{name} is not a field of that kind")
        return known

    def _repeated(self, message: str, name: str) -> Field:
        known = self.schema.field(message, name)
        if known.kind >= Kind.BYTES or known.child < 0:
            raise TypeError(f"{message}.{name} is not a repeated number")
        return known

    def _grid(self, table: int) -> NDArray[np.int64]:
        base, capacity = int(self._tables.base[table]), int(self._tables.capacity[table])
        n_columns = self.schema.shapes[table].n_columns
        whole = self._tables.cells[base : base + n_columns * capacity].reshape(n_columns, capacity)
        return whole[:, : int(self._tables.rows[table])]

    def _offsets(self, message: str, parents: NDArray[np.int64]) -> NDArray[np.int64]:
        # Rows are scanned in order, so the parents of what they hold ascend.
        return np.searchsorted(parents, np.arange(self.count(message) + 1)).astype(np.int64, copy=False)


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """What one scan may use: levels of recursive messages, and 8-byte cells over all tables."""

    max_depth: int = MAX_DEPTH
    max_cells: int = MAX_CELLS

    def for_body(self, n_bytes: int) -> ScanLimits:
        """The limits for a body of that size: cells are also bounded by what so many bytes can sensibly hold."""
        return ScanLimits(self.max_depth, min(self.max_cells, _FREE_CELLS + CELLS_PER_BYTE * n_bytes))


_DEFAULT_LIMITS = ScanLimits()


def scan_message(
    schema: MessageSchema,
    body: bytes | NDArray[np.uint8],
    spans: tuple[Sequence[int] | NDArray[np.int64], Sequence[int] | NDArray[np.int64]] | None = None,
    limits: ScanLimits = _DEFAULT_LIMITS,
) -> Scan:
    """Scan a body that holds one root message, or the root messages at `spans` (starts, ends) of it.

    Raises MalformedInputError, which names message, field and byte, for bytes that are not such a message.
    Memory is bounded by `limits`.
    """
    buffer = np.frombuffer(body, np.uint8) if isinstance(body, bytes) else body
    starts = np.array([0] if spans is None else spans[0], np.int64)
    ends = np.array([len(buffer)] if spans is None else spans[1], np.int64)
    root = schema.table_index[schema.root]
    limits = limits.for_body(len(buffer))
    capacity = _first_capacity(schema, len(buffer), limits)
    capacity[root] = max(capacity[root], len(starts))
    tables = _allocate(schema, capacity, limits)
    at, room = int(tables.base[root]), int(tables.capacity[root])
    for column, values in ((PARENT, np.arange(len(starts))), (EDGE, -1), (START, starts), (END, ends)):
        tables.cells[at + column * room : at + column * room + len(starts)] = values
    tables.rows[root] = len(starts)
    while True:
        outcome = scan_tables(buffer, schema.plan, tables, limits.max_depth)
        if outcome == GROW:
            tables = _enlarge(schema, tables, limits)
        elif outcome == FAULT:
            raise _to_error(schema, tables)
        else:
            _remember_counts(schema, tables, len(buffer))
            return Scan(schema, buffer, tables)


def _first_capacity(schema: MessageSchema, n_bytes: int, limits: ScanLimits) -> NDArray[np.int64]:
    """Room for what bodies of that size have held so far, and no more than half of what is allowed."""
    capacity = (n_bytes * schema.rows_per_byte * 1.1).astype(np.int64) + _SMALLEST_CAPACITY
    n_cells = int((_widths(schema) * capacity).sum())
    if n_cells > limits.max_cells // 2:  # one odd body must not make later ones fail
        capacity[:] = _SMALLEST_CAPACITY
    return capacity


def _widths(schema: MessageSchema) -> NDArray[np.int64]:
    return np.array([shape.n_columns for shape in schema.shapes], np.int64)


def _remember_counts(schema: MessageSchema, tables: Tables, n_bytes: int) -> None:
    # Small bodies say little about large ones. A lost update by another thread only costs a second allocation.
    if n_bytes >= 4096:
        np.maximum(schema.rows_per_byte * 0.95, tables.rows / n_bytes, out=schema.rows_per_byte)


def _allocate(schema: MessageSchema, capacity: NDArray[np.int64], limits: ScanLimits) -> Tables:
    widths = _widths(schema)
    ends = np.cumsum(widths * capacity)
    if ends[-1] > limits.max_cells:
        raise MalformedInputError(f"the message holds more than {limits.max_cells} values")
    n = len(schema.shapes)
    return Tables(
        np.zeros(ends[-1], np.int64),
        ends - widths * capacity,
        capacity,
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(5, np.int64),
    )


def _enlarge(schema: MessageSchema, tables: Tables, limits: ScanLimits) -> Tables:
    """Double the table that is full (`state[1]`); everything else is copied as it stands."""
    capacity, full, widths = tables.capacity.copy(), int(tables.state[1]), _widths(schema)
    left = (limits.max_cells - int((widths * capacity).sum())) // int(widths[full])
    if left < _SMALLEST_CAPACITY:
        raise MalformedInputError(f"the message holds more than {limits.max_cells} values")
    capacity[full] += min(left, max(int(capacity[full]), _SMALLEST_CAPACITY))
    larger = _allocate(schema, capacity, limits)
    for table, shape in enumerate(schema.shapes):
        old, new, used = int(tables.capacity[table]), int(capacity[table]), int(tables.rows[table])
        source, target = int(tables.base[table]), int(larger.base[table])
        for column in range(shape.n_columns):
            begin = target + column * new
            larger.cells[begin : begin + used] = tables.cells[source + column * old : source + column * old + used]
    larger.rows[:] = tables.rows
    larger.scanned[:] = tables.scanned
    larger.state[:] = tables.state
    return larger


def _to_error(schema: MessageSchema, tables: Tables) -> MalformedInputError:
    fault, table, number, offset, _ = tables.state.tolist()
    place = schema.shapes[table].name
    if number:
        place += f".{schema.field_name(table, number)}"
    return MalformedInputError(f"{place} at byte {offset}: {FAULT_TEXTS[fault]}")
