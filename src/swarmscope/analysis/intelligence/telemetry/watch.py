"""How far a long computation is, and whether its result is still wanted."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float], None]
"""Is told which part is done, 0 to 1."""
Cancelled = Callable[[], bool]
"""Says that nobody waits any more."""


class ComputationCancelledError(Exception):
    """Nobody waits for the result any more; there is none."""


class Watch:
    """One computation's progress and cancellation. Not to be shared between threads."""

    def __init__(self, progress: Progress | None = None, cancelled: Cancelled | None = None) -> None:
        self._progress = progress
        self._cancelled = cancelled

    def done(self, part: float) -> None:
        """Tell how much is done; raises ComputationCancelledError where the result is not wanted any more."""
        if self._cancelled is not None and self._cancelled():
            raise ComputationCancelledError
        if self._progress is not None:
            self._progress(min(part, 1.0))
