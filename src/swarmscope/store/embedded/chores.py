"""Work in the background of one signal: what is not needed to begin serving, and what is due now and then."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from swarmscope.model.contracts import ReadBudget
from swarmscope.model.errors import QueryCancelledError

_log = logging.getLogger(__name__)
_PERIOD_S = 60.0
_ROUNDS_PER_HOUR = 60
_UNBOUNDED = 1 << 62

# Statements of a chore MUST keep to the budget: they end when the store closes.
Chore = Callable[[ReadBudget], object]


class _UntilStopped:
    """A `Cancellation`: statements in the background end when the store closes."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping

    @property
    def remaining_s(self) -> float:
        return math.inf

    def check(self) -> None:
        if self._stopping.is_set():
            raise QueryCancelledError("the store is closing")


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is done when, in this order. A chore that fails is logged, and costs the others nothing."""

    at_start: Sequence[Chore] = ()
    each_minute: Sequence[Chore] = ()
    each_hour: Sequence[Chore] = ()


class Chores:
    """One thread."""

    def __init__(self, schedule: Schedule, signal: str) -> None:
        """Begin; `signal` (metrics, say) names the thread."""
        self._schedule = schedule
        self._signal = signal
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"upkeep-{signal}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, and the statement that it waits for."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        due = list(self._schedule.at_start)
        rounds = 0
        while not self._stopping.is_set():
            for chore in due:
                try:
                    chore(ReadBudget(_UntilStopped(self._stopping), max_samples=_UNBOUNDED))
                except QueryCancelledError:
                    return
                except Exception:
                    _log.exception("upkeep of %s failed: %s", self._signal, getattr(chore, "__qualname__", chore))
            self._stopping.wait(_PERIOD_S)
            rounds += 1
            due = list(self._schedule.each_minute)
            if rounds % _ROUNDS_PER_HOUR == 0:
                due += self._schedule.each_hour
