"""ClickHouse in this process (chDB): a pool of connections to one folder.

One connection runs one statement at a time; connections of one process to the same folder run side by side.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import chdb
import pyarrow as pa

from swarmscope.model.contracts import ReadBudget
from swarmscope.model.errors import (
    LimitExceededError,
    QueryCancelledError,
    QueryFailedError,
    QueryTimeoutError,
    SwarmscopeError,
    UnavailableError,
)
from swarmscope.store.embedded.insertion import Inserter
from swarmscope.store.embedded.native import AnyArray, AnyColumn, decode_native, decode_native_rows
from swarmscope.store.embedded.statement_watch import StatementWatch

# ClickHouse would compile what is asked a third time. Its compiler takes 35 MiB, and rollups gain 6 ms a million rows.
_NO_COMPILER = "compile_expressions=0&compile_aggregate_expressions=0&compile_sort_description=0"
# How long a statement that belongs to no query waits for a connection, and how often a query is asked meanwhile.
_LONGEST_WAIT_S = 30.0
_LOOK_AGAIN_S = 0.02
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
        options += f"&{_NO_COMPILER}"
        # What stands behind the question mark is decoded as in an address; the folder itself is not.
        options += f"&backups.allowed_path={quote(str(backups))}"
        self._target = f"{folder}?{options}"
        self._writer = chdb.connect(self._target)
        self._inserter = Inserter(self._writer)
        self._writer_lock = threading.Lock()
        self._readers: queue.LifoQueue[Any] = queue.LifoQueue()
        self._all = [self._writer]
        for _ in range(readers):
            connection = chdb.connect(self._target)
            self._all.append(connection)
            self._readers.put(connection)
        self._n_readers = readers
        self._administrator = chdb.connect(self._target)
        self._all.append(self._administrator)
        self._administrator_lock = threading.Lock()
        self._administration = _UntilStopped()
        killer = chdb.connect(self._target)
        self._all.append(killer)
        self._watch = StatementWatch(killer.query)
        self._closed = False
        # Takes damaged parts out of service; whether there were any. Set once by the store.
        self.repair: Callable[[], bool] = lambda: False

    @contextmanager
    def _reader(self, budget: ReadBudget | None) -> Iterator[Any]:
        connection = self._free_connection(budget)
        try:
            yield connection
        finally:
            self._readers.put(connection)

    def _free_connection(self, budget: ReadBudget | None) -> Any:
        """Wait for one as long as the query may last. Raises UnavailableError where it belongs to none."""
        gives_up_s = time.monotonic() + _LONGEST_WAIT_S
        while True:
            self._check_open()
            try:
                return self._readers.get(timeout=_LOOK_AGAIN_S)
            except queue.Empty:
                pass
            reason = f"all {self._n_readers} connections to the store are busy (storage.readers)"
            if budget is None:
                if time.monotonic() > gives_up_s:
                    raise UnavailableError(reason)
                continue
            try:
                budget.cancellation.check()
            except QueryTimeoutError as error:
                raise QueryTimeoutError(f"query timed out while it waited: {reason}") from error

    def execute(self, sql: str) -> None:
        """Run a statement that gives no rows, on the write connection."""
        with self._writer_lock:
            self._check_open()
            self._writer.query(sql)

    def administer(self, sql: str) -> None:
        """As `execute`, for what may take long: on a connection of its own, so that flushes go on meanwhile.

        One statement runs at a time. Raises QueryCancelledError after `stop_administration`.
        """
        with self._administrator_lock, self._watch.watching(self._administration) as mark:
            self._check_open()
            self._administration.check()
            # Not every statement of an administrator takes SETTINGS.
            self._administrator.query(f"SET log_comment = '{mark}'")
            try:
                self._administrator.query(sql)
            except RuntimeError as error:
                self._administration.check()
                raise _translated(error) from error

    def stop_administration(self) -> None:
        """End what `administer` runs, and take no more. Does not wait."""
        self._administration.stop()

    def insert(self, table: str, columns: Mapping[str, AnyColumn]) -> None:
        """As `Inserter.insert`."""
        with self._writer_lock:
            self._check_open()
            self._inserter.insert(table, columns)

    def insert_arrow(self, table: str, batch: pa.RecordBatch) -> None:
        """As `Inserter.insert_arrow`."""
        with self._writer_lock:
            self._check_open()
            self._inserter.insert_arrow(table, batch)

    def columns(self, sql: str, budget: ReadBudget | None = None) -> dict[str, AnyArray]:
        """Rows of fixed-width types as NumPy columns; {} when there is none.

        A statement of a query keeps to its `budget` and ends with it: raises LimitExceededError, QueryTimeoutError and
        QueryCancelledError. Such a statement MUST NOT have SETTINGS of its own.
        """
        return decode_native(self._read(_Statement(sql, "Native"), budget))

    def stream_rows(
        self, sql: str, budget: ReadBudget, settings: tuple[str, ...] = ()
    ) -> Iterator[dict[str, AnyColumn]]:
        """Rows of numbers and strings, block by block as ClickHouse has them; `budget` as in `columns`.

        Holds a connection until it is exhausted or closed. Its blocks come one at a time, so memory does not grow with
        the answer. `settings` are `name = value`.
        """
        statement = _Statement(sql, "Native", settings=settings)
        has_begun = False
        try:
            for block in self._stream(statement, budget):
                has_begun = True
                yield block
            return
        except DamagedPartError:
            # Slow path: the damaged part is taken out and the rest serves, unless some of it was given already.
            if not self.repair() or has_begun:
                raise
        yield from self._stream(statement, budget)

    def _stream(self, statement: _Statement, budget: ReadBudget) -> Iterator[dict[str, AnyColumn]]:
        with self._reader(budget) as connection, self._watch.watching(budget.cancellation) as mark:
            bounded = statement.with_settings(*_settings_of(budget), f"log_comment = '{mark}'")
            try:
                blocks = connection.send_query(str(bounded), bounded.data_format)
                try:
                    while (block := blocks.fetch()) is not None:
                        yield decode_native_rows(block.bytes())
                        budget.cancellation.check()
                finally:
                    blocks.close()
            except RuntimeError as error:
                translated = _translated(error)
                if isinstance(translated, QueryTimeoutError):
                    budget.cancellation.check()  # knows whether it was the time or the client
                raise translated from error

    def table(
        self,
        sql: str,
        parameters: Mapping[str, object] | None = None,
        *,
        add_settings: bool = True,
        budget: ReadBudget | None = None,
    ) -> pa.Table | None:
        """Rows of any type as an Arrow table, None when there is none; `budget` as in `columns`.

        `add_settings=False` for a statement that brings its own SETTINGS.
        """
        settings = ("output_format_arrow_compression_method = 'none'",) if add_settings else ()
        data = self._read(_Statement(sql, "ArrowStream", dict(parameters or {}), settings), budget)
        return pa.ipc.open_stream(data).read_all() if data else None

    def _read(self, statement: _Statement, budget: ReadBudget | None) -> bytes:
        try:
            return self._ask(statement, budget)
        except DamagedPartError:
            # Slow path: the damaged part is taken out and the rest serves.
            if not self.repair():
                raise
        return self._ask(statement, budget)

    def _ask(self, statement: _Statement, budget: ReadBudget | None) -> bytes:
        with self._reader(budget) as connection:
            if budget is None:
                return _answer(connection, statement)
            with self._watch.watching(budget.cancellation) as mark:
                bounded = statement.with_settings(*_settings_of(budget), f"log_comment = '{mark}'")
                try:
                    return _answer(connection, bounded)
                except QueryTimeoutError:
                    budget.cancellation.check()  # knows whether it was the time or the client
                    raise

    def close(self) -> None:
        """Close every connection; ClickHouse finishes what it is writing."""
        self.stop_administration()
        with self._administrator_lock:
            self._watch.close()
        with self._writer_lock:
            self._closed = True
            for connection in self._all:
                connection.close()

    def _check_open(self) -> None:
        if self._closed:
            raise UnavailableError("the store is closed")


class _UntilStopped:
    """A `Cancellation` without an end of its own."""

    remaining_s = math.inf

    def __init__(self) -> None:
        self._is_stopped = False

    def stop(self) -> None:
        self._is_stopped = True

    def check(self) -> None:
        if self._is_stopped:
            raise QueryCancelledError("the store is closing")


@dataclass(frozen=True, slots=True)
class _Statement:
    """A SELECT, the format of its answer, bound parameters and settings (`name = value`)."""

    sql: str
    data_format: str
    parameters: dict[str, object] = field(default_factory=dict)
    settings: tuple[str, ...] = ()

    def with_settings(self, *more: str) -> _Statement:
        return replace(self, settings=(*self.settings, *more))

    def __str__(self) -> str:
        return f"{self.sql} SETTINGS {', '.join(self.settings)}" if self.settings else self.sql


def _settings_of(budget: ReadBudget) -> Iterator[str]:
    if math.isfinite(remaining_s := budget.cancellation.remaining_s):
        yield f"max_execution_time = {max(remaining_s, 0.001):.3f}"  # 0 would mean for ever
    if budget.max_bytes is not None:
        yield f"max_memory_usage = {budget.max_bytes}"


def _answer(connection: Any, statement: _Statement) -> bytes:
    try:
        answer: bytes = connection.query(str(statement), statement.data_format, params=statement.parameters).bytes()
    except RuntimeError as error:
        raise _translated(error) from error
    return answer


def _translated(error: RuntimeError) -> SwarmscopeError:
    text = str(error)
    if _TIMEOUT_CODE in text or _CANCELLED_CODE in text:
        return QueryTimeoutError("the query ran out of time while reading from the store")
    if _MEMORY_LIMIT_CODE in text:
        return LimitExceededError(
            "the query needs more memory than it may use in the store", limit="limits.max_query_memory"
        )
    if any(code in text for code in _DAMAGE_CODES):
        return DamagedPartError(f"the store has a damaged part: {text.splitlines()[0]}")
    return QueryFailedError(f"the store failed: {text.splitlines()[0]}")
