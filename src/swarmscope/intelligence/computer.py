"""A process of its own that measures: with a low priority, and ended when it takes too long.

Fitting and testing a model takes seconds of a processor. In a thread of the server that would take the interpreter's
lock from requests; a process with a lower priority gets what nobody else wants.
"""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any

from swarmscope.intelligence.measurement import CHECK_S, IDLE_S, LENGTH, Failed, Finished, Measurement, Progressed
from swarmscope.model.errors import UnavailableError

_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class ComputationFailedError(Exception):
    """The measurement cannot be made; the text says why."""


class ComputationEndedError(Exception):
    """It took too long, or nobody waits any more."""


class ComputationBusyError(ComputationEndedError):
    """Enough others wait already."""


class Computer:
    """Starts the process with the first measurement; one measurement at a time, others wait. Thread-safe."""

    def __init__(self, niceness: int = 0, max_waiting: int = 4) -> None:
        """Those who wait keep threads that others need: `max_waiting` are the most.

        Of a busy processor a process of niceness 10 gets a tenth of what a server's thread gets.
        """
        self._niceness = niceness
        self._turn = threading.Lock()
        self._waiting = threading.BoundedSemaphore(max_waiting)
        self._process: subprocess.Popen[bytes] | None = None
        self._used_s = 0.0  # when it answered last
        self._closed = False

    def measure(
        self,
        measurement: Measurement,
        timeout_s: float,
        *,
        progress: Callable[[float], None] = lambda part: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Finished:
        """Measure there.

        Raises ComputationFailedError, ComputationEndedError, ComputationBusyError, and UnavailableError once closed.
        """
        if not self._waiting.acquire(blocking=False):
            raise ComputationBusyError("enough others wait to be measured; try again in a moment")
        try:
            return self._in_turn(measurement, time.monotonic() + timeout_s, progress, cancelled)
        finally:
            self._waiting.release()

    def _in_turn(
        self,
        measurement: Measurement,
        deadline_s: float,
        progress: Callable[[float], None],
        cancelled: Callable[[], bool],
    ) -> Finished:
        while not self._turn.acquire(timeout=CHECK_S):
            if cancelled() or time.monotonic() > deadline_s:
                raise ComputationEndedError("others were being measured all the while")
        try:
            return self._run(measurement, deadline_s, progress, cancelled)
        finally:
            self._turn.release()

    def _run(
        self,
        measurement: Measurement,
        deadline_s: float,
        progress: Callable[[float], None],
        cancelled: Callable[[], bool],
    ) -> Finished:
        process = self._started()
        ended = threading.Event()
        why = ["the process that measures ended"]

        def watch() -> None:
            while not ended.wait(CHECK_S):
                late = time.monotonic() > deadline_s
                if late or cancelled() or self._closed:
                    why[0] = "it took too long" if late else "nobody waits for it any more"
                    process.kill()
                    return

        watcher = threading.Thread(target=watch, name="intelligence-watch", daemon=True)
        watcher.start()
        try:
            _send(process.stdin, measurement)
            while True:
                told = _receive(process.stdout)
                if isinstance(told, Progressed):
                    progress(told.part)
                elif isinstance(told, Failed):
                    raise ComputationFailedError(told.why)
                elif isinstance(told, Finished):
                    return told
        except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
            self._end()
            raise ComputationEndedError(why[0]) from error
        finally:
            self._used_s = time.monotonic()
            ended.set()
            watcher.join()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise UnavailableError("the program is about to end")
        if time.monotonic() - self._used_s > IDLE_S / 2:
            # It may be about to end by itself.
            self._end()
        if self._process is None or self._process.poll() is not None:
            environment = {**os.environ, **dict.fromkeys(_THREAD_LIMITS, "1")}
            command = [sys.executable, "-m", "swarmscope.intelligence.computing", str(self._niceness)]
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
            )
        return self._process

    def close(self) -> None:
        """End the process; a measurement under way fails."""
        self._closed = True
        self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def _send(pipe: IO[bytes] | None, message: object) -> None:
    if pipe is None:
        raise EOFError
    body = pickle.dumps(message, protocol=5)
    pipe.write(struct.pack(LENGTH, len(body)))
    pipe.write(body)
    pipe.flush()


def _receive(pipe: IO[bytes] | None) -> Any:
    if pipe is None:
        raise EOFError
    head = pipe.read(struct.calcsize(LENGTH))
    if len(head) < struct.calcsize(LENGTH):
        raise EOFError
    # From our own process, over a pipe that nobody else has.
    return pickle.loads(pipe.read(*struct.unpack(LENGTH, head)))  # noqa: S301
