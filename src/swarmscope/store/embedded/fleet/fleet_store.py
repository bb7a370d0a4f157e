"""A `FleetSink` and `FleetReader` over the embedded store.

A write is several inserts. The last of them says which batch is whole now; until then nobody reads its rows, and rows
of a write that was cut off are deleted before the next one begins.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from swarmscope.model.agents import Vocabulary
from swarmscope.model.errors import UnavailableError
from swarmscope.model.fleet import FleetRows
from swarmscope.schema.agent_tables import (
    AGENT_EDGES,
    AGENT_FINDINGS,
    AGENT_SPANS,
    AGENT_USAGE,
    AGENTS,
    BATCHED,
    FLEET_BATCHES,
)
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.fleet.fleet_reader import EmbeddedFleetReader
from swarmscope.store.embedded.fleet.fleet_rows import (
    Texts,
    agent_batch,
    edge_batch,
    finding_batch,
    span_batch,
    usage_batch,
)
from swarmscope.store.embedded.fleet.minute_columns import edges_to_rows, usage_to_rows

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Oldest:
    """The earliest times that retention keeps; what is older is not shown, deleted or not."""

    spans_ns: Callable[[], int]
    minutes_ns: Callable[[], int]


class EmbeddedFleetStore(EmbeddedFleetReader):
    """Thread-safe."""

    def __init__(self, engine: Engine, vocabulary: Vocabulary, oldest: Oldest) -> None:
        """Tables MUST be there. Deletes what an earlier process left of a write that it did not finish."""
        super().__init__(engine, vocabulary, (oldest.spans_ns, oldest.minutes_ns))
        self._texts = Texts(vocabulary)
        self._writing = threading.Lock()
        self._is_clean = False
        whole = engine.columns(f"SELECT max(batch) AS batch FROM {FLEET_BATCHES.name}")
        self.whole_batch = int(whole["batch"][0]) if whole else 0
        self._clean()

    def write_fleet(self, rows: FleetRows) -> None:
        """As `FleetSink.write_fleet`."""
        with self._writing:
            if not self._is_clean:
                self._clean()
            self._is_clean = False
            batch = self.whole_batch + 1
            for table, made in self._batches(rows, batch):
                if made.num_rows:
                    self._engine.insert_arrow(table, made)
            mark = pa.record_batch({"slot": np.zeros(1, np.uint8), "batch": np.array([batch], np.uint64)})
            self._engine.insert_arrow(FLEET_BATCHES.name, mark)
            self.whole_batch = batch
            self.recent_edges.add(rows.tenant, edges_to_rows(rows.edges, self.recent_edges))
            self.recent_usage.add(rows.tenant, usage_to_rows(rows.usage, self.recent_usage))
            self._is_clean = True

    def _batches(self, rows: FleetRows, batch: int) -> list[tuple[str, pa.RecordBatch]]:
        tenant = rows.tenant
        return [
            (AGENT_SPANS.name, span_batch(rows.spans, rows.caller, self._texts, batch)),
            (AGENT_EDGES.name, edge_batch(rows.edges, tenant, self._texts, batch)),
            (AGENT_USAGE.name, usage_batch(rows.usage, tenant, self._texts, batch)),
            (AGENTS.name, agent_batch(rows.agents, tenant)),
            (AGENT_FINDINGS.name, finding_batch(rows.findings, tenant, batch)),
        ]

    def _clean(self) -> None:
        """Delete rows of batches that are not whole. Raises UnavailableError."""
        try:
            for table in BATCHED:
                left = f"batch > {self.whole_batch}"
                found = self._engine.columns(f"SELECT count() AS n FROM {table.name} WHERE {left}")
                if found and int(found["n"][0]):
                    _log.info("rows of a write that was cut off are deleted from table %s", table.name)
                    self._engine.execute(f"ALTER TABLE {table.name} DELETE WHERE {left} SETTINGS mutations_sync = 1")
        except RuntimeError as error:
            raise UnavailableError(
                f"what is known of agents cannot be written: {str(error).splitlines()[0]}"
            ) from error
        self._is_clean = True
