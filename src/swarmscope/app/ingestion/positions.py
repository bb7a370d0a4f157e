"""Where reading stopped, file by file: a small JSON file each in the user's state folder.

A file is known by device, inode and the first bytes of its content, so a rotated file goes on under its new name and a
new one under the old name begins at its start.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_HEAD_BYTES = 1024


def state_folder() -> Path:
    """By the XDG base directory specification."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "swarmscope" / "ingest"


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What makes a file the same one."""

    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileIdentity:
        """From a file's status."""
        return cls(status.st_dev, status.st_ino)


class Positions:
    """Reads and writes positions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, identity: FileIdentity, target: str) -> Path:
        name = hashlib.sha256(f"{identity.device}:{identity.inode}:{target}".encode()).hexdigest()[:32]
        return self._folder / f"{name}.json"

    def load(self, source: BinaryIO, identity: FileIdentity, target: str) -> int:
        """The offset of a file that is sent to `target`, 0 where it was never read or is another one now."""
        try:
            held = json.loads(self._path(identity, target).read_text("utf-8"))
            offset, head_bytes, head = int(held["offset"]), int(held["head_bytes"]), str(held["head"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0
        return offset if _fingerprint(source, head_bytes) == head else 0

    def save(self, source: BinaryIO, identity: FileIdentity, target: str, offset: int) -> None:
        """Remember an offset; the file is replaced at once, so a crash leaves the old one."""
        head_bytes = min(offset, _HEAD_BYTES)
        held = {"offset": offset, "head_bytes": head_bytes, "head": _fingerprint(source, head_bytes)}
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(identity, target)
        fresh = path.with_suffix(f".{os.getpid()}.new")
        fresh.write_text(json.dumps(held), "utf-8")
        fresh.replace(path)


def _fingerprint(source: BinaryIO, size: int) -> str:
    return hashlib.sha256(os.pread(source.fileno(), size, 0)).hexdigest()
