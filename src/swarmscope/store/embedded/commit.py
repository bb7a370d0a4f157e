"""Samples become durable: what is within all bounds is numbered, and goes to the journal by group commit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarmscope.model.contracts import Clock, CommitObserver, Receipt
from swarmscope.model.errors import UnavailableError
from swarmscope.model.metrics import UNKNOWN_SERIES, MetricBatch
from swarmscope.schema.tables import EXEMPLARS, HISTOGRAMS, METADATA, SERIES
from swarmscope.store.catalogue import Catalogue, PendingSeries
from swarmscope.store.embedded.generation import Commit, Generation
from swarmscope.store.embedded.group_commit import GroupCommit
from swarmscope.store.embedded.memory import Memory
from swarmscope.store.embedded.rows import exemplar_rows, histogram_rows, metadata_rows
from swarmscope.store.embedded.runs import Rows

_NS_PER_MS = 1_000_000
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


@dataclass(frozen=True, slots=True)
class NumberedSamples:
    """A batch whose series have their numbers."""

    rows: Rows
    batches: dict[str, pa.RecordBatch]  # rows of other tables
    series: NDArray[np.int64]  # [n_series] all that are named

    @property
    def n_rows(self) -> int:
        """Samples; what goes to other tables does not count."""
        return len(self.rows.ref)


class SampleCommitter:
    """Implements `Committer` for metrics."""

    def __init__(
        self, memory: Memory, catalogue: Catalogue, settings: CommitSettings, clock: Clock, seal: Callable[[], None]
    ) -> None:
        """`seal` closes the active generation and passes it on to be flushed."""
        self._memory = memory
        self._catalogue = catalogue
        self._settings = settings
        self._clock = clock
        self._seal = seal
        self._persisted_ref = catalogue.next_ref

    @property
    def active(self) -> Generation:
        """As `Committer.active`."""
        return self._memory.active

    @property
    def is_full(self) -> bool:
        """As `Committer.is_full`."""
        return self._memory.active.n_rows >= self._settings.max_generation_rows

    def seal(self) -> None:
        """As `Committer.seal`."""
        self._seal()

    def refusal(self, batch: NumberedSamples) -> str | None:
        """A series may have been dropped since the batch looked it up; sending again finds it anew."""
        named = [batch.rows.ref]
        named += [rows.column("ref").to_numpy() for rows in batch.batches.values() if "ref" in rows.schema.names]
        are_live = all(self._catalogue.are_live(ref.astype(np.int64)).all() for ref in named)
        return None if are_live else "a series expired while it was written"

    def fitting(self, batches: Sequence[NumberedSamples]) -> int:
        """All that wait are one frame."""
        return len(batches)

    def write_down(self, batches: Sequence[NumberedSamples]) -> None:
        """As `Committer.write_down`."""
        active = self._memory.active
        now_ms = self._clock.now_ns() // _NS_PER_MS
        # Whoever interned a series, its row goes out before or with the first sample that names it: every batch
        # here was prepared before this line.
        new_series = self._catalogue.pending(now_ms) if self._catalogue.next_ref > self._persisted_ref else None
        commit = _joined(batches, new_series)
        active.segment.append(commit.to_frame())
        if new_series is not None:
            self._catalogue.mark_persisted(new_series.end_ref)
            self._persisted_ref = new_series.end_ref
        self._publish(active, commit, now_ms)

    def _publish(self, active: Generation, commit: Commit, now_ms: int) -> None:
        self._catalogue.record_samples(commit.rows.ref.astype(np.int64), commit.rows.ts_ms, now_ms)
        histograms = commit.batches.get(HISTOGRAMS.name)
        if histograms is not None:
            ref, ts_ms = histograms.column("ref").to_numpy(), histograms.column("ts").to_numpy()
            self._catalogue.record_histograms(ref.astype(np.int64), ts_ms, now_ms)
        if active.is_empty:
            active.started_s = time.monotonic()
        active.add(commit)


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
        committer = SampleCommitter(memory, catalogue, settings, clock, seal)
        self._commits = GroupCommit(committer, "metrics", max_age_s=settings.max_generation_age_s)
        self.observers: list[CommitObserver] = []

    @property
    def series_lock(self) -> threading.Lock:
        """Held while a commit refers to series; whoever drops series holds it too."""
        return self._commits.lock

    @property
    def listeners(self) -> list[Callable[[int, float], None]]:
        """Called with (samples, seconds) after each commit."""
        return self._commits.listeners

    def write_metrics(self, batch: MetricBatch) -> Receipt:
        """As `Sink.write_metrics`; raises UnavailableError while parts lag too far behind or on shutdown."""
        if self._memory.unflushed_rows() > self._settings.max_unflushed_rows:
            raise UnavailableError("the store is behind with writing parts", retry_after_s=2.0)
        receipt = Receipt()
        numbered = self._numbered(batch, receipt)
        if numbered.n_rows or numbered.batches:
            self._commits.commit(numbered)
            for observer in self.observers:
                observer.metrics_committed(numbered.series)
        return receipt

    def _numbered(self, batch: MetricBatch, receipt: Receipt) -> NumberedSamples:
        now_ms = self._clock.now_ns() // _NS_PER_MS
        refs = self._refs(batch, now_ms)
        rows = Rows(refs[batch.sample_series].astype(np.uint32), batch.ts_ms, batch.value)
        inside = self._inside(batch.ts_ms, now_ms, receipt)
        if inside is not None:
            rows = Rows(rows.ref[inside], rows.ts_ms[inside], rows.value[inside])
        receipt.samples = len(rows.ref)
        return NumberedSamples(rows, self._other_rows(batch, refs, now_ms, receipt), refs)

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
        """As `GroupCommit.seal_now`."""
        return self._commits.seal_now(timeout_s)

    def close(self) -> None:
        """As `GroupCommit.close`."""
        self._commits.close()


def _joined(numbered: Sequence[NumberedSamples], new_series: PendingSeries | None) -> Commit:
    batches: dict[str, pa.RecordBatch] = {}
    if new_series is not None and new_series.rows.num_rows:
        batches[SERIES.name] = new_series.rows
    for table in (HISTOGRAMS.name, EXEMPLARS.name, METADATA.name):
        parts = [each.batches[table] for each in numbered if table in each.batches]
        if parts:
            batches[table] = pa.concat_batches(parts) if len(parts) > 1 else parts[0]
    return Commit(_joined_rows([each.rows for each in numbered]), batches)


def _joined_rows(parts: list[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    return Rows(
        np.concatenate([rows.ref for rows in parts]),
        np.concatenate([rows.ts_ms for rows in parts]),
        np.concatenate([rows.value for rows in parts]),
    )
