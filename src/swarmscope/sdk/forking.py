"""Starting over in a forked process: threads, connections and locks do not come along."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Restartable(Protocol):
    """Something with a thread, a connection or a lock of its own."""

    def start_over(self) -> None:
        """In the child, before any of its own code runs."""


def call_after_fork(owner: Restartable) -> None:
    """Have `owner.start_over()` called in every process forked from this one, while the owner lives."""
    # Handlers cannot be taken back, so they must not keep the owner.
    weak_owner = weakref.ref(owner)

    def start_over() -> None:
        found = weak_owner()
        if found is not None:
            found.start_over()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=start_over)
