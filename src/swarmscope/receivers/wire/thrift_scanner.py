"""Thrift bytes to tables, for protocols that declare a `ThriftSchema`; no Python object per struct.

scan = scan_struct(SCHEMA, "Batch", body, compact=False)
spans = scan.table("Span")
start_us = spans.ints("startTime")
tags = scan.children("Span", "tags")   # rows of Tag, by span
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.errors import MalformedInputError
from swarmscope.model.labels import Utf8Column
from swarmscope.receivers.wire import thrift_kernel as kernel
from swarmscope.receivers.wire.scanner import Children
from swarmscope.receivers.wire.thrift_kernel import N_ROW_COLUMNS, N_STATE, PARENT, SLOT, START, Plan, Tables

FAULT_TEXTS = (
    "",
    "the bytes end inside a value",
    "a varint is longer than 64 bits",
    "there is no such type",
    "a length or size reaches beyond the end",
    "values are nested too deeply",
)
_TYPES = {
    "bool": kernel.BOOL, "byte": kernel.BYTE, "i16": kernel.I16, "i32": kernel.I32, "i64": kernel.I64,
    "double": kernel.DOUBLE, "string": kernel.STRING, "binary": kernel.STRING,
}  # fmt: skip
# First guess at how many rows a table has; a wrong one costs a second walk.
_BYTES_PER_ROW, _SPARE = 24, 16


class _Slot(NamedTuple):
    number: int
    column: int
    is_text: bool


class ThriftSchema:
    """Structs as an IDL publishes them, one table each.

    The fields of a struct are "name type id" with `;` between them, `*` in front of a struct's name for lists of it.
    """

    def __init__(self, structs: Mapping[str, str]) -> None:
        self.names = tuple(structs)
        self.widths: list[int] = []
        self.slots: list[dict[str, _Slot]] = []
        parsed = [[field.split() for field in fields.split(";")] for fields in structs.values()]
        max_id = np.array([max(int(field[2]) for field in fields) for fields in parsed], np.int64)
        ends = np.cumsum(max_id + 1)
        base = ends - max_id - 1
        kind, column, is_list = (np.zeros(ends[-1], np.int64) for _ in range(3))
        child = np.full(ends[-1], -1, np.int64)
        for table, fields in enumerate(parsed):
            width, slots = N_ROW_COLUMNS, {}
            for name, type_name, number in fields:
                slot = int(base[table]) + int(number)
                if type_name in _TYPES:
                    kind[slot], column[slot] = _TYPES[type_name], width
                    width += 2 if kind[slot] == kernel.STRING else 1
                else:
                    kind[slot], child[slot] = kernel.STRUCT, self.names.index(type_name.lstrip("*"))
                    is_list[slot] = type_name.startswith("*")
                slots[name] = _Slot(slot, int(column[slot]), bool(kind[slot] == kernel.STRING))
            self.widths.append(width)
            self.slots.append(slots)
        self.plan = Plan(base, max_id, kind, column, child, is_list)

    def place(self, table: int, number: int) -> str:
        """Struct and field, for a message."""
        if table < 0:
            return "an unknown struct"
        slot = int(self.plan.base[table]) + number
        found = [name for name, known in self.slots[table].items() if known.number == slot]
        return f"{self.names[table]}.{found[0]}" if found else self.names[table]


class ThriftTable(NamedTuple):
    """All structs of one type, one a row, in wire order. Fields that were not on the wire read 0 and ""."""

    buffer: NDArray[np.uint8]
    grid: NDArray[np.int64]  # [n_columns, n_rows]
    slots: Mapping[str, _Slot]

    @property
    def n_rows(self) -> int:
        """How many there are."""
        return int(self.grid.shape[1])

    @property
    def parent(self) -> NDArray[np.int64]:
        """Row of the enclosing struct in its own table."""
        cells: NDArray[np.int64] = self.grid[PARENT]
        return cells

    @property
    def start(self) -> NDArray[np.int64]:
        """Where the struct begins in the buffer."""
        cells: NDArray[np.int64] = self.grid[START]
        return cells

    def ints(self, name: str) -> NDArray[np.int64]:
        """A number or truth value; of a double its bits."""
        cells: NDArray[np.int64] = self.grid[self.slots[name].column]
        return cells

    def texts(self, name: str) -> Utf8Column:
        """A string, as slices of the buffer; not checked to be UTF-8."""
        known = self.slots[name]
        if not known.is_text:
            raise TypeError(f"{name} is no string")
        return Utf8Column(self.buffer, self.grid[known.column], self.grid[known.column + 1])


class ThriftScan:
    """The tables of one struct; they point into its buffer."""

    def __init__(self, schema: ThriftSchema, buffer: NDArray[np.uint8], tables: Tables) -> None:
        self._schema = schema
        self._buffer = buffer
        self._tables = tables

    def table(self, name: str) -> ThriftTable:
        """One struct type's rows."""
        table = self._schema.names.index(name)
        base, capacity = int(self._tables.base[table]), int(self._tables.capacity[table])
        width = self._schema.widths[table]
        grid = self._tables.cells[base : base + width * capacity].reshape(width, capacity)
        return ThriftTable(self._buffer, grid[:, : int(self._tables.rows[table])], self._schema.slots[table])

    def children(self, name: str, field: str) -> Children:
        """Rows of the structs in a field, by row of the struct `name`."""
        table = self._schema.names.index(name)
        slot = self._schema.slots[table][field].number
        grid = self.table(self._schema.names[int(self._schema.plan.child[slot])]).grid
        rows = np.flatnonzero(grid[SLOT] == slot)
        # Rows are walked in order, so the parents of what they hold ascend.
        offsets = np.searchsorted(grid[PARENT][rows], np.arange(int(self._tables.rows[table]) + 1))
        return Children(rows, offsets.astype(np.int64, copy=False))


Spans = tuple[NDArray[np.int64], NDArray[np.int64]]  # starts and ends


def scan_struct(
    schema: ThriftSchema, root: str, body: NDArray[np.uint8], *, compact: bool, spans: Spans | None = None,
    claim_rows: Callable[[dict[str, int]], object] | None = None,
) -> ThriftScan:  # fmt: skip
    """Scan a body that holds the struct `root`, or several at `spans` of it; what stands behind one is not looked at.

    `claim_rows` is told how many structs of each type there are before all of them get room, and may raise. Raises
    MalformedInputError, which names struct, field and byte.
    """
    n = len(schema.names)
    places = (np.zeros(1, np.int64), np.array([len(body)], np.int64)) if spans is None else spans
    widths = np.array(schema.widths, np.int64)
    capacity = np.full(n, len(body) // _BYTES_PER_ROW // n + _SPARE, np.int64)
    while True:
        ends = np.cumsum(widths * capacity)
        tables = Tables(
            np.zeros(ends[-1], np.int64), ends - widths * capacity, capacity, np.zeros(n, np.int64),
            np.zeros(N_STATE, np.int64),
        )  # fmt: skip
        if not kernel.walk_structs(body, places, compact, schema.plan, tables, schema.names.index(root)):
            fault, table, number, offset = tables.state.tolist()
            raise MalformedInputError(f"{schema.place(table, number)} at byte {offset}: {FAULT_TEXTS[fault]}")
        if claim_rows is not None:
            claim_rows(dict(zip(schema.names, tables.rows.tolist(), strict=True)))
        if (tables.rows <= capacity).all():
            return ThriftScan(schema, body, tables)
        capacity = np.maximum(tables.rows, 1)
