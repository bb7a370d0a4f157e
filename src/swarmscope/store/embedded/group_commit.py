"""Group commit: batches that arrive together become one append to the journal, and are then answered together."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from swarmscope.instrument import metrics
from swarmscope.model.errors import UnavailableError
from swarmscope.store.embedded.generations import Generation

_log = logging.getLogger(__name__)
_SEAL_RETRY_S = 1.0


class Prepared(Protocol):
    """A batch of one signal, ready to be committed."""

    @property
    def n_rows(self) -> int:
        """Rows that the commit makes durable."""
        ...


P = TypeVar("P", bound=Prepared)
P_contra = TypeVar("P_contra", bound=Prepared, contravariant=True)


class Committer(Protocol[P_contra]):
    """What a signal does in a commit. Only the commit thread calls it."""

    @property
    def active(self) -> Generation:
        """The generation that commits go to."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether the active generation has all the rows that one should have."""
        ...

    def refusal(self, batch: P_contra) -> str | None:
        """Why the batch cannot be committed although it could when it was prepared; None where it can.

        Its sender is told to send it again.
        """
        ...

    def fitting(self, batches: Sequence[P_contra]) -> int:
        """How many of the batches [≥ 1], from the first on, the next `write_down` shall take; at least 1."""
        ...

    def write_down(self, batches: Sequence[P_contra]) -> None:
        """Append the batches to the active generation's segment as one frame, then let readers see them.

        Where it raises, none of them MUST be durable or seen.
        """
        ...

    def seal(self) -> None:
        """Start a new active generation, and pass the one before on to be flushed. MAY raise, with nothing changed."""
        ...


@dataclass(slots=True)
class _Waiting(Generic[P]):
    """A batch that waits for its commit."""

    batch: P
    done: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None


class GroupCommit(Generic[P]):
    """The queue of batches and the one thread that writes a signal's journal."""

    def __init__(self, committer: Committer[P], signal: str, *, max_age_s: float) -> None:
        """`signal` (metrics, say) names the thread; a generation is sealed when it is `max_age_s` old."""
        self._committer = committer
        self._signal = signal
        self._max_age_s = max_age_s
        # Held during a commit; whoever drops what batches refer to holds it too.
        self.lock = threading.Lock()
        # Called with (rows, seconds) after each commit.
        self.listeners: list[Callable[[int, float], None]] = []
        self._wakeup = threading.Condition()
        self._queue: list[_Waiting[P]] = []
        self._stopping = False
        self._seal_asked: list[threading.Event] = []
        self._seal_not_before_s = 0.0
        self._thread = threading.Thread(target=self._run, name=f"commit-{signal}", daemon=True)
        self._thread.start()

    def commit(self, batch: P) -> None:
        """Return when the batch is durable. Thread-safe; raises UnavailableError, and then nothing of it is."""
        waiting = _Waiting(batch)
        with self._wakeup:
            if self._stopping:
                raise UnavailableError("the store is stopping")
            self._queue.append(waiting)
            self._wakeup.notify()
        waiting.done.wait()
        if waiting.error is not None:
            raise waiting.error

    def seal_now(self, timeout_s: float = 30.0) -> bool:
        """Close the active generation now; whether it was handed on in time."""
        asked = threading.Event()
        with self._wakeup:
            if self._stopping:
                return False
            self._seal_asked.append(asked)
            self._wakeup.notify()
        return asked.wait(timeout_s)

    def close(self) -> None:
        """Commit what waits, refuse what comes, seal, and end the thread."""
        with self._wakeup:
            self._stopping = True
            self._wakeup.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wakeup:
                if not self._queue and not self._stopping:
                    self._wakeup.wait(timeout=self._patience_s())
                group, self._queue = self._queue, []
                stopping = self._stopping
            try:
                if group:
                    with self.lock:
                        self._commit(group)
                self._seal_if_due(stopping)
            except Exception:
                # Nobody else writes the journal: whatever happened, this thread goes on.
                _log.exception("a commit of %s failed unexpectedly", self._signal)
                for waiting in group:
                    if not waiting.done.is_set():
                        waiting.error = UnavailableError("the commit failed", retry_after_s=5.0)
                        waiting.done.set()
            if stopping and not group:
                return

    def _patience_s(self) -> float | None:
        active = self._committer.active
        if active.is_empty:
            return 0.0 if self._seal_asked else None
        due_s = active.started_s if self._seal_asked else active.started_s + self._max_age_s
        return max(0.0, max(due_s, self._seal_not_before_s) - time.monotonic())

    def _seal_if_due(self, stopping: bool) -> None:
        with self._wakeup:
            asked = list(self._seal_asked)
        is_wanted = (asked or stopping) and not self._committer.active.is_empty
        if is_wanted or self._is_due():
            if time.monotonic() < self._seal_not_before_s and not stopping:
                return
            try:
                self._committer.seal()
            except Exception as error:
                # No space for the next segment, most likely: the active one stays, and what is in it is safe.
                self._seal_not_before_s = time.monotonic() + _SEAL_RETRY_S
                _log.error("the journal of %s cannot go on to its next segment, trying again: %s", self._signal, error)
                return
        with self._wakeup:
            self._seal_asked = self._seal_asked[len(asked) :]
        for event in asked:
            event.set()

    def _is_due(self) -> bool:
        active = self._committer.active
        is_old = time.monotonic() - active.started_s >= self._max_age_s
        return not active.is_empty and (is_old or self._committer.is_full)

    def _commit(self, group: list[_Waiting[P]]) -> None:
        begun = time.perf_counter()
        for waiting in group:
            reason = self._committer.refusal(waiting.batch)
            if reason is not None:
                waiting.error = UnavailableError(reason, retry_after_s=1.0)
        live = [waiting for waiting in group if waiting.error is None]
        while live:
            count = self._committer.fitting([waiting.batch for waiting in live])
            self._write_together(live[:count])
            live = live[count:]
            if live and self._is_due():
                self._seal_if_due(stopping=False)
        for waiting in group:
            waiting.done.set()
        n_rows = sum(waiting.batch.n_rows for waiting in group if waiting.error is None)
        for listener in self.listeners:
            listener(n_rows, time.perf_counter() - begun)

    def _write_together(self, live: list[_Waiting[P]]) -> None:
        try:
            self._committer.write_down([waiting.batch for waiting in live])
        except Exception as error:
            metrics.COMMIT_FAILURES.inc()
            self._write_one_by_one(live, error)

    def _write_one_by_one(self, live: list[_Waiting[P]], error: Exception) -> None:
        """After a failure: where a batch itself may be at fault, it must not cost the others."""
        for waiting in live:
            if len(live) == 1 or isinstance(error, OSError):
                waiting.error = _unavailable(error)
                continue
            try:
                self._committer.write_down([waiting.batch])
            except Exception as own_error:
                waiting.error = _unavailable(own_error)


def _unavailable(error: Exception) -> UnavailableError:
    if isinstance(error, OSError):
        return UnavailableError(f"the journal cannot be written: {error.strerror}", retry_after_s=5.0)
    return UnavailableError(f"the commit failed: {error}", retry_after_s=5.0)
