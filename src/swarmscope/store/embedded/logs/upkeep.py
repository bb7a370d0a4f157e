"""Work on streams in the background: learn when they had lines, retire idle ones, forget expired ones."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import Clock, ReadBudget
from swarmscope.schema.log_tables import COUNT_GRAIN_NS, LOG_COUNTS, LOG_STREAMS
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.embedded.chores import Chores, Schedule
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.logs.commit import CommittingLogSink
from swarmscope.store.embedded.upkeep import forget

_log = logging.getLogger(__name__)
_NS_PER_MS = 1_000_000
# A stream is forgotten only when nothing arrived for this long, so that no sender is in the middle of writing it.
_QUIET_MS = 2 * 3600 * 1000


class LogUpkeep:
    """The chores of logs."""

    def __init__(
        self, engine: Engine, catalogue: Catalogue, sink: CommittingLogSink, clock: Clock, oldest_ns: Callable[[], int]
    ) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._sink = sink
        self._clock = clock
        self._oldest_ns = oldest_ns
        schedule = Schedule((self._learn_time_ranges,), (self._retire_idle,), (self._forget_expired,))
        self._chores = Chores(schedule, "logs")

    def close(self) -> None:
        """As `Chores.close`."""
        self._chores.close()

    def _learn_time_ranges(self, budget: ReadBudget) -> None:
        """So that selections can leave out streams by time; until then they are merely larger."""
        columns = self._engine.columns(
            f"SELECT stream, min(bucket) AS lowest, max(bucket) AS highest FROM {LOG_COUNTS.name} GROUP BY stream",
            budget,
        )
        if columns:
            lowest = (columns["lowest"].astype(np.int64) - COUNT_GRAIN_NS) // _NS_PER_MS
            highest = columns["highest"].astype(np.int64) // _NS_PER_MS
            self._catalogue.set_time_ranges(columns["stream"].astype(np.int64), lowest, highest)
        self._catalogue.finish_time_ranges()

    def _retire_idle(self, budget: ReadBudget) -> None:
        self._catalogue.refresh_active(self._clock.now_ns() // _NS_PER_MS)

    def _forget_expired(self, budget: ReadBudget) -> None:
        self.forget_expired()

    def forget_expired(self) -> None:
        """Forget streams whose last line is older than the retention."""
        now_ms = self._clock.now_ns() // _NS_PER_MS
        refs = self._catalogue.expired(self._oldest_ns() // _NS_PER_MS, now_ms - _QUIET_MS)
        if len(refs):
            forget_streams(refs, self._engine, self._catalogue, self._sink)
            _log.info("forgot %d streams that expired", len(refs))


def forget_streams(refs: NDArray[np.int64], engine: Engine, catalogue: Catalogue, sink: CommittingLogSink) -> None:
    """As `upkeep.forget`."""
    forget(refs, engine, catalogue, LOG_STREAMS, sink.stream_lock)
