"""Columns from parts and from memory to `SpanRows`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.attributes import AttributeSets, ValueColumn
from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import LENGTH_BYTES, SPAN_ID_BYTES, TRACE_ID_BYTES
from swarmscope.model.raw_memory import address_of, copy_bytes, load_u32, put_u8
from swarmscope.model.spans import Events, Links, SpanDetails, SpanRequest, SpanRows
from swarmscope.schema.span_tables import N_SLOTS, SLOTS
from swarmscope.store.embedded.native import AnyArray, AnyColumn
from swarmscope.store.embedded.spans.packing import Texts, as_texts, unpack_events, unpack_links
from swarmscope.store.embedded.spans.shapes import AttributeShapes
from swarmscope.store.embedded.spans.span_columns import compacted_texts, value_at
from swarmscope.store.embedded.spans.span_plan import NO_SLOT, SpanPlan

Columns = Mapping[str, AnyColumn]
Item = TypeVar("Item", bound=np.generic)


def stored_values(block: Columns, plan: SpanPlan, shapes: AttributeShapes) -> dict[str, AnyColumn]:
    """A block of `statements.spans_sql` as `live.live_columns` gives it."""
    columns = {name: column for name, column in block.items() if name not in SLOTS and name != "rest"}
    shape = block["shape"].astype(np.int64) if "shape" in block else np.zeros(0, np.int64)  # type: ignore[union-attr]
    if plan.request.columns.whole:
        nothing = np.zeros(len(shape), np.int64)
        absent = Utf8Column(cast("Utf8Column", block["name"]).buffer, nothing, nothing)
        parts = [cast("Utf8Column", block.get(name, absent)) for name in (*SLOTS, "rest")]
        columns["values"] = _packed_again(parts, shapes.slot_counts(shape))
    for index, attribute in enumerate(plan.wanted):
        slot = attribute.slot[shape]
        if len(slot) and slot.max() >= N_SLOTS:
            columns[f"v{index}"] = _out_of_rest(cast("Utf8Column", block[f"v{index}"]), slot)
    return columns


def _out_of_rest(column: Utf8Column, slot: NDArray[np.int64]) -> Utf8Column:
    """Values [n], of which those beyond the slots are all that lies there."""
    beyond = slot >= N_SLOTS
    found = value_at(column, np.where(beyond, slot - N_SLOTS, NO_SLOT), np.zeros(len(slot), np.uint8)).text
    return Utf8Column(
        column.buffer, np.where(beyond, found.start, column.start), np.where(beyond, found.length, column.length)
    )


def _packed_again(slots: list[Utf8Column], counts: NDArray[np.int64]) -> Utf8Column:
    """The values [n] of slots and what lies beyond, of which row i has `counts[i]`, packed as in memory."""
    buffer = np.ascontiguousarray(slots[0].buffer)
    start = np.stack([column.start for column in slots])
    length = np.stack([column.length for column in slots])
    packed, at = _pack(buffer, start, length, counts)
    ends = np.append(at[1:], len(packed))
    return Utf8Column(packed, at, ends - at)


@njit(nogil=True, cache=True)
def _pack(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    packed = np.empty(length.sum() + LENGTH_BYTES * len(start) * len(counts), np.uint8)
    begins = np.empty(len(counts), np.int64)
    source = address_of(buffer)
    last = len(start) - 1
    at = np.int64(0)
    for row in range(len(counts)):
        target = address_of(packed)
        begins[row] = at
        for slot in range(min(counts[row], last)):
            size = length[slot, row]
            for k in range(LENGTH_BYTES):
                put_u8(target, at + k, size >> (8 * k))
            copy_bytes(target + at + LENGTH_BYTES, source + start[slot, row], size)
            at += LENGTH_BYTES + size
        copy_bytes(target + at, source + start[last, row], length[last, row])
        at += length[last, row]
    return packed[:at].copy(), begins


def joined(parts: list[dict[str, AnyColumn]]) -> dict[str, AnyColumn]:
    """All rows of all parts [≥ 1], which have the same columns."""
    if len(parts) == 1:
        return parts[0]
    columns: dict[str, AnyColumn] = {}
    for name in parts[0]:
        each = [part[name] for part in parts]
        texts = [column for column in each if isinstance(column, Utf8Column)]
        columns[name] = _joined_texts(texts) if texts else np.concatenate(cast("list[AnyArray]", each))
    return columns


def _joined_texts(parts: list[Utf8Column]) -> Utf8Column:
    compact = [compacted_texts(part) for part in parts]
    offsets = np.cumsum([0, *(len(part.buffer) for part in compact)])
    return Utf8Column(
        np.concatenate([part.buffer for part in compact]),
        np.concatenate([part.start + offset for part, offset in zip(compact, offsets.tolist(), strict=False)]),
        np.concatenate([part.length for part in compact]),
    )


def taken(columns: Columns, rows: NDArray[np.int64]) -> dict[str, AnyColumn]:
    """The rows [n], in that order."""
    return {
        name: column.take(rows) if isinstance(column, Utf8Column) else column[rows] for name, column in columns.items()
    }


def within(columns: dict[str, AnyColumn], request: SpanRequest) -> dict[str, AnyColumn]:
    """The rows of the request's time."""
    ts_ns = cast("NDArray[np.int64]", columns["ts"])
    inside = (ts_ns >= request.start_ns) & (ts_ns < request.end_ns)
    return columns if inside.all() else taken(columns, np.flatnonzero(inside))


def count_rows(columns: Columns) -> int:
    """How many rows there are."""
    return len(columns["ts"])


def text_bytes(columns: Columns) -> int:
    """Bytes of all texts."""
    return sum(int(column.length.sum()) for column in columns.values() if isinstance(column, Utf8Column))


def to_rows(columns: Columns, plan: SpanPlan, shapes: AttributeShapes) -> SpanRows:
    """The rows [n] as the caller wants them."""
    n = count_rows(columns)
    ts_ns = _numbers(columns, "ts", np.int64)
    asked, whole = plan.request.columns, plan.request.columns.whole
    values = tuple(
        _with_kinds(columns, index, attribute.kind, attribute.slot) for index, attribute in enumerate(plan.wanted)
    )
    return SpanRows(
        resource=_numbers(columns, "resource", np.int64),
        trace_id=_ids(columns, "trace_id", TRACE_ID_BYTES),
        start_ns=ts_ns,
        weight=_numbers(columns, "weight", np.float32),
        duration_ns=_numbers(columns, "duration", np.int64),
        span_id=_ids(columns, "span_id", SPAN_ID_BYTES),
        parent_id=_ids(columns, "parent_id", SPAN_ID_BYTES),
        kind=_numbers(columns, "kind", np.uint8),
        status=_numbers(columns, "status", np.uint8),
        name=_texts(columns, "name"),
        status_message=_texts(columns, "status_message"),
        scope=_numbers(columns, "scope", np.int64),
        attributes=values,
        events=unpack_events(_texts(columns, "events"), ts_ns) if asked.events or whole else Events.empty(),
        links=unpack_links(_texts(columns, "links")) if asked.links or whole else Links.empty(),
        details=_details(columns, shapes, n) if whole else None,
    )


def _numbers(columns: Columns, name: str, dtype: type[Item]) -> NDArray[Item]:
    if name not in columns:
        return np.zeros(0, dtype)
    numbers: NDArray[Item] = cast("AnyArray", columns[name]).astype(dtype, copy=False)
    return numbers


def _ids(columns: Columns, name: str, width: int) -> NDArray[np.uint8]:
    return cast("NDArray[np.uint8]", columns.get(name, np.zeros((0, width), np.uint8)))


def _texts(columns: Columns, name: str) -> Utf8Column:
    return cast("Utf8Column", columns[name]) if name in columns else Utf8Column.from_strings([])


def _with_kinds(columns: Columns, index: int, kind: NDArray[np.uint8], slot: NDArray[np.int64]) -> ValueColumn:
    shape = cast("AnyArray", columns["shape"]).astype(np.int64)
    kinds = np.where(slot[shape] == NO_SLOT, 0, kind[shape]).astype(np.uint8)
    return ValueColumn(kinds, cast("Utf8Column", columns[f"v{index}"]))


def _details(columns: Columns, shapes: AttributeShapes, n: int) -> SpanDetails:
    numbers = {name: _numbers(columns, name, np.uint32) for name in (
        "flags", "dropped_attributes", "dropped_events", "dropped_links",
    )}  # fmt: skip
    shape = cast("AnyArray", columns["shape"]).astype(np.int64)
    return SpanDetails(
        **numbers,
        trace_state=_texts(columns, "trace_state"),
        attributes=attribute_sets(_texts(columns, "values"), shape, shapes),
        keep=_numbers(columns, "keep", np.uint8),
    )


def attribute_sets(values: Utf8Column, shape: NDArray[np.int64], shapes: AttributeShapes) -> AttributeSets:
    """All attributes of spans [n]: their packed values under the names of their shapes."""
    distinct, which = np.unique(shape, return_inverse=True)
    known = [shapes.attributes(number) for number in distinct.tolist()]
    counts = np.array([len(names) for names, _ in known], np.int64)
    names = Utf8Column.from_strings([name for each, _ in known for name in each])
    kinds = np.concatenate([np.zeros(0, np.uint8), *(kinds for _, kinds in known)])
    begins = np.cumsum(counts) - counts
    offsets = np.zeros(len(shape) + 1, np.int64)
    np.cumsum(counts[which], out=offsets[1:])
    pair, start, length = _spread(as_texts(values), offsets, begins[which])
    return AttributeSets(offsets, names.take(pair), ValueColumn(kinds[pair], Utf8Column(values.buffer, start, length)))


@njit(nogil=True, cache=True)
def _spread(
    values: Texts, offsets: NDArray[np.int64], begins: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """For each pair of each row which of the shapes' pairs it is, and where its value lies."""
    n = offsets[-1]
    pair, start, length = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    base = address_of(values.buffer)
    for row in range(len(begins)):
        at = values.start[row]
        for index in range(offsets[row + 1] - offsets[row]):
            entry = offsets[row] + index
            pair[entry] = begins[row] + index
            start[entry], length[entry] = at + LENGTH_BYTES, np.int64(load_u32(base, at))
            at += LENGTH_BYTES + length[entry]
    return pair, start, length
