"""What tables weigh and which times they cover, from ClickHouse's notes on its parts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from swarmscope.schema.tables import HISTOGRAMS, METRIC_TABLES, SAMPLES
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.memory import MemorySnapshot


class TableSize(NamedTuple):
    """One table's active parts."""

    n_bytes: int
    n_rows: int
    n_parts: int


def table_sizes(engine: Engine) -> dict[str, TableSize]:
    """Every table's size by name; one small statement."""
    sizes = {table.name: TableSize(0, 0, 0) for table in METRIC_TABLES}
    found = engine.table(
        "SELECT table, sum(bytes_on_disk) AS bytes, sum(rows) AS rows, count() AS parts FROM system.parts "
        "WHERE active AND database = currentDatabase() GROUP BY table"
    )
    for row in found.to_pylist() if found is not None else []:
        sizes[row["table"]] = TableSize(int(row["bytes"]), int(row["rows"]), int(row["parts"]))
    return sizes


def time_range_ms(engine: Engine, snapshot: MemorySnapshot) -> tuple[int, int] | None:
    """Times of the oldest and the newest sample or histogram of all tenants; None where there is none.

    Take the snapshot first. ClickHouse knows the bounds of a partition key's columns and reads no rows.
    """
    lowest, highest = [], []
    for table in (SAMPLES.name, HISTOGRAMS.name):
        columns = engine.columns(f"SELECT min(ts) AS lowest, max(ts) AS highest, count() AS n FROM {table}")
        if columns and int(columns["n"].view(np.uint64)[0]):
            lowest.append(int(columns["lowest"].view(np.int64)[0]))
            highest.append(int(columns["highest"].view(np.int64)[0]))
    unflushed = [rows.ts_ms for rows in snapshot.live_rows()]
    unflushed += [batch.column("ts").to_numpy() for batch in snapshot.unflushed(HISTOGRAMS.name)]
    for ts_ms in unflushed:
        if len(ts_ms):
            lowest.append(int(ts_ms.min()))
            highest.append(int(ts_ms.max()))
    return (min(lowest), max(highest)) if lowest else None
