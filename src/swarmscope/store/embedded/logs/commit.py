"""Lines become durable: what is within all bounds is numbered, and goes to the journal by group commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarmscope.model.contracts import Clock, CommitObserver, Receipt
from swarmscope.model.errors import UnavailableError
from swarmscope.model.logs import Level, LogBatch
from swarmscope.model.metrics import UNKNOWN_SERIES
from swarmscope.schema.log_tables import LOG_SHAPES, LOG_STREAMS
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.embedded.group_commit import GroupCommit
from swarmscope.store.embedded.logs.generation import LogGeneration, to_frame
from swarmscope.store.embedded.logs.lines import Lines, rows_of
from swarmscope.store.embedded.logs.memory import LogMemory, unflushed_bytes
from swarmscope.store.embedded.logs.recent_lines import RecentLines
from swarmscope.store.embedded.logs.shapes import NO_SHAPE, ShapeTable

_NS_PER_MS = 1_000_000
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


@dataclass(frozen=True, slots=True)
class NumberedLines:
    """A batch whose streams and shapes have their numbers."""

    batch: LogBatch
    refs: NDArray[np.int64]  # [n_streams]
    shapes: NDArray[np.int64]  # [n_lines]
    rows: NDArray[np.int64]  # those that are within all bounds

    @property
    def n_rows(self) -> int:
        """Lines that are to be kept."""
        return len(self.rows)


class LogCommitter:
    """Implements `Committer` for lines."""

    def __init__(
        self,
        memory: LogMemory,
        names: tuple[Catalogue, ShapeTable],
        settings: LogCommitSettings,
        clock: Clock,
        recent: RecentLines,
        submit: Callable[[LogGeneration], None],
    ) -> None:
        """`names` are the catalogue of streams and the shapes; `recent` knows the lines that are still in the journal;
        `submit` takes what is to be flushed.
        """
        self._memory = memory
        self._catalogue, self._shapes = names
        self._settings = settings
        self._clock = clock
        self._recent = recent
        self._submit = submit
        self._persisted_ref = self._catalogue.next_ref
        # Called with the rows that were committed.
        self.followers: tuple[Callable[[Lines], None], ...] = ()

    @property
    def active(self) -> LogGeneration:
        """As `Committer.active`."""
        return self._memory.active

    @property
    def is_full(self) -> bool:
        """As `Committer.is_full`."""
        lines, settings = self._memory.active.lines, self._settings
        return len(lines) >= settings.max_generation_lines or lines.n_bytes >= settings.max_generation_bytes

    def seal(self) -> None:
        """As `Committer.seal`."""
        self._submit(self._memory.seal())

    def refusal(self, batch: NumberedLines) -> str | None:
        """A stream may have been dropped since the batch looked it up; sending again finds it anew."""
        named = batch.refs[np.unique(batch.batch.stream[batch.rows])]
        return None if self._catalogue.are_live(named).all() else "a stream expired while it was written"

    def fitting(self, batches: Sequence[NumberedLines]) -> int:
        """Batches one by one are staged, and together they are one frame; the generation's size bounds it."""
        n_lines = len(self._memory.active.lines)
        for count, batch in enumerate(batches):
            if count and n_lines >= self._settings.max_generation_lines:
                return count
            n_lines += batch.n_rows
        return len(batches)

    def write_down(self, batches: Sequence[NumberedLines]) -> None:
        """As `Committer.write_down`."""
        active = self._memory.active
        now_ms = self._clock.now_ns() // _NS_PER_MS
        # Whoever interned a stream or a shape, its row goes out before or with the first line that names it: every
        # batch here was prepared before this line.
        names, end_ref, end_shape = self._new_names(now_ms)
        self._recent.reserve(sum(batch.n_rows for batch in batches))
        tokens: list[NDArray[np.int64]] = []
        try:
            for batch in batches:
                tokens.append(self._stage(batch))  # noqa: PERF401  (what was staged before a failure is withdrawn)
            staged = active.lines.staged()
            if len(staged.ts_ns) or names:
                active.segment.append(to_frame(staged, names))
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
        active.publish(names)
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

    def _stage(self, numbered: NumberedLines) -> NDArray[np.int64]:
        lines = self._memory.active.lines
        staged = lines.stage(numbered.batch, numbered.refs, numbered.shapes, numbered.rows)
        is_new, token = self._recent.admit(staged)
        if len(token) < len(is_new):
            # Slow path: some are here already.
            lines.unstage(staged)
            lines.stage(numbered.batch, numbered.refs, numbered.shapes, numbered.rows[is_new])
        return token

    def forget_recent(self) -> None:
        """Lines that were deleted may come again. Hold the lock of the group commit."""
        self._recent.forget()


class CommittingLogSink:
    """The innermost sink of logs. `write_logs` may be called from many threads; one thread writes the journal."""

    def __init__(
        self,
        memory: LogMemory,
        names: tuple[Catalogue, ShapeTable],
        settings: LogCommitSettings,
        clock: Clock,
        recent: RecentLines,
        submit: Callable[[LogGeneration], None],
    ) -> None:
        """As `LogCommitter`."""
        self._memory = memory
        self._catalogue, self._shapes = names
        self._settings = settings
        self._clock = clock
        self._committer = LogCommitter(memory, names, settings, clock, recent, submit)
        self._commits = GroupCommit(self._committer, "logs", max_age_s=settings.max_generation_age_s)
        self.observers: list[CommitObserver] = []

    @property
    def stream_lock(self) -> threading.Lock:
        """Held while a commit refers to streams; whoever drops streams or lines holds it too."""
        return self._commits.lock

    @property
    def listeners(self) -> list[Callable[[int, float], None]]:
        """Called with (lines, seconds) after each commit."""
        return self._commits.listeners

    @property
    def followers(self) -> tuple[Callable[[Lines], None], ...]:
        """Called with the rows that were committed."""
        return self._committer.followers

    @followers.setter
    def followers(self, followers: tuple[Callable[[Lines], None], ...]) -> None:
        self._committer.followers = followers

    def write_logs(self, batch: LogBatch) -> Receipt:
        """As `LogSink.write_logs`; raises UnavailableError while parts lag too far behind or on shutdown.

        A line that was committed a short while ago, the same in every respect, counts as taken and is not kept twice.
        """
        if unflushed_bytes(self._memory) > self._settings.max_unflushed_bytes:
            raise UnavailableError("the store is behind with writing parts", retry_after_s=2.0)
        receipt = Receipt()
        numbered = self._numbered(batch, receipt)
        if numbered.n_rows:
            self._commits.commit(numbered)
            for observer in self.observers:
                observer.logs_committed(numbered.refs[numbered.refs != UNKNOWN_SERIES])
        return receipt

    def _numbered(self, batch: LogBatch, receipt: Receipt) -> NumberedLines:
        inside = self._inside(batch.ts_ns, receipt)
        shapes = self._shapes.intern(batch.metadata)
        unnamed = inside & (shapes == NO_SHAPE)
        if unnamed.any():
            receipt.refused[_TOO_MANY_SHAPES] = int(unnamed.sum())
            inside &= ~unnamed
        refs = self._refs(batch, inside)
        batch.level[batch.level > Level.FATAL] = Level.UNKNOWN
        receipt.lines = int(inside.sum())
        return NumberedLines(batch, refs, shapes, np.flatnonzero(inside))

    def _refs(self, batch: LogBatch, inside: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Numbers of the streams [n_streams]; those of which no line is `inside` get none, or they would be listed."""
        unknown = np.flatnonzero(batch.stream_ref == UNKNOWN_SERIES)
        if not len(unknown):
            return batch.stream_ref
        refs = batch.stream_ref.copy()
        has_lines = np.bincount(batch.stream[inside], minlength=len(refs))[unknown] > 0
        wanted, labels = unknown[has_lines], batch.new_labels
        if not has_lines.all():
            labels = labels.take(np.flatnonzero(has_lines))
        now_ms = self._clock.now_ns() // _NS_PER_MS
        refs[wanted] = self._catalogue.intern(batch.tenant, batch.stream_key[wanted], labels, now_ms).refs
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
        self._committer.forget_recent()

    def seal_now(self, timeout_s: float = 30.0) -> bool:
        """As `GroupCommit.seal_now`."""
        return self._commits.seal_now(timeout_s)

    def close(self) -> None:
        """As `GroupCommit.close`."""
        self._commits.close()
