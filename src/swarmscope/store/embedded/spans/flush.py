"""From sealed generations of spans to ClickHouse parts: a judge says what stays, and each day is one insert."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.byte_hash import hash_bytes, mix
from swarmscope.model.contracts import TraceJudge
from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import address_of
from swarmscope.schema.log_tables import NS_PER_DAY, partitions
from swarmscope.schema.span_tables import OPERATION_GRAIN_NS, SLOTS, SPAN_COUNTS, SPAN_OPERATIONS, SPANS
from swarmscope.schema.tables import Table
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.logs.counts import counts_of
from swarmscope.store.embedded.logs.sorting import part_order
from swarmscope.store.embedded.native import AnyArray, AnyColumn
from swarmscope.store.embedded.spans.generation import SpanGeneration, SpanMemory
from swarmscope.store.embedded.spans.packing import Texts, as_texts
from swarmscope.store.embedded.spans.shapes import AttributeShapes
from swarmscope.store.embedded.spans.span_columns import Spans, split_values, text_column

# (table, day): what of a segment is one insert, and one part.
Insert = tuple[str, int]


class SpanPartWriter:
    """Writes a segment's spans to parts. Not thread-safe: one flush at a time."""

    def __init__(self, engine: Engine, shapes: AttributeShapes, judge: TraceJudge | None) -> None:
        self._engine = engine
        self._shapes = shapes
        self._judge = judge

    def write(
        self, spans: Spans, batches: dict[str, list[pa.RecordBatch]], segment: int, done: set[Insert] | None = None
    ) -> set[Insert]:
        """Insert everything that stays but what is in `done`, which grows insert by insert; returns it.

        Rows carry `segment`: where a process died in the middle, `inserted` says what is in. Raises what the engine
        raises.
        """
        for table, parts in batches.items():
            self._engine.insert_arrow(table, pa.concat_batches(parts) if len(parts) > 1 else parts[0])
        done = set() if done is None else done
        weight = self._weights(spans)
        kept = np.flatnonzero(weight > 0)
        shape = spans.shape[kept].astype(np.int64)
        order = kept[part_order(shape, spans.ts_ns[kept])]
        operations = _operations(spans, order)
        if operations.num_rows:
            self._engine.insert_arrow(SPAN_OPERATIONS.name, operations)
        for day, rows in _by_day(spans.ts_ns[order]):
            if (SPANS.name, day) not in done:
                self._engine.insert(SPANS.name, part_columns(spans, order[rows], weight, segment))
                done.add((SPANS.name, day))
        nothing = np.zeros(len(order), np.uint8)
        counts = counts_of(spans.shape[order].astype(np.int64), spans.ts_ns[order], nothing, nothing.astype(np.int64))
        for day, rows in _by_day(counts.bucket_ns):
            if (SPAN_COUNTS.name, day) not in done:
                columns: dict[str, AnyArray] = {
                    "shape": counts.stream[rows].astype(np.uint32),
                    "bucket": counts.bucket_ns[rows],
                    "spans": counts.lines[rows].astype(np.uint64),
                    "segment": np.full(len(rows), segment, np.uint32),
                }
                self._engine.insert(SPAN_COUNTS.name, columns)
                done.add((SPAN_COUNTS.name, day))
        return done

    def foresee(self, commits: Sequence[Spans]) -> None:
        """Have the judge decide over spans of several segments at once, before the first of them is written.

        What makes a trace remarkable may stand in the last, and a first answer stands.
        """
        if self._judge is None or not commits:
            return
        shape = np.concatenate([spans.shape for spans in commits]).astype(np.int64)
        known = np.flatnonzero(shape < self._shapes.next_shape)
        trace_id = np.concatenate([spans.trace_id for spans in commits])[known]
        keep = np.concatenate([spans.keep for spans in commits])[known]
        share = np.concatenate([spans.share for spans in commits])[known]
        of_row, tenants = self._shapes.tenant_of(shape[known])
        for number in np.unique(of_row).tolist():
            rows = np.flatnonzero(of_row == number)
            self._judge.weigh(tenants[number], trace_id[rows], keep[rows], share[rows])

    def _weights(self, spans: Spans) -> NDArray[np.float32]:
        weight = np.ones(len(spans.ts_ns), np.float32)
        if self._judge is None or len(weight) == 0:
            return weight
        of_row, tenants = self._shapes.tenant_of(spans.shape.astype(np.int64))
        for number in np.unique(of_row).tolist():
            rows = np.flatnonzero(of_row == number)
            weight[rows] = self._judge.weigh(tenants[number], spans.trace_id[rows], spans.keep[rows], spans.share[rows])
        return weight

    def inserted(self, segment: int) -> set[Insert]:
        """What of the segment is in parts already."""
        return self._days(SPANS, segment) | self._days(SPAN_COUNTS, segment)

    def _days(self, table: Table, segment: int) -> set[Insert]:
        found = self._engine.columns(
            f"SELECT DISTINCT {table.partition_by} AS day FROM {table.name} WHERE segment = {segment}"
        )
        return {(table.name, int(day)) for day in found["day"].astype(np.int64)} if found else set()


def _by_day(ts_ns: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Partitions (days mostly) and the rows that belong to each, in their order."""
    if len(ts_ns) == 0:
        return
    day = partitions(ts_ns)
    if day.min() == day.max():
        yield int(day[0]), np.arange(len(day))
        return
    order = np.argsort(day, kind="stable")
    bounds = np.flatnonzero(np.diff(day[order])) + 1
    for rows in np.split(order, bounds):
        yield int(day[rows[0]]), rows


def part_columns(
    spans: Spans, rows: NDArray[np.int64], weight: NDArray[np.float32], segment: int
) -> dict[str, AnyColumn]:
    """Rows [n] of table `spans`; `weight` is of all spans."""
    slots = split_values(text_column(spans, "values", rows))
    columns: dict[str, AnyColumn] = {
        "shape": spans.shape[rows],
        "ts": spans.ts_ns[rows],
        "duration": spans.duration_ns[rows],
        "resource": spans.resource[rows],
        "scope": spans.scope[rows],
        "name": text_column(spans, "name", rows),
        "kind": spans.kind[rows],
        "status": spans.status[rows],
        "keep": spans.keep[rows],
        "weight": weight[rows],
        "trace_id": spans.trace_id[rows],
        "span_id": spans.span_id[rows],
        "parent_id": spans.parent_id[rows],
        "status_message": text_column(spans, "message", rows),
        "trace_state": text_column(spans, "state", rows),
        "flags": spans.flags[rows],
        "dropped_attributes": spans.dropped_attributes[rows],
        "dropped_events": spans.dropped_events[rows],
        "dropped_links": spans.dropped_links[rows],
        "rest": Utf8Column(spans.text, slots.rest_start, slots.rest_length),
        "events": text_column(spans, "events", rows),
        "links": text_column(spans, "links", rows),
        "segment": np.full(len(rows), segment, np.uint32),
    }
    for slot, name in enumerate(SLOTS):
        columns[name] = Utf8Column(spans.text, slots.start[slot], slots.length[slot])
    return columns


def _operations(spans: Spans, rows: NDArray[np.int64]) -> pa.RecordBatch:
    """The distinct operations of `rows` as rows of table `span_operations`, in any order."""
    names = text_column(spans, "name", rows)
    bucket = spans.ts_ns[rows] // OPERATION_GRAIN_NS * OPERATION_GRAIN_NS
    first = distinct_operations(spans.resource[rows], as_texts(names), spans.kind[rows], bucket // NS_PER_DAY)
    distinct = names.take(first)
    return pa.record_batch(
        {
            "resource": spans.resource[rows[first]],
            "name": distinct.to_arrow(),
            "kind": spans.kind[rows[first]],
            "bucket": bucket[first],
        }
    )


@njit(nogil=True, cache=True)
def distinct_operations(
    resource: NDArray[np.uint32], name: Texts, kind: NDArray[np.uint8], day: NDArray[np.int64]
) -> NDArray[np.int64]:
    """A row for each distinct (resource, name, kind, day), by hash."""
    size = 1024
    table, first, count = np.zeros(size, np.uint64), np.empty(len(day), np.int64), 0
    texts = address_of(name.buffer)
    for row in range(len(day)):
        digest = mix(mix(np.uint64(kind[row]), resource[row]), day[row])
        digest = hash_bytes(texts + name.start[row], name.length[row], digest) | np.uint64(1)
        slot = np.int64(digest >> np.uint64(1)) & (size - 1)
        while table[slot] != np.uint64(0) and table[slot] != digest:
            slot = (slot + 1) & (size - 1)
        if table[slot] == digest:
            continue
        table[slot] = digest
        first[count] = row
        count += 1
        if 2 * count > size:
            size *= 4
            larger = np.zeros(size, np.uint64)
            for known in table:
                if known != np.uint64(0):
                    slot = np.int64(known >> np.uint64(1)) & (size - 1)
                    while larger[slot] != np.uint64(0):
                        slot = (slot + 1) & (size - 1)
                    larger[slot] = known
            table = larger
    return first[:count].copy()


class SpanWriter:
    """Implements `flusher.Writer` for spans."""

    def __init__(self, writer: SpanPartWriter, memory: SpanMemory) -> None:
        self._writer = writer
        self._memory = memory

    def __call__(self, generation: SpanGeneration, *, is_retry: bool) -> int:
        """As `flusher.Writer`."""
        segment = generation.segment.number
        done = self._writer.inserted(segment) if is_retry else set()
        self._writer.write(generation.spans.snapshot(), generation.batches, segment, done)
        n_spans = len(generation.spans)
        self._memory.flushed(generation)
        return n_spans
