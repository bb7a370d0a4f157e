"""Group commit: batches that arrive together become one append to the journal, and are then answered together."""

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
from swarmscope.model.metrics import UNKNOWN_SERIES, MetricBatch
from swarmscope.schema.tables import EXEMPLARS, HISTOGRAMS, METADATA, SERIES
from swarmscope.store.catalogue import Catalogue, PendingSeries
from swarmscope.store.embedded.generation import Commit, Generation
from swarmscope.store.embedded.memory import Memory
from swarmscope.store.embedded.rows import exemplar_rows, histogram_rows, metadata_rows
from swarmscope.store.embedded.runs import Rows

_log = logging.getLogger(__name__)
_NS_PER_MS = 1_000_000
_SEAL_RETRY_S = 1.0
# 285,000 years back. Beyond, a double cannot tell one millisecond from the next, and JSON's times are doubles.
_OLDEST_MS = -(1 << 53)
_TOO_OLD = f"timestamp is further in the past than {_OLDEST_MS} ms"
_EXPIRED = "timestamp is older than the retention (retention.metrics)"


@dataclass(frozen=True, slots=True)
class CommitSettings:
    """When a generation is sealed and when writers are turned away."""

    max_generation_rows: int = 1_000_000
    max_generation_age_s: float = 10.0
    max_unflushed_rows: int = 4_000_000
    retention_ms: int | None = None
    max_future_ms: int = 24 * 3600 * 1000


@dataclass(slots=True)
class _Pending:
    """A batch that waits for its commit."""

    rows: Rows
    batches: dict[str, pa.RecordBatch]
    done: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None


class CommittingSink:
    """The innermost sink. `write_metrics` may be called from many threads; one thread writes the journal."""

    def __init__(
        self, memory: Memory, catalogue: Catalogue, settings: CommitSettings, clock: Clock, seal: Callable[[], None]
    ) -> None:
        """`seal` closes the active generation and passes it on to be flushed; called from the commit thread."""
        self._memory = memory
        self._catalogue = catalogue
        self._settings = settings
        self._clock = clock
        self._seal = seal
        # Held while a commit refers to series; whoever drops series holds it too.
        self.series_lock = threading.Lock()
        self._wakeup = threading.Condition()
        self._waiting: list[_Pending] = []
        self._stopping = False
        self._persisted_ref = catalogue.next_ref
        self._seal_asked: list[threading.Event] = []
        self._seal_not_before_s = 0.0
        self.listeners: list[Callable[[int, float], None]] = []
        self._thread = threading.Thread(target=self._run, name="commit", daemon=True)
        self._thread.start()

    def write_metrics(self, batch: MetricBatch) -> Receipt:
        """As `Sink.write_metrics`; raises UnavailableError while parts lag too far behind or on shutdown."""
        if self._memory.unflushed_rows() > self._settings.max_unflushed_rows:
            raise UnavailableError("the store is behind with writing parts", retry_after_s=2.0)
        receipt = Receipt()
        pending = self._prepare(batch, receipt)
        if len(pending.rows.ref) or pending.batches:
            with self._wakeup:
                if self._stopping:
                    raise UnavailableError("the store is stopping")
                self._waiting.append(pending)
                self._wakeup.notify()
            pending.done.wait()
            if pending.error is not None:
                raise pending.error
        return receipt

    def _prepare(self, batch: MetricBatch, receipt: Receipt) -> _Pending:
        now_ms = self._clock.now_ns() // _NS_PER_MS
        refs = self._refs(batch, now_ms)
        rows = Rows(refs[batch.sample_series].astype(np.uint32), batch.ts_ms, batch.value)
        inside = self._inside(batch.ts_ms, now_ms, receipt)
        if inside is not None:
            rows = Rows(rows.ref[inside], rows.ts_ms[inside], rows.value[inside])
        receipt.samples = len(rows.ref)
        return _Pending(rows, self._other_rows(batch, refs, now_ms, receipt))

    def _refs(self, batch: MetricBatch, now_ms: int) -> NDArray[np.int64]:
        unknown = batch.series_ref == UNKNOWN_SERIES
        if not unknown.any():
            return batch.series_ref
        refs = batch.series_ref.copy()
        interned = self._catalogue.intern(batch.tenant, batch.series_key[unknown], batch.new_labels, now_ms)
        refs[unknown] = interned.refs
        return refs

    def _inside(self, ts_ms: NDArray[np.int64], now_ms: int, receipt: Receipt) -> NDArray[np.bool_] | None:
        """Which rows [n] lie within the bounds of time; None when all do."""
        if len(ts_ms) == 0:
            return None
        newest = now_ms + self._settings.max_future_ms
        retention_ms = self._settings.retention_ms
        oldest = _OLDEST_MS if retention_ms is None else now_ms - retention_ms
        if ts_ms.min() >= oldest and ts_ms.max() <= newest:
            return None
        old, new = ts_ms < oldest, ts_ms > newest
        for count, reason in (
            (int(old.sum()), _TOO_OLD if retention_ms is None else _EXPIRED),
            (int(new.sum()), "timestamp is too far in the future (storage.max_future)"),
        ):
            if count:
                receipt.refused[reason] = receipt.refused.get(reason, 0) + count
        inside: NDArray[np.bool_] = ~(old | new)
        return inside

    def _other_rows(
        self, batch: MetricBatch, refs: NDArray[np.int64], now_ms: int, receipt: Receipt
    ) -> dict[str, pa.RecordBatch]:
        batches: dict[str, pa.RecordBatch] = {}
        if len(batch.histograms):
            ref = refs[batch.histograms.series]
            rows = histogram_rows(batch.histograms, ref, self._catalogue.metric_ids(ref))
            inside = self._inside(batch.histograms.ts_ms, now_ms, receipt)
            rows = rows if inside is None else rows.filter(pa.array(inside))
            receipt.histograms = rows.num_rows
            if rows.num_rows:
                batches[HISTOGRAMS.name] = rows
        if batch.exemplars is not None and len(batch.exemplars):
            ref = refs[batch.exemplars.series]
            rows = exemplar_rows(batch.exemplars, ref, self._catalogue.metric_ids(ref))
            # An exemplar out of time is left out without a word, as in Prometheus: its sample was told of already.
            inside = self._inside(batch.exemplars.ts_ms, now_ms, Receipt())
            rows = rows if inside is None else rows.filter(pa.array(inside))
            receipt.exemplars = rows.num_rows
            if rows.num_rows:
                batches[EXEMPLARS.name] = rows
        if batch.metadata is not None and len(batch.metadata):
            batches[METADATA.name] = metadata_rows(batch.metadata, batch.tenant, now_ms)
        return batches

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
                    with self.series_lock:
                        self._commit(waiting)
                self._seal_if_due(stopping)
            except Exception:
                # Nobody else writes the journal: whatever happened, this thread goes on.
                _log.exception("a commit failed unexpectedly")
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
                _log.error("the journal cannot go on to its next segment, trying again: %s", error)
                return
        with self._wakeup:
            self._seal_asked = self._seal_asked[len(asked) :]
        for event in asked:
            event.set()

    def _is_full(self) -> bool:
        active = self._memory.active
        return not active.is_empty and (
            active.n_rows >= self._settings.max_generation_rows
            or time.monotonic() - active.started_s >= self._settings.max_generation_age_s
        )

    def _commit(self, waiting: list[_Pending]) -> None:
        begun = time.perf_counter()
        self._refuse_dropped(waiting)
        live = [pending for pending in waiting if pending.error is None]
        try:
            self._write_down(live)
        except Exception as error:
            metrics.COMMIT_FAILURES.inc()
            self._write_one_by_one(live, error)
        for pending in waiting:
            pending.done.set()
        n_rows = sum(len(pending.rows.ref) for pending in live if pending.error is None)
        for listener in self.listeners:
            listener(n_rows, time.perf_counter() - begun)

    def _write_down(self, live: list[_Pending]) -> None:
        active = self._memory.active
        now_ms = self._clock.now_ns() // _NS_PER_MS
        # Whoever interned a series, its row goes out before or with the first sample that names it: every batch
        # here was prepared before this line.
        new_series = self._catalogue.pending(now_ms) if self._catalogue.next_ref > self._persisted_ref else None
        commit = _joined(live, new_series)
        active.segment.append(commit.to_frame())
        if new_series is not None:
            self._catalogue.mark_persisted(new_series.end_ref)
            self._persisted_ref = new_series.end_ref
        self._publish(active, commit, now_ms)

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

    def _refuse_dropped(self, waiting: list[_Pending]) -> None:
        """A series may have been dropped since a batch looked it up; sending again finds it anew."""
        for pending in waiting:
            named = [pending.rows.ref]
            named += [
                batch.column("ref").to_numpy() for batch in pending.batches.values() if "ref" in batch.schema.names
            ]
            if not all(self._catalogue.are_live(ref.astype(np.int64)).all() for ref in named):
                pending.error = UnavailableError("a series expired while it was written", retry_after_s=1.0)

    def _publish(self, active: Generation, commit: Commit, now_ms: int) -> None:
        self._catalogue.record_samples(commit.rows.ref.astype(np.int64), commit.rows.ts_ms, now_ms)
        histograms = commit.batches.get(HISTOGRAMS.name)
        if histograms is not None:
            ref, ts_ms = histograms.column("ref").to_numpy(), histograms.column("ts").to_numpy()
            self._catalogue.record_histograms(ref.astype(np.int64), ts_ms, now_ms)
        if active.is_empty:
            active.started_s = time.monotonic()
        active.add(commit)


def _joined(waiting: list[_Pending], new_series: PendingSeries | None) -> Commit:
    batches: dict[str, pa.RecordBatch] = {}
    if new_series is not None and new_series.rows.num_rows:
        batches[SERIES.name] = new_series.rows
    for table in (HISTOGRAMS.name, EXEMPLARS.name, METADATA.name):
        parts = [pending.batches[table] for pending in waiting if table in pending.batches]
        if parts:
            batches[table] = pa.concat_batches(parts) if len(parts) > 1 else parts[0]
    return Commit(_joined_rows([pending.rows for pending in waiting]), batches)


def _joined_rows(parts: list[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    return Rows(
        np.concatenate([rows.ref for rows in parts]),
        np.concatenate([rows.ts_ms for rows in parts]),
        np.concatenate([rows.value for rows in parts]),
    )


def _unavailable(error: Exception) -> UnavailableError:
    if isinstance(error, OSError):
        return UnavailableError(f"the journal cannot be written: {error.strerror}", retry_after_s=5.0)
    return UnavailableError(f"the commit failed: {error}", retry_after_s=5.0)
