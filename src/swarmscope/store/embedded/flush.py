"""From sealed generations to ClickHouse parts: one insert a table, sorted."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarmscope.schema.tables import SAMPLES
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.embedded.decimal import encode_decimals
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.generation import Generation
from swarmscope.store.embedded.memory import Memory
from swarmscope.store.embedded.native import AnyArray
from swarmscope.store.embedded.runs import REF_BITS, Rows, Run, sorted_run


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


class SampleWriter:
    """Implements `flusher.Writer` for metrics."""

    def __init__(self, writer: PartWriter, memory: Memory) -> None:
        self._writer = writer
        self._memory = memory

    def __call__(self, generation: Generation, *, is_retry: bool) -> int:
        """As `flusher.Writer`; rows of the same key count once, so a retry writes all of them again."""
        run = self._writer.write(generation.samples.snapshot(), generation.batches)
        n_rows = generation.n_rows
        self._memory.flushed(generation, run)
        return n_rows
