"""The generations of one signal: the one that commits go to, and those that wait for their parts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from swarmscope.store.embedded.journal import Segment


class Generation(Protocol):
    """Acknowledged rows on their way to parts, and the segment of the journal that holds them too."""

    @property
    def segment(self) -> Segment:
        """Where the rows are safe."""
        ...

    @property
    def is_empty(self) -> bool:
        """Whether nothing was acknowledged in it yet."""
        ...

    @property
    def started_s(self) -> float:
        """When its first rows were acknowledged (`time.monotonic`)."""
        ...


G = TypeVar("G", bound=Generation)


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[G]):
    """One consistent view: rows of parts with a segment below `first_segment`, and these generations, oldest first."""

    generations: tuple[G, ...]

    @property
    def first_segment(self) -> int:
        """Rows of this segment, and later ones, are to be read from memory alone."""
        return self.generations[0].segment.number


class Generations(Generic[G]):
    """Holds the current snapshot and replaces it whole, so that readers never wait and never see half a change."""

    def __init__(self, make: Callable[[], G]) -> None:
        """`make` gives a new generation, on the journal's next segment; it MAY raise."""
        self._make = make
        self._lock = threading.Lock()
        self._state = Snapshot((make(),))

    def snapshot(self) -> Snapshot[G]:
        """The current view. Take it before reading from parts: rows move from here to there, never back."""
        return self._state

    @property
    def active(self) -> G:
        """The generation that commits go to."""
        return self._state.generations[-1]

    def seal(self) -> G:
        """Start a new active generation and return the one that is now to be flushed.

        Raises what `make` raises, and then nothing has changed.
        """
        successor = self._make()
        with self._lock:
            sealed = self.active
            self._state = Snapshot((*self._state.generations, successor))
            return sealed

    def flushed(self, generation: G) -> None:
        """A generation's rows are all in parts."""
        with self._lock:
            self._state = Snapshot(tuple(kept for kept in self._state.generations if kept is not generation))


def close_active(active: Generation) -> None:
    """Close the journal of what commits went to; what is in it is found at the next start."""
    active.segment.close()
    if active.is_empty:
        active.segment.remove()
