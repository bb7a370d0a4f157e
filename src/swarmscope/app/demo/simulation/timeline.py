"""Virtual time: processes are generators that wait for time to pass or for a signal (discrete-event simulation)."""

from __future__ import annotations

import heapq
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

NS_PER_S = 1_000_000_000


@dataclass(slots=True, eq=False)
class Signal:
    """Something that happens once; `value` tells waiting processes what."""

    value: Any = None
    has_fired: bool = False
    waiting: list[tuple[Process, int]] = field(default_factory=list)


class Waiting(NamedTuple):
    """Wait for a signal, at most `timeout_ns`; a process is sent the signal's value, or None after the time-out."""

    signal: Signal
    timeout_ns: int | None = None


# Processes yield a number of nanoseconds to let pass, or what they wait for.
Wait = int | Waiting
Work = Generator[Wait, Any, str]  # returns the error, "" for none
Flow = Generator[Wait, Any, None]


@dataclass(slots=True, eq=False)
class Process:
    """A generator that is being run."""

    generator: Generator[Wait, Any, Any]
    turn: int = 0  # wakes of earlier turns are stale
    is_stopped: bool = False

    def stop(self) -> None:
        """Drop it where it stands, as the end of an operating-system process would."""
        self.is_stopped = True
        self.generator.close()


class Timeline:
    """Runs processes in order of time; those due at the same time in the order in which that became known."""

    def __init__(self, start_ns: int) -> None:
        self.now_ns = start_ns
        self._due: list[tuple[int, int, int, Process, Any]] = []  # time, order, turn, process, what it is sent
        self._order = 0

    def start(self, generator: Generator[Wait, Any, Any], delay_ns: int = 0) -> Process:
        """Run a generator from now, or from `delay_ns` on."""
        process = Process(generator)
        self._wake(process, delay_ns, None)
        return process

    def fire(self, signal: Signal, value: Any) -> None:
        """Let the signal happen; `value` is not None. A second time is ignored."""
        if signal.has_fired:
            return
        signal.has_fired, signal.value = True, value
        for process, turn in signal.waiting:
            if process.turn == turn:
                self._wake(process, 0, value)
        signal.waiting.clear()

    def run_until(self, end_ns: int) -> None:
        """Run everything that is due before `end_ns`, which is then the time."""
        while self._due and self._due[0][0] < end_ns:
            at_ns, _, turn, process, sent = heapq.heappop(self._due)
            if process.is_stopped or process.turn != turn:
                continue
            self.now_ns = at_ns
            process.turn += 1
            try:
                wait = process.generator.send(sent)
            except StopIteration:
                process.is_stopped = True
                continue
            self._suspend(process, wait)
        self.now_ns = end_ns

    def _suspend(self, process: Process, wait: Wait) -> None:
        if isinstance(wait, int):
            self._wake(process, wait, None)
        elif wait.signal.has_fired:
            self._wake(process, 0, wait.signal.value)
        else:
            wait.signal.waiting.append((process, process.turn))
            if wait.timeout_ns is not None:
                self._wake(process, wait.timeout_ns, None)

    def _wake(self, process: Process, delay_ns: int, sent: Any) -> None:
        self._order += 1
        heapq.heappush(self._due, (self.now_ns + max(delay_ns, 0), self._order, process.turn, process, sent))
