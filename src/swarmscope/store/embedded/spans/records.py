"""Resources and instrumentation scopes, each under a number: a few for each program that sends."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarmscope.model.attributes import AttributeSets, ValueColumn, bytes_column
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import Resources, Scopes
from swarmscope.schema.span_tables import SPAN_RESOURCES, SPAN_SCOPES
from swarmscope.schema.tables import Table
from swarmscope.store.embedded.spans.packing import pack_records, unpack_records

NO_RECORD = -1
# 64 MiB: some hundred thousand resources. A sender that invents one for every span is refused beyond.
MAX_RECORD_BYTES = 64 << 20
# Other spellings of what is known, by which it is found at once.
_MAX_ALIASES = 65_536
SERVICE_NAME = "service.name"


class Records:
    """Everything of one kind. Thread-safe; numbers begin at 0 and are of all tenants.

    A record is its texts, a count of dropped attributes and its attributes, packed; attributes are sorted by name, so
    that the order in which a sender tells them says nothing.
    """

    def __init__(self, texts: tuple[str, ...], table: Table, max_bytes: int = MAX_RECORD_BYTES) -> None:
        """`texts` names the columns of `table` that hold the texts."""
        self._texts = texts
        self._table = table
        self._number_column = table.columns[0].name
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._numbers: dict[tuple[str, bytes], int] = {}
        self._aliases: dict[tuple[str, bytes], int] = {}
        self._packed: list[bytes] = []
        self._tenants: list[str] = []
        self._n_bytes = 0
        self._persisted = 0

    def __len__(self) -> int:
        return len(self._packed)

    @property
    def memory_bytes(self) -> int:
        """Bytes that the records take."""
        return self._n_bytes

    def intern(
        self, tenant: str, texts: tuple[Utf8Column, ...], dropped: NDArray[np.uint32], attributes: AttributeSets
    ) -> NDArray[np.int64]:
        """The number [n] of each record; new ones are added. NO_RECORD where there is no more room."""
        numbers = np.empty(len(dropped), np.int64)
        with self._lock:
            for row, packed in enumerate(pack_records(texts, dropped, attributes)):
                key = (tenant, packed)
                found = self._numbers.get(key)
                if found is None:
                    found = self._aliases.get(key)
                numbers[row] = self._added(key) if found is None else found
        return numbers

    def _added(self, key: tuple[str, bytes]) -> int:
        """# Slow path: the number of a record that is not known in this spelling."""
        tenant, packed = key
        sorted_key = (tenant, self._sorted(packed))
        found = self._numbers.get(sorted_key)
        if found is None:
            if self._n_bytes + len(sorted_key[1]) > self._max_bytes:
                return NO_RECORD
            found = self._append(*sorted_key)
        if sorted_key[1] != packed:
            if len(self._aliases) >= _MAX_ALIASES:
                self._aliases.clear()
            self._aliases[key] = found
        return found

    def _append(self, tenant: str, packed: bytes) -> int:
        number = len(self._packed)
        self._packed.append(packed)
        self._tenants.append(tenant)
        self._n_bytes += len(packed)
        self._numbers[tenant, packed] = number
        return number

    def _sorted(self, packed: bytes) -> bytes:
        texts, dropped, attributes = unpack_records([packed], len(self._texts))
        names = [_bytes_at(attributes.names, index) for index in range(len(attributes.names))]
        order = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
        in_order = AttributeSets(attributes.offsets, attributes.names.take(order), attributes.values.take(order))
        return pack_records(tuple(texts), dropped, in_order)[0]

    def columns(self) -> tuple[list[Utf8Column], NDArray[np.uint32], AttributeSets]:
        """Texts, dropped counts and attributes of all records [n]."""
        return unpack_records(self._packed[: len(self)], len(self._texts))

    def tenants(self) -> list[str]:
        """The tenant of each record [n]."""
        return self._tenants[: len(self._packed)]

    def pending(self) -> tuple[pa.RecordBatch | None, int]:
        """Records that `mark_persisted` has not covered, as rows of the table, and what to pass to it."""
        with self._lock:
            begin, end = self._persisted, len(self._packed)
            if begin == end:
                return None, end
            texts, dropped, attributes = unpack_records(self._packed[begin:end], len(self._texts))
            columns: dict[str, Any] = {
                self._number_column: pa.array(range(begin, end), pa.uint32()),
                "tenant": pa.array(self._tenants[begin:end], pa.string()),
            }
            sets = attributes.to_dicts()
            if "service" in self._table.column_names():
                services = [str(each.get(SERVICE_NAME, "")) for each in sets]
                columns["service"] = pa.array(services, pa.string())
            for name, text in zip(self._texts, texts, strict=True):
                columns[name] = pa.array([_bytes_at(text, row) for row in range(len(text))], pa.binary())
            columns |= _listed(attributes)
            columns["dropped_attributes"] = pa.array(dropped, pa.uint32())
            return pa.record_batch(columns), end

    def mark_persisted(self, end: int) -> None:
        """Every record below `end` is durable."""
        self._persisted = max(self._persisted, end)

    def select_sql(self) -> str:
        """SELECT of all that `load` takes; strings MUST come as bytes."""
        return f"SELECT {', '.join(self._table.column_names())} FROM {self._table.name} FINAL ORDER BY 1"

    def load(self, rows: pa.Table) -> None:
        """Add records from the table [n] under their own numbers; before anything is interned.

        Numbers that are missing become records that no span has.
        """
        stored = {row[self._number_column]: row for row in rows.to_pylist()}
        nothing = AttributeSets.empty(1)
        lost = pack_records((Utf8Column.from_strings([""]),) * len(self._texts), np.zeros(1, np.uint32), nothing)[0]
        with self._lock:
            for number in range(len(self), max(stored, default=-1) + 1):
                row = stored.get(number)
                self._append("" if row is None else row["tenant"].decode(), lost if row is None else self._pack(row))
            self._persisted = len(self)

    def _pack(self, row: dict[str, Any]) -> bytes:
        texts = tuple(bytes_column([row[name]]) for name in self._texts)
        values = ValueColumn(np.array(row["kinds"], np.uint8), bytes_column(row["values"]))
        pairs = AttributeSets(np.array([0, len(values)], np.int64), bytes_column(row["names"]), values)
        return pack_records(texts, np.array([row["dropped_attributes"]], np.uint32), pairs)[0]


def resource_records(max_bytes: int = MAX_RECORD_BYTES) -> Records:
    """The table of resources."""
    return Records(("schema_url",), SPAN_RESOURCES, max_bytes)


def scope_records(max_bytes: int = MAX_RECORD_BYTES) -> Records:
    """The table of instrumentation scopes."""
    return Records(("name", "version", "schema_url"), SPAN_SCOPES, max_bytes)


def intern_resources(records: Records, tenant: str, resources: Resources) -> NDArray[np.int64]:
    """Numbers [n] of a batch's resources."""
    return records.intern(tenant, (resources.schema_url,), resources.dropped_attributes, resources.attributes)


def intern_scopes(records: Records, tenant: str, scopes: Scopes) -> NDArray[np.int64]:
    """Numbers [n] of a batch's scopes."""
    texts = (scopes.name, scopes.version, scopes.schema_url)
    return records.intern(tenant, texts, scopes.dropped_attributes, scopes.attributes)


def to_resources(records: Records) -> Resources:
    """All resources by number."""
    (schema_url,), dropped, attributes = records.columns()
    return Resources(attributes, schema_url, dropped)


def to_scopes(records: Records) -> Scopes:
    """All scopes by number."""
    (name, version, schema_url), dropped, attributes = records.columns()
    return Scopes(name, version, attributes, schema_url, dropped)


def _bytes_at(column: Utf8Column, index: int) -> bytes:
    begin = int(column.start[index])
    return column.buffer[begin : begin + int(column.length[index])].tobytes()


def _listed(attributes: AttributeSets) -> dict[str, pa.Array]:
    bounds = list(zip(attributes.offsets[:-1].tolist(), attributes.offsets[1:].tolist(), strict=True))
    names, values = attributes.names, attributes.values
    return {
        "names": pa.array([[_bytes_at(names, i) for i in range(a, b)] for a, b in bounds], pa.list_(pa.binary())),
        "kinds": pa.array([values.kind[a:b].tolist() for a, b in bounds], pa.list_(pa.uint8())),
        "values": pa.array(
            [[_bytes_at(values.text, i) for i in range(a, b)] for a, b in bounds], pa.list_(pa.binary())
        ),
    }
