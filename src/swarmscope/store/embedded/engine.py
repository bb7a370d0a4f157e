"""ClickHouse in this process (chDB): a pool of connections to one folder.

One connection runs one statement at a time; connections of one process to the same folder run side by side.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import chdb
import pyarrow as pa

from swarmscope.model.errors import QueryFailedError, QueryTimeoutError, UnavailableError
from swarmscope.store.embedded.native import AnyArray, decode_native, encode_native

_SLICE_BYTES = 1 << 20
# One block a statement: parts are as large as the batch. A backfill may touch any number of days. Nothing is
# deduplicated by its block: ClickHouse notes a block as inserted before its part appears, and a process that is
# killed in between would never get the block in again.
_INSERT_SETTINGS = (
    " SETTINGS max_partitions_per_insert_block = 0, min_insert_block_size_rows = 0, min_insert_block_size_bytes = 0,"
    " max_insert_block_size = 67108864, insert_deduplicate = 0"
)
_MEMORY_LIMIT_CODE = "(MEMORY_LIMIT_EXCEEDED)"
_TIMEOUT_CODE = "(TIMEOUT_EXCEEDED)"
_CANCELLED_CODE = "(QUERY_WAS_CANCELLED)"
_DAMAGE_CODES = (
    "(CHECKSUM_DOESNT_MATCH)",
    "(CORRUPTED_DATA)",
    "(CANNOT_READ_ALL_DATA)",
    "(CANNOT_DECOMPRESS)",
    "(UNEXPECTED_END_OF_FILE)",
    "(ATTEMPT_TO_READ_AFTER_EOF)",
    "(FILE_DOESNT_EXIST)",
    "(BAD_SIZE_OF_FILE_IN_DATA_PART)",
    "(SIZES_OF_COLUMNS_DOESNT_MATCH)",
    "(UNKNOWN_CODEC)",
    "(TOO_LARGE_SIZE_COMPRESSED)",
)


class DamagedPartError(QueryFailedError):
    """A part on disk is not what was written."""


class Engine:
    """Opens a folder and hands out connections; raises UnavailableError once closed."""

    def __init__(self, folder: Path, *, max_memory_bytes: int, readers: int, backups: Path) -> None:
        """Open `folder` (made when missing) with a cap on ClickHouse's memory and `readers` read connections.

        BACKUP may write to `backups` and nowhere else.
        """
        options = f"max_server_memory_usage={max_memory_bytes}&mark_cache_size=67108864&max_thread_pool_size=64"
        options += f"&backups.allowed_path={backups}"
        self._target = f"{folder}?{options}"
        self._writer = chdb.connect(self._target)
        self._writer_lock = threading.Lock()
        self._readers: queue.LifoQueue[Any] = queue.LifoQueue()
        self._all = [self._writer]
        for _ in range(readers):
            connection = chdb.connect(self._target)
            self._all.append(connection)
            self._readers.put(connection)
        self._closed = False
        # Takes damaged parts out of service; whether there were any. Set once by the store.
        self.repair: Callable[[], bool] = lambda: False

    @contextmanager
    def _reader(self) -> Iterator[Any]:
        if self._closed:
            raise UnavailableError("the store is closed")
        connection = self._readers.get()
        try:
            yield connection
        finally:
            self._readers.put(connection)

    def execute(self, sql: str) -> None:
        """Run a statement that gives no rows, on the write connection."""
        with self._writer_lock:
            self._check_open()
            self._writer.query(sql)

    def insert(self, table: str, columns: Mapping[str, AnyArray]) -> None:
        """Insert fixed-width columns [n_rows] as one block; durable in a part on return.

        Rows MUST be in the table's order and without repeated keys: ClickHouse is told not to look for any, which
        costs it three times the rest of an insert.
        """
        names = ", ".join(columns)
        settings = f"{_INSERT_SETTINGS}, optimize_on_insert = 0"
        self._send(f"INSERT INTO {table} ({names}){settings}", "Native", encode_native(columns))

    def insert_arrow(self, table: str, batch: pa.RecordBatch) -> None:
        """Insert an Arrow batch; as `insert`."""
        buffer = pa.BufferOutputStream()
        with pa.ipc.new_stream(buffer, batch.schema) as stream:
            stream.write_batch(batch)
        names = ", ".join(batch.schema.names)
        data = [memoryview(buffer.getvalue())]
        self._send(f"INSERT INTO {table} ({names}){_INSERT_SETTINGS}", "ArrowStream", data)

    def _send(self, sql: str, data_format: str, pieces: Iterable[memoryview]) -> None:
        with self._writer_lock:
            self._check_open()
            with self._writer.send_insert(sql, data_format) as inserter:
                for piece in pieces:
                    # ClickHouse copies what it is given: in slices, the copies never add up.
                    for begin in range(0, len(piece), _SLICE_BYTES):
                        inserter.append(piece[begin : begin + _SLICE_BYTES])
                inserter.finish()

    def columns(self, sql: str, parameters: Mapping[str, object] | None = None) -> dict[str, AnyArray]:
        """Rows of fixed-width types as NumPy columns; {} when there is none."""
        return decode_native(self._read(sql, "Native", parameters))

    def table(
        self, sql: str, parameters: Mapping[str, object] | None = None, *, add_settings: bool = True
    ) -> pa.Table | None:
        """Rows of any type as an Arrow table, None when there is none.

        `add_settings=False` for a statement that brings its own SETTINGS.
        """
        uncompressed = f"{sql} SETTINGS output_format_arrow_compression_method = 'none'" if add_settings else sql
        data = self._read(uncompressed, "ArrowStream", parameters)
        return pa.ipc.open_stream(data).read_all() if data else None

    def _read(self, sql: str, data_format: str, parameters: Mapping[str, object] | None) -> bytes:
        try:
            with self._reader() as connection:
                return _ask(connection, sql, data_format, parameters)
        except DamagedPartError:
            # Slow path: the damaged part is taken out and the rest serves.
            if not self.repair():
                raise
        with self._reader() as connection:
            return _ask(connection, sql, data_format, parameters)

    def close(self) -> None:
        """Close every connection; ClickHouse finishes what it is writing."""
        with self._writer_lock:
            self._closed = True
            for connection in self._all:
                connection.close()

    def _check_open(self) -> None:
        if self._closed:
            raise UnavailableError("the store is closed")


def _ask(connection: Any, sql: str, data_format: str, parameters: Mapping[str, object] | None) -> bytes:
    try:
        answer: bytes = connection.query(sql, data_format, params=dict(parameters or {})).bytes()
    except RuntimeError as error:
        raise _translated(error) from error
    return answer


def _translated(error: RuntimeError) -> QueryFailedError:
    text = str(error)
    if _TIMEOUT_CODE in text or _CANCELLED_CODE in text:
        return QueryTimeoutError("the query ran out of time while reading from the store")
    if _MEMORY_LIMIT_CODE in text:
        return QueryFailedError("the query needs more memory than the store may use")
    if any(code in text for code in _DAMAGE_CODES):
        return DamagedPartError(f"the store has a damaged part: {text.splitlines()[0]}")
    return QueryFailedError(f"the store failed: {text.splitlines()[0]}")
