"""Group commit of lines: batches that arrive together become one append to the journal, and are answered together."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarmscope.instrument import metrics
from swarmscope.model.contracts import Clock, Receipt
from swarmscope.model.errors import UnavailableError
from swarmscope.model.logs import Level, LogBatch
from swarmscope.model.metrics import UNKNOWN_SERIES
from swarmscope.schema.log_tables import LOG_SHAPES, LOG_STREAMS
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.embedded.logs.generation import to_frame
from swarmscope.store.embedded.logs.lines import Lines, rows_of
from swarmscope.store.embedded.logs.memory import LogMemory
from swarmscope.store.embedded.logs.recent_lines import RecentLines
from swarmscope.store.embedded.logs.shapes import NO_SHAPE, ShapeTable

_log = logging.getLogger(__name__)
_NS_PER_MS = 1_000_000
_SEAL_RETRY_S = 1.0
_TOO_OLD = "timestamp is before 1970"
_EXPIRED = "timestamp is older than the retention (retention.logs)"
_TOO_NEW = "timestamp is too far in the future (storage.max_future)"
_TOO_MANY_SHAPES = "too many different sets of structured metadata names"


@dataclass(frozen=True, slots=True)
class LogCommitSettings:
    """When a generation is sealed and when writers are turned away."""

    max_generation_lines: int = 400_000
    max_generation_bytes: int = 128 << 20
    max_generation_age_s: float = 10.0
    max_unflushed_bytes: int = 384 << 20
    retention_ns: int | None = None
    max_future_ns: int = 24 * 3600 * 1_000_000_000


@dataclass(slots=True)
class _Pending:
    """A batch that waits for its commit."""

    batch: LogBatch
    refs: NDArray[np.int64]  # [n_streams]
    shapes: NDArray[np.int64]  # [n_lines]
    rows: NDArray[np.int64]  # those that are within all bounds
    done: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None


class CommittingLogSink:
    """The innermost sink of logs. `write_logs` may be called from many threads; one thread writes the journal."""

    def __init__(
        self,
        memory: LogMemory,
        names: tuple[Catalogue, ShapeTable],
        settings: LogCommitSettings,
        clock: Clock,
        seal: Callable[[], None],
        recent: RecentLines,
    ) -> None:
        """`names` are the catalogue of streams and the shapes; `seal` closes the active generation and passes it on to
        be flushed, called from the commit thread; `recent` knows the lines that are still in the journal.
        """
        self._memory = memory
        self._catalogue, self._shapes = names
        self._settings = settings
        self._clock = clock
        self._seal = seal
        self._recent = recent
        # Held while a commit refers to streams; whoever drops streams or lines holds it too.
        self.stream_lock = threading.Lock()
        self._wakeup = threading.Condition()
        self._waiting: list[_Pending] = []
        self._stopping = False
        self._persisted_ref = self._catalogue.next_ref
        self._seal_asked: list[threading.Event] = []
        self._seal_not_before_s = 0.0
        # Called with (lines, seconds) after each commit, and with the rows that were committed.
        self.listeners: list[Callable[[int, float], None]] = []
        self.followers: tuple[Callable[[Lines], None], ...] = ()
        self._thread = threading.Thread(target=self._run, name="commit-logs", daemon=True)
        self._thread.start()

    def write_logs(self, batch: LogBatch) -> Receipt:
        """As `LogSink.write_logs`; raises UnavailableError while parts lag too far behind or on shutdown.

        A line that was committed a short while ago, the same in every respect, counts as taken and is not kept twice.
        """
        if self._memory.unflushed_bytes() > self._settings.max_unflushed_bytes:
            raise UnavailableError("the store is behind with writing parts", retry_after_s=2.0)
        receipt = Receipt()
        pending = self._prepare(batch, receipt)
        if len(pending.rows):
            with self._wakeup:
                if self._stopping:
                    raise UnavailableError("the store is stopping")
                self._waiting.append(pending)
                self._wakeup.notify()
            pending.done.wait()
            if pending.error is not None:
                raise pending.error
        return receipt

    def _prepare(self, batch: LogBatch, receipt: Receipt) -> _Pending:
        inside = self._inside(batch.ts_ns, receipt)
        refs = self._refs(batch)
        shapes = self._shapes.intern(batch.metadata)
        unnamed = inside & (shapes == NO_SHAPE)
        if unnamed.any():
            receipt.refused[_TOO_MANY_SHAPES] = int(unnamed.sum())
            inside &= ~unnamed
        batch.level[batch.level > Level.FATAL] = Level.UNKNOWN
        receipt.lines = int(inside.sum())
        return _Pending(batch, refs, shapes, np.flatnonzero(inside))

    def _refs(self, batch: LogBatch) -> NDArray[np.int64]:
        unknown = batch.stream_ref == UNKNOWN_SERIES
        if not unknown.any():
            return batch.stream_ref
        refs = batch.stream_ref.copy()
        now_ms = self._clock.now_ns() // _NS_PER_MS
        refs[unknown] = self._catalogue.intern(batch.tenant, batch.stream_key[unknown], batch.new_labels, now_ms).refs
        return refs

    def _inside(self, ts_ns: NDArray[np.int64], receipt: Receipt) -> NDArray[np.bool_]:
        """Which rows [n] lie within the bounds of time."""
        now_ns, retention_ns = self._clock.now_ns(), self._settings.retention_ns
        old = ts_ns < (0 if retention_ns is None else max(0, now_ns - retention_ns))
        new = ts_ns > now_ns + self._settings.max_future_ns
        for outside, reason in ((old, _TOO_OLD if retention_ns is None else _EXPIRED), (new, _TOO_NEW)):
            if outside.any():
                receipt.refused[reason] = int(outside.sum())
        inside: NDArray[np.bool_] = ~(old | new)
        return inside

    def forget_recent(self) -> None:
        """Lines that were deleted may come again. Hold `stream_lock`."""
        self._recent.forget()

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
                if not self._waiting and not self._stopping:
                    self._wakeup.wait(timeout=self._patience_s())
                waiting, self._waiting = self._waiting, []
                stopping = self._stopping
            try:
                if waiting:
                    with self.stream_lock:
                        self._commit(waiting)
                self._seal_if_due(stopping)
            except Exception:
                # Nobody else writes the journal: whatever happened, this thread goes on.
                _log.exception("a commit of lines failed unexpectedly")
                for pending in waiting:
                    if not pending.done.is_set():
                        pending.error = UnavailableError("the commit failed", retry_after_s=5.0)
                        pending.done.set()
            if stopping and not waiting:
                return

    def _patience_s(self) -> float | None:
        active = self._memory.active
        if active.is_empty:
            return 0.0 if self._seal_asked else None
        due_s = active.started_s if self._seal_asked else active.started_s + self._settings.max_generation_age_s
        return max(0.0, max(due_s, self._seal_not_before_s) - time.monotonic())

    def _seal_if_due(self, stopping: bool) -> None:
        with self._wakeup:
            asked = list(self._seal_asked)
        is_wanted = (asked or stopping) and not self._memory.active.is_empty
        if is_wanted or self._is_full():
            if time.monotonic() < self._seal_not_before_s and not stopping:
                return
            try:
                self._seal()
            except Exception as error:
                # No space for the next segment, most likely: the active one stays, and what is in it is safe.
                self._seal_not_before_s = time.monotonic() + _SEAL_RETRY_S
                _log.error("the journal of logs cannot go on to its next segment, trying again: %s", error)
                return
        with self._wakeup:
            self._seal_asked = self._seal_asked[len(asked) :]
        for event in asked:
            event.set()

    def _is_full(self) -> bool:
        active, settings = self._memory.active, self._settings
        return not active.is_empty and (
            len(active.lines) >= settings.max_generation_lines
            or active.lines.n_bytes >= settings.max_generation_bytes
            or time.monotonic() - active.started_s >= settings.max_generation_age_s
        )

    def _commit(self, waiting: list[_Pending]) -> None:
        begun = time.perf_counter()
        for pending in waiting:
            # A stream may have been dropped since the batch looked it up; sending again finds it anew.
            named = pending.refs[np.unique(pending.batch.stream[pending.rows])]
            if not self._catalogue.are_live(named).all():
                pending.error = UnavailableError("a stream expired while it was written", retry_after_s=1.0)
        live = [pending for pending in waiting if pending.error is None]
        # Batches one by one are staged, and together they are one frame; a frame is bounded by the generation's size.
        while live:
            fitting = self._fitting(live)
            try:
                self._write_down(live[:fitting])
            except Exception as error:
                metrics.COMMIT_FAILURES.inc()
                self._write_one_by_one(live[:fitting], error)
            live = live[fitting:]
            if live and self._is_full():
                self._seal_if_due(stopping=False)
        for pending in waiting:
            pending.done.set()
        n_lines = sum(len(pending.rows) for pending in waiting if pending.error is None)
        for listener in self.listeners:
            listener(n_lines, time.perf_counter() - begun)

    def _fitting(self, live: list[_Pending]) -> int:
        """How many of the batches the active generation takes; one at the least."""
        n_lines = len(self._memory.active.lines)
        for count, pending in enumerate(live):
            if count and n_lines >= self._settings.max_generation_lines:
                return count
            n_lines += len(pending.rows)
        return len(live)

    def _write_down(self, live: list[_Pending]) -> None:
        active = self._memory.active
        now_ms = self._clock.now_ns() // _NS_PER_MS
        # Whoever interned a stream or a shape, its row goes out before or with the first line that names it: every
        # batch here was prepared before this line.
        batches, end_ref, end_shape = self._new_names(now_ms)
        self._recent.reserve(sum(len(pending.rows) for pending in live))
        tokens: list[NDArray[np.int64]] = []
        try:
            for pending in live:
                tokens.append(self._stage(pending))  # noqa: PERF401  (what was staged before a failure is withdrawn)
            staged = active.lines.staged()
            if len(staged.ts_ns) or batches:
                active.segment.append(to_frame(staged, batches))
        except BaseException:
            for token in reversed(tokens):
                self._recent.withdraw(token)
            active.lines.withdraw()
            raise
        self._catalogue.mark_persisted(end_ref)
        self._shapes.mark_persisted(end_shape)
        self._persisted_ref = end_ref
        self._catalogue.record_samples(staged.stream.astype(np.int64), staged.ts_ns // _NS_PER_MS, now_ms)
        begin = len(active.lines)
        active.publish(batches)
        for follow in self.followers:
            follow(rows_of(active.lines.snapshot(), slice(begin, None)))

    def _new_names(self, now_ms: int) -> tuple[dict[str, pa.RecordBatch], int, int]:
        batches: dict[str, pa.RecordBatch] = {}
        end_ref = self._persisted_ref
        if self._catalogue.next_ref > end_ref:
            streams = self._catalogue.pending(now_ms)
            end_ref = streams.end_ref
            if streams.rows.num_rows:
                batches[LOG_STREAMS.name] = streams.rows
        shapes, end_shape = self._shapes.pending()
        if shapes is not None:
            batches[LOG_SHAPES.name] = shapes
        return batches, end_ref, end_shape

    def _stage(self, pending: _Pending) -> NDArray[np.int64]:
        lines = self._memory.active.lines
        staged = lines.stage(pending.batch, pending.refs, pending.shapes, pending.rows)
        is_new, token = self._recent.admit(staged)
        if len(token) < len(is_new):
            # Slow path: some are here already.
            lines.unstage(staged)
            lines.stage(pending.batch, pending.refs, pending.shapes, pending.rows[is_new])
        return token

    def _write_one_by_one(self, live: list[_Pending], error: Exception) -> None:
        """After a failure: where a batch itself may be at fault, it must not cost the others."""
        for pending in live:
            if len(live) == 1 or isinstance(error, OSError):
                pending.error = _unavailable(error)
                continue
            try:
                self._write_down([pending])
            except Exception as own_error:
                pending.error = _unavailable(own_error)


def _unavailable(error: Exception) -> UnavailableError:
    if isinstance(error, OSError):
        return UnavailableError(f"the journal cannot be written: {error.strerror}", retry_after_s=5.0)
    return UnavailableError(f"the commit failed: {error}", retry_after_s=5.0)
