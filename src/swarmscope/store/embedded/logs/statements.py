"""The SQL of reading lines: numbers of ours and what `needle_plan` makes of texts."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.logs import LineColumns, LineRequest
from swarmscope.schema.log_tables import LOG_COUNTS, LOGS
from swarmscope.store.embedded.logs.needle_plan import needle_conditions, value_conditions

# Above this many streams a list costs more than reading their neighbours too.
_MAX_LISTED_STREAMS = 20_000
# Rows of a block in a scan: some 30 MiB of lines.
_BLOCK = ("max_block_size = 65536", "preferred_block_size_bytes = 0")
# A few lines of many blocks: it is to be noticed early where they are more than the limit.
_FEW_LINES = ("max_block_size = 8192",)
# Looking for a text is the store's own work. ClickHouse would take one thread alone where it may not use a gigabyte of
# memory for each.
_ALL_CORES = "max_threads_min_free_memory_per_thread = 0"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Streams [n] of a selection."""

    refs: NDArray[np.int64]

    def condition(self) -> str:
        """SQL for rows of these streams, and maybe of others."""
        lowest, highest = int(self.refs.min()), int(self.refs.max())
        # Of all streams between two ClickHouse knows at once where they stand; a list it compares with every granule.
        if highest - lowest + 1 == len(self.refs) or len(self.refs) > _MAX_LISTED_STREAMS:
            return f"stream >= {lowest} AND stream <= {highest}"
        return f"stream IN ({', '.join(map(str, self.refs.tolist()))})"


def stored_columns(columns: LineColumns) -> str:
    """The columns of table `logs` that a request needs."""
    names = ["stream", "ts"]
    if columns.line:
        names.append("line")
    if columns.metadata:
        names += ["shape", "metadata", "severity", "observed", "trace_id", "span_id"]
    if columns.level:
        names.append("level")
    return ", ".join(names)


def lines_sql(chosen: Chosen, request: LineRequest, first_segment: int, limit: int | None = None) -> str:
    """SELECT of the lines in parts (`limit` of them at most), in any order, for `Engine.stream_rows`."""
    conditions = [
        chosen.condition(),
        f"ts >= {request.start_ns}",
        f"ts < {request.end_ns}",
        f"segment < {first_segment}",
        *needle_conditions(request.needles, request.absent),
        *value_conditions(request.values),
    ]
    if request.levels is not None:
        conditions.append(f"level IN ({', '.join(str(int(level)) for level in sorted(request.levels)) or 'NULL'})")
    limited = "" if limit is None else f" LIMIT {limit}"
    return f"SELECT {stored_columns(request.columns)} FROM {LOGS.name} WHERE {' AND '.join(conditions)}{limited}"


def lines_settings(request: LineRequest, limit: int | None = None) -> tuple[str, ...]:
    """The settings of `lines_sql`."""
    if not (request.needles or request.absent or request.values):
        # Who reads all lines evaluates them on the other cores meanwhile.
        return ("max_threads = 1", *_BLOCK)
    threads = (f"max_threads = {os.cpu_count() or 1}", _ALL_CORES)
    return (*threads, *(_BLOCK if limit is None else _FEW_LINES))


def counts_condition(chosen: Chosen, range_ns: tuple[int, int], first_segment: int) -> str:
    """FROM and WHERE of counts in parts whose bucket lies in (start, end]."""
    return (
        f"FROM {LOG_COUNTS.name} WHERE {chosen.condition()} AND bucket > {range_ns[0]} AND bucket <= {range_ns[1]} "
        f"AND segment < {first_segment}"
    )
