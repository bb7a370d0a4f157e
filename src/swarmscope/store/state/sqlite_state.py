"""Records by kind and key in one SQLite file of the data folder.

ClickHouse writes parts: a record at a time, on disk before the next step, is what SQLite is made for
(docs/decisions/0014-small-state-in-sqlite.md).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path

from swarmscope.model.errors import UnavailableError

FILE = "state.sqlite"
_BUSY_S = 10.0
_TABLE = """
CREATE TABLE IF NOT EXISTS records (
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (kind, key)
) WITHOUT ROWID, STRICT
"""


class SqliteState:
    """The `StateStore` of one data folder. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        """Open or make the file. Raises UnavailableError where it cannot be used."""
        self._lock = threading.Lock()
        path = folder / FILE
        try:
            self._connection = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute(_TABLE)
        except sqlite3.Error as error:
            raise UnavailableError(f"{path}: {error}") from error

    def load(self, kind: str) -> dict[str, bytes]:
        """All records of a kind by key. Raises UnavailableError."""
        try:
            with self._lock:
                rows = self._connection.execute("SELECT key, value FROM records WHERE kind = ?", (kind,)).fetchall()
        except sqlite3.Error as error:
            raise UnavailableError(f"cannot read the {kind} records: {error}") from error
        return dict(rows)

    def write(self, kind: str, records: Mapping[str, bytes | None]) -> None:
        """Put records, or delete those that are None; on disk on return. Raises UnavailableError: nothing was done."""
        if not records:
            return
        put = [(kind, key, value) for key, value in records.items() if value is not None]
        gone = [(kind, key) for key, value in records.items() if value is None]
        try:
            with self._lock:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    self._connection.executemany(
                        "INSERT INTO records VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", put
                    )
                    self._connection.executemany("DELETE FROM records WHERE kind = ? AND key = ?", gone)
                    self._connection.execute("COMMIT")
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            raise UnavailableError(f"cannot write {kind} records: {error}") from error

    def close(self) -> None:
        """Close the file; what was written stays."""
        with self._lock:
            self._connection.close()
