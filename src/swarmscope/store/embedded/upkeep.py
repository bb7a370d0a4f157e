"""Work on series in the background: learn when they had samples, retire idle ones, forget expired ones."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import Clock, ReadBudget
from swarmscope.schema.tables import HISTOGRAMS, SAMPLES, SERIES, Table
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.embedded.chores import Chore, Chores, Schedule
from swarmscope.store.embedded.commit import CommittingSink
from swarmscope.store.embedded.engine import Engine

_log = logging.getLogger(__name__)

_NS_PER_MS = 1_000_000
# A series is forgotten only when nothing arrived for this long, so that no sender is in the middle of writing it.
_QUIET_MS = 2 * 3600 * 1000
_REFS_PER_STATEMENT = 10_000


class Upkeep:
    """The chores of metrics."""

    def __init__(
        self,
        engine: Engine,
        catalogue: Catalogue,
        sink: CommittingSink,
        clock: Clock,
        oldest_ms: Callable[[], int],
        at_start: Chore,
    ) -> None:
        """`at_start` is run once, before anything else."""
        self._engine = engine
        self._catalogue = catalogue
        self._sink = sink
        self._clock = clock
        self._oldest_ms = oldest_ms
        schedule = Schedule((at_start, self._learn_time_ranges), (self._retire_idle,), (self._forget_expired,))
        self._chores = Chores(schedule, "metrics")

    def close(self) -> None:
        """As `Chores.close`."""
        self._chores.close()

    def _learn_time_ranges(self, budget: ReadBudget) -> None:
        """So that selections can leave out series by time; until then they are merely larger."""
        for table in (SAMPLES.name, HISTOGRAMS.name):
            columns = self._engine.columns(
                f"SELECT ref, min(ts) AS lowest, max(ts) AS highest FROM {table} GROUP BY ref", budget
            )
            if columns:
                refs = columns["ref"].astype(np.int64)
                lowest, highest = columns["lowest"].astype(np.int64), columns["highest"].astype(np.int64)
                self._catalogue.set_time_ranges(refs, lowest, highest)
        self._catalogue.finish_time_ranges()

    def _retire_idle(self, budget: ReadBudget) -> None:
        self._catalogue.refresh_active(self._clock.now_ns() // _NS_PER_MS)

    def _forget_expired(self, budget: ReadBudget) -> None:
        self.forget_expired()

    def forget_expired(self) -> None:
        """Forget series whose last sample is older than the retention."""
        now_ms = self._clock.now_ns() // _NS_PER_MS
        refs = self._catalogue.expired(self._oldest_ms(), now_ms - _QUIET_MS)
        if len(refs):
            forget_series(refs, self._engine, self._catalogue, self._sink)
            _log.info("forgot %d series that expired", len(refs))


def forget_series(refs: NDArray[np.int64], engine: Engine, catalogue: Catalogue, sink: CommittingSink) -> None:
    """As `forget`."""
    forget(refs, engine, catalogue, SERIES, sink.series_lock)


def forget(refs: NDArray[np.int64], engine: Engine, catalogue: Catalogue, table: Table, lock: threading.Lock) -> None:
    """Drop series or streams [n] from memory and, from the table of their labels, from disk.

    Their labels, if they come again, are new ones. `lock` is held while a commit refers to them. The newest stays, so
    that a restart never gives its number out twice.
    """
    refs = refs[refs != catalogue.next_ref - 1]
    if len(refs) == 0:
        return
    with lock:
        catalogue.drop(refs)
    for part in np.array_split(refs, len(refs) // _REFS_PER_STATEMENT + 1):
        engine.administer(f"DELETE FROM {table.name} WHERE ref IN ({', '.join(map(str, part.tolist()))})")
