"""Spans in the embedded store as one thing: opened once, in order, and closed in mirror order."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

from swarmscope.model.contracts import Clock, TraceJudge
from swarmscope.schema.span_tables import SPAN_COUNTS, SPAN_SHAPES, SPANS
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.flusher import Flusher, no_patience
from swarmscope.store.embedded.generations import close_active
from swarmscope.store.embedded.journal import Journal
from swarmscope.store.embedded.recent_digests import RecentDigests
from swarmscope.store.embedded.spans.commit import CommittingSpanSink, SpanCommitSettings, SpanNames
from swarmscope.store.embedded.spans.flush import SpanPartWriter, SpanWriter
from swarmscope.store.embedded.spans.generation import SpanGeneration, SpanMemory, unflushed_bytes
from swarmscope.store.embedded.spans.reader import EmbeddedSpanReader
from swarmscope.store.embedded.spans.records import Records, resource_records, scope_records
from swarmscope.store.embedded.spans.replay import SpanReplay
from swarmscope.store.embedded.spans.shapes import AttributeShapes

_log = logging.getLogger(__name__)
_NS_PER_S = 1_000_000_000
_RECENT_FILE = "recent_spans"
_FOR_EVER_NS = -(1 << 62)
# Of the bytes that may wait for their part; beyond, spans are weighed at once.
_PATIENT_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class SpanStoreSettings:
    """How spans are kept; without a judge all are."""

    retention_s: int | None = 7 * 24 * 3600
    commit: SpanCommitSettings = field(default_factory=SpanCommitSettings)
    judge: TraceJudge | None = None


class SpanStore:
    """`sink` and `reader` are what the rest of the program is handed."""

    def __init__(self, engine: Engine, folder: Path, settings: SpanStoreSettings, clock: Clock, *, fsync: bool) -> None:
        """Load what spans refer to and replay the journal, which is `folder`. Tables MUST be there.

        Raises StoreUnusableError.
        """
        self._settings = settings
        self._clock = clock
        self.engine = engine
        self.names = SpanNames(AttributeShapes(), resource_records(), scope_records())
        self._journal = Journal(folder, fsync=fsync, highest_used=self._highest_segment)
        self._recent, self._recent_file = RecentDigests(), folder / _RECENT_FILE
        self._load_recent()
        writer = SpanPartWriter(engine, self.names.shapes, settings.judge)
        self._load(writer)
        self.memory = SpanMemory(self._new_generation)
        patience_s = no_patience if settings.judge is None else self._patience_s
        self.flusher = Flusher(SpanWriter(writer, self.memory), "spans", patience_s=patience_s)
        retention_ns = None if settings.retention_s is None else settings.retention_s * _NS_PER_S
        commit = replace(settings.commit, retention_ns=retention_ns)
        self.sink = CommittingSpanSink(self.memory, self.names, commit, clock, self._recent, self.flusher.submit)
        self.reader = EmbeddedSpanReader(engine, self.names, self.memory, self.oldest_ns)

    def _patience_s(self) -> float:
        judge = self._settings.judge
        is_crowded = unflushed_bytes(self.memory) > _PATIENT_SHARE * self._settings.commit.max_unflushed_bytes
        return 0.0 if judge is None or is_crowded else judge.patience_s

    def _load_recent(self) -> None:
        try:
            self._recent.load(self._recent_file)
        except (OSError, ValueError) as error:
            _log.warning("spans that senders repeat from before the start may be stored twice: %s", error)

    def _load(self, writer: SpanPartWriter) -> None:
        replay = SpanReplay(self._journal)
        replay.insert_names(self.engine)
        shapes = self.engine.table(
            f"SELECT {', '.join(SPAN_SHAPES.column_names())} FROM {SPAN_SHAPES.name} FINAL ORDER BY shape"
        )
        if shapes is not None:
            self.names.shapes.load(shapes)
        for records in (self.names.resources, self.names.scopes):
            self._load_records(records)
        replay.finish(self.names, writer, self._recent)

    def _load_records(self, records: Records) -> None:
        # Values are bytes of any kind: as strings they could not be read.
        sql = f"{records.select_sql()} SETTINGS output_format_arrow_string_as_string = 0"
        rows = self.engine.table(sql, add_settings=False)
        if rows is not None:
            records.load(rows)

    def _highest_segment(self) -> int:
        """Of the spans that are stored: a snapshot has them, but not the journal's counter."""
        tables = f"SELECT segment FROM {SPANS.name} UNION ALL SELECT segment FROM {SPAN_COUNTS.name}"
        columns = self.engine.columns(f"SELECT max(segment) AS highest FROM ({tables})")
        return int(columns["highest"][0]) if columns else 0

    def _new_generation(self) -> SpanGeneration:
        commit = self._settings.commit
        # A tenth more: the batch that fills a generation goes in whole.
        n_rows, n_bytes = commit.max_generation_spans * 11 // 10, commit.max_generation_bytes * 11 // 10
        return SpanGeneration(self._journal.new_segment(), n_rows=n_rows, n_bytes=n_bytes)

    def oldest_ns(self) -> int:
        """The earliest time that retention keeps."""
        retention_s = self._settings.retention_s
        return _FOR_EVER_NS if retention_s is None else self._clock.now_ns() - retention_s * _NS_PER_S

    def flush(self, timeout_s: float = 60.0) -> bool:
        """Bring everything acknowledged so far into parts, patient or not; whether that was done in time."""
        return self.sink.seal_now(timeout_s) and self.flusher.wait_idle(timeout_s)

    def close(self, timeout_s: float = 8.0) -> None:
        """Stop taking writes and flush; the engine stays open."""
        self.sink.close()
        self.flusher.close(timeout_s)
        close_active(self.memory.active)
        try:
            # Whoever got no answer before the end sends again to the next process.
            self._recent.save(self._recent_file)
        except OSError as error:
            _log.warning("spans that senders repeat after the start may be stored twice: %s", error)
