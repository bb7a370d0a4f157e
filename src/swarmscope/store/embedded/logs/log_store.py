"""Logs in the embedded store as one thing: opened once, in order, and closed in mirror order."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

from swarmscope.model.contracts import Clock
from swarmscope.schema.log_tables import LOG_COUNTS, LOG_SHAPES, LOG_STREAMS, LOGS
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.catalogue.selection import MAX_LABEL_CELLS
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.flusher import Flusher
from swarmscope.store.embedded.generations import close_active
from swarmscope.store.embedded.journal import Journal
from swarmscope.store.embedded.logs.commit import CommittingLogSink, LogCommitSettings
from swarmscope.store.embedded.logs.flush import LogPartWriter, LogWriter
from swarmscope.store.embedded.logs.generation import LogGeneration
from swarmscope.store.embedded.logs.memory import LogMemory
from swarmscope.store.embedded.logs.reader import EmbeddedLogReader
from swarmscope.store.embedded.logs.recent_lines import RecentLines
from swarmscope.store.embedded.logs.replay import LogReplay
from swarmscope.store.embedded.logs.shapes import ShapeTable
from swarmscope.store.embedded.logs.upkeep import LogUpkeep

_log = logging.getLogger(__name__)
_NS_PER_S = 1_000_000_000
_RECENT_FILE = "recent_lines"
_FOR_EVER_NS = -(1 << 62)


@dataclass(frozen=True, slots=True)
class LogStoreSettings:
    """How logs are kept."""

    retention_s: int | None = 30 * 24 * 3600
    max_label_cells: int = MAX_LABEL_CELLS
    commit: LogCommitSettings = field(default_factory=LogCommitSettings)


class LogStore:
    """`sink`, `reader` and `catalogue` (the `SeriesIndex` of streams) are what the rest of the program is handed."""

    def __init__(self, engine: Engine, folder: Path, settings: LogStoreSettings, clock: Clock, *, fsync: bool) -> None:
        """Load streams and shapes and replay the journal, which is `folder`. Tables MUST be there.

        Raises StoreUnusableError.
        """
        self._settings = settings
        self._clock = clock
        self.engine = engine
        self.catalogue = Catalogue(max_label_cells=settings.max_label_cells)
        self.shapes = ShapeTable()
        self._journal = Journal(folder, fsync=fsync, highest_used=self._highest_segment)
        self._recent, self._recent_file = RecentLines(), folder / _RECENT_FILE
        recent = self._recent
        self._load_recent()
        writer = LogPartWriter(engine)
        self._load(writer, recent)
        self.memory = LogMemory(self._new_generation)
        self.flusher = Flusher(LogWriter(writer, self.memory), "logs")
        retention_ns = None if settings.retention_s is None else settings.retention_s * _NS_PER_S
        commit = replace(settings.commit, retention_ns=retention_ns)
        names = (self.catalogue, self.shapes)
        self.sink = CommittingLogSink(self.memory, names, commit, clock, recent, self.flusher.submit)
        self.reader = EmbeddedLogReader(engine, names, self.memory, self.sink, self._oldest_ns)
        self.upkeep = LogUpkeep(engine, self.catalogue, self.sink, clock, self._oldest_ns)

    def _load_recent(self) -> None:
        try:
            self._recent.load(self._recent_file)
        except (OSError, ValueError) as error:
            _log.warning("lines that senders repeat from before the start may be stored twice: %s", error)

    def _load(self, writer: LogPartWriter, recent: RecentLines) -> None:
        replay = LogReplay(self._journal)
        replay.insert_names(self.engine)
        streams = self.engine.table(
            f"SELECT {', '.join(LOG_STREAMS.column_names())} FROM {LOG_STREAMS.name} FINAL ORDER BY ref"
        )
        if streams is not None:
            self.catalogue.load(streams)
        shapes = self.engine.table(f"SELECT shape, names FROM {LOG_SHAPES.name} FINAL ORDER BY shape")
        if shapes is not None:
            self.shapes.load(shapes)
        replay.finish(self.catalogue, self.shapes, writer, recent)

    def _highest_segment(self) -> int:
        """Of the lines that are stored: a snapshot has them, but not the journal's counter."""
        tables = f"SELECT segment FROM {LOGS.name} UNION ALL SELECT segment FROM {LOG_COUNTS.name}"
        columns = self.engine.columns(f"SELECT max(segment) AS highest FROM ({tables})")
        return int(columns["highest"][0]) if columns else 0

    def _new_generation(self) -> LogGeneration:
        commit = self._settings.commit
        # A tenth more: the batch that fills a generation goes in whole.
        n_rows, n_bytes = commit.max_generation_lines * 11 // 10, commit.max_generation_bytes * 11 // 10
        return LogGeneration(self._journal.new_segment(), n_rows=n_rows, n_bytes=n_bytes)

    def _oldest_ns(self) -> int:
        retention_s = self._settings.retention_s
        return _FOR_EVER_NS if retention_s is None else self._clock.now_ns() - retention_s * _NS_PER_S

    def flush(self, timeout_s: float = 60.0) -> bool:
        """Bring everything acknowledged so far into parts; whether that was done in time."""
        return self.sink.seal_now(timeout_s) and self.flusher.wait_idle(timeout_s)

    def close(self, timeout_s: float = 8.0) -> None:
        """Stop taking writes and flush; the engine stays open."""
        self.upkeep.close()
        self.sink.close()
        self.flusher.close(timeout_s)
        close_active(self.memory.active)
        try:
            # Whoever got no answer before the end sends again to the next process.
            self._recent.save(self._recent_file)
        except OSError as error:
            _log.warning("lines that senders repeat after the start may be stored twice: %s", error)
