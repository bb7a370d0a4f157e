"""A snapshot back into a data folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import chdb

from swarmscope.store.embedded.folder_lock import FolderLock

_MARK = ".backup"


class SnapshotError(Exception):
    """The snapshot cannot be restored; the message says why."""


def restore_snapshot(snapshot: Path, folder: Path) -> int:
    """Make the data folder `folder` from `snapshot`, a folder that the snapshot endpoint wrote; the number of samples.

    Raises SnapshotError where `folder` holds data, or `snapshot` is none or is damaged (nothing is left behind then),
    and FolderInUseError.
    """
    snapshot, folder = snapshot.resolve(), folder.resolve()
    if not (snapshot / _MARK).is_file():
        raise SnapshotError(f"{snapshot} is not a snapshot: it has no file {_MARK}")
    lock = FolderLock(folder)
    try:
        database = folder / "clickhouse"
        if database.exists() or any(folder.glob("journal/*")):
            raise SnapshotError(f"{folder} holds data already; restore into an empty folder")
        try:
            return _restore(snapshot, database)
        except RuntimeError as error:
            shutil.rmtree(database, ignore_errors=True)
            raise SnapshotError(f"{snapshot} cannot be restored: {str(error).splitlines()[0]}") from None
    finally:
        lock.release()


def _restore(snapshot: Path, database: Path) -> int:
    connection = chdb.connect(f"{database}?backups.allowed_path={snapshot.parent}")
    try:
        source = str(snapshot).replace("\\", "\\\\").replace("'", "\\'")
        connection.query(f"RESTORE DATABASE default FROM File('{source}')")
        return int(connection.query("SELECT count() FROM samples", "CSV").bytes())
    finally:
        connection.close()
