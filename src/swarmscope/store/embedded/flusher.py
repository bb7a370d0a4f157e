"""The thread of one signal that turns sealed generations into parts."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from swarmscope.instrument import metrics
from swarmscope.store.embedded.generations import Generation

_log = logging.getLogger(__name__)
_RETRY_FIRST_S = 0.5
_RETRY_LONGEST_S = 30.0
# How soon a patience that became shorter shows.
_ASK_AGAIN_S = 0.25


@dataclass(frozen=True, slots=True)
class Flushed:
    """What one flush did, for those who count."""

    rows: int
    seconds: float


G = TypeVar("G", bound=Generation)
G_contra = TypeVar("G_contra", bound=Generation, contravariant=True)


class Writer(Protocol[G_contra]):
    """What a signal does with a sealed generation. Only the flush thread calls it."""

    def __call__(self, generation: G_contra, *, is_retry: bool) -> int:
        """Write the generation's rows to parts, then take it out of the memory; how many rows it had.

        Where it raises it is called again with `is_retry`: an insert that failed may have happened all the same.
        """
        ...


def no_patience() -> float:
    """Seconds: sealed generations are flushed at once."""
    return 0.0


class Flusher(Generic[G]):
    """Flushes in order, and tries again for as long as it takes."""

    def __init__(self, write: Writer[G], signal: str, *, patience_s: Callable[[], float] = no_patience) -> None:
        """`signal` names the thread. `patience_s` says how long a sealed generation waits before it is flushed; it
        is asked again and again, so that it can fall to 0 when memory is short, and MUST answer at once.
        """
        self._write = write
        self._signal = signal
        self._patience_s = patience_s
        self.listeners: list[Callable[[Flushed], None]] = []
        self._changed = threading.Condition()
        self._sealed: deque[tuple[G, float]] = deque()  # with the time of sealing
        self._submitted = self._finished = self._hurried = 0
        self._closing = False
        self._giving_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"flush-{signal}", daemon=True)
        self._thread.start()

    def submit(self, generation: G) -> None:
        """Queue a sealed generation."""
        with self._changed:
            self._submitted += 1
            self._sealed.append((generation, time.monotonic()))
            self._changed.notify_all()

    def wait_idle(self, timeout_s: float) -> bool:
        """Whether everything submitted so far reached parts within the time; nothing of it is waited for longer."""
        with self._changed:
            wanted = self._hurried = self._submitted
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._finished >= wanted, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Flush what is queued within the time; what is left stays in the journal for the next start."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        self._giving_up.set()
        self._thread.join()

    def _run(self) -> None:
        while (generation := self._next()) is not None:
            generation.segment.close()
            self._flush(generation)
            with self._changed:
                self._finished += 1
                self._changed.notify_all()

    def _next(self) -> G | None:
        """The oldest generation, once its time has come; None when there is none and none will come."""
        with self._changed:
            while self._sealed or not self._closing:
                if not self._sealed:
                    self._changed.wait()
                    continue
                generation, sealed_s = self._sealed[0]
                is_urgent = self._closing or self._finished < self._hurried
                left_s = 0.0 if is_urgent else sealed_s + self._patience_s() - time.monotonic()
                if left_s <= 0.0:
                    self._sealed.popleft()
                    return generation
                self._changed.wait(min(left_s, _ASK_AGAIN_S))
            return None

    def _flush(self, generation: G) -> None:
        segment = generation.segment
        begun = time.perf_counter()
        pause_s = _RETRY_FIRST_S
        is_retry = False
        while not self._giving_up.is_set():
            try:
                n_rows = self._write(generation, is_retry=is_retry)
            except Exception as error:
                metrics.FLUSH_FAILURES.inc()
                _log.error(
                    "flush of journal segment %d of %s failed, trying again: %s", segment.number, self._signal, error
                )
                is_retry = True
                self._giving_up.wait(pause_s)
                pause_s = min(2 * pause_s, _RETRY_LONGEST_S)
                continue
            try:
                segment.remove()
            except OSError as error:
                # Its rows are in parts: a replay at the next start adds nothing twice.
                _log.error("journal segment %d of %s cannot be removed: %s", segment.number, self._signal, error)
            for listener in self.listeners:
                listener(Flushed(n_rows, time.perf_counter() - begun))
            return
