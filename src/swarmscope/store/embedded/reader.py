"""Reads metrics: what memory holds, and from ClickHouse what it does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarmscope.model.contracts import Exemplars, MetricMetadata, ReadBudget
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.matchers import Matcher
from swarmscope.model.metrics import HistogramColumns
from swarmscope.model.series import RollupColumns, SampleColumns, Selection, SymbolTable
from swarmscope.schema.rollups import RESOLUTIONS_MS, rollup_name
from swarmscope.schema.tables import EXEMPLARS, HISTOGRAMS, METADATA, SAMPLES
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.embedded.decimal import decode_decimals
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.memory import Memory, MemorySnapshot
from swarmscope.store.embedded.rollups import (
    STORED_FIELDS,
    Buckets,
    buckets_of,
    check_aligned,
    first_doubtful_sql,
    joined_buckets,
    stored_buckets,
)
from swarmscope.store.embedded.rows import histograms_from_rows
from swarmscope.store.embedded.runs import (
    Rows,
    TimeRange,
    copy_from_run,
    copy_rows,
    gather_space,
    locate_in_run,
    locate_rows,
    position_table,
    series_keys,
    settle,
)

# Above this many series a filter by `ref IN (…)` costs more than reading the metric whole.
_MAX_LISTED_REFS = 20_000
_WHOLE_METRIC_SHARE = 0.3
_SAMPLE_COLUMNS = "ref, ts, mantissa, exponent"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A selection with what the sources need to find it."""

    refs: NDArray[np.int64]  # [n]
    key: NDArray[np.uint64]  # [n]
    metric_ids: NDArray[np.uint32]  # distinct
    time: TimeRange


class EmbeddedReader:
    """`Reader` over the embedded store."""

    def __init__(self, engine: Engine, catalogue: Catalogue, memory: Memory, oldest_ms: Callable[[], int]) -> None:
        """`oldest_ms` tells the earliest time that retention keeps; older rows are not shown, deleted or not."""
        self._engine = engine
        self._catalogue = catalogue
        self._memory = memory
        self._oldest_ms = oldest_ms

    @property
    def symbols(self) -> SymbolTable:
        """The catalogue's strings."""
        return self._catalogue.symbols

    def select_series(self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Selection:
        """As `Reader.select_series`."""
        return self._catalogue.select_series(tenant, matchers, max(start_ms, self._oldest_ms()), end_ms)

    def label_names(self, tenant: str, matchers: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> list[str]:
        """As `Reader.label_names`."""
        return self._catalogue.label_names(tenant, matchers, max(start_ms, self._oldest_ms()), end_ms)

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """As `Reader.label_values`."""
        return self._catalogue.label_values(tenant, name, matchers, max(start_ms, self._oldest_ms()), end_ms)

    def read_samples(self, selection: Selection, start_ms: int, end_ms: int, budget: ReadBudget) -> SampleColumns:
        """As `Reader.read_samples`."""
        budget.cancellation.check()
        time = TimeRange(max(start_ms, self._oldest_ms()), end_ms)
        if len(selection.refs) == 0 or time.start_ms > time.end_ms:
            return SampleColumns(np.zeros(len(selection.refs) + 1, np.int64), np.zeros(0, np.int64), np.zeros(0))
        chosen = self._chosen(selection, time)
        # Memory first: rows go from memory to parts, so what is missed here is found there.
        snapshot = self._memory.snapshot()
        stored = self._stored_rows(chosen, snapshot, budget, final=False)
        columns, conflicts = self._gather(chosen, snapshot, stored, budget)
        if conflicts and stored:
            # Slow path: a time was written twice with different values, and parts say which write was last.
            stored = self._stored_rows(chosen, snapshot, budget, final=True)
            budget.used_samples -= len(columns.ts_ms)
            columns, _ = self._gather(chosen, snapshot, stored, budget)
        return columns

    def _chosen(self, selection: Selection, time: TimeRange) -> _Chosen:
        metric_ids = self._catalogue.metric_ids(selection.refs)
        return _Chosen(selection.refs, series_keys(metric_ids, selection.refs), np.unique(metric_ids), time)

    def _stored_rows(self, chosen: _Chosen, snapshot: MemorySnapshot, budget: ReadBudget, *, final: bool) -> list[Rows]:
        end_ms = chosen.time.end_ms if final else min(chosen.time.end_ms, snapshot.covered_after_ms)
        if chosen.time.start_ms > end_ms:
            return []
        sql = (
            f"SELECT {_SAMPLE_COLUMNS} FROM {SAMPLES.name}{' FINAL' if final else ''} "
            f"WHERE {self._condition(chosen)} AND ts >= {chosen.time.start_ms} AND ts <= {end_ms}"
        )
        columns = self._engine.columns(sql, budget)
        if not columns:
            return []
        value = decode_decimals(columns["mantissa"].view(np.int64), columns["exponent"].view(np.int8))
        return [Rows(columns["ref"].view(np.uint32), columns["ts"].view(np.int64), value)]

    def _condition(self, chosen: _Chosen) -> str:
        """SQL over numbers of ours alone; a filter that is worth its cost."""
        metrics = ", ".join(map(str, chosen.metric_ids.tolist()))
        condition = f"metric_id IN ({metrics})"
        available = self._catalogue.n_series_of(chosen.metric_ids)
        if len(chosen.refs) <= min(_MAX_LISTED_REFS, _WHOLE_METRIC_SHARE * available):
            return f"{condition} AND ref IN ({', '.join(map(str, chosen.refs.tolist()))})"
        return condition

    def _gather(
        self, chosen: _Chosen, snapshot: MemorySnapshot, stored: list[Rows], budget: ReadBudget
    ) -> tuple[SampleColumns, int]:
        counts = np.zeros(len(chosen.refs), np.int64)
        lowest, table = position_table(chosen.refs)
        oldest = [(rows, locate_rows(rows, lowest, table, chosen.time, counts)) for rows in stored]
        cached = [(run, *locate_in_run(run, chosen.key, chosen.time, counts)) for run in snapshot.runs]
        newest = [(rows, locate_rows(rows, lowest, table, chosen.time, counts)) for rows in snapshot.live_rows()]
        _charge(budget, int(counts.sum()))
        room, cursor = gather_space(counts)
        ascending = True
        for rows, positions in oldest:
            ascending &= copy_rows(rows, positions, cursor, room)
        for run, begins, ends in cached:
            ascending &= copy_from_run(run, begins, ends, cursor, room)
        for rows, positions in newest:
            ascending &= copy_rows(rows, positions, cursor, room)
        # Fast path: the sources followed one another in time.
        gathered, conflicts = (room, 0) if ascending else settle(room)
        return SampleColumns(gathered.offsets, gathered.ts_ms, gathered.value), conflicts

    @property
    def rollup_resolutions_ms(self) -> tuple[int, ...]:
        """As `Reader.rollup_resolutions_ms`."""
        return RESOLUTIONS_MS

    def read_rollups(
        self, selection: Selection, resolution_ms: int, range_ms: tuple[int, int], budget: ReadBudget
    ) -> RollupColumns:
        """As `Reader.read_rollups`."""
        check_aligned(resolution_ms, range_ms)
        chosen = self._chosen(selection, TimeRange(range_ms[0] + 1, range_ms[1]))
        good_until_ms = self._rolled_until(chosen, resolution_ms, range_ms, budget)
        stored = self._stored_buckets(chosen, resolution_ms, (range_ms[0], good_until_ms), budget)
        _charge(budget, len(stored.position))
        samples = self.read_samples(selection, good_until_ms + 1, range_ms[1], budget)
        return joined_buckets(stored, buckets_of(samples, resolution_ms), len(selection.refs), resolution_ms)

    def _rolled_until(self, chosen: _Chosen, resolution_ms: int, range_ms: tuple[int, int], budget: ReadBudget) -> int:
        """The end of the last bucket before the first one whose samples the rollups may not all know."""
        if len(chosen.refs) == 0:
            return range_ms[0]
        lowest, table = position_table(chosen.refs)
        doubtful_ms = range_ms[1] + resolution_ms
        # Memory before parts, as in `read_samples`.
        for rows in self._memory.snapshot().live_rows():
            mine = locate_rows(rows, lowest, table, chosen.time, np.zeros(len(chosen.refs), np.int64)) >= 0
            if mine.any():
                doubtful_ms = min(doubtful_ms, int(rows.ts_ms[mine].min()))
        metrics = f"metric_id IN ({', '.join(map(str, chosen.metric_ids.tolist()))})"
        answer = self._engine.columns(first_doubtful_sql(metrics, resolution_ms, range_ms), budget)
        if int(answer["n"].astype(np.int64)[0]):
            doubtful_ms = min(doubtful_ms, int(answer["doubtful"].astype(np.int64)[0]))
        end_of_bucket = -(-doubtful_ms // resolution_ms) * resolution_ms
        rolled_ms = int(answer["rolled_ms"].astype(np.int64)[0]) // resolution_ms * resolution_ms
        return max(range_ms[0], min(range_ms[1], end_of_bucket - resolution_ms, rolled_ms))

    def _stored_buckets(
        self, chosen: _Chosen, resolution_ms: int, range_ms: tuple[int, int], budget: ReadBudget
    ) -> Buckets:
        if range_ms[0] >= range_ms[1] or len(chosen.refs) == 0:
            return stored_buckets({}, chosen.refs)
        sql = (
            f"SELECT {STORED_FIELDS} FROM {rollup_name(resolution_ms)} FINAL WHERE {self._condition(chosen)} "
            f"AND bucket > {max(range_ms[0], self._oldest_ms())} AND bucket <= {range_ms[1]}"
        )
        return stored_buckets(self._engine.columns(sql, budget), chosen.refs)

    def read_histograms(self, selection: Selection, start_ms: int, end_ms: int, budget: ReadBudget) -> HistogramColumns:
        """As `Reader.read_histograms`."""
        budget.cancellation.check()
        table = self._rows_of(HISTOGRAMS.name, HISTOGRAMS.column_names(), selection, (start_ms, end_ms), budget)
        if table is None:
            return HistogramColumns.empty()
        _charge(budget, table.num_rows)
        rows, positions = _last_writes(table, selection.refs)
        return histograms_from_rows(rows, positions)

    def read_exemplars(self, selection: Selection, start_ms: int, end_ms: int) -> Exemplars:
        """As `Reader.read_exemplars`."""
        by_series: dict[int, list[tuple[int, float, dict[str, str]]]] = {}
        table = self._rows_of(EXEMPLARS.name, EXEMPLARS.column_names(), selection, (start_ms, end_ms), None)
        if table is None:
            return Exemplars(by_series)
        position_of = {int(ref): position for position, ref in enumerate(selection.refs.tolist())}
        seen: set[tuple[int, int, float]] = set()
        for row in table.sort_by([("ref", "ascending"), ("ts", "ascending")]).to_pylist():
            identity = (row["ref"], row["ts"], row["value"])
            if identity not in seen:
                seen.add(identity)
                exemplar = (row["ts"], row["value"], dict(row["labels"]))
                by_series.setdefault(position_of[row["ref"]], []).append(exemplar)
        return Exemplars(by_series)

    def _rows_of(
        self,
        name: str,
        columns: tuple[str, ...],
        selection: Selection,
        range_ms: tuple[int, int],
        budget: ReadBudget | None,
    ) -> pa.Table | None:
        """Rows of a table in memory and parts, those of memory last; None when there is none."""
        time = TimeRange(max(range_ms[0], self._oldest_ms()), range_ms[1])
        if len(selection.refs) == 0 or time.start_ms > time.end_ms:
            return None
        chosen = self._chosen(selection, time)
        unflushed = self._memory.snapshot().unflushed(name)
        listed = ", ".join(f"`{column}`" for column in columns)
        sql = (
            f"SELECT {listed} FROM {name} FINAL WHERE {self._condition(chosen)} "
            f"AND ts >= {time.start_ms} AND ts <= {time.end_ms}"
        )
        stored = self._engine.table(sql, budget=budget)
        tables = [] if stored is None or stored.num_rows == 0 else [stored]
        tables += [pa.Table.from_batches([batch.select(list(columns))]) for batch in unflushed]
        if not tables:
            return None
        joined = pa.concat_tables([table.cast(tables[-1].schema) for table in tables])
        ts, ref = joined.column("ts").to_numpy(), joined.column("ref").to_numpy()
        inside = (ts >= time.start_ms) & (ts <= time.end_ms) & np.isin(ref, chosen.refs)
        return joined.filter(pa.array(inside)) if inside.any() else None

    def metadata(self, tenant: str) -> dict[str, list[MetricMetadata]]:
        """As `Reader.metadata`."""
        unflushed = self._memory.snapshot().unflushed(METADATA.name)
        sql = (
            f"SELECT metric, kind, unit, help FROM {METADATA.name} FINAL WHERE tenant = {{tenant:String}} "
            "ORDER BY metric, seen_ms"
        )
        stored = self._engine.table(sql, {"tenant": tenant})
        rows = stored.to_pylist() if stored is not None else []
        for batch in unflushed:
            rows += [row for row in batch.to_pylist() if row["tenant"] == tenant]
        known: dict[str, list[MetricMetadata]] = {}
        for row in rows:
            entry = MetricMetadata(row["kind"], row["unit"], row["help"])
            entries = known.setdefault(row["metric"], [])
            if entry not in entries:
                entries.append(entry)
        return known


def _charge(budget: ReadBudget, n_samples: int) -> None:
    budget.used_samples += n_samples
    if budget.used_samples > budget.max_samples:
        raise LimitExceededError(
            f"query processing would load too many samples into memory in query execution: "
            f"more than {budget.max_samples}",
            limit="limits.max_query_samples",
        )


def _last_writes(table: pa.Table, refs: NDArray[np.int64]) -> tuple[pa.Table, NDArray[np.int64]]:
    """Rows in (position, time) order, the last of equal ones kept; and each row's position in `refs`."""
    order_of_refs = np.argsort(refs, kind="stable")
    ref = table.column("ref").to_numpy().astype(np.int64)
    positions = order_of_refs[np.searchsorted(refs, ref, sorter=order_of_refs)]
    ts = table.column("ts").to_numpy()
    order = np.lexsort((np.arange(len(ts)), ts, positions))
    positions, ts = positions[order], ts[order]
    last = np.ones(len(order), np.bool_)
    last[:-1] = (positions[1:] != positions[:-1]) | (ts[1:] != ts[:-1])
    return table.take(pa.array(order[last])), positions[last]
