"""The generations of lines that are not, or not wholly, in parts yet."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from swarmscope.store.embedded.logs.generation import LogGeneration


@dataclass(frozen=True, slots=True)
class LogSnapshot:
    """One consistent view: rows of parts with a segment below `first_segment`, and these generations' lines."""

    generations: tuple[LogGeneration, ...]

    @property
    def first_segment(self) -> int:
        """Rows of this segment, and later ones, are to be read from memory alone."""
        return self.generations[0].segment.number


class LogMemory:
    """Holds the current snapshot and replaces it whole."""

    def __init__(self, active: LogGeneration) -> None:
        self._lock = threading.Lock()
        self._generations: tuple[LogGeneration, ...] = (active,)

    def snapshot(self) -> LogSnapshot:
        """The current view. Take it before reading from parts: rows move from here to there, never back."""
        return LogSnapshot(self._generations)

    @property
    def active(self) -> LogGeneration:
        """The generation that commits go to."""
        return self._generations[-1]

    def unflushed_bytes(self) -> int:
        """How many acknowledged bytes of lines and metadata wait for their part."""
        return sum(generation.lines.n_bytes for generation in self._generations)

    def seal(self, successor: LogGeneration) -> LogGeneration:
        """Start a new active generation and return the one that is now to be flushed."""
        with self._lock:
            sealed = self.active
            self._generations = (*self._generations, successor)
            return sealed

    def flushed(self, generation: LogGeneration) -> None:
        """A generation's lines are all in parts."""
        with self._lock:
            self._generations = tuple(kept for kept in self._generations if kept is not generation)
