"""Group commit of spans: what a batch says is numbered, packed and appended to the journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarmscope.model.contracts import Clock, CommitObserver, Receipt
from swarmscope.model.errors import UnavailableError
from swarmscope.model.spans import AttributeScope, SpanBatch, SpanKind, SpanStatus
from swarmscope.schema.span_tables import SPAN_RESOURCES, SPAN_SCOPES, SPAN_SHAPES
from swarmscope.store.embedded.group_commit import GroupCommit
from swarmscope.store.embedded.recent_digests import RecentDigests
from swarmscope.store.embedded.spans.generation import SpanGeneration, SpanMemory, to_frame, unflushed_bytes
from swarmscope.store.embedded.spans.identity import span_digests
from swarmscope.store.embedded.spans.records import Records, intern_resources, intern_scopes
from swarmscope.store.embedded.spans.shape_kernel import NO_SHAPE
from swarmscope.store.embedded.spans.shapes import AttributeShapes
from swarmscope.store.embedded.spans.span_columns import Numbers, Spans, compacted, packed_spans, rows_of

_TOO_OLD = "start is before 1970"
_EXPIRED = "start is older than the retention (retention.traces)"
_TOO_NEW = "start is too far in the future (storage.max_future)"
_TOO_MANY_SHAPES = "too many different sets of attribute names"
_TOO_MANY_RESOURCES = "too many different resources"
_TOO_MANY_SCOPES = "too many different instrumentation scopes"


@dataclass(frozen=True, slots=True)
class SpanCommitSettings:
    """When a generation is sealed and when writers are turned away."""

    max_generation_spans: int = 400_000
    max_generation_bytes: int = 192 << 20
    max_generation_age_s: float = 10.0
    max_unflushed_bytes: int = 512 << 20
    retention_ns: int | None = None
    max_future_ns: int = 24 * 3600 * 1_000_000_000


class SpanNames(NamedTuple):
    """What spans refer to by number."""

    shapes: AttributeShapes
    resources: Records
    scopes: Records


@dataclass(frozen=True, slots=True)
class PackedSpans:
    """A batch as the store holds it."""

    spans: Spans
    tenant: str

    @property
    def n_rows(self) -> int:
        """Spans that are to be kept."""
        return len(self.spans.ts_ns)


class SpanCommitter:
    """Implements `Committer` for spans."""

    def __init__(
        self,
        memory: SpanMemory,
        names: SpanNames,
        settings: SpanCommitSettings,
        recent: RecentDigests,
        submit: Callable[[SpanGeneration], None],
    ) -> None:
        """`recent` knows the spans that are still in the journal; `submit` takes what is to be flushed."""
        self._memory = memory
        self._tables: tuple[AttributeShapes | Records, ...] = names
        self._settings = settings
        self._recent = recent
        self._submit = submit

    @property
    def active(self) -> SpanGeneration:
        """As `Committer.active`."""
        return self._memory.active

    @property
    def is_full(self) -> bool:
        """As `Committer.is_full`."""
        active, settings = self._memory.active, self._settings
        return len(active.spans) >= settings.max_generation_spans or active.n_bytes >= settings.max_generation_bytes

    def seal(self) -> None:
        """As `Committer.seal`."""
        self._submit(self._memory.seal())

    def refusal(self, _batch: PackedSpans) -> str | None:
        """As `Committer.refusal`: what spans refer to stays."""
        return None

    def fitting(self, batches: Sequence[PackedSpans]) -> int:
        """As many as the active generation takes; one frame holds them."""
        n_spans = len(self._memory.active.spans)
        for count, batch in enumerate(batches):
            if count and n_spans >= self._settings.max_generation_spans:
                return count
            n_spans += batch.n_rows
        return len(batches)

    def write_down(self, batches: Sequence[PackedSpans]) -> None:
        """As `Committer.write_down`."""
        active = self._memory.active
        # Whoever interned a name, its row goes out before or with the first span that has it: every batch here was
        # prepared before this line.
        names, ends = self._new_names()
        self._recent.reserve(sum(batch.n_rows for batch in batches))
        tokens: list[NDArray[np.int64]] = []
        try:
            for batch in batches:
                tokens.append(self._stage(batch))  # noqa: PERF401  (what was staged before a failure is withdrawn)
            staged = active.spans.staged()
            if len(staged.ts_ns) or names:
                active.segment.append(to_frame(staged, names))
        except BaseException:
            for token in reversed(tokens):
                self._recent.withdraw(token)
            active.spans.withdraw()
            raise
        for table, end in zip(self._tables, ends, strict=True):
            table.mark_persisted(end)
        active.publish(names)

    def _new_names(self) -> tuple[dict[str, pa.RecordBatch], list[int]]:
        batches: dict[str, pa.RecordBatch] = {}
        ends = []
        for table, names in zip((SPAN_SHAPES, SPAN_RESOURCES, SPAN_SCOPES), self._tables, strict=True):
            rows, end = names.pending()
            ends.append(end)
            if rows is not None:
                batches[table.name] = rows
        return batches, ends

    def _stage(self, batch: PackedSpans) -> NDArray[np.int64]:
        spans = batch.spans
        is_new, token = self._recent.admit(span_digests(spans, batch.tenant, self._recent.seed))
        if len(token) < len(is_new):
            # Slow path: some are here already.
            spans = compacted(rows_of(spans, is_new))
        self._memory.active.spans.stage(spans)
        return token


class CommittingSpanSink:
    """The innermost sink of spans. `write_spans` may be called from many threads; one thread writes the journal."""

    def __init__(
        self,
        memory: SpanMemory,
        names: SpanNames,
        settings: SpanCommitSettings,
        clock: Clock,
        recent: RecentDigests,
        submit: Callable[[SpanGeneration], None],
    ) -> None:
        """As `SpanCommitter`."""
        self._memory = memory
        self._names = names
        self._settings = settings
        self._clock = clock
        committer = SpanCommitter(memory, names, settings, recent, submit)
        self._commits: GroupCommit[PackedSpans] = GroupCommit(
            committer, "spans", max_age_s=settings.max_generation_age_s
        )
        self.observers: list[CommitObserver] = []

    @property
    def listeners(self) -> list[Callable[[int, float], None]]:
        """Called with (spans, seconds) after each commit."""
        return self._commits.listeners

    def write_spans(self, batch: SpanBatch) -> Receipt:
        """As `SpanSink.write_spans`; raises UnavailableError while parts lag too far behind or on shutdown.

        A span that was committed a short while ago counts as taken and is not kept twice.
        """
        if unflushed_bytes(self._memory) > self._settings.max_unflushed_bytes:
            raise UnavailableError("the store is behind with writing parts", retry_after_s=2.0)
        receipt = Receipt()
        packed = self._packed(batch, receipt)
        if packed.n_rows:
            self._commits.commit(packed)
            for observer in self.observers:
                observer.spans_committed()
        receipt.spans = packed.n_rows
        return receipt

    def _packed(self, batch: SpanBatch, receipt: Receipt) -> PackedSpans:
        inside = self._inside(batch.start_ns, receipt)
        resources = intern_resources(self._names.resources, batch.tenant, batch.resources)
        scopes = intern_scopes(self._names.scopes, batch.tenant, batch.scopes)
        shapes, entries = self._names.shapes.intern(batch.tenant, AttributeScope.SPAN, batch.attributes)
        for named, reason in (
            (shapes, _TOO_MANY_SHAPES),
            (resources[batch.resource], _TOO_MANY_RESOURCES),
            (scopes[batch.scope], _TOO_MANY_SCOPES),
        ):
            unnamed = inside & (named == NO_SHAPE)
            if unnamed.any():
                receipt.refused[reason] = int(unnamed.sum())
                inside &= ~unnamed
        # Only so that the names are known: events and links spell theirs out.
        self._names.shapes.intern(batch.tenant, AttributeScope.EVENT, batch.events.attributes)
        self._names.shapes.intern(batch.tenant, AttributeScope.LINK, batch.links.attributes)
        batch.kind[batch.kind > SpanKind.CONSUMER] = SpanKind.UNSPECIFIED
        batch.status[batch.status > SpanStatus.ERROR] = SpanStatus.UNSET
        numbers = Numbers(shapes, entries, resources, scopes)
        return PackedSpans(packed_spans(batch, numbers, np.flatnonzero(inside)), batch.tenant)

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

    def seal_now(self, timeout_s: float = 30.0) -> bool:
        """As `GroupCommit.seal_now`."""
        return self._commits.seal_now(timeout_s)

    def close(self) -> None:
        """As `GroupCommit.close`."""
        self._commits.close()
