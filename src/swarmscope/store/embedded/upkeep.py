"""Work in the background: what is not needed to begin serving, and what must be done now and then."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import Clock, ReadBudget
from swarmscope.model.errors import QueryCancelledError
from swarmscope.schema.tables import HISTOGRAMS, SAMPLES, SERIES
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.embedded.commit import CommittingSink
from swarmscope.store.embedded.engine import Engine

_log = logging.getLogger(__name__)

_PERIOD_S = 60.0
_ROUNDS_PER_EXPIRY = 60
_NS_PER_MS = 1_000_000
# A series is forgotten only when nothing arrived for this long, so that no sender is in the middle of writing it.
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


class Upkeep:
    """One thread: learns the time ranges of stored series, retires idle ones, forgets expired ones."""

    def __init__(
        self,
        engine: Engine,
        catalogue: Catalogue,
        sink: CommittingSink,
        clock: Clock,
        oldest_ms: Callable[[], int],
        at_start: Callable[[ReadBudget], object],
    ) -> None:
        """`at_start` is run once, before anything else; its reads MUST keep to the budget."""
        self._engine = engine
        self._catalogue = catalogue
        self._sink = sink
        self._clock = clock
        self._oldest_ms = oldest_ms
        self._at_start = at_start
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
        self._thread.start()

    def _budget(self) -> ReadBudget:
        return ReadBudget(_UntilStopped(self._stopping), max_samples=_UNBOUNDED)

    def close(self) -> None:
        """End the thread, and the statement that it waits for."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        work: list[Callable[[], None]] = [self._begin, self._learn_time_ranges]
        rounds = 0
        while not self._stopping.is_set():
            for step in work:
                try:
                    step()
                except QueryCancelledError:
                    return
                except Exception:
                    _log.exception("upkeep step %s failed", step.__name__)
            self._stopping.wait(_PERIOD_S)
            rounds += 1
            work = [self._retire_idle]
            if rounds % _ROUNDS_PER_EXPIRY == 0:
                work.append(self.forget_expired)

    def _begin(self) -> None:
        self._at_start(self._budget())

    def _learn_time_ranges(self) -> None:
        """So that selections can leave out series by time; until then they are merely larger."""
        for table in (SAMPLES.name, HISTOGRAMS.name):
            columns = self._engine.columns(
                f"SELECT ref, min(ts) AS lowest, max(ts) AS highest FROM {table} GROUP BY ref", self._budget()
            )
            if columns:
                refs = columns["ref"].astype(np.int64)
                lowest, highest = columns["lowest"].astype(np.int64), columns["highest"].astype(np.int64)
                self._catalogue.set_time_ranges(refs, lowest, highest)
        self._catalogue.finish_time_ranges()

    def _retire_idle(self) -> None:
        self._catalogue.refresh_active(self._clock.now_ns() // _NS_PER_MS)

    def forget_expired(self) -> None:
        """Forget series whose last sample is older than the retention."""
        now_ms = self._clock.now_ns() // _NS_PER_MS
        refs = self._catalogue.expired(self._oldest_ms(), now_ms - _QUIET_MS)
        if len(refs):
            forget_series(refs, self._engine, self._catalogue, self._sink)
            _log.info("forgot %d series that expired", len(refs))


def forget_series(refs: NDArray[np.int64], engine: Engine, catalogue: Catalogue, sink: CommittingSink) -> None:
    """Drop series [n] from memory and from disk; their labels, if they come again, are a new series.

    The newest series stays, so that a restart never gives its number out twice.
    """
    refs = refs[refs != catalogue.next_ref - 1]
    if len(refs) == 0:
        return
    with sink.series_lock:
        catalogue.drop(refs)
    for part in np.array_split(refs, len(refs) // _REFS_PER_STATEMENT + 1):
        engine.administer(f"DELETE FROM {SERIES.name} WHERE ref IN ({', '.join(map(str, part.tolist()))})")
