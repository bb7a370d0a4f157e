"""Why a data folder cannot be opened, in words for whoever started the program."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

# What lies in the machine's state and not in what is stored: it can be mended, and then everything is read again.
_FULL = ("(NOT_ENOUGH_SPACE)", "No space left on device", "Disk quota exceeded")
_FORBIDDEN = ("Permission denied", "Read-only file system", "Operation not permitted")
_SCARCE = (
    "(MEMORY_LIMIT_EXCEEDED)",
    "(CANNOT_ALLOCATE_MEMORY)",
    "(CANNOT_SCHEDULE_TASK)",
    "(TOO_MANY_PARTS)",
    "Too many open files",
    "Cannot allocate memory",
    "Input/output error",
    "the store is closed",
)
_FULL_CODES = (errno.ENOSPC, errno.EDQUOT)


class StoreUnusableError(Exception):
    """The data folder cannot be opened; the message names the file and says what to do."""


def is_of_the_machine(error: Exception) -> bool:
    """Whether a failed write is the fault of the disk, the memory or permissions, and not of the rows."""
    text = str(error)
    return isinstance(error, OSError) or any(sign in text for sign in (*_FULL, *_FORBIDDEN, *_SCARCE))


def explained(what: str, path: Path, error: Exception) -> StoreUnusableError:
    """`what` (a sentence's subject that names `path`) cannot be used because of `error`."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror if error.filename is None else f"{error.strerror}: {error.filename}"
    if any(sign in text for sign in _FULL) or getattr(error, "errno", None) in _FULL_CODES:
        advice = f"Free some space ({_free_space(path)} are left there) and start again"
    elif any(sign in text for sign in _FORBIDDEN):
        advice = "Give this user the right to write there and start again"
    else:
        advice = "Mend the cause and start again, or choose another --data folder"
    return StoreUnusableError(f"{what} cannot be used: {text}. Nothing was removed. {advice}.")


def _free_space(path: Path) -> str:
    existing = next((folder for folder in (path, *path.parents) if folder.exists()), Path("/"))
    return f"{shutil.disk_usage(existing).free / (1 << 20):,.1f} MiB"
