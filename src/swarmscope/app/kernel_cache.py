"""Where compiled kernels are kept between starts.

Numba keeps them beside the source, and where that cannot be written (a system-wide install) in a folder of the user's.
Must run before Numba is imported: it reads its environment once.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import swarmscope

_VARIABLE = "NUMBA_CACHE_DIR"


def _is_writable(folder: Path) -> bool:
    try:
        probe = folder / f".write-probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


def user_cache_folder() -> Path:
    """The per-user folder, after the XDG base directory specification."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "swarmscope" / f"kernels-{swarmscope.__version__}"


def prepare_cache() -> Path:
    """Choose the folder and tell Numba; a choice of the user's own stands. Returns the folder."""
    chosen = os.environ.get(_VARIABLE)
    if chosen:
        return Path(chosen)
    package = Path(swarmscope.__file__).parent
    if _is_writable(package):
        return package
    folder = user_cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[_VARIABLE] = str(folder)
    return folder


def _fingerprint() -> str:
    """Changes when a source file of ours, Python or Numba does: then kernels have to be compiled again."""
    package = Path(swarmscope.__file__).parent
    digest = hashlib.sha256(f"{sys.version} {platform.machine()} {version('numba')}".encode())
    for path in sorted(package.rglob("*.py")):
        facts = path.stat()
        digest.update(f"{path} {facts.st_mtime_ns} {facts.st_size}\n".encode())
    return digest.hexdigest()


def _marker(folder: Path) -> Path:
    return folder / "__pycache__" / "kernels-compiled"


def is_complete(folder: Path) -> bool:
    """Whether an earlier start has compiled every kernel of just this program."""
    try:
        return _marker(folder).read_text() == _fingerprint()
    except OSError:
        return False


def mark_complete(folder: Path) -> None:
    """Note that every kernel is in the cache; where that cannot be written, the next start looks again."""
    with contextlib.suppress(OSError):
        _marker(folder).parent.mkdir(exist_ok=True)
        _marker(folder).write_text(_fingerprint())
