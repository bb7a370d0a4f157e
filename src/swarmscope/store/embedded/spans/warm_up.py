"""Compiles the kernels of spans, or loads them from Numba's cache, before the first request needs them."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pyarrow as pa

from swarmscope.model.attributes import AttributeSets, ValueColumn
from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES
from swarmscope.model.spans import (
    AttributeKey,
    AttributeScope,
    Comparison,
    Condition,
    Events,
    Links,
    Resources,
    Scopes,
    SpanBatch,
    SpanColumns,
    SpanRequest,
)
from swarmscope.schema.span_tables import SLOTS
from swarmscope.store.embedded.native import decode_native_rows, encode_native
from swarmscope.store.embedded.recent_digests import RecentDigests
from swarmscope.store.embedded.spans.answers import joined, stored_values, to_rows
from swarmscope.store.embedded.spans.commit import SpanNames
from swarmscope.store.embedded.spans.distinct import distinct_operation_rows
from swarmscope.store.embedded.spans.flush import part_columns
from swarmscope.store.embedded.spans.generation import from_frame, to_frame
from swarmscope.store.embedded.spans.identity import span_digests
from swarmscope.store.embedded.spans.live import find_spans, live_columns
from swarmscope.store.embedded.spans.records import (
    intern_resources,
    intern_scopes,
    resource_records,
    scope_records,
    to_resources,
    to_scopes,
)
from swarmscope.store.embedded.spans.shapes import AttributeShapes
from swarmscope.store.embedded.spans.span_columns import (
    LiveSpans,
    Numbers,
    Spans,
    compacted,
    packed_spans,
    rows_of,
    text_column,
)
from swarmscope.store.embedded.spans.span_plan import plan_spans
from swarmscope.store.embedded.spans.statements import WHOLE

_TENANT = "warm-up"
_HINTS = (
    Condition(AttributeKey(AttributeScope.SPAN, "a"), Comparison.EQUAL, ("x",)),
    Condition("name", Comparison.EQUAL, ("n",)),
)


def warm_up() -> None:
    """Run every kernel once on each layout of arrays that it meets: buffers of a request may be read-only or not."""
    for are_frozen in itertools.product((False, True), repeat=2):
        names = SpanNames(AttributeShapes(), resource_records(), scope_records())
        batch = _batch(*are_frozen)
        shapes, entries = names.shapes.intern(_TENANT, AttributeScope.SPAN, batch.attributes)
        names.shapes.intern(_TENANT, AttributeScope.EVENT, batch.events.attributes)
        numbers = Numbers(
            shapes, entries, intern_resources(names.resources, _TENANT, batch.resources),
            intern_scopes(names.scopes, _TENANT, batch.scopes),
        )  # fmt: skip
        spans = packed_spans(batch, numbers, np.arange(2))
        recent = RecentDigests()
        recent.reserve(2)
        recent.admit(span_digests(spans, _TENANT, recent.seed))
        live = LiveSpans(1, 1)
        live.stage(compacted(rows_of(spans, np.ones(2, np.bool_))))
        from_frame(to_frame(live.staged(), {}))
        live.publish()
        _read(live.snapshot(), names)
    to_resources(names.resources)
    to_scopes(names.scopes)
    loaded = AttributeShapes()
    pending, _ = names.shapes.pending()
    if pending is not None:
        loaded.load(pa.Table.from_batches([pending]))


def _frozen(column: Utf8Column, is_frozen: bool) -> Utf8Column:
    text = column.buffer.tobytes() + b"\0"
    buffer = np.frombuffer(text, np.uint8) if is_frozen else np.frombuffer(bytearray(text), np.uint8)
    return replace(column, buffer=buffer)


def _batch(are_texts_frozen: bool, are_attributes_frozen: bool) -> SpanBatch:
    """The two come apart where one of them was redacted."""
    sets = AttributeSets.from_dicts([{"a": "x", "b": 1}, {"a": "y"}])
    values = ValueColumn(sets.values.kind, _frozen(sets.values.text, are_attributes_frozen))
    attributes = AttributeSets(sets.offsets, _frozen(sets.names, are_attributes_frozen), values)
    texts = _frozen(Utf8Column.from_strings(["n", "m"]), are_texts_frozen)
    one_each, none = np.arange(3), np.zeros(2, np.uint32)
    trace_id, span_id = np.ones((2, TRACE_ID_BYTES), np.uint8), np.ones((2, SPAN_ID_BYTES), np.uint8)
    return SpanBatch(
        resources=Resources(attributes, texts, none), scopes=Scopes(texts, texts, attributes, texts, none),
        resource=np.arange(2), scope=np.arange(2), trace_id=trace_id, span_id=span_id, parent_id=span_id,
        start_ns=np.array([2, 1], np.int64), end_ns=np.array([2, 1], np.int64), kind=np.zeros(2, np.uint8),
        status=np.zeros(2, np.uint8), flags=none, dropped_attributes=none, dropped_events=none, dropped_links=none,
        name=texts, status_message=texts, trace_state=texts, attributes=attributes,
        events=Events(one_each, np.zeros(2, np.int64), texts, attributes, none),
        links=Links(one_each, trace_id, span_id, texts, attributes, none, none), keep=np.zeros(2, np.uint8),
        share=np.ones(2, np.float32), tenant=_TENANT,
    )  # fmt: skip


def _read(spans: Spans, names: SpanNames) -> None:
    """As the flush and the reader do."""
    list(distinct_operation_rows(spans, (0, 10)))
    hinted = plan_spans(names, _TENANT, SpanRequest(0, 10, SpanColumns(whole=True), ("a",), _HINTS))
    find_spans(spans, hinted)
    plan = plan_spans(names, _TENANT, SpanRequest(0, 10, SpanColumns(whole=True), ("a",)))
    from_memory = live_columns(spans, find_spans(spans, plan), plan)
    rows = np.arange(len(spans.ts_ns))
    stored = part_columns(spans, rows, np.ones(len(rows), np.float32), 1)
    block = {name: stored[name] for name in (*from_memory, *SLOTS, *WHOLE, "rest") if name in stored}
    block["v0"] = text_column(spans, "name", rows)
    data = b"".join(bytes(piece) for piece in encode_native(block))
    # One block is a view on what ClickHouse sent, several are joined.
    for answer in (data, data + data):
        from_parts = stored_values(decode_native_rows(answer), plan, names.shapes)
        to_rows(from_parts, plan, names.shapes)
        to_rows(joined([from_memory, from_parts]), plan, names.shapes)
