"""When a query ends early: its time is up, its client has gone, or the program stops."""

from __future__ import annotations

import time

from swarmscope.model.errors import QueryCancelledError, QueryTimeoutError


class Deadline:
    """A `Cancellation` with a time limit. `cancel` may be called from any thread."""

    def __init__(self, timeout_s: float) -> None:
        self._ends_s = time.monotonic() + timeout_s
        self._cancelled = False

    @property
    def remaining_s(self) -> float:
        """Seconds left, 0 when the time is up."""
        return max(0.0, self._ends_s - time.monotonic())

    def cancel(self) -> None:
        """End the work at its next check."""
        self._cancelled = True

    def check(self) -> None:
        """Raise QueryCancelledError or QueryTimeoutError when the work should end."""
        if self._cancelled:
            raise QueryCancelledError("query was canceled in expression evaluation")
        if time.monotonic() > self._ends_s:
            raise QueryTimeoutError("query timed out in expression evaluation")
