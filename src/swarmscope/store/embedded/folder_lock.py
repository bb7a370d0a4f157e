"""One process at a time on a data folder; the second is told who holds it."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from pathlib import Path

import orjson


class FolderInUseError(Exception):
    """Another process has the folder open; the message names it."""


class FolderLock:
    """An advisory lock (flock) on `DIR/lock`; the kernel releases it when the process dies, however it dies."""

    def __init__(self, folder: Path) -> None:
        """Take the lock; raises FolderInUseError, and OSError for a path that cannot be used."""
        # chDB would cut the path at the one and put the data elsewhere, and no way is known to name a folder for
        # snapshots to it that has the other.
        for character in "?&":
            if character in str(folder.absolute()):
                raise OSError(errno.EINVAL, f"a data folder's path may have no '{character}'", str(folder))
        folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o640)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(os.pread(self._file, 4096, 0))
            os.close(self._file)
            raise FolderInUseError(f"the data folder {folder} is in use by {holder}") from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, orjson.dumps({"pid": os.getpid(), "command": " ".join(sys.argv)}), 0)

    def release(self) -> None:
        """Let others in."""
        os.close(self._file)


def _holder(written: bytes) -> str:
    try:
        told = orjson.loads(written)
        return f"process {told['pid']} ({told['command']})"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "another process"
