"""Compiles the store's kernels, or loads them from Numba's cache, before the first request needs them.

To Numba an array that may not be written to is another type: what ClickHouse answers is read-only when it is one block
and writable when blocks were joined, and strings may lie in a request's body or in a buffer of ours.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.model.series import SampleColumns
from swarmscope.schema.tables import RAW_EXPONENT
from swarmscope.store.embedded.decimal import decode_decimals, encode_decimals
from swarmscope.store.embedded.logs.warm_up import warm_up as warm_up_logs
from swarmscope.store.embedded.rollups import STORED_FIELDS, buckets_of, stored_buckets
from swarmscope.store.embedded.runs import (
    Rows,
    Run,
    TimeRange,
    copy_from_run,
    copy_rows,
    gather_space,
    locate_in_run,
    locate_rows,
    merged_run,
    position_table,
    settle,
    sorted_run,
)
from swarmscope.store.embedded.spans.warm_up import warm_up as warm_up_spans

Item = TypeVar("Item", bound=np.generic)
_EVER = TimeRange(0, 1 << 40)


def warm_up() -> None:
    """Run every kernel once on each layout of arrays that it meets."""
    warm_up_logs()
    warm_up_spans()
    refs = np.array([0, 1], np.int64)
    rows = Rows(np.array([1, 0, 0], np.uint32), np.array([5, 9, 7], np.int64), np.array([0.5, 1.0, 2.0]))
    run = sorted_run(rows, lambda known: np.zeros(len(known), np.uint32))
    run = merged_run(run, run)
    mantissa, exponent = encode_decimals(run.value, np.zeros(len(run.value), np.uint32), np.zeros(1, np.int8))
    exponent[0] = RAW_EXPONENT
    decode_decimals(mantissa, exponent)
    decode_decimals(_read_only(mantissa), _read_only(exponent))
    for source in (rows, Rows(_read_only(rows.ref), _read_only(rows.ts_ms), rows.value)):
        _gather(source, run, refs)
    stored_buckets({name: np.zeros(1, np.int64) for name in STORED_FIELDS.split(", ")}, refs)
    for buffer in (np.zeros(1, np.uint8), np.frombuffer(b"a", np.uint8)):
        Utf8Column(buffer, np.zeros(1, np.int64), np.ones(1, np.int64)).to_arrow()


def _read_only(array: NDArray[Item]) -> NDArray[Item]:
    frozen: NDArray[Item] = array.copy()
    frozen.flags.writeable = False
    return frozen


def _gather(rows: Rows, run: Run, refs: NDArray[np.int64]) -> None:
    """As the reader does."""
    counts = np.zeros(len(refs), np.int64)
    lowest, table = position_table(refs)
    positions = locate_rows(rows, lowest, table, _EVER, counts)
    begins, ends = locate_in_run(run, run.key, _EVER, counts)
    room, cursor = gather_space(counts)
    copy_rows(rows, positions, cursor, room)
    copy_from_run(run, begins, ends, cursor, room)
    gathered, _ = settle(room)
    buckets_of(SampleColumns(gathered.offsets, gathered.ts_ms, gathered.value), 300_000)
