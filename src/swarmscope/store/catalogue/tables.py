"""Everything the catalogue knows of series and metrics, as columns indexed by series ref or metric number.

Labels are stored by *label number*, a dense number over the strings that are used as label names, so that tables
over label names stay small however many values there are. Label number 0 is `__name__`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.store.catalogue.keys import copied_table
from swarmscope.store.catalogue.symbols import rehashed, resized, table_size

# Bits of `state`.
ALIVE = 1  # not dropped
HISTOGRAMS = 2  # has, or may have, native histograms
ACTIVE = 4  # had samples within the activity window
PAST_UNKNOWN = 8  # loaded from disk: may have samples outside min_ts_ms … max_ts_ms

# Entries of `counts`.
N_SERIES = 0  # refs given out, holes included
N_PAIRS = 1
N_METRICS = 2
N_LABELS = 3
N_IDENTITIES = 4
N_LIVE = 5
N_ACTIVE = 6

NAME_LABEL = 0  # label number of `__name__`
NEVER_MS = np.iinfo(np.int64).max


class SeriesTables(NamedTuple):
    """The columns. Pairs of series r: `pair_label/pair_value[pair_start[r] :][: pair_count[r]]`, sorted by name."""

    pair_start: NDArray[np.int64]  # [ref]
    pair_count: NDArray[np.int32]  # [ref]
    metric: NDArray[np.int32]  # [ref] metric number
    previous: NDArray[np.int32]  # [ref] the series before it in its metric, descending refs, -1 at the end
    min_ts_ms: NDArray[np.int64]  # [ref] min > max: no sample
    max_ts_ms: NDArray[np.int64]  # [ref]
    arrival_s: NDArray[np.uint32]  # [ref] Unix time of the last arrival, 0 for never
    state: NDArray[np.uint8]  # [ref] bits as above
    pair_label: NDArray[np.int32]  # [pair] label number
    pair_value: NDArray[np.int32]  # [pair] symbol code
    identities: NDArray[np.uint64]  # [power of two] 32 bits of hash above ref + 1, 0 while empty
    metric_tenant: NDArray[np.int32]  # [metric]
    metric_name: NDArray[np.int32]  # [metric] symbol code; that of "" for series without a name
    metric_head: NDArray[np.int32]  # [metric] its newest series, -1 for none
    metric_count: NDArray[np.int32]  # [metric] series alive
    metric_active: NDArray[np.int32]  # [metric]
    metrics: NDArray[np.uint64]  # key table (`keys`): tenant << 32 | name code -> metric number
    label_code: NDArray[np.int32]  # [label number] symbol code
    label_number: NDArray[np.int32]  # [symbol code] label number, -1 where the symbol names no label
    tenant_count: NDArray[np.int64]  # [tenant] series alive
    tenant_active: NDArray[np.int64]  # [tenant]
    counts: NDArray[np.int64]  # [7] see above
    seed: NDArray[np.uint64]  # [2] of the identity hash


_PER_SERIES = ("pair_start", "pair_count", "metric", "previous", "min_ts_ms", "max_ts_ms", "arrival_s", "state")
_PER_METRIC = ("metric_tenant", "metric_name", "metric_head", "metric_count", "metric_active")
_PER_PAIR = ("pair_label", "pair_value")


class Snapshot(NamedTuple):
    """What readers work on: tables, and how much of them was complete when it was published.

    `metric_head` and `metric_count` are copies, since the writer changes them in place. `epoch` counts drops: refs
    and columns derived under another epoch may name series that are gone.
    """

    tables: SeriesTables
    n_series: int
    n_metrics: int
    n_labels: int
    metric_head: NDArray[np.int32]
    metric_count: NDArray[np.int32]
    epoch: int


def empty_tables(seed: NDArray[np.uint64]) -> SeriesTables:
    """Tables without any series, metric, label or tenant."""
    i32, i64, u64 = np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.uint64)
    return SeriesTables(
        pair_start=np.empty(64, i64),
        pair_count=np.empty(64, i32),
        metric=np.empty(64, i32),
        previous=np.empty(64, i32),
        min_ts_ms=np.empty(64, i64),
        max_ts_ms=np.empty(64, i64),
        arrival_s=np.empty(64, np.uint32),
        state=np.zeros(64, np.uint8),
        pair_label=np.empty(512, i32),
        pair_value=np.empty(512, i32),
        identities=np.zeros(128, u64),
        metric_tenant=np.empty(16, i32),
        metric_name=np.empty(16, i32),
        metric_head=np.empty(16, i32),
        metric_count=np.empty(16, i32),
        metric_active=np.empty(16, i32),
        metrics=np.zeros(64, u64),
        label_code=np.empty(16, i32),
        label_number=np.full(1024, -1, i32),
        tenant_count=np.zeros(4, i64),
        tenant_active=np.zeros(4, i64),
        counts=np.zeros(7, i64),
        seed=seed,
    )


class Room(NamedTuple):
    """How much a batch may add at most; `symbols` is the capacity of the symbol pool."""

    rows: int
    series: int
    metrics: int
    pairs: int
    symbols: int


def reserved(tables: SeriesTables, room: Room) -> SeriesTables:
    """Tables with room for that much more. The writer's lock MUST be held until the result is published."""
    counts = tables.counts
    series, metrics = int(counts[N_SERIES]) + room.series, int(counts[N_METRICS]) + room.metrics
    pairs, labels = int(counts[N_PAIRS]) + room.pairs, int(counts[N_LABELS]) + room.pairs
    grown: dict[str, Any] = {name: resized(getattr(tables, name), series) for name in _PER_SERIES}
    grown |= {name: resized(getattr(tables, name), metrics) for name in _PER_METRIC}
    grown |= {name: resized(getattr(tables, name), pairs) for name in _PER_PAIR}
    grown["label_code"] = resized(tables.label_code, min(labels, room.symbols))
    if room.symbols > len(tables.label_number):
        label_number = resized(tables.label_number, room.symbols)
        label_number[len(tables.label_number) :] = -1
        grown["label_number"] = label_number
    identities = int(counts[N_IDENTITIES]) + room.rows
    if 2 * len(tables.identities) < 3 * identities:
        grown["identities"] = rehashed(tables.identities, table_size(identities))
    if len(tables.metrics) < 3 * metrics:
        grown["metrics"] = copied_table(tables.metrics, table_size(metrics), tables.state, 0, False)[0]
    return tables._replace(**grown)


def memory_bytes(tables: SeriesTables) -> int:
    """Bytes in use: tables whole, columns as far as they are filled."""
    counts = tables.counts
    filled = {N_SERIES: _PER_SERIES, N_METRICS: _PER_METRIC, N_PAIRS: _PER_PAIR, N_LABELS: ("label_code",)}
    columns: int = sum(
        int(counts[which]) * getattr(tables, name).itemsize for which, names in filled.items() for name in names
    )
    return columns + tables.identities.nbytes + tables.metrics.nbytes + tables.label_number.nbytes
