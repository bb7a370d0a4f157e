"""After a start: the newest stored samples come back into memory, where the queries of dashboards find them."""

from __future__ import annotations

import numpy as np

from swarmscope.model.contracts import ReadBudget
from swarmscope.schema.tables import SAMPLES
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.embedded.decimal import decode_decimals
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.memory import NOTHING_EVICTED, Memory
from swarmscope.store.embedded.runs import Rows, sorted_run

_MS_PER_MINUTE = 60_000
# How far back the search for a limit looks.
_LOOK_BACK_MS = 6 * 60 * _MS_PER_MINUTE


def recall_newest(
    engine: Engine, catalogue: Catalogue, memory: Memory, max_rows: int, budget: ReadBudget | None = None
) -> int:
    """Read up to about `max_rows` of the newest samples into memory; how many were read.

    Does nothing when the memory was changed meanwhile by a deletion or an eviction.
    """
    epoch, newest_ms = memory.epoch, memory.snapshot().covered_after_ms
    if newest_ms == NOTHING_EVICTED or max_rows <= 0:
        return 0
    after_ms = _limit_ms(engine, newest_ms, max_rows, budget)
    columns = engine.columns(
        f"SELECT ref, ts, mantissa, exponent FROM {SAMPLES.name} FINAL WHERE ts > {after_ms}", budget
    )
    if not columns:
        return 0
    value = decode_decimals(columns["mantissa"].view(np.int64), columns["exponent"].view(np.int8))
    rows = Rows(columns["ref"].view(np.uint32), columns["ts"].view(np.int64), value)
    live = catalogue.are_live(rows.ref.astype(np.int64))
    if not live.all():
        rows = Rows(rows.ref[live], rows.ts_ms[live], rows.value[live])
    if len(rows.ref):
        memory.adopt(sorted_run(rows, catalogue.metric_ids), after_ms, epoch)
    return len(rows.ref)


def _limit_ms(engine: Engine, newest_ms: int, max_rows: int, budget: ReadBudget | None) -> int:
    """The time after which about `max_rows` samples are stored."""
    columns = engine.columns(
        f"SELECT intDiv(ts, {_MS_PER_MINUTE}) AS minute, count() AS n FROM {SAMPLES.name} "
        f"WHERE ts > {newest_ms - _LOOK_BACK_MS} GROUP BY minute ORDER BY minute DESC",
        budget,
    )
    minutes = columns["minute"].astype(np.int64)
    fitting = np.cumsum(columns["n"].astype(np.int64)) <= max_rows
    if fitting.all():
        return newest_ms - _LOOK_BACK_MS
    return int(minutes[np.argmin(fitting)] + 1) * _MS_PER_MINUTE - 1
