"""A mark on disk: before which time everything that was acknowledged is written down, by tenant.

What a killed process had acknowledged and not looked at begins behind the mark. A mark is lowered before the sender of
an earlier span is answered, and raised when what was behind it is written; neither needs to reach the disk itself, for
a process that is killed leaves the machine's memory as it is.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path

_log = logging.getLogger(__name__)


class LowWaterMarks:
    """Marks in one file. Thread-safe."""

    def __init__(self, path: Path, margin_ns: int) -> None:
        """A mark is set `margin_ns` lower than need be, so that ordinary spans seldom lower it."""
        self._path, self._margin_ns = path, margin_ns
        self._lock = threading.Lock()
        self._marks: dict[str, int] = {}

    def read(self) -> dict[str, int]:
        """The marks [ns] that an earlier process has left; they are this one's from here on."""
        try:
            told = json.loads(self._path.read_bytes())
            marks = {str(tenant): int(mark) for tenant, mark in told.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError) as error:
            _log.warning("what an earlier process had not looked at is not known: %s: %s", self._path, error)
            return {}
        with self._lock:
            for tenant, mark in marks.items():
                self._marks[tenant] = min(mark, self._marks.get(tenant, mark))
        return marks

    def lower(self, tenant: str, start_ns: int) -> None:
        """A span that starts then is acknowledged from now on. Raises OSError."""
        # Fast path: reading a dictionary needs no lock.
        mark = self._marks.get(tenant)
        if mark is not None and mark <= start_ns:
            return
        with self._lock:
            mark = self._marks.get(tenant)
            if mark is None or mark > start_ns:
                self._write(self._marks | {tenant: start_ns - self._margin_ns})

    def raise_to(self, marks: Mapping[str, int]) -> None:
        """All that starts before these times [ns] is written down, by tenant. Raises OSError."""
        with self._lock:
            self._write(self._marks | {tenant: mark - self._margin_ns for tenant, mark in marks.items()})

    def _write(self, marks: dict[str, int]) -> None:
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(marks), encoding="utf-8")
        os.replace(draft, self._path)
        self._marks = marks
