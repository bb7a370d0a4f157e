"""Folders as a first start leaves them: made once a run and copied, as making the tables takes longer than a test."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings

_ROOT = Path(__file__).parents[2]


class WallClock:
    """The time as it is."""

    def now_ns(self) -> int:
        return time.time_ns()


def copy_new_folder(folder: Path, kept: Path) -> None:
    """Make `folder`, which is not there yet, as a first start would. `kept` is where all workers of a run look."""
    template = kept / "new-store"
    with (kept / "new-store.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            # A process of its own: one process has one folder open at a time.
            draft = kept / "new-store.draft"
            command = [sys.executable, "-m", "tests.store.new_folders", str(draft)]
            environment = {**os.environ, "PYTHONPATH": f"{_ROOT / 'src'}{os.pathsep}{_ROOT}"}
            subprocess.run(command, cwd=_ROOT, env=environment, check=True)
            draft.rename(template)
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(template, folder, symlinks=True, dirs_exist_ok=True)


def main() -> None:
    """Make a folder and leave it."""
    EmbeddedStore(StoreSettings(Path(sys.argv[1]), metrics_retention_s=None), WallClock()).close()


if __name__ == "__main__":
    main()
