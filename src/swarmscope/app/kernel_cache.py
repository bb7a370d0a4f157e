"""Where compiled kernels are kept between starts.

Numba notices when a kernel's own file changes, but not when a kernel or constant changes that it takes from another
file. So the folder is named by a hash of all that kernels are made from: what was compiled from other source is never
looked at. Must run before Numba is imported: it reads its environment once.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import platform
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import swarmscope

_log = logging.getLogger(__name__)
_VARIABLE = "NUMBA_CACHE_DIR"
_PREFIX = "kernels-"
_COMPLETE = "complete"
_IMPORT = re.compile(rb"^\s*(?:from|import)\s+(swarmscope[\w.]*)(?:\s+import\s+(\([^)]*\)|[^\n]*))?", re.MULTILINE)
_KERNEL = re.compile(rb"^@njit", re.MULTILINE)
_WORD = re.compile(rb"\w+")
# Two checkouts or versions may take turns, and another process may be compiling: a folder goes when it was not used
# for a day, or for an hour where several others were used since.
_UNUSED_S = 24 * 3600.0
_RECENTLY_S = 3600.0
_KEPT_FOLDERS = 3


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
    return Path(root) / "swarmscope"


def prepare_cache() -> Path:
    """Choose the folder, tell Numba, and remove folders that nobody uses any more. Returns the folder.

    Code is loaded from there: a folder that others may write to is refused with a warning, and another is used. It
    lies in the folder of the user's choice (`NUMBA_CACHE_DIR`), else beside the source, else (a system-wide
    install) in the user's cache.
    """
    package = Path(swarmscope.__file__).parent
    name = _PREFIX + fingerprint(package)
    chosen = os.environ.get(_VARIABLE)
    if chosen:
        root = Path(chosen).parent if Path(chosen).name == name else Path(chosen)
    else:
        root = package / "__pycache__" if _is_writable(package) else user_cache_folder()
    root = _safe_root([root, user_cache_folder()], name)
    folder = root / name
    with contextlib.suppress(OSError):
        os.utime(folder)
    os.environ[_VARIABLE] = str(folder)
    _remove_unused(root, folder)
    return folder


def _safe_root(roots: list[Path], name: str) -> Path:
    """The first root in which the folder `name` (made when missing) is safe, else one of this process' own."""
    for root in roots:
        try:
            root.mkdir(parents=True, exist_ok=True)
            (root / name).mkdir(mode=0o755, exist_ok=True)
            reason = _distrust(root, root / name)
        except OSError as error:
            reason = str(error)
        if not reason:
            return root
        _log.warning("compiled kernels are not kept in %s: %s", root, reason)
    return Path(tempfile.mkdtemp(prefix="swarmscope-"))


def _distrust(root: Path, folder: Path) -> str:
    """Why code from `folder` in `root` may not be ours; "" where it is."""
    for place, writable in ((root, stat.S_IWOTH), (folder, stat.S_IWGRP | stat.S_IWOTH)):
        facts = place.lstat() if place == folder else place.stat()
        if not stat.S_ISDIR(facts.st_mode):
            return f"{place} is not a folder"
        # In a folder like /tmp everybody may make files, but nobody rename or remove another's.
        if facts.st_mode & writable and not (place == root and facts.st_mode & stat.S_ISVTX):
            return f"other users may write to {place}"
        if facts.st_uid not in (os.geteuid(), 0) and not (place == root and facts.st_mode & stat.S_ISVTX):
            return f"{place} belongs to another user"
    return ""


def _remove_unused(root: Path, current: Path) -> None:
    used_s: dict[Path, float] = {}
    for folder in root.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            used_s[folder] = folder.stat().st_mtime
    used_s.pop(current, None)
    newest_first = sorted(used_s, key=used_s.__getitem__, reverse=True)
    for rank, folder in enumerate(newest_first):
        unused_s = time.time() - used_s[folder]
        if unused_s > _UNUSED_S or (unused_s > _RECENTLY_S and rank >= _KEPT_FOLDERS):
            shutil.rmtree(folder, ignore_errors=True)


@lru_cache(1)
def fingerprint(package: Path) -> str:
    """Changes when a source file that kernels depend on, Python or Numba does."""
    digest = hashlib.sha256(f"{sys.version} {platform.machine()} {version('numba')}".encode())
    for path, text in sorted(_kernel_sources(package).items()):
        digest.update(f"\n{path.relative_to(package)} {len(text)}\n".encode() + text)
    return digest.hexdigest()[:16]


def _kernel_sources(package: Path) -> dict[Path, bytes]:
    """The text of each file that holds a kernel, and of all files of ours that these import, directly or not."""
    texts = {path: path.read_bytes() for path in package.rglob("*.py")}
    found: dict[Path, bytes] = {}
    waiting = [path for path, text in texts.items() if _KERNEL.search(text)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = texts[path]
            waiting += [imported for imported in _imports(package, texts[path]) if imported in texts]
    return found


def _imports(package: Path, text: bytes) -> Iterator[Path]:
    """Files that an import in `text` may mean: a module, a package, or modules of a package."""
    for match in _IMPORT.finditer(text):
        target = package.parent.joinpath(*match[1].decode().split("."))
        yield target.with_suffix(".py")
        yield target / "__init__.py"
        for word in _WORD.findall(match[2] or b""):
            yield target / f"{word.decode()}.py"


def is_complete(folder: Path) -> bool:
    """Whether an earlier start has compiled every kernel into the folder."""
    return (folder / _COMPLETE).exists() and any(folder.rglob("*.nbi"))


def mark_complete(folder: Path) -> None:
    """Note that every kernel is in the folder; where that cannot be written, the next start looks again."""
    with contextlib.suppress(OSError):
        (folder / _COMPLETE).touch()
