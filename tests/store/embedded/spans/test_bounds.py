"""What is odd is kept or refused by name, and never breaks anything."""

import time

import pytest

from swarmscope.model.attributes import AttributeSets
from swarmscope.model.errors import LimitExceededError, UnavailableError
from swarmscope.model.spans import AttributeScope, SpanColumns, SpanRequest
from swarmscope.store.embedded.spans.records import resource_records
from swarmscope.store.embedded.spans.shapes import AttributeShapes
from tests.store.embedded.conftest import budget
from tests.store.embedded.spans.span_cases import EVER, T_NS, S, in_order, scanned, span, span_batch, traces

DAY = 86_400 * S


def test_a_thousand_attributes_come_back(store):
    spans = [
        span(1, attributes={f"key {i}": i for i in range(1000)}),
        span(2, T_NS + 1, {f"key {i}": i for i in reversed(range(1000))}),
    ]
    store.span_sink.write_spans(span_batch(spans))
    assert scanned(store) == in_order(spans)
    store.spans.flush()
    assert scanned(store) == in_order(spans)
    # The order in which a sender names its attributes makes no shape of its own.
    assert store.spans.names.shapes.next_shape == 1


def test_times_out_of_bounds_are_refused_by_name(open_spans):
    store = open_spans(retention_s=3600)
    now = time.time_ns()
    spans = [span(1, -1), span(2, 0), span(3, now - 2 * 3600 * S), span(4, now), span(5, now + 2 * DAY), span(6, now)]
    receipt = store.span_sink.write_spans(span_batch(spans))
    assert receipt.spans == 2
    assert receipt.refused == {
        "start is older than the retention (retention.traces)": 3,
        "start is too far in the future (storage.max_future)": 1,
    }
    assert [one["span_id"][-1] for one in scanned(store)] == [4, 6]


def wrapped(number):
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def test_the_whole_range_of_ends_comes_back(store):
    ends = [-(1 << 63), -1, 0, (1 << 63) - 1]
    spans = [span(i + 1, 1 + i, end_ns=end) for i, end in enumerate(ends)]
    store.span_sink.write_spans(span_batch(spans))
    for _ in range(2):
        request = SpanRequest(*EVER, SpanColumns(ids=True, duration=True))
        found = {
            rows.span_id[i].tobytes()[-1]: wrapped(int(rows.start_ns[i]) + int(rows.duration_ns[i]))
            for rows in store.span_reader.scan_spans("default", request, budget())
            for i in range(len(rows))
        }
        assert found == dict(enumerate(ends, 1))
        store.spans.flush()


def test_kinds_and_statuses_that_are_none_are_unset(store):
    store.span_sink.write_spans(span_batch([span(1, kind=77, status=9)]))
    assert [(one["kind"], one["status"]) for one in scanned(store)] == [(0, 0)]


def test_an_empty_batch_is_taken(store):
    assert store.span_sink.write_spans(span_batch([])).spans == 0
    assert traces(store, 1) == []


def test_names_without_end_are_refused_by_name(store):
    store.spans.names.shapes._max_name_bytes = 35
    receipt = store.span_sink.write_spans(span_batch([span(i + 1, attributes={f"name {i:05}": 1}) for i in range(10)]))
    assert (receipt.spans, receipt.refused) == (3, {"too many different sets of attribute names": 7})
    store.spans.names.resources._max_bytes = 1
    receipt = store.span_sink.write_spans(span_batch([span(11, resource={"host": "new"})]))
    assert (receipt.spans, receipt.refused) == (0, {"too many different resources": 1})


def test_shapes_and_records_are_bounded():
    shapes = AttributeShapes(max_keys=3)
    sets = AttributeSets.from_dicts([{"a": 1}, {"b": 1}, {"a": 1, "b": 1}, {"b": 2}, {"a": ""}])
    numbers, _ = shapes.intern("t", AttributeScope.SPAN, sets)
    assert numbers.tolist() == [0, 1, -1, 1, 2]
    assert len(resource_records(10)) == 0


def test_a_full_memory_turns_senders_away(open_spans):
    store = open_spans(max_unflushed_bytes=0)
    store.span_sink.write_spans(span_batch([span(1)]))
    with pytest.raises(UnavailableError, match="behind"):
        store.span_sink.write_spans(span_batch([span(2)]))


def test_reading_keeps_to_the_budget(store):
    store.span_sink.write_spans(span_batch([span(i + 1, T_NS + i) for i in range(50)]))
    for _ in range(2):
        with pytest.raises(LimitExceededError, match="49 spans"):
            list(store.span_reader.scan_spans("default", SpanRequest(*EVER), budget(49)))
        assert sum(map(len, store.span_reader.scan_spans("default", SpanRequest(*EVER), budget(50)))) == 50
        store.spans.flush()
