"""Where compiled kernels are kept between starts.

Numba keeps them beside the source, and where that cannot be written (a system-wide install) in a folder of the user's.
Must run before Numba is imported: it reads its environment once.
"""

from __future__ import annotations

import os
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


def holds_kernels(folder: Path) -> bool:
    """Whether an earlier start has left compiled kernels."""
    return next(folder.rglob("*.nbi"), None) is not None
