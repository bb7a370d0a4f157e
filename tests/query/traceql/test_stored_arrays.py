"""Arrays as attributes, from the store: hints must not lose the spans that have them."""

import time
from dataclasses import replace

import numpy as np
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue

from swarmscope.model.attributes import AttributeSets, ValueColumn, ValueKind, bytes_column
from swarmscope.model.contracts import ReadBudget
from swarmscope.query.logql.log_answers import NeverCancelled
from swarmscope.query.traceql.engine import TraceqlEngine
from swarmscope.query.traceql.search import SearchRequest
from swarmscope.store.embedded.spans.span_store import SpanStoreSettings
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from swarmscope.testing.plain_spans import PlainSpan, span_id, to_batch, trace_id

S = 10**9


class _WallClock:
    def now_ns(self):
        return time.time_ns()


def _as_arrays(sets):
    """The same sets with an array of each text's letters for a value."""
    texts = sets.values.text.to_strings()
    messages = [
        ArrayValue(values=[AnyValue(string_value=letter) for letter in text]).SerializeToString() for text in texts
    ]
    return AttributeSets(
        sets.offsets,
        sets.names,
        ValueColumn(np.full(len(texts), ValueKind.ARRAY, np.uint8), bytes_column(messages)),
    )


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    settings = StoreSettings(tmp_path_factory.mktemp("arrays"), spans=SpanStoreSettings(retention_s=None))
    store = EmbeddedStore(settings, _WallClock())
    arrays = to_batch(
        [PlainSpan(trace_id(1), span_id(1), "a", S, 2 * S, attributes={"x": "abc"}, resource={"r": "de"})]
    )
    arrays.attributes = _as_arrays(arrays.attributes)
    arrays.resources = replace(arrays.resources, attributes=_as_arrays(arrays.resources.attributes))
    plain = to_batch(
        [PlainSpan(trace_id(2), span_id(2), "b", 2 * S, 3 * S, attributes={"x": "b"}, resource={"r": "d"})]
    )
    for batch in (arrays, plain):
        store.span_sink.write_spans(batch)
    yield TraceqlEngine(store.span_reader), store
    store.close()


QUERIES = {
    '{ span.x = "b" }': {1, 2},
    '{ span.x = "c" }': {1},
    '{ span.x = "abc" }': set(),
    '{ span.x != "b" }': set(),
    '{ span.x != "q" }': {1, 2},
    '{ span.x =~ "[ac]" }': {1},
    '{ resource.r = "e" }': {1},
    '{ resource.r = "d" && span.x = "b" }': {1, 2},
    '{ .r = "e" || .x = "q" }': {1},
    '{ .x != nil }': {1, 2},
}  # fmt: skip


@pytest.mark.parametrize("flushed", [False, True])
def test_elements_are_found(engine, flushed):
    asked, store = engine
    if flushed:
        store.spans.flush()
    for query, wanted in QUERIES.items():
        answer = asked.search(SearchRequest(query, 0, 10 * S, 10, 3, "default"), ReadBudget(NeverCancelled(), 10**6))
        assert {trace.trace_id[-1] for trace in answer.traces} == wanted, query
