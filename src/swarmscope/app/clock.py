"""The wall clock."""

from __future__ import annotations

import time


class SystemClock:
    """The machine's own time; implements `Clock`."""

    def now_ns(self) -> int:
        """Unix nanoseconds."""
        return time.time_ns()
