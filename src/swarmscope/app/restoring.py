"""`swarmscope restore`: a data folder from a snapshot."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from swarmscope.app.unneeded_imports import refuse_unneeded_imports

EXIT_FAILED = 1


def restore(snapshot: Path, folder: Path) -> int:
    """Restore and tell what became of it; the exit code."""
    refuse_unneeded_imports()
    from swarmscope.store.embedded.folder_lock import FolderInUseError
    from swarmscope.store.embedded.restoring import SnapshotError, restore_snapshot

    try:
        restored = restore_snapshot(snapshot, folder)
    except (SnapshotError, FolderInUseError, OSError) as error:
        Console(stderr=True, soft_wrap=True).print(Text(str(error), style="bold red"))
        return EXIT_FAILED
    found = f"{restored.samples:,} samples, {restored.lines:,} log lines and {restored.spans:,} spans"
    Console(soft_wrap=True).print(f"{folder}: {found} restored", highlight=False)
    return 0
