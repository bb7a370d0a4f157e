"""Limits of spans: what is over one is refused by name, the rest goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from swarmscope.ingest.limited_spans import LimitedSpanSink
from swarmscope.ingest.log_rates import ByteRates
from swarmscope.ingest.span_limits import SpanLimits, span_bytes
from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.spans import SpanBatch
from swarmscope.testing.plain_spans import PlainEvent, PlainLink, PlainSpan, from_batch, span_id, to_batch, trace_id


@dataclass
class _Clock:
    now: int = 0

    def now_ns(self) -> int:
        """The time that was set."""
        return self.now


@dataclass
class _Store:
    batches: list[SpanBatch] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def write_spans(self, batch: SpanBatch) -> Receipt:
        """Keep the batch."""
        self.batches.append(batch)
        self.meanwhile()
        return Receipt(spans=len(batch))


def _sink(limits: SpanLimits, max_spans: int = 100, max_bytes: int = 1 << 20) -> tuple[LimitedSpanSink, _Store]:
    store = _Store()
    sink = LimitedSpanSink(
        store, lambda tenant: limits, ByteRates(_Clock()), max_spans_in_flight=max_spans, max_bytes_in_flight=max_bytes
    )
    return sink, store


PLAIN = PlainSpan(trace_id(1), span_id(1), "abc")
EVENTS = (PlainEvent(1, "x" * 10, {"k": "v" * 20}), PlainEvent(2, "y"))
LINKS = (PlainLink(trace_id(2), span_id(2), "s" * 5, {"l": 1}),)


@pytest.mark.parametrize(
    ("limits", "large", "size"),
    [
        (SpanLimits(max_attributes=2), replace(PLAIN, attributes={"a": 1, "b": 2, "c": 3}), 3),
        (SpanLimits(max_attribute_name_bytes=4), replace(PLAIN, attributes={"a": 1, "lange": 2}), 5),
        (SpanLimits(max_events=1), replace(PLAIN, events=EVENTS), 2),
        (SpanLimits(max_links=1), replace(PLAIN, links=LINKS * 2), 2),
        (SpanLimits(max_resource_attributes=1), replace(PLAIN, resource={"a": 1, "b": 2}), 2),
        # name 3, message 2, state 3, attribute 1 + 8, events 10 + 1 + 20 and 1, link 5 + 1 + 8
        (
            SpanLimits(max_span_bytes=62),
            replace(PLAIN, status_message="no", trace_state="a=b", attributes={"n": 1.5}, events=EVENTS, links=LINKS),
            63,
        ),
    ],
)
def test_what_is_over_a_limit_is_refused_by_name_and_the_rest_goes_on(
    limits: SpanLimits, large: PlainSpan, size: int
) -> None:
    sink, store = _sink(limits)
    receipt = sink.write_spans(to_batch([PLAIN, large, PLAIN]))
    name = next(name for name in SpanLimits.__dataclass_fields__ if getattr(limits, name))
    words = f"limits.traces.{name} is {getattr(limits, name)}: 1 spans refused, the largest has {size}"
    assert (receipt.refused, receipt.limit, receipt.retryable) == ({words: 1}, f"limits.traces.{name}", False)
    assert receipt.spans == 2
    assert from_batch(store.batches[0]) == [PLAIN, PLAIN]


def test_at_the_limits_everything_passes() -> None:
    span = replace(PLAIN, attributes={"a": 1, "bb": 2}, events=EVENTS, links=LINKS, resource={"r": 1})
    limits = SpanLimits(
        max_span_bytes=int(span_bytes(to_batch([span]))[0]), max_attributes=2, max_attribute_name_bytes=2,
        max_events=2, max_links=1, max_resource_attributes=1,
    )  # fmt: skip
    sink, store = _sink(limits)
    assert sink.write_spans(to_batch([span, PLAIN])).refused == {}
    assert len(store.batches[0]) == 2


def test_nothing_is_written_where_everything_is_refused() -> None:
    sink, store = _sink(SpanLimits(max_attributes=1))
    receipt = sink.write_spans(to_batch([replace(PLAIN, attributes={"a": 1, "b": 2})]))
    assert (receipt.spans, sum(receipt.refused.values()), store.batches) == (0, 1, [])


def test_spans_on_their_way_are_bounded_and_a_large_batch_passes_alone() -> None:
    sink, store = _sink(SpanLimits(), max_spans=2)
    failures: list[LimitExceededError] = []

    def send_more() -> None:
        store.meanwhile = lambda: None
        with pytest.raises(LimitExceededError) as failure:
            sink.write_spans(to_batch([PLAIN]))
        failures.append(failure.value)

    store.meanwhile = send_more
    assert sink.write_spans(to_batch([PLAIN] * 3)).spans == 3
    assert [(failure.limit, failure.retry_after_s) for failure in failures] == [
        ("limits.traces.max_spans_in_flight", 1.0)
    ]
    assert sink.write_spans(to_batch([PLAIN])).spans == 1


def test_bytes_per_second() -> None:
    sink, _ = _sink(SpanLimits(max_bytes_per_second=3))
    assert sink.write_spans(to_batch([PLAIN] * 10)).spans == 10
    with pytest.raises(LimitExceededError, match="max_bytes_per_second is 3: 3 bytes more arrived"):
        sink.write_spans(to_batch([PLAIN]))
