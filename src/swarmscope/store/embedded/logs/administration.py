"""What an administrator may do to stored lines: delete some, free their space."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.errors import UnavailableError
from swarmscope.model.logs import LogRows
from swarmscope.model.matchers import Matcher
from swarmscope.model.series import Selection
from swarmscope.schema.log_tables import COUNT_GRAIN_NS, LOG_COUNTS, LOGS, TIMED_LOG_TABLES
from swarmscope.store.embedded.logs.log_store import LogStore
from swarmscope.store.embedded.logs.upkeep import forget_streams

_REFS_PER_STATEMENT = 10_000
# Some 100 kB of SQL, well below what ClickHouse parses.
_ROWS_PER_STATEMENT = 1000
_FLUSH_TIMEOUT_S = 60.0
_EARLIEST_NS, _LATEST_NS = -(1 << 62), 1 << 62


class LogAdministration:
    """Deletion in the embedded store; every call blocks until it is done."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    def delete_lines(self, tenant: str, matchers: Sequence[Matcher], start_ns: int, end_ns: int) -> None:
        """Delete what matching streams have in start <= ts < end; they stay known only if something is left.

        Raises UnavailableError when what was acknowledged cannot be brought into parts first.
        """
        self._flush()
        store = self._store
        start_ns, end_ns = max(start_ns, _EARLIEST_NS), min(end_ns, _LATEST_NS)
        refs = store.reader.select_streams(tenant, matchers, start_ns, end_ns).refs
        for begin in range(0, len(refs), _REFS_PER_STATEMENT):
            part = refs[begin : begin + _REFS_PER_STATEMENT]
            self._delete(_listed(part), f"ts >= {start_ns} AND ts < {end_ns}", (start_ns, end_ns))
        self._forget_emptied(refs)

    def delete_rows(self, selection: Selection, batches: Iterable[LogRows]) -> int:
        """Delete exactly the lines of `batches` (stream, time and text MUST be in them); how many those are.

        For deletions that a query chooses. Raises UnavailableError as `delete_lines`.
        """
        self._flush()
        deleted = 0
        for rows in batches:
            for begin in range(0, len(rows), _ROWS_PER_STATEMENT):
                deleted += self._delete_some(selection, rows, slice(begin, begin + _ROWS_PER_STATEMENT))
        self._forget_emptied(selection.refs)
        return deleted

    def clean_tombstones(self) -> None:
        """Rewrite parts without the rows that were deleted."""
        for table in TIMED_LOG_TABLES:
            self._store.engine.administer(f"ALTER TABLE {table.name} APPLY DELETED MASK SETTINGS mutations_sync = 1")

    def _flush(self) -> None:
        if not self._store.flush(_FLUSH_TIMEOUT_S):
            raise UnavailableError("the store is behind with writing parts")

    def _delete_some(self, selection: Selection, rows: LogRows, which: slice) -> int:
        refs, ts_ns = selection.refs[rows.stream[which]], rows.ts_ns[which]
        starts, lengths = rows.line.start[which].tolist(), rows.line.length[which].tolist()
        # Slow path: administrators delete few lines. A digest keeps the statement short however long the line is.
        wanted = ", ".join(
            f"({ref}, {ts}, unhex('{hashlib.sha256(rows.line.buffer[begin : begin + length].tobytes()).hexdigest()}'))"
            for ref, ts, begin, length in zip(refs.tolist(), ts_ns.tolist(), starts, lengths, strict=True)
        )
        range_ns = (int(ts_ns.min()), int(ts_ns.max()) + 1)
        self._delete(_listed(np.unique(refs)), f"(stream, ts, SHA256(line)) IN ({wanted})", range_ns)
        return len(starts)

    def _delete(self, streams: str, condition: str, range_ns: tuple[int, int]) -> None:
        """Delete lines, and count again in the buckets that had some."""
        store = self._store
        store.engine.administer(f"DELETE FROM {LOGS.name} WHERE {streams} AND {condition}")
        with store.sink.stream_lock:
            # What was deleted may be sent again. A copy that came meanwhile counts as sent before the deletion.
            store.sink.forget_recent()
        lowest = (range_ns[0] - 1) // COUNT_GRAIN_NS * COUNT_GRAIN_NS
        highest = -(-range_ns[1] // COUNT_GRAIN_NS) * COUNT_GRAIN_NS
        # Lines that are still in memory are counted when they are flushed, under their segment.
        until = store.memory.snapshot().first_segment
        store.engine.administer(
            f"DELETE FROM {LOG_COUNTS.name} WHERE {streams} AND bucket > {lowest} AND bucket <= {highest} "
            f"AND segment < {until}"
        )
        store.engine.administer(
            f"INSERT INTO {LOG_COUNTS.name} (stream, bucket, level, lines, bytes, segment) "
            f"SELECT stream, intDiv(ts + {COUNT_GRAIN_NS - 1}, {COUNT_GRAIN_NS}) * {COUNT_GRAIN_NS} AS bucket, level, "
            f"count(), sum(length(line)), 0 FROM {LOGS.name} WHERE {streams} AND ts > {lowest} AND ts <= {highest} "
            f"AND segment < {until} GROUP BY stream, bucket, level"
        )

    def _forget_emptied(self, refs: NDArray[np.int64]) -> None:
        store = self._store
        for begin in range(0, len(refs), _REFS_PER_STATEMENT):
            part = refs[begin : begin + _REFS_PER_STATEMENT]
            left = store.engine.columns(f"SELECT DISTINCT stream FROM {LOG_COUNTS.name} WHERE {_listed(part)}")
            live = [generation.lines.snapshot().stream for generation in store.memory.snapshot().generations]
            kept = np.concatenate([*live, *([left["stream"]] if left else [])]).astype(np.int64)
            forget_streams(np.setdiff1d(part, kept), store.engine, store.catalogue, store.sink)


def _listed(refs: NDArray[np.int64]) -> str:
    return f"stream IN ({', '.join(map(str, refs.tolist()))})"
