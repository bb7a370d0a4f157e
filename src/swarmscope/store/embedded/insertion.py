"""Blocks into ClickHouse's tables, by way of its memory.

chDB's streaming insert is the only door for bytes, and it keeps silent when the table cannot take them: on a full disk
`finish` returns as if all were well. So bytes go to a temporary table in memory, are counted there, and a statement of
the ordinary kind, which does raise, takes them on. A million samples cost 0.05 to 0.08 CPU-seconds either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from swarmscope.model.errors import UnavailableError
from swarmscope.store.embedded.native import AnyColumn, encode_native

_SLICE_BYTES = 1 << 20
# One block a statement: parts are as large as the batch. A backfill may touch any number of days. Nothing is
# deduplicated by its block: ClickHouse notes a block as inserted before its part appears, and a process that is
# killed in between would never get the block in again.
_ONE_BLOCK = "min_insert_block_size_rows = 0, min_insert_block_size_bytes = 0, max_insert_block_size = 67108864"
_AS_IT_IS = f"max_partitions_per_insert_block = 0, {_ONE_BLOCK}, insert_deduplicate = 0, max_threads = 1"


class Inserter:
    """Inserts through one connection; one call at a time."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._staged: set[str] = set()

    def insert(self, table: str, columns: Mapping[str, AnyColumn]) -> None:
        """Insert columns [n_rows] as one block; durable in a part on return.

        Rows MUST be in the table's order and without repeated keys: ClickHouse is told not to look for any, which
        costs it three times the rest of an insert. Raises UnavailableError where the table could not take them.
        """
        n_rows = len(next(iter(columns.values())))
        self._send(table, tuple(columns), "Native", encode_native(columns))
        self._take_on(table, tuple(columns), n_rows, "optimize_on_insert = 0")

    def insert_arrow(self, table: str, batch: pa.RecordBatch) -> None:
        """Insert an Arrow batch, in any order; as `insert`."""
        buffer = pa.BufferOutputStream()
        with pa.ipc.new_stream(buffer, batch.schema) as stream:
            stream.write_batch(batch)
        names = tuple(batch.schema.names)
        self._send(table, names, "ArrowStream", [memoryview(buffer.getvalue())])
        self._take_on(table, names, batch.num_rows, "optimize_on_insert = 1")

    def _send(self, table: str, names: tuple[str, ...], data_format: str, pieces: Iterable[memoryview]) -> None:
        staging = f"staged_{table}"
        if staging not in self._staged:
            self._connection.query(f"CREATE TEMPORARY TABLE {staging} ENGINE = Memory AS SELECT * FROM {table} LIMIT 0")
            self._staged.add(staging)
        self._connection.query(f"TRUNCATE TABLE {staging}")
        sql = f"INSERT INTO {staging} ({', '.join(names)}) SETTINGS {_ONE_BLOCK}"
        with self._connection.send_insert(sql, data_format) as inserter:
            for piece in pieces:
                # ClickHouse copies what it is given: in slices, the copies never add up.
                for begin in range(0, len(piece), _SLICE_BYTES):
                    inserter.append(piece[begin : begin + _SLICE_BYTES])
            inserter.finish()

    def _take_on(self, table: str, names: tuple[str, ...], n_rows: int, setting: str) -> None:
        staging, listed = f"staged_{table}", ", ".join(names)
        try:
            arrived = int(self._connection.query(f"SELECT count() FROM {staging}").bytes())
            if arrived != n_rows:
                raise UnavailableError(f"of {n_rows} rows for table {table}, {arrived} reached the store")
            self._connection.query(
                f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {staging} SETTINGS {_AS_IT_IS}, {setting}"
            )
        except RuntimeError as error:
            raise UnavailableError(f"table {table} cannot be written: {str(error).splitlines()[0]}") from error
        finally:
            self._connection.query(f"TRUNCATE TABLE {staging}")
