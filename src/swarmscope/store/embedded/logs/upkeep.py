"""Work on streams in the background: learn when they had lines, retire idle ones, forget expired ones."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import Clock, ReadBudget
from swarmscope.model.errors import QueryCancelledError
from swarmscope.schema.log_tables import COUNT_GRAIN_NS, LOG_COUNTS, LOG_STREAMS
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.logs.commit import CommittingLogSink

_log = logging.getLogger(__name__)
_PERIOD_S = 60.0
_ROUNDS_PER_EXPIRY = 60
_NS_PER_MS = 1_000_000
# A stream is forgotten only when nothing arrived for this long, so that no sender is in the middle of writing it.
_QUIET_MS = 2 * 3600 * 1000
_REFS_PER_STATEMENT = 10_000
_UNBOUNDED = 1 << 62


class _UntilStopped:
    """A `Cancellation`: statements in the background end when the store closes."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping

    @property
    def remaining_s(self) -> float:
        return math.inf

    def check(self) -> None:
        if self._stopping.is_set():
            raise QueryCancelledError("the store is closing")


class LogUpkeep:
    """One thread."""

    def __init__(
        self, engine: Engine, catalogue: Catalogue, sink: CommittingLogSink, clock: Clock, oldest_ns: Callable[[], int]
    ) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._sink = sink
        self._clock = clock
        self._oldest_ns = oldest_ns
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep-logs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, and the statement that it waits for."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        work: list[Callable[[], None]] = [self._learn_time_ranges]
        rounds = 0
        while not self._stopping.is_set():
            for step in work:
                try:
                    step()
                except QueryCancelledError:
                    return
                except Exception:
                    _log.exception("upkeep step %s of logs failed", step.__name__)
            self._stopping.wait(_PERIOD_S)
            rounds += 1
            work = [self._retire_idle]
            if rounds % _ROUNDS_PER_EXPIRY == 0:
                work.append(self.forget_expired)

    def _learn_time_ranges(self) -> None:
        """So that selections can leave out streams by time; until then they are merely larger."""
        columns = self._engine.columns(
            f"SELECT stream, min(bucket) AS lowest, max(bucket) AS highest FROM {LOG_COUNTS.name} GROUP BY stream",
            ReadBudget(_UntilStopped(self._stopping), max_samples=_UNBOUNDED),
        )
        if columns:
            lowest = (columns["lowest"].astype(np.int64) - COUNT_GRAIN_NS) // _NS_PER_MS
            highest = columns["highest"].astype(np.int64) // _NS_PER_MS
            self._catalogue.set_time_ranges(columns["stream"].astype(np.int64), lowest, highest)
        self._catalogue.finish_time_ranges()

    def _retire_idle(self) -> None:
        self._catalogue.refresh_active(self._clock.now_ns() // _NS_PER_MS)

    def forget_expired(self) -> None:
        """Forget streams whose last line is older than the retention."""
        now_ms = self._clock.now_ns() // _NS_PER_MS
        refs = self._catalogue.expired(self._oldest_ns() // _NS_PER_MS, now_ms - _QUIET_MS)
        if len(refs):
            forget_streams(refs, self._engine, self._catalogue, self._sink)
            _log.info("forgot %d streams that expired", len(refs))


def forget_streams(refs: NDArray[np.int64], engine: Engine, catalogue: Catalogue, sink: CommittingLogSink) -> None:
    """Drop streams [n] from memory and from disk; their labels, if they come again, are a new stream.

    The newest stream stays, so that a restart never gives its number out twice.
    """
    refs = refs[refs != catalogue.next_ref - 1]
    if len(refs) == 0:
        return
    with sink.stream_lock:
        catalogue.drop(refs)
    for part in np.array_split(refs, len(refs) // _REFS_PER_STATEMENT + 1):
        engine.administer(f"DELETE FROM {LOG_STREAMS.name} WHERE ref IN ({', '.join(map(str, part.tolist()))})")
