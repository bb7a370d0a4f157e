"""What this process uses, measured."""

from __future__ import annotations

import os
import time
from pathlib import Path

_STATM = Path("/proc/self/statm")


class ProcessorUse:
    """Cores in use between two looks."""

    def __init__(self) -> None:
        self._before = (time.monotonic(), time.process_time())

    def cores(self) -> float | None:
        """Since the last call, or since the beginning; None where no time has passed."""
        (then_s, then_used_s), (now_s, now_used_s) = self._before, (time.monotonic(), time.process_time())
        if now_s <= then_s:
            return None
        self._before = (now_s, now_used_s)
        return (now_used_s - then_used_s) / (now_s - then_s)


def resident_bytes() -> int | None:
    """Memory that is in use now; None where the system does not say (https://man7.org/linux/man-pages/man5/proc.5.html)."""
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None
