"""From sealed generations to ClickHouse parts: one insert a table, sorted."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarmscope.instrument import metrics
from swarmscope.schema.tables import SAMPLES
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.embedded.decimal import encode_decimals
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.generation import Generation
from swarmscope.store.embedded.memory import Memory
from swarmscope.store.embedded.native import AnyArray
from swarmscope.store.embedded.runs import REF_BITS, Rows, Run, sorted_run

_log = logging.getLogger(__name__)

_RETRY_FIRST_S = 0.5
_RETRY_LONGEST_S = 30.0


@dataclass(frozen=True, slots=True)
class Flushed:
    """What one flush did, for those who count."""

    rows: int
    seconds: float


class PartWriter:
    """Writes the rows of a generation to parts. Not thread-safe: one flush at a time."""

    def __init__(self, engine: Engine, catalogue: Catalogue) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._digits = np.zeros(0, np.int8)

    def write(self, samples: Rows, batches: dict[str, list[pa.RecordBatch]]) -> Run | None:
        """Insert everything; returns the sorted samples.

        Doing it again after a failure or a crash is safe: rows of the same key count once. Raises what the engine
        raises.
        """
        for table, parts in batches.items():
            joined = pa.concat_batches(parts) if len(parts) > 1 else parts[0]
            self._engine.insert_arrow(table, joined)
        if len(samples.ref) == 0:
            return None
        run = sorted_run(samples, self._catalogue.metric_ids)
        self._insert_run(run)
        return run

    def _insert_run(self, run: Run) -> None:
        lengths = np.diff(run.offsets)
        ref = np.repeat(run.key.astype(np.uint32), lengths)
        metric_id = np.repeat((run.key >> np.uint64(REF_BITS)).astype(np.uint32), lengths)
        mantissa, exponent = encode_decimals(run.value, ref, self._digits_for(int(ref.max())))
        columns: dict[str, AnyArray] = {
            "metric_id": metric_id,
            "ref": ref,
            "ts": run.ts_ms,
            "mantissa": mantissa,
            "exponent": exponent,
        }
        self._engine.insert(SAMPLES.name, columns)

    def _digits_for(self, highest_ref: int) -> NDArray[np.int8]:
        if highest_ref >= len(self._digits):
            grown = np.zeros(max(1024, 2 * (highest_ref + 1)), np.int8)
            grown[: len(self._digits)] = self._digits
            self._digits = grown
        return self._digits


class Flusher:
    """The thread that turns sealed generations into parts, retrying for as long as it takes."""

    def __init__(self, writer: PartWriter, memory: Memory) -> None:
        self._writer = writer
        self._memory = memory
        self._sealed: queue.SimpleQueue[Generation | None] = queue.SimpleQueue()
        self._idle = threading.Condition()
        self._outstanding = 0
        self._giving_up = threading.Event()
        self.listeners: list[Callable[[Flushed], None]] = []
        self._thread = threading.Thread(target=self._run, name="flush", daemon=True)
        self._thread.start()

    def submit(self, generation: Generation) -> None:
        """Queue a sealed generation."""
        with self._idle:
            self._outstanding += 1
        self._sealed.put(generation)

    def wait_idle(self, timeout_s: float) -> bool:
        """Whether everything submitted so far reached parts within the time."""
        with self._idle:
            return self._idle.wait_for(lambda: self._outstanding == 0, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Flush what is queued within the time; what is left stays in the journal for the next start."""
        self._sealed.put(None)
        self._thread.join(timeout_s)
        self._giving_up.set()
        self._thread.join()

    def _run(self) -> None:
        while (generation := self._sealed.get()) is not None:
            self._flush(generation)
            with self._idle:
                self._outstanding -= 1
                self._idle.notify_all()

    def _flush(self, generation: Generation) -> None:
        generation.segment.close()
        begun = time.perf_counter()
        pause_s = _RETRY_FIRST_S
        while not self._giving_up.is_set():
            try:
                run = self._writer.write(generation.samples.snapshot(), generation.batches)
            except Exception as error:
                metrics.FLUSH_FAILURES.inc()
                _log.error("flush of journal segment %d failed, trying again: %s", generation.segment.number, error)
                self._giving_up.wait(pause_s)
                pause_s = min(2 * pause_s, _RETRY_LONGEST_S)
                continue
            n_rows = generation.n_rows
            self._memory.flushed(generation, run)
            try:
                generation.segment.remove()
            except OSError as error:
                # Its rows are in parts: a replay at the next start adds nothing twice.
                _log.error("journal segment %d cannot be removed: %s", generation.segment.number, error)
            for listener in self.listeners:
                listener(Flushed(n_rows, time.perf_counter() - begun))
            return
