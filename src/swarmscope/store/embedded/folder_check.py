"""Whether a data folder can be opened at all, found out in a second and without the compiled kernels."""

from __future__ import annotations

import os
from pathlib import Path

import chdb

from swarmscope.schema.migrations import VERSION_TABLE, run_migrations
from swarmscope.store.embedded.folder_lock import FolderLock
from swarmscope.store.embedded.unusable import explained

# A new store takes some hundred kilobytes before the first sample.
_PROBE_BYTES = 1 << 20


def check_folder(folder: Path) -> None:
    """Raises FolderInUseError, NewerSchemaError and StoreUnusableError as opening the store would.

    The folder is free again on return.
    """
    try:
        lock = FolderLock(folder)
    except OSError as error:
        raise explained(f"the data folder {folder}", folder, error) from error
    try:
        _write_probe(folder / ".write-probe")
        if (folder / "clickhouse").exists():
            # Only its refusal of a newer schema is wanted here.
            run_migrations(lambda sql: None, lambda: _stored_version(folder / "clickhouse"), lambda version: None)
    except (OSError, RuntimeError) as error:
        raise explained(f"the store in {folder}", folder, error) from error
    finally:
        lock.release()


def _write_probe(path: Path) -> None:
    try:
        with path.open("wb") as probe:
            probe.write(bytes(_PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    finally:
        path.unlink(missing_ok=True)


def _stored_version(database: Path) -> int:
    connection = chdb.connect(str(database))
    try:
        if connection.query(f"EXISTS TABLE {VERSION_TABLE}", "CSV").bytes().strip() != b"1":
            return 0
        return int(connection.query(f"SELECT max(version) FROM {VERSION_TABLE}", "CSV").bytes())
    finally:
        connection.close()
