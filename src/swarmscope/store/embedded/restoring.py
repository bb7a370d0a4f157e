"""A snapshot back into a data folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import chdb

from swarmscope.schema.log_tables import LOGS
from swarmscope.schema.span_tables import SPANS
from swarmscope.schema.tables import SAMPLES
from swarmscope.store.embedded.folder_lock import FolderLock

_MARK = ".backup"


class SnapshotError(Exception):
    """The snapshot cannot be restored; the message says why."""


class Restored(NamedTuple):
    """What a snapshot held."""

    samples: int
    lines: int
    spans: int


def restore_snapshot(snapshot: Path, folder: Path) -> Restored:
    """Make the data folder `folder` from `snapshot`, a folder that the snapshot endpoint wrote.

    Raises SnapshotError where `folder` holds data, or `snapshot` is none or is damaged (nothing is left behind then),
    and FolderInUseError.
    """
    snapshot, folder = snapshot.resolve(), folder.resolve()
    if not (snapshot / _MARK).is_file():
        raise SnapshotError(f"{snapshot} is not a snapshot: it has no file {_MARK}")
    lock = FolderLock(folder)
    try:
        database = folder / "clickhouse"
        if database.exists() or any(folder.glob("journal*/*")):
            raise SnapshotError(f"{folder} holds data already; restore into an empty folder")
        try:
            return _restore(snapshot, database)
        except RuntimeError as error:
            shutil.rmtree(database, ignore_errors=True)
            raise SnapshotError(f"{snapshot} cannot be restored: {str(error).splitlines()[0]}") from None
    finally:
        lock.release()


def _restore(snapshot: Path, database: Path) -> Restored:
    connection = chdb.connect(f"{database}?backups.allowed_path={quote(str(snapshot.parent))}")
    try:
        source = str(snapshot).replace("\\", "\\\\").replace("'", "\\'")
        connection.query(f"RESTORE DATABASE default FROM File('{source}')")
        return Restored(*(_count_rows(connection, table) for table in (SAMPLES.name, LOGS.name, SPANS.name)))
    finally:
        connection.close()


def _count_rows(connection: Any, table: str) -> int:
    """0 where the snapshot is of a version that had no such table."""
    if connection.query(f"EXISTS TABLE {table}", "CSV").bytes().strip() != b"1":
        return 0
    return int(connection.query(f"SELECT count() FROM {table}", "CSV").bytes())
