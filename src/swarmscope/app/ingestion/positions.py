"""Where reading stopped, file by file: a small JSON file each in the user's state folder.

A file is known by device, inode and the first bytes of its content, so a rotated file goes on under its new name and a
new one under the old name begins at its start. What is under way is noted before it is sent, so that after a crash the
same lines are sent with the same times, and the server takes those that it has for what they are.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file is durable. `times`: a TimeOrder's state there; `under_way`: ends of blocks and their `now_ns`."""

    offset: int = 0
    path: str = ""
    form: str = ""
    times: Sequence[int] = ()
    under_way: Sequence[tuple[int, int]] = field(default=())


class Positions:
    """Reads and writes positions."""

    def __init__(self, folder: Path, target: str) -> None:
        """`target`: lines that went to another one have not come to this one."""
        self._folder = folder
        self._target = target

    def _path(self, identity: FileIdentity) -> Path:
        name = hashlib.sha256(f"{identity.device}:{identity.inode}:{self._target}".encode()).hexdigest()[:32]
        return self._folder / f"{name}.json"

    def load(self, source: BinaryIO, identity: FileIdentity) -> Position | None:
        """The position in a file, None where it was never read or is another one now."""
        try:
            held = json.loads(self._path(identity).read_text("utf-8"))
            head_bytes, head = int(held["head_bytes"]), str(held["head"])
            position = Position(
                int(held["offset"]),
                str(held["path"]),
                str(held["form"]),
                [int(number) for number in held["times"]],
                [(int(end), int(now_ns)) for end, now_ns in held["under_way"]],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return position if fingerprint(source, head_bytes) == head else None

    def save(self, source: BinaryIO, identity: FileIdentity, position: Position) -> None:
        """Remember a position; the file is replaced at once, so a crash leaves the old one. Raises OSError."""
        last = position.under_way[-1][0] if position.under_way else position.offset
        head_bytes = min(last, _HEAD_BYTES)
        held = {
            "offset": position.offset, "path": position.path, "form": position.form, "times": list(position.times),
            "under_way": list(position.under_way), "head_bytes": head_bytes, "head": fingerprint(source, head_bytes),
        }  # fmt: skip
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(identity)
        fresh = path.with_suffix(f".{os.getpid()}.new")
        fresh.write_text(json.dumps(held), "utf-8")
        fresh.replace(path)


def fingerprint(source: BinaryIO, size: int) -> str:
    """Of the first `size` bytes, or of fewer where the file is shorter."""
    return hashlib.sha256(os.pread(source.fileno(), size, 0)).hexdigest()
