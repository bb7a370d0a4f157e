"""The embedded store as one thing: opened once, in order, and closed in mirror order."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from swarmscope import __version__
from swarmscope.model.agents import Vocabulary
from swarmscope.model.contracts import Clock, CommitObserver, ReadBudget
from swarmscope.model.errors import SwarmscopeError
from swarmscope.schema.agent_tables import TIMED_AS_METRICS, TIMED_AS_TRACES
from swarmscope.schema.log_tables import TIMED_LOG_TABLES
from swarmscope.schema.migrations import VERSION_TABLE, run_migrations
from swarmscope.schema.retention import ttl_statement
from swarmscope.schema.rollups import ROLLUP_TABLES, TOUCH_LAST_REFRESH, TOUCHED
from swarmscope.schema.span_tables import TIMED_SPAN_TABLES
from swarmscope.schema.tables import HISTOGRAMS, SAMPLES, SERIES, TIMED_METRIC_TABLES
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.catalogue.selection import MAX_LABEL_CELLS
from swarmscope.store.embedded.commit import CommitSettings, CommittingSink
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.figures import TableSize, table_sizes, time_range_ms
from swarmscope.store.embedded.fleet.fleet_store import EmbeddedFleetStore, Oldest
from swarmscope.store.embedded.flush import PartWriter, SampleWriter
from swarmscope.store.embedded.flusher import Flusher
from swarmscope.store.embedded.folder_lock import FolderLock
from swarmscope.store.embedded.generation import Generation
from swarmscope.store.embedded.generations import close_active
from swarmscope.store.embedded.journal import Journal
from swarmscope.store.embedded.logs.log_store import LogStore, LogStoreSettings
from swarmscope.store.embedded.memory import NOTHING_EVICTED, Memory
from swarmscope.store.embedded.reader import EmbeddedReader
from swarmscope.store.embedded.recall import recall_newest
from swarmscope.store.embedded.repair import Repair
from swarmscope.store.embedded.replay import Replay
from swarmscope.store.embedded.spans.span_store import SpanStore, SpanStoreSettings
from swarmscope.store.embedded.unusable import explained
from swarmscope.store.embedded.upkeep import Upkeep

_log = logging.getLogger(__name__)
_NS_PER_MS = 1_000_000
_MS_PER_S = 1000
# Read back at start in one statement: 84 MB while it is read.
_MAX_RECALLED_ROWS = 4_000_000


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where and how the embedded store keeps its data."""

    folder: Path
    fsync: bool = False
    max_clickhouse_memory_bytes: int = 1 << 30
    max_cached_rows: int = 4_000_000
    metrics_retention_s: int | None = 90 * 24 * 3600
    read_connections: int = 4
    max_label_cells: int = MAX_LABEL_CELLS
    commit: CommitSettings = field(default_factory=CommitSettings)
    logs: LogStoreSettings = field(default_factory=LogStoreSettings)
    spans: SpanStoreSettings = field(default_factory=SpanStoreSettings)
    vocabulary: Vocabulary = field(default_factory=Vocabulary, compare=False)  # of the whole process


class EmbeddedStore:
    """`sink`, `reader` and `index` are what the rest of the program is handed; `log_…` and `span_…` are too."""

    def __init__(self, settings: StoreSettings, clock: Clock) -> None:
        """Open the folder: lock, migrate, load the catalogue, replay the journal.

        Raises FolderInUseError, NewerSchemaError and StoreUnusableError.
        """
        self._settings = settings
        self._clock = clock
        self._closed = False
        try:
            self._lock = FolderLock(settings.folder)
        except OSError as error:
            raise explained(f"the data folder {settings.folder}", settings.folder, error) from error
        try:
            self._open()
        except BaseException as error:
            if hasattr(self, "engine"):
                self.engine.close()
            self._lock.release()
            # RuntimeError is all that chDB raises.
            if isinstance(error, RuntimeError | OSError | SwarmscopeError):
                raise explained(f"the store in {settings.folder}", settings.folder, error) from error
            raise

    def _open(self) -> None:
        settings = self._settings
        self.engine = Engine(
            settings.folder / "clickhouse",
            max_memory_bytes=settings.max_clickhouse_memory_bytes,
            readers=settings.read_connections,
            backups=self.snapshot_folder,
        )
        run_migrations(self.engine.execute, self._stored_version, self._record_version)
        self._apply_retention()
        self.engine.execute(TOUCH_LAST_REFRESH)
        self.catalogue = Catalogue(max_label_cells=settings.max_label_cells)
        self._journal = Journal(settings.folder / "journal", fsync=settings.fsync)
        self._writer = PartWriter(self.engine, self.catalogue)
        self._load()
        self.logs = LogStore(
            self.engine, settings.folder / "journal-logs", settings.logs, self._clock, fsync=settings.fsync
        )
        self.log_sink, self.log_reader, self.log_index = self.logs.sink, self.logs.reader, self.logs.catalogue
        self.spans = SpanStore(
            self.engine, settings.folder / "journal-spans", settings.spans, self._clock, fsync=settings.fsync
        )
        self.span_sink, self.span_reader = self.spans.sink, self.spans.reader
        self.fleet = EmbeddedFleetStore(
            self.engine, settings.vocabulary, Oldest(self.spans.oldest_ns, lambda: self._oldest_ms() * _NS_PER_MS)
        )
        active = Generation(self._journal.new_segment())
        self.memory = Memory(
            active, max_cached_rows=settings.max_cached_rows, covered_after_ms=self._newest_stored_ms()
        )
        self.flusher = Flusher(SampleWriter(self._writer, self.memory), "metrics")
        commit = settings.commit
        self.sink = CommittingSink(self.memory, self.catalogue, commit, self._clock, self._seal)
        self.reader = EmbeddedReader(self.engine, self.catalogue, self.memory, self._oldest_ms)
        self.index = self.catalogue
        self.repair = Repair(self.engine)
        self.engine.repair = self.repair.detach_damaged
        for part in self.repair.detached():
            _log.error("part %s of table %s is out of service: %s", part.part, part.table, part.reason)
        self._upkeep = Upkeep(
            self.engine, self.catalogue, self.sink, self._clock, self._oldest_ms, at_start=self._recall_newest
        )

    def _recall_newest(self, budget: ReadBudget) -> int:
        max_rows = min(self._settings.max_cached_rows // 2, _MAX_RECALLED_ROWS)
        return recall_newest(self.engine, self.catalogue, self.memory, max_rows, budget)

    def observe_commits(self, observer: CommitObserver) -> None:
        """Have an observer told of all that is committed from now on."""
        for sink in (self.sink, self.log_sink, self.span_sink):
            sink.observers.append(observer)

    @property
    def snapshot_folder(self) -> Path:
        """Where copies of the data are written."""
        return self._settings.folder / "snapshots"

    def _stored_version(self) -> int:
        columns = self.engine.columns(f"SELECT max(version) AS version FROM {VERSION_TABLE}")
        return int(columns["version"][0]) if columns else 0

    def _record_version(self, version: int) -> None:
        row = {"version": [version], "program": [__version__], "applied_ms": [self._clock.now_ns() // _NS_PER_MS]}
        schema = pa.schema([("version", pa.uint32()), ("program", pa.string()), ("applied_ms", pa.int64())])
        self.engine.insert_arrow(VERSION_TABLE, pa.RecordBatch.from_pydict(row, schema=schema))

    def _apply_retention(self) -> None:
        metrics_s, logs_s = self._settings.metrics_retention_s, self._settings.logs.retention_s
        kept_s = [(table, metrics_s) for table in (*TIMED_METRIC_TABLES, *ROLLUP_TABLES, TOUCHED)]
        kept_s += [(table, logs_s) for table in TIMED_LOG_TABLES]
        kept_s += [(table, self._settings.spans.retention_s) for table in (*TIMED_SPAN_TABLES, *TIMED_AS_TRACES)]
        kept_s += [(table, metrics_s) for table in TIMED_AS_METRICS]
        for table, wanted in kept_s:
            current = self.engine.table(
                "SELECT create_table_query AS query FROM system.tables "
                "WHERE database = currentDatabase() AND name = {name:String}",
                {"name": table.name},
            )
            query = str(current.column("query")[0]) if current is not None else ""
            if wanted is None and " TTL " in query:
                self.engine.execute(ttl_statement(table, None))
            elif wanted is not None and f"toIntervalSecond({wanted})" not in query:
                # Parts are dropped whole when their last row expires: nothing to rewrite now.
                self.engine.execute(ttl_statement(table, wanted) + " SETTINGS materialize_ttl_after_modify = 0")

    def _oldest_ms(self) -> int:
        retention_s = self._settings.metrics_retention_s
        if retention_s is None:
            return NOTHING_EVICTED
        return self._clock.now_ns() // _NS_PER_MS - retention_s * _MS_PER_S

    def _load(self) -> None:
        """Series first, then what the journal holds of an earlier process."""
        replay = Replay(self._journal)
        replay.insert_series(self.engine)
        stored = self.engine.table(f"SELECT {', '.join(SERIES.column_names())} FROM {SERIES.name} FINAL ORDER BY ref")
        if stored is not None:
            self.catalogue.load(stored)
        replay.finish(self.catalogue, self._writer)
        with_histograms = self.engine.columns(f"SELECT DISTINCT ref FROM {HISTOGRAMS.name}")
        if with_histograms:
            self.catalogue.mark_histograms(with_histograms["ref"].astype(np.int64))

    def _newest_stored_ms(self) -> int:
        columns = self.engine.columns(f"SELECT max(ts) AS newest, count() AS n FROM {SAMPLES.name}")
        if not columns or int(columns["n"].view(np.uint64)[0]) == 0:
            return NOTHING_EVICTED
        return int(columns["newest"].view(np.int64)[0])

    def time_range_ms(self) -> tuple[int, int] | None:
        """Times of the oldest and the newest sample that retention shows; None where there is none."""
        found = time_range_ms(self.engine, self.memory.snapshot())
        if found is None or found[1] < self._oldest_ms():
            return None
        return max(found[0], self._oldest_ms()), found[1]

    def table_sizes(self) -> dict[str, TableSize]:
        """Every table's size by name."""
        return table_sizes(self.engine)

    def _seal(self) -> None:
        self.flusher.submit(self.memory.seal(Generation(self._journal.new_segment())))

    def flush(self, timeout_s: float = 60.0) -> bool:
        """Bring everything acknowledged so far into parts; whether that was done in time."""
        are_samples_in = self.sink.seal_now(timeout_s) and self.flusher.wait_idle(timeout_s)
        are_lines_in = self.logs.flush(timeout_s)
        return self.spans.flush(timeout_s) and are_lines_in and are_samples_in

    def forget_cache(self) -> None:
        """Read everything from parts again: they were changed."""
        self.memory.forget_cache(self._newest_stored_ms())

    def close(self, timeout_s: float = 8.0) -> None:
        """Stop taking writes, flush, close ClickHouse, give the folder free. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self.engine.stop_administration()
        self._upkeep.close()
        self.sink.close()
        self.logs.close(timeout_s)
        self.spans.close(timeout_s)
        self.flusher.close(timeout_s)
        close_active(self.memory.active)
        for table in ROLLUP_TABLES:
            # A refresh that is cut off is begun again by the next start.
            self.engine.execute(f"SYSTEM CANCEL VIEW {table.name}_view")
        self.engine.close()
        self._lock.release()
