"""Runs a kernel over a range of rows on all cores. Kernels release the GIL, so threads are enough."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

# Below this many touched cells a hand-over to another thread costs more than it saves (measured: 30 to 50 µs).
MIN_PARALLEL_CELLS = 60_000
# A kernel cannot be interrupted, so rows are worked off in waves of about this much: some 10 ms a thread.
WAVE_CELLS = 4_000_000


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=max(1, (os.cpu_count() or 1) - 1), thread_name_prefix="promql-kernel")


def run_rows(
    n_rows: int, n_cells: int, work: Callable[[int, int], object], check: Callable[[], None] | None = None
) -> None:
    """Call `work(first, past)` so that all rows are covered once; raises what `work` raises.

    `n_cells` says how much work there is. Between waves of work `check` may raise to end it.
    """
    waves = min(max(1, n_rows), 1 + n_cells // WAVE_CELLS)
    for wave in range(waves):
        if check is not None:
            check()
        _run_wave(n_rows * wave // waves, n_rows * (wave + 1) // waves, n_cells // waves, work)


def run_slices(
    shape: tuple[int, int],
    n_cells: int,
    work: Callable[[slice, slice], object],
    check: Callable[[], None] | None = None,
) -> None:
    """Call `work(rows, steps)` so that all cells of a matrix of `shape` are covered once.

    As `run_rows`, for work whose single rows may be too much for one wave: those are cut into runs of steps, and
    `work` then gets one row at a time. Raises what `work` and `check` raise.
    """
    n_rows, n_steps = shape
    pieces = max(1, min(n_steps, 1 + n_cells // max(1, n_rows) // WAVE_CELLS))
    if pieces == 1:
        run_rows(n_rows, n_cells, lambda first, past: work(slice(first, past), slice(0, n_steps)), check)
        return

    def work_pieces(first: int, past: int) -> None:
        for number in range(first, past):
            row, piece = divmod(number, pieces)
            work(slice(row, row + 1), slice(n_steps * piece // pieces, n_steps * (piece + 1) // pieces))

    run_rows(n_rows * pieces, n_cells, work_pieces, check)


def _run_wave(first: int, past: int, n_cells: int, work: Callable[[int, int], object]) -> None:
    """Share rows [first, past) among the cores; the calling thread takes a share itself."""
    n_rows = past - first
    workers = min(os.cpu_count() or 1, max(1, n_rows))
    if n_cells < MIN_PARALLEL_CELLS or workers == 1:
        work(first, past)
        return
    bounds = [first + n_rows * k // workers for k in range(workers + 1)]
    others = [_pool().submit(work, bounds[k], bounds[k + 1]) for k in range(1, workers)]
    try:
        work(bounds[0], bounds[1])
        for k, other in enumerate(others, 1):
            if other.cancel():  # nobody has begun it: other queries hold the threads
                work(bounds[k], bounds[k + 1])
    finally:
        for other in others:
            if not other.cancelled():
                other.result()
