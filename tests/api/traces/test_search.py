"""Searches against a plain filter: with hints and without, in slices of any size."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.portion import portion

from swarmscope.api.traces.search import TraceQuery, find_trace_ids
from swarmscope.api.traces.tag_tests import Tag
from swarmscope.api.traces.value_text import value_text
from swarmscope.model.attributes import spell_scalar
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.labels import DEFAULT_TENANT
from swarmscope.testing.memory_span_reader import MemorySpanReader
from swarmscope.testing.plain_spans import PlainEvent, PlainScope, PlainSpan, span_id, trace_id

EVER = {"start_ns": 0, "end_ns": 1000}


class _Unbounded:
    remaining_s = math.inf

    def check(self) -> None:
        """Never ends."""


def _find(spans: Sequence[PlainSpan], query: TraceQuery, *, obeys_hints: bool = True) -> list[int]:
    reader = MemorySpanReader(spans, obeys_hints=obeys_hints)
    found = find_trace_ids(reader, DEFAULT_TENANT, query, ReadBudget(_Unbounded(), 1_000_000))
    return [int.from_bytes(each, "big") for each in found]


# No two are equal in Python: spans of equal resources share one.
VALUES = st.sampled_from(["7", 7, 2.5, True, "true", "x", None, b"x", 8.0])
SPANS = st.lists(
    st.builds(
        PlainSpan,
        trace_id=st.integers(1, 4).map(trace_id),
        span_id=st.integers(1, 10_000).map(span_id),
        name=st.sampled_from(["a", "b"]),
        start_ns=st.integers(0, 9),
        kind=st.integers(0, 5),
        status=st.integers(0, 2),
        attributes=st.dictionaries(st.sampled_from(["k", "error", "span.kind"]), VALUES, max_size=2),
        resource=st.dictionaries(st.just("k"), VALUES, max_size=1).map(lambda each: each | {"service.name": "s"}),
        events=st.lists(st.builds(PlainEvent, st.just(1), st.sampled_from(["k", "e"]),
                                  st.dictionaries(st.just("k"), VALUES, max_size=1)), max_size=1),
        scope=st.builds(PlainScope, st.sampled_from(["", "x"])),
    ),
    max_size=8,
    unique_by=lambda span: span.span_id,
)  # fmt: skip
KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}


def _has(span: PlainSpan, name: str, wanted: str, event_name: str) -> bool:
    """What the page of endpoints says of tags, plainly."""
    places = [span.attributes, span.resource, span.scope.attributes, *(event.attributes for event in span.events)]
    texts = [each[name] for each in places if name in each]
    # Bytes and nothing read as no text in a query; 8.0 is what "8" and "8.0" mean.
    if any(not isinstance(each, bytes) and each is not None
           and (value_text(*spell_scalar(each)) == wanted or (isinstance(each, float) and wanted == f"{each:g}"))
           for each in texts):  # fmt: skip
        return True
    return (
        (name == "error" and wanted == "true" and span.status == 2)
        or (name == "span.kind" and KINDS.get(wanted) == span.kind)
        or (name == "otel.scope.name" and span.scope.name == wanted)
        or (name == event_name and any(event.name == wanted for event in span.events))
    )


@settings(max_examples=portion(100, 33), deadline=None)
@given(
    SPANS,
    st.sampled_from(["k", "error", "span.kind", "otel.scope.name", "event", "absent"]),
    st.sampled_from(["7", "2.5", "8", "8.0", "true", "x", "server", "client", "e", "k"]),
    st.booleans(),
    st.integers(1, 4),
)
def test_tags_against_a_plain_filter(spans: list[PlainSpan], name: str, wanted: str, hints: bool, limit: int) -> None:
    query = TraceQuery(**EVER, limit=limit, services=("s",), tags=(Tag(name, (wanted,)),), event_name="event")
    newest: dict[int, int] = {}
    for span in spans:
        if _has(span, name, wanted, "event"):
            number = int.from_bytes(span.trace_id, "big")
            newest[number] = max(newest.get(number, -1), span.start_ns)
    found = _find(spans, query, obeys_hints=hints)
    assert set(found) <= set(newest)
    assert len(found) == min(limit, len(newest))
    # Newest first; traces of one moment are in any order.
    assert [newest[each] for each in found] == sorted(newest.values(), reverse=True)[:limit]


def test_presence_of_a_tag_or_an_event() -> None:
    spans = [
        PlainSpan(trace_id(1), span_id(1), attributes={"k": None}),
        PlainSpan(trace_id(2), span_id(2), start_ns=1, events=(PlainEvent(1, "k"),)),
        PlainSpan(trace_id(3), span_id(3), start_ns=2, resource={"k": 1}),
        PlainSpan(trace_id(4), span_id(4), start_ns=3, attributes={"other": 1}),
    ]
    for hints in (True, False):
        assert _find(spans, TraceQuery(**EVER, limit=9, tags=(Tag("k"),)), obeys_hints=hints) == [3, 2, 1]


def test_spans_are_read_only_as_far_as_wanted() -> None:
    spans = [PlainSpan(trace_id(n + 1), span_id(1), start_ns=n) for n in range(2100)]
    reader = MemorySpanReader(spans)
    found = find_trace_ids(reader, DEFAULT_TENANT, TraceQuery(0, 10_000, 3), ReadBudget(_Unbounded(), 10_000))
    assert [int.from_bytes(each, "big") for each in found] == [2100, 2099, 2098]
    assert reader.spans_read == 2000


def test_nothing_is_asked_where_nothing_can_be_found() -> None:
    reader = MemorySpanReader([PlainSpan(trace_id(1), span_id(1))])
    for query in (TraceQuery(**EVER, limit=1, services=()), TraceQuery(**EVER, limit=0)):
        assert find_trace_ids(reader, DEFAULT_TENANT, query, ReadBudget(_Unbounded(), 10)) == []
    assert reader.spans_read == 0
