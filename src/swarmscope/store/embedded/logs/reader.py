"""Reads lines: those in memory, and from ClickHouse the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import ReadBudget
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.logs import LineColumns, LineCounts, LineRequest, LogRows
from swarmscope.model.matchers import Matcher
from swarmscope.model.series import Selection, SymbolTable
from swarmscope.schema.log_tables import COUNT_GRAIN_NS
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.logs.commit import CommittingLogSink
from swarmscope.store.embedded.logs.counts import counts_of, joined_counts
from swarmscope.store.embedded.logs.following import LogFollowing
from swarmscope.store.embedded.logs.live_needles import rows_with_needles
from swarmscope.store.embedded.logs.memory import LogMemory, LogSnapshot
from swarmscope.store.embedded.logs.needle_plan import are_indexed
from swarmscope.store.embedded.logs.rows import (
    Positions,
    find_lines,
    joined_rows,
    rows_of_block,
    rows_of_lines,
    text_bytes,
)
from swarmscope.store.embedded.logs.shapes import ShapeTable
from swarmscope.store.embedded.logs.slices import Appetite, walk_slices
from swarmscope.store.embedded.logs.statements import Chosen, counts_condition, lines_settings, lines_sql

_NS_PER_MS = 1_000_000
_BATCH_LINES = 100_000
# Lines with a needle that is rare are read all at once, without looking for slices of time that hold enough of them: so
# many times the lines that are wanted, and at least so many. More would be read in vain where they are not enough.
_ALL_AT_ONCE, _FEWEST_AT_ONCE = 2, 200
_EARLIEST_NS, _LATEST_NS = -(1 << 62), 1 << 62


class EmbeddedLogReader:
    """`LogReader` over the embedded store."""

    def __init__(
        self,
        engine: Engine,
        names: tuple[Catalogue, ShapeTable],
        memory: LogMemory,
        sink: CommittingLogSink,
        oldest_ns: Callable[[], int],
    ) -> None:
        """`oldest_ns` tells the earliest time that retention keeps; older lines are not shown, deleted or not."""
        self._engine = engine
        self._catalogue, self._shapes = names
        self._memory = memory
        self._sink = sink
        self._oldest_ns = oldest_ns
        self._lock = threading.Lock()

    @property
    def symbols(self) -> SymbolTable:
        """The catalogue's strings."""
        return self._catalogue.symbols

    def select_streams(self, tenant: str, matchers: Sequence[Matcher], start_ns: int, end_ns: int) -> Selection:
        """As `LogReader.select_streams`."""
        return self._catalogue.select_series(tenant, matchers, *self._range_ms(start_ns, end_ns))

    def label_names(self, tenant: str, matchers: Sequence[Sequence[Matcher]], start_ns: int, end_ns: int) -> list[str]:
        """As `LogReader.label_names`."""
        return self._catalogue.label_names(tenant, matchers, *self._range_ms(start_ns, end_ns))

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Sequence[Matcher]], start_ns: int, end_ns: int
    ) -> list[str]:
        """As `LogReader.label_values`."""
        return self._catalogue.label_values(tenant, name, matchers, *self._range_ms(start_ns, end_ns))

    def _range_ms(self, start_ns: int, end_ns: int) -> tuple[int, int]:
        return max(start_ns, self._oldest_ns()) // _NS_PER_MS, (end_ns - 1) // _NS_PER_MS

    def shape_names(self, shape: int) -> tuple[str, ...]:
        """As `LogReader.shape_names`."""
        return self._shapes.names(shape)

    def metadata_names(self) -> frozenset[str]:
        """As `LogReader.metadata_names`."""
        return self._shapes.every_name()

    def scan_lines(self, selection: Selection, request: LineRequest, budget: ReadBudget) -> Iterator[LogRows]:
        """As `LogReader.scan_lines`. A batch counts against the budget until the next one is asked for."""
        request = self._within(request)
        if len(selection.refs) == 0 or request.start_ns >= request.end_ns:
            return
        positions = Positions.of(selection.refs)
        # Memory first: rows go from memory to parts, so what is missed here is found there.
        snapshot = self._memory.snapshot()
        sql = lines_sql(Chosen(selection.refs), request, snapshot.first_segment)
        yield from _charged(self._live_batches(snapshot, positions, request), budget)
        blocks = self._engine.stream_rows(sql, budget, lines_settings(request))
        yield from _charged((rows_of_block(block, positions) for block in blocks), budget)

    def _live_batches(self, snapshot: LogSnapshot, positions: Positions, request: LineRequest) -> Iterator[LogRows]:
        for generation in snapshot.generations:
            lines = generation.lines.snapshot()
            found = rows_with_needles(lines, find_lines(lines, positions, request), request)
            for begin in range(0, len(found), _BATCH_LINES):
                yield rows_of_lines(lines, found[begin : begin + _BATCH_LINES], positions, request.columns)

    def walk_lines(
        self, selection: Selection, request: LineRequest, budget: ReadBudget, *, backward: bool, batch_lines: int
    ) -> Iterator[LogRows]:
        """As `LogReader.walk_lines`. A batch counts against the budget until the next one is asked for."""
        request = self._within(request)
        if len(selection.refs) == 0 or request.start_ns >= request.end_ns:
            return
        positions, chosen = Positions.of(selection.refs), Chosen(selection.refs)
        snapshot = self._memory.snapshot()
        if are_indexed(request.needles):
            rare = self._read_rare(
                snapshot, selection, request, budget, max(_ALL_AT_ONCE * batch_lines, _FEWEST_AT_ONCE)
            )
            if rare is not None:
                yield from _charged(iter([rare]), budget)
                return
        live_ts_ns = self._live_times(snapshot, positions, request)

        def count(start_ns: int, end_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            return self._count_buckets(chosen, (start_ns, end_ns), live_ts_ns, snapshot.first_segment, budget)

        appetite = Appetite(max(batch_lines, 1))
        for each in walk_slices(count, (request.start_ns, request.end_ns), appetite, backward=backward):
            mine = replace(request, start_ns=each.start_ns, end_ns=each.end_ns)
            rows = self._read_slice(snapshot, selection, mine, budget)
            appetite.learn(each.lines, len(rows))
            yield from _charged(iter([rows]), budget)

    def _read_rare(
        self, snapshot: LogSnapshot, selection: Selection, request: LineRequest, budget: ReadBudget, most: int
    ) -> LogRows | None:
        """All lines of the request; None where there are more than `most`."""
        positions, n_live = Positions.of(selection.refs), 0
        for generation in snapshot.generations:
            lines = generation.lines.snapshot()
            n_live += len(rows_with_needles(lines, find_lines(lines, positions, request), request))
            if n_live > most:
                return None
        rows = self._read_slice(snapshot, selection, request, budget, most - n_live + 1)
        return rows if len(rows) <= most else None

    def _live_times(self, snapshot: LogSnapshot, positions: Positions, request: LineRequest) -> NDArray[np.int64]:
        """Times of the selection's lines in memory, ascending."""
        every = replace(request, levels=None)
        views = [generation.lines.snapshot() for generation in snapshot.generations]
        return np.sort(np.concatenate([lines.ts_ns[find_lines(lines, positions, every)] for lines in views]))

    def _count_buckets(
        self,
        chosen: Chosen,
        range_ns: tuple[int, int],
        live_ts_ns: NDArray[np.int64],
        first_segment: int,
        budget: ReadBudget,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        stored = self._engine.columns(
            f"SELECT bucket, sum(lines) AS lines {counts_condition(chosen, range_ns, first_segment)} GROUP BY bucket",
            budget,
        )
        begin, end = np.searchsorted(live_ts_ns, range_ns, side="right")
        live = -(-live_ts_ns[begin:end] // COUNT_GRAIN_NS) * COUNT_GRAIN_NS
        bucket = np.concatenate([live, stored["bucket"].astype(np.int64)]) if stored else live
        lines = np.ones(len(live), np.int64)
        if stored:
            lines = np.concatenate([lines, stored["lines"].astype(np.int64)])
        buckets, which = np.unique(bucket, return_inverse=True)
        return buckets, np.bincount(which, lines, len(buckets)).astype(np.int64)

    def _read_slice(
        self,
        snapshot: LogSnapshot,
        selection: Selection,
        request: LineRequest,
        budget: ReadBudget,
        limit: int | None = None,
    ) -> LogRows:
        """Lines of the request; of those in parts, `limit` at most."""
        positions = Positions.of(selection.refs)
        parts = list(self._live_batches(snapshot, positions, request))
        n_lines, n_bytes = sum(map(len, parts)), sum(map(text_bytes, parts))
        sql = lines_sql(Chosen(selection.refs), request, snapshot.first_segment, limit)
        for block in self._engine.stream_rows(sql, budget, lines_settings(request, limit)):
            parts.append(rows_of_block(block, positions))
            n_lines += len(parts[-1])
            n_bytes += text_bytes(parts[-1])
            _check(budget, n_lines, n_bytes)
        return joined_rows(parts)

    @property
    def count_grain_ns(self) -> int:
        """As `LogReader.count_grain_ns`."""
        return COUNT_GRAIN_NS

    def count_lines(self, selection: Selection, range_ns: tuple[int, int], budget: ReadBudget) -> LineCounts:
        """As `LogReader.count_lines`."""
        if range_ns[0] % COUNT_GRAIN_NS or range_ns[1] % COUNT_GRAIN_NS:
            raise ValueError(f"{range_ns} is not aligned to {COUNT_GRAIN_NS} ns")
        # Buckets that retention cuts in two are left out, as their lines are going.
        oldest_ns = -(-self._oldest_ns() // COUNT_GRAIN_NS) * COUNT_GRAIN_NS
        range_ns = (max(range_ns[0], oldest_ns), range_ns[1])
        if len(selection.refs) == 0 or range_ns[0] >= range_ns[1]:
            return joined_counts([])
        budget.cancellation.check()
        positions = Positions.of(selection.refs)
        snapshot = self._memory.snapshot()
        request = LineRequest(range_ns[0] + 1, range_ns[1] + 1, LineColumns(metadata=False))
        parts = [
            counts_of(rows.stream, rows.ts_ns, rows.level, rows.line.length)
            for rows in self._live_batches(snapshot, positions, request)
        ]
        stored = self._engine.columns(
            "SELECT stream, level, bucket, lines, bytes "
            f"{counts_condition(Chosen(selection.refs), range_ns, snapshot.first_segment)}",
            budget,
        )
        if stored:
            stream = positions.table[stored["stream"].astype(np.int64) - positions.lowest].astype(np.int64)
            mine = stream >= 0
            parts.append(
                LineCounts(
                    stream[mine],
                    stored["level"].view(np.uint8)[mine],
                    *(stored[name].astype(np.int64)[mine] for name in ("bucket", "lines", "bytes")),
                )
            )
        return joined_counts(parts)

    def follow(self, tenant: str, matchers: Sequence[Matcher]) -> LogFollowing:
        """As `LogReader.follow`."""
        following = LogFollowing(self._catalogue, (tenant, matchers), self._detach)
        with self._lock:
            self._sink.followers = (*self._sink.followers, following.take)
        return following

    def _detach(self, following: LogFollowing) -> None:
        with self._lock:
            self._sink.followers = tuple(take for take in self._sink.followers if take != following.take)

    def _within(self, request: LineRequest) -> LineRequest:
        start_ns = max(request.start_ns, self._oldest_ns(), _EARLIEST_NS)
        return replace(request, start_ns=start_ns, end_ns=min(request.end_ns, _LATEST_NS))


def _charged(batches: Iterator[LogRows], budget: ReadBudget) -> Iterator[LogRows]:
    for rows in batches:
        budget.cancellation.check()
        if len(rows) == 0:
            continue
        _check(budget, len(rows), text_bytes(rows))
        budget.used_samples += len(rows)
        try:
            yield rows
        finally:
            budget.used_samples -= len(rows)


def _check(budget: ReadBudget, n_lines: int, n_bytes: int) -> None:
    if budget.used_samples + n_lines > budget.max_samples:
        raise LimitExceededError(
            f"the query would load more than {budget.max_samples} lines into memory at once",
            limit="limits.max_query_samples",
        )
    if budget.max_bytes is not None and n_bytes > budget.max_bytes:
        raise LimitExceededError(
            f"the query would load more than {budget.max_bytes} bytes of lines into memory at once",
            limit="limits.max_query_memory",
        )
