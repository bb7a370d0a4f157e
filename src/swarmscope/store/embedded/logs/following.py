"""Lines as they are committed, for those who watch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.logs import LineColumns, LineRequest, LogRows
from swarmscope.model.matchers import Matcher
from swarmscope.model.series import Selection
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.embedded.logs.lines import Lines
from swarmscope.store.embedded.logs.rows import Positions, find_lines, joined_rows, rows_of_lines, text_bytes

# What waits for one follower at most.
_MAX_LINES = 50_000
_MAX_BYTES = 32 << 20
_ALL = LineRequest(-(1 << 62), 1 << 62)
_EVER_MS = (-(1 << 61), 1 << 61)


class LogFollowing:
    """Implements `Following`. `take` is called by the commit thread, the rest by one reader."""

    def __init__(
        self, catalogue: Catalogue, query: tuple[str, Sequence[Matcher]], detach: Callable[[LogFollowing], None]
    ) -> None:
        """`query` is a tenant and matchers; `detach` ends the calls of `take`."""
        self._catalogue = catalogue
        self._query = query
        self._detach = detach
        self._changed = threading.Condition()
        self._waiting: list[LogRows] = []
        self._lines = self._bytes = self._dropped = 0
        self._closed = False
        self._refs: NDArray[np.int64] = np.zeros(0, np.int64)
        self._known_until = -1
        self._positions = Positions.of(self._refs)
        self._find_streams()

    def _find_streams(self) -> None:
        """Streams that came since the last look go behind those that are known; none ever goes."""
        until = self._catalogue.next_ref
        if until == self._known_until:
            return
        found = self._catalogue.select_series(*self._query, *_EVER_MS).refs
        added = np.setdiff1d(found, self._refs)
        if len(added):
            self._refs = np.concatenate([self._refs, added])
            self._positions = Positions.of(self._refs)
        self._known_until = until

    def take(self, lines: Lines) -> None:
        """Keep what matches of rows that were committed; never waits for the reader."""
        self._find_streams()
        found = find_lines(lines, self._positions, _ALL)
        if len(found) == 0:
            return
        with self._changed:
            room = _MAX_LINES - self._lines if self._bytes < _MAX_BYTES else 0
            kept = found[: max(room, 0)]
            self._dropped += len(found) - len(kept)
            if len(kept):
                # A copy of its own: the generation that the lines lie in is large, and goes.
                rows = joined_rows([rows_of_lines(lines, kept, self._positions, LineColumns())])
                self._waiting.append(rows)
                self._lines += len(rows)
                self._bytes += text_bytes(rows)
            self._changed.notify()

    def next(self, timeout_s: float) -> tuple[list[LogRows], int]:
        """As `Following.next`."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._dropped or self._closed, timeout_s)
            waiting, dropped = self._waiting, self._dropped
            self._waiting, self._lines, self._bytes, self._dropped = [], 0, 0, 0
        return waiting, dropped

    def selection(self) -> Selection:
        """As `Following.selection`."""
        refs = self._refs
        return Selection(refs, self._catalogue.label_frame(refs))

    def close(self) -> None:
        """As `Following.close`."""
        self._detach(self)
        with self._changed:
            self._closed = True
            self._changed.notify()
