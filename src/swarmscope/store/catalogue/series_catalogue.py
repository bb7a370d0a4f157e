"""The catalogue of series in memory: who is who on the way in, and which series a selector means on the way out.

One writer at a time, under a lock; readers take snapshots and no lock that a writer holds. Series are numbered 0, 1,
2 … and keep their number (`ref`) for ever, also over restarts; a dropped series leaves a hole.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarmscope.model.labels import METRIC_NAME, LabelSets
from swarmscope.model.matchers import Matcher
from swarmscope.model.metrics import UNKNOWN_SERIES
from swarmscope.model.series import LabelFrame, Selection, SymbolTable
from swarmscope.store.catalogue import activity
from swarmscope.store.catalogue.activity import ActiveCounts
from swarmscope.store.catalogue.arrow_columns import label_sets, series_batch, tenant_column
from swarmscope.store.catalogue.columns import extract_codes, mark_labels, refs_of_metrics
from swarmscope.store.catalogue.interning import (
    UNASSIGNED,
    LabelPairs,
    Rows,
    canonicalise,
    intern_sets,
    load_sets,
    number_labels,
    rows_of,
)
from swarmscope.store.catalogue.keys import WireKeys
from swarmscope.store.catalogue.removal import relinked, without_buried
from swarmscope.store.catalogue.selection import MAX_LABEL_CELLS, Selector
from swarmscope.store.catalogue.statistics import CatalogueStatistics, series_statistics
from swarmscope.store.catalogue.symbols import SymbolPool, intern_texts, text_groups, writable
from swarmscope.store.catalogue.tables import (
    ALIVE,
    HISTOGRAMS,
    N_ACTIVE,
    N_LABELS,
    N_LIVE,
    N_METRICS,
    N_SERIES,
    PAST_UNKNOWN,
    Room,
    SeriesTables,
    Snapshot,
    empty_tables,
    memory_bytes,
    reserved,
)

# Sets handled between two reservations: the tables are sized for the case that all their strings are new.
_SETS_PER_ROUND = 8192
_NO_TENANT = -1
_I64 = np.iinfo(np.int64)


@dataclass(frozen=True, slots=True)
class Interned:
    """Refs of the label sets handed in; `new_refs` are the series that were added (ascending)."""

    refs: NDArray[np.int64]  # [n]
    is_new: NDArray[np.bool_]  # [n] true once per added series
    new_refs: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PendingSeries:
    """Series that the store has not confirmed yet, as rows of table `series`; pass `end_ref` to `mark_persisted`."""

    rows: pa.RecordBatch
    end_ref: int


class Catalogue:
    """See the module. Implements `SeriesIndex`. All methods are thread-safe and do no I/O.

    A series counts as active while it had samples within `active_window_ms`.
    """

    def __init__(self, active_window_ms: int = 3_600_000, max_label_cells: int = MAX_LABEL_CELLS) -> None:
        seeds = np.array([secrets.randbits(64) for _ in range(4)], np.uint64)
        self._seed = secrets.randbits(64)
        self._active_window_ms = active_window_ms
        self._lock = threading.Lock()
        self._symbols = SymbolPool(seeds[:2].copy())
        self._tables = empty_tables(seeds[2:].copy())
        self._wire_keys = WireKeys()
        self._tenants: dict[str, int] = {}
        self._tenant_names: list[str] = []
        self._salts: list[np.uint64] = []
        self._persisted_ref = 0
        self._epoch = 0
        self._symbols.add("")  # symbol 0
        name_code = np.array([self._symbols.add(METRIC_NAME)], np.int32)
        number_labels(self._tables.label_number, self._tables.label_code, self._tables.counts, name_code)  # label 0
        self._publish()
        self._selector = Selector(self._symbols, max_label_cells)

    # -- the way in ---------------------------------------------------------------------------------------------

    @property
    def seed(self) -> int:
        """The 64-bit seed of wire keys, random per process."""
        return self._seed

    def resolve(self, tenant: str, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Refs of wire keys [n], UNKNOWN_SERIES where a key is new. Takes no lock."""
        number = self._tenants.get(tenant, _NO_TENANT)
        if number == _NO_TENANT:
            return np.full(len(keys), UNKNOWN_SERIES, np.int64)
        return self._wire_keys.find(writable(keys), self._salts[number])

    def intern(self, tenant: str, keys: NDArray[np.uint64], labels: LabelSets, now_ms: int) -> Interned:
        """Refs for label sets [n] that arrived under wire keys [n]; unknown sets become new, active series.

        The same set gets the same ref under whatever key or order of labels. A pair with an empty value is no label.
        Added series MUST be stored (`pending`) before a sample of theirs is acknowledged.
        """
        n = len(labels)
        if len(keys) != n:
            raise ValueError(f"{len(keys)} keys for {n} label sets")
        with self._lock:
            tenant_number = self._tenant_number(tenant)
            rows = Rows(
                np.full(n, tenant_number, np.int64),
                np.empty(n, np.int64),
                np.full(n, UNASSIGNED, np.int64),
                np.zeros(n, np.bool_),
            )
            try:
                for begin in range(0, n, _SETS_PER_ROUND):
                    self._intern_round(labels, rows, slice(begin, min(begin + _SETS_PER_ROUND, n)), _arrival_s(now_ms))
            finally:
                self._publish()
            live = int(self._tables.counts[N_LIVE])
            salt = self._salts[tenant_number]
            self._wire_keys.put(writable(keys), salt, rows.refs, self._tables.state, live)
        return Interned(rows.refs, rows.is_new, rows.refs[rows.is_new])

    def record_samples(self, refs: NDArray[np.int64], ts_ms: NDArray[np.int64], now_ms: int) -> None:
        """Note that samples [n] of these series are stored. Refs that are unknown or dropped are passed over."""
        with self._lock:
            activity.record_rows(self._tables, writable(refs), writable(ts_ms), _arrival_s(now_ms), 0)

    def record_histograms(self, refs: NDArray[np.int64], ts_ms: NDArray[np.int64], now_ms: int) -> None:
        """As `record_samples`, for native histograms; the series are known to have some from then on."""
        with self._lock:
            activity.record_rows(self._tables, writable(refs), writable(ts_ms), _arrival_s(now_ms), HISTOGRAMS)

    # -- persistence --------------------------------------------------------------------------------------------

    def pending(self, created_ms: int) -> PendingSeries:
        """Living series that `mark_persisted` has not covered, whoever interned them, as rows to insert."""
        with self._lock:
            end = int(self._tables.counts[N_SERIES])
            refs = np.arange(self._persisted_ref, end, dtype=np.int64)
            refs = refs[(self._tables.state[refs] & ALIVE) != 0]
        return PendingSeries(self.export_new(refs, created_ms), end)

    def mark_persisted(self, end_ref: int) -> None:
        """Every series below `end_ref` is durable."""
        with self._lock:
            self._persisted_ref = max(self._persisted_ref, end_ref)

    def export_new(self, refs: NDArray[np.int64], created_ms: int) -> pa.RecordBatch:
        """Series `refs` [n] as rows of table `series` (`arrow_columns.EXPORT_SCHEMA`).

        Raises OverflowError where their strings exceed 2 GiB.
        """
        tables = self._snapshot.tables
        symbols = self._symbols.snapshot.tables
        return series_batch(tables, symbols, writable(refs), self._tenant_names, created_ms)

    def load(self, rows: pa.Table | pa.RecordBatch) -> int:
        """Add series read from table `series`, under their own refs and metric ids; how many were added.

        For the start, before anything is interned. Columns as exported, except that `metric` and `created_ms` are
        not looked at and strings may be binary; rows in any order; of rows with the same ref the first counts. The
        series' time ranges are unknown until `set_time_ranges`, so time excludes none of them. May be called
        several times. Raises ValueError on a table that contradicts itself.
        """
        batches = [rows] if isinstance(rows, pa.RecordBatch) else rows.to_batches()
        added = 0
        with self._lock:
            try:
                for batch in batches:
                    added += self._load_batch(batch)
            finally:
                self._tables = relinked(self._tables)
                self._persisted_ref = int(self._tables.counts[N_SERIES])
                self._epoch += 1
                self._publish()
        return added

    def reserve_numbers(self, next_ref: int, next_metric_id: int) -> None:
        """Never give out a ref or metric id below these: rows of dropped series may still be on disk under them."""
        with self._lock:
            n_series, n_metrics = (int(self._tables.counts[which]) for which in (N_SERIES, N_METRICS))
            room = Room(0, max(next_ref - n_series, 0), max(next_metric_id - n_metrics, 0), 0, 0)
            tables = self._tables = reserved(self._tables, room)
            for name, hole in (("state", 0), ("pair_start", 0), ("pair_count", 0), ("metric", 0), ("previous", -1)):
                getattr(tables, name)[n_series:next_ref] = hole
            for name, hole in (("tenant", -1), ("name", 0), ("head", -1), ("count", 0), ("active", 0)):
                getattr(tables, f"metric_{name}")[n_metrics:next_metric_id] = hole
            tables.counts[N_SERIES] = max(n_series, next_ref)
            tables.counts[N_METRICS] = max(n_metrics, next_metric_id)
            self._publish()

    def set_time_ranges(
        self, refs: NDArray[np.int64], min_ts_ms: NDArray[np.int64], max_ts_ms: NDArray[np.int64]
    ) -> None:
        """Tell the time ranges [n] on disk of loaded series; from then on time can exclude them."""
        with self._lock:
            activity.set_ranges(self._tables, writable(refs), writable(min_ts_ms), writable(max_ts_ms))

    def replace_time_ranges(
        self, refs: NDArray[np.int64], min_ts_ms: NDArray[np.int64], max_ts_ms: NDArray[np.int64]
    ) -> None:
        """Set what is left of series [n] after a deletion; min > max where nothing is (`drop` those for good).

        Samples recorded between reading the ranges and this call are forgotten in them: hold writers off meanwhile.
        """
        with self._lock:
            activity.replace_ranges(self._tables, writable(refs), writable(min_ts_ms), writable(max_ts_ms))

    def finish_time_ranges(self) -> None:
        """All ranges on disk have been told: series that `set_time_ranges` did not name have nothing there."""
        with self._lock:
            self._tables.state[: self._tables.counts[N_SERIES]] &= 255 ^ PAST_UNKNOWN

    def mark_histograms(self, refs: NDArray[np.int64]) -> None:
        """Tell which loaded series have native histograms on disk."""
        with self._lock:
            activity.add_state(self._tables, writable(refs), HISTOGRAMS)

    def drop(self, refs: NDArray[np.int64]) -> int:
        """Forget series; how many of `refs` were there. Their labels, if they come again, get a new ref.

        Batches in flight may still carry a dropped ref: a committer that must not store such rows asks `are_live`.
        """
        with self._lock:
            dropped = int(activity.bury(self._tables, writable(refs)))
            if dropped:
                self._tables = without_buried(self._tables)
                self._wire_keys.drop_dead(self._tables.state, ALIVE)
                self._epoch += 1
                self._publish()
        return dropped

    def are_live(self, refs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of `refs` [n] are series that exist."""
        snapshot = self._snapshot
        alive: NDArray[np.bool_] = activity.living(snapshot.tables.state, snapshot.n_series, writable(refs))
        return alive

    def expired(self, before_ms: int, arrived_before_ms: int) -> NDArray[np.int64]:
        """Series whose newest sample is older than `before_ms` and that nothing arrived for since."""
        snapshot = self._snapshot
        found: NDArray[np.int64] = activity.ended_before(
            snapshot.tables, snapshot.n_series, before_ms, arrived_before_ms // 1000
        )
        return found

    # -- figures ------------------------------------------------------------------------------------------------

    def refresh_active(self, now_ms: int) -> ActiveCounts:
        """Retire series that had no samples within the window (call it now and then), and count the rest."""
        with self._lock:
            activity.deactivate_before(self._tables, (now_ms - self._active_window_ms) // 1000)
        return self.active()

    def active(self) -> ActiveCounts:
        """Active series as of the last refresh, plus those that became active since."""
        with self._lock:
            tables = self._tables
            by_tenant = tables.tenant_active[: len(self._tenant_names)].tolist()
            by_metric = tables.metric_active[: tables.counts[N_METRICS]].copy()
            total = int(tables.counts[N_ACTIVE])
            return ActiveCounts(total, by_metric, dict(zip(self._tenant_names, by_tenant, strict=True)))

    def active_total(self, tenant: str | None = None) -> int:
        """Active series of one tenant, or of all. Cheap enough to ask per request."""
        if tenant is None:
            return int(self._tables.counts[N_ACTIVE])
        number = self._tenants.get(tenant, _NO_TENANT)
        return 0 if number == _NO_TENANT else int(self._tables.tenant_active[number])

    def active_of_metric(self, tenant: str, metric: str) -> int:
        """Active series of one metric."""
        chosen = self._metric_numbers(tenant, metric)
        return int(self._snapshot.tables.metric_active[chosen].sum())

    def statistics(self, tenant: str, limit: int = 10) -> CatalogueStatistics:
        """Cardinality figures of a tenant; rankings of at most `limit` entries."""
        snapshot = self._snapshot
        refs = self._all_refs(snapshot, tenant)
        return series_statistics(snapshot, self._symbols, refs, limit)

    @property
    def n_series(self) -> int:
        """Series that exist."""
        return int(self._tables.counts[N_LIVE])

    @property
    def next_ref(self) -> int:
        """One above the highest ref given out: the length that arrays indexed by ref need."""
        return self._snapshot.n_series

    @property
    def tenants(self) -> list[str]:
        """Tenants that ever had a series."""
        return list(self._tenant_names)

    @property
    def memory_bytes(self) -> int:
        """Bytes that series, strings, keys and cached columns take."""
        fixed = self._symbols.memory_bytes + self._wire_keys.memory_bytes
        return memory_bytes(self._tables) + fixed + self._selector.columns.memory_bytes

    # -- the way out --------------------------------------------------------------------------------------------

    @property
    def symbols(self) -> SymbolTable:
        """The strings behind label codes."""
        return self._symbols

    def select_series(self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Selection:
        """As `contracts.Reader.select_series`; sorted by (metric id, ref)."""
        snapshot = self._snapshot
        number = self._tenants.get(tenant, _NO_TENANT)
        return self._selector.select(snapshot, number, matchers, *_within_i64(start_ms, end_ms))

    def label_frame(self, refs: NDArray[np.int64]) -> LabelFrame:
        """Labels of the series `refs` [n]."""
        return self._selector.label_frame(self._snapshot, writable(refs))

    def metric_ids(self, refs: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Metric ids of the series `refs` [n]."""
        ids: NDArray[np.uint32] = self._snapshot.tables.metric[refs].astype(np.uint32)
        return ids

    def n_series_of(self, metric_ids: NDArray[np.uint32]) -> int:
        """How many living series the metrics have together."""
        return int(self._snapshot.metric_count[metric_ids].sum())

    def metric_name(self, metric_id: int) -> str:
        """Name of a metric; raises IndexError for a number that was never given out."""
        if not 0 <= metric_id < self._snapshot.n_metrics:
            raise IndexError(f"no metric has the number {metric_id}")
        return self._symbols.text(int(self._snapshot.tables.metric_name[metric_id]))

    def label_names(self, tenant: str, matchers: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> list[str]:
        """As `contracts.Reader.label_names`."""
        snapshot = self._snapshot
        seen = np.zeros(snapshot.n_labels, np.bool_)
        for refs in self._refs_of_any(snapshot, tenant, matchers, (start_ms, end_ms)):
            seen |= mark_labels(snapshot.tables, refs, snapshot.n_labels)
        codes = snapshot.tables.label_code[np.flatnonzero(seen)].tolist()
        return sorted(self._symbols.text(code) for code in codes)

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """As `contracts.Reader.label_values`."""
        snapshot = self._snapshot
        label = self._selector.label_number(snapshot, name)
        if label < 0:
            return []
        seen = np.zeros(self._symbols.snapshot.n + 1, np.bool_)
        for refs in self._refs_of_any(snapshot, tenant, matchers, (start_ms, end_ms)):
            codes = np.empty(len(refs), np.int32)
            extract_codes(snapshot.tables, refs, label, codes)
            seen[codes + 1] = True
        return sorted(self._symbols.text(code) for code in np.flatnonzero(seen[1:]).tolist())

    # -- within -------------------------------------------------------------------------------------------------

    def _refs_of_any(
        self, snapshot: Snapshot, tenant: str, matchers: Sequence[Sequence[Matcher]], range_ms: tuple[int, int]
    ) -> list[NDArray[np.int64]]:
        number = self._tenants.get(tenant, _NO_TENANT)
        start_ms, end_ms = _within_i64(*range_ms)
        return [self._selector.refs(snapshot, number, each, start_ms, end_ms) for each in matchers or [()]]

    def _metric_numbers(self, tenant: str, metric: str) -> NDArray[np.int64]:
        snapshot = self._snapshot
        tables, n = snapshot.tables, snapshot.n_metrics
        number, code = self._tenants.get(tenant, _NO_TENANT), self._symbols.code(metric)
        return np.flatnonzero((tables.metric_tenant[:n] == number) & (tables.metric_name[:n] == code))

    def _all_refs(self, snapshot: Snapshot, tenant: str) -> NDArray[np.int64]:
        number = self._tenants.get(tenant, _NO_TENANT)
        metrics = np.flatnonzero(snapshot.tables.metric_tenant[: snapshot.n_metrics] == number)
        return refs_of_metrics(snapshot, metrics)

    def _tenant_number(self, tenant: str) -> int:
        number = self._tenants.get(tenant)
        if number is not None:
            return number
        number = len(self._tenant_names)
        if number >= len(self._tables.tenant_count):
            grown = {
                name: np.concatenate([getattr(self._tables, name), np.zeros(number, np.int64)])
                for name in ("tenant_count", "tenant_active")
            }
            self._tables = self._tables._replace(**grown)
        self._salts.append(np.uint64(secrets.randbits(64)))
        self._tenant_names.append(tenant)
        self._tenants[tenant] = number
        return number

    def _canonical(self, labels: LabelSets, part: slice, room: Room) -> LabelPairs:
        """Sets `part` of a batch in codes, canonical; there is room for them as series afterwards."""
        offsets = writable(labels.offsets[part.start : part.stop + 1])
        owned = slice(int(offsets[0]), int(offsets[-1]))
        n_pairs = owned.stop - owned.start
        n_bytes = int(labels.names.length[owned].sum()) + int(labels.values.length[owned].sum())
        self._symbols.reserve(2 * n_pairs, n_bytes)
        symbols = self._symbols.tables
        self._tables = tables = reserved(self._tables, room._replace(pairs=n_pairs, symbols=len(symbols.starts)))
        names, values = np.empty(n_pairs, np.int32), np.empty(n_pairs, np.int32)
        intern_texts(symbols, text_groups(labels.names, offsets), names)
        intern_texts(symbols, text_groups(labels.values, offsets), values)
        number_labels(tables.label_number, tables.label_code, tables.counts, names)
        pairs = LabelPairs(offsets[:-1] - owned.start, offsets[1:] - owned.start, names, values)
        canonicalise(pairs, tables.label_code, symbols)
        return pairs

    def _intern_round(self, labels: LabelSets, rows: Rows, part: slice, now_s: int) -> None:
        n = part.stop - part.start
        pairs = self._canonical(labels, part, Room(n, n, n, 0, 0))
        intern_sets(self._tables, pairs, rows_of(rows, part), now_s)

    def _load_batch(self, batch: pa.RecordBatch) -> int:
        if len(batch) == 0:
            return 0
        labels = label_sets(batch)
        positions, tenants = tenant_column(batch)
        numbers = np.array([self._tenant_number(tenant) for tenant in tenants], np.int64)
        refs = np.asarray(batch.column("ref")).astype(np.int64)
        metric_ids = np.asarray(batch.column("metric_id")).astype(np.int64)
        rows = Rows(numbers[positions], refs, metric_ids, np.zeros(len(refs), np.bool_))
        for begin in range(0, len(refs), _SETS_PER_ROUND):
            self._load_round(labels, rows, slice(begin, min(begin + _SETS_PER_ROUND, len(refs))))
        return int(np.count_nonzero(rows.is_new))

    def _load_round(self, labels: LabelSets, rows: Rows, part: slice) -> None:
        owned = rows_of(rows, part)
        counts = self._tables.counts
        series = max(int(owned.refs.max()) + 1 - int(counts[N_SERIES]), 0)
        metrics = max(int(owned.metric_ids.max()) + 1 - int(counts[N_METRICS]), 0)
        pairs = self._canonical(labels, part, Room(len(owned.refs), series, metrics, 0, 0))
        load_sets(self._tables, pairs, owned)

    def _publish(self) -> None:
        """Let readers see what the writer has done. Symbols go first: series refer to them."""
        self._symbols.publish()
        tables: SeriesTables = self._tables
        n_metrics = int(tables.counts[N_METRICS])
        self._snapshot = Snapshot(
            tables,
            int(tables.counts[N_SERIES]),
            n_metrics,
            int(tables.counts[N_LABELS]),
            tables.metric_head[:n_metrics].copy(),
            tables.metric_count[:n_metrics].copy(),
            self._epoch,
        )


def _arrival_s(now_ms: int) -> int:
    return max(now_ms // 1000, 1)  # 0 says that nothing ever arrived


def _within_i64(start_ms: int, end_ms: int) -> tuple[int, int]:
    return max(start_ms, int(_I64.min)), min(end_ms, int(_I64.max))
