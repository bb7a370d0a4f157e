"""What the store holds in memory: generations not yet in parts, and the newest flushed runs, kept for reading.

The flushed runs are a cache: a query whose range lies after `covered_after_ms` needs no ClickHouse at all. Dashboards
and alert rules ask for the newest minutes over and over.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import pyarrow as pa

from swarmscope.store.embedded.generation import Generation
from swarmscope.store.embedded.runs import Rows, Run, merged_run

NOTHING_EVICTED = -(1 << 62)


@dataclass(frozen=True, slots=True)
class MemorySnapshot:
    """One consistent view. Rows with ts_ms > `covered_after_ms` are all here; sources stand oldest first."""

    runs: tuple[Run, ...]
    generations: tuple[Generation, ...]
    covered_after_ms: int

    def live_rows(self) -> list[Rows]:
        """Samples that are in no run yet, one entry a generation."""
        return [generation.samples.snapshot() for generation in self.generations]

    def unflushed(self, table: str) -> list[pa.RecordBatch]:
        """Rows of another table that may not be in parts yet."""
        return [batch for generation in self.generations for batch in generation.batches.get(table, [])]


class Memory:
    """Holds the current snapshot and replaces it whole, so that readers never wait and never see half a change."""

    def __init__(self, active: Generation, *, max_cached_rows: int, covered_after_ms: int) -> None:
        self._lock = threading.Lock()
        self._max_cached_rows = max_cached_rows
        self._state = MemorySnapshot((), (active,), covered_after_ms)
        self._epoch = 0

    def snapshot(self) -> MemorySnapshot:
        """The current view. Take it before reading from parts: rows move from here to there, never back."""
        return self._state

    @property
    def active(self) -> Generation:
        """The generation that commits go to."""
        return self._state.generations[-1]

    def unflushed_rows(self) -> int:
        """How many acknowledged rows wait for their part."""
        return sum(generation.n_rows for generation in self._state.generations)

    def cached_rows(self) -> int:
        """How many flushed rows are kept."""
        return sum(len(run.ts_ms) for run in self._state.runs)

    def seal(self, successor: Generation) -> Generation:
        """Start a new active generation and return the one that is now to be flushed."""
        with self._lock:
            sealed = self.active
            self._state = replace(self._state, generations=(*self._state.generations, successor))
            return sealed

    def flushed(self, generation: Generation, run: Run | None) -> None:
        """A generation's rows are in parts: keep its run as cache, and evict what is over the budget."""
        with self._lock:
            state = self._state
            runs = state.runs if run is None else _with_merges((*state.runs, run))
            covered_after_ms = state.covered_after_ms
            while runs and sum(len(kept.ts_ms) for kept in runs) > self._max_cached_rows:
                self._epoch += 1
                if len(runs[0].ts_ms):
                    covered_after_ms = max(covered_after_ms, int(runs[0].ts_ms.max()))
                runs = runs[1:]
            generations = tuple(kept for kept in state.generations if kept is not generation)
            self._state = MemorySnapshot(runs, generations, covered_after_ms)

    @property
    def epoch(self) -> int:
        """Changes whenever rows leave the memory; for `adopt`."""
        return self._epoch

    def adopt(self, run: Run, covered_after_ms: int, epoch: int) -> None:
        """Put a run read from parts behind all others: with it, rows later than `covered_after_ms` are all here.

        Ignored when anything left the memory since `epoch`, which was taken before reading.
        """
        with self._lock:
            if epoch == self._epoch:
                state = self._state
                self._state = MemorySnapshot((run, *state.runs), state.generations, covered_after_ms)

    def forget_cache(self, newest_stored_ms: int) -> None:
        """Drop every cached run: parts, whose newest row is given, were changed behind the cache (a deletion)."""
        with self._lock:
            self._epoch += 1
            covered_after_ms = max(self._state.covered_after_ms, newest_stored_ms)
            self._state = replace(self._state, runs=(), covered_after_ms=covered_after_ms)


def _with_merges(runs: tuple[Run, ...], max_merged_rows: int = 1 << 20) -> tuple[Run, ...]:
    """Join neighbours of like size, newest first, so that the number of runs grows with the logarithm of the rows."""
    while len(runs) > 1:
        older, newer = runs[-2], runs[-1]
        total = len(older.ts_ms) + len(newer.ts_ms)
        if 2 * len(newer.ts_ms) < len(older.ts_ms) or total > max_merged_rows:
            break
        runs = (*runs[:-2], merged_run(older, newer))
    return runs
