"""Ends statements whose query has ended meanwhile: its time is up, or its client went away."""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
from collections.abc import Callable, Iterator

from swarmscope.model.contracts import Cancellation
from swarmscope.model.errors import SwarmscopeError

_log = logging.getLogger(__name__)

# A statement outlives its query by no more than this, and the look costs a microsecond.
_PERIOD_S = 0.02


class StatementWatch:
    """One thread that asks every running statement's query whether it still wants the answer."""

    def __init__(self, execute: Callable[[str], None]) -> None:
        """`execute` runs KILL QUERY on a connection that nobody else uses."""
        self._execute = execute
        self._changed = threading.Condition()
        self._running: dict[str, Cancellation] = {}
        self._numbers = itertools.count(1)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="statement-watch", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def watching(self, cancellation: Cancellation) -> Iterator[str]:
        """Give the `log_comment` that the statement MUST carry while the context lives."""
        mark = f"query-{next(self._numbers)}"
        with self._changed:
            self._running[mark] = cancellation
            if len(self._running) == 1:
                self._changed.notify()
        try:
            yield mark
        finally:
            with self._changed:
                del self._running[mark]

    def close(self) -> None:
        """End the thread; running statements are left alone."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._running or self._stopping)
                # Most statements are over before their first look.
                self._changed.wait_for(lambda: self._stopping, _PERIOD_S)
                if self._stopping:
                    return
                running = list(self._running.items())
            # Asked for again each time, as the statement may not have begun when it was asked for first.
            self._kill([mark for mark, cancellation in running if _has_ended(cancellation)])

    def _kill(self, marks: list[str]) -> None:
        if not marks:
            return
        listed = ", ".join(f"'{mark}'" for mark in marks)
        try:
            self._execute(f"KILL QUERY WHERE Settings['log_comment'] IN ({listed}) ASYNC")
        except RuntimeError as error:
            _log.warning("statements of ended queries cannot be stopped: %s", error)


def _has_ended(cancellation: Cancellation) -> bool:
    try:
        cancellation.check()
    except SwarmscopeError:
        return True
    return False
