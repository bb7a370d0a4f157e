"""Forests of spans: whatever parents they name, every span stands once and nothing hangs."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from swarmscope.api.traces.family import NO_ROW, Family, Oddity, to_family
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.labels import DEFAULT_TENANT
from swarmscope.testing.memory_span_reader import MemorySpanReader
from swarmscope.testing.plain_spans import NO_SPAN, PlainSpan, ids_of, span_id, trace_id


class _Unbounded:
    remaining_s = math.inf

    def check(self) -> None:
        """Never ends."""


def _family(*spans: PlainSpan) -> Family:
    reader = MemorySpanReader(spans)
    return to_family(reader.find_traces(DEFAULT_TENANT, ids_of([trace_id(1)], 16), ReadBudget(_Unbounded(), 10_000)))


def _span(number: int, parent: int = 0, start: int = 0, end: int = 100, kind: int = 1) -> PlainSpan:
    above = span_id(parent) if parent else NO_SPAN
    return PlainSpan(trace_id(1), span_id(number), f"s{number}", start, end, above, kind)


def test_parents_children_and_depths() -> None:
    family = _family(_span(1), _span(2, 1, 20), _span(3, 1, 10), _span(4, 2, 30))
    assert family.parent == [NO_ROW, 0, 0, 1]
    assert family.walk() == [(0, 0), (2, 1), (1, 1), (3, 2)]
    assert family.oddities == [[], [], [], []]


def test_a_missing_parent_is_marked() -> None:
    family = _family(_span(1), _span(2, 9, 5))
    assert family.roots == [0, 1]
    assert family.oddities == [[], [Oddity.MISSING_PARENT]]


def test_a_cycle_is_broken_at_its_earliest_span() -> None:
    family = _family(_span(1, 3, 5), _span(2, 1, 6), _span(3, 2, 7), _span(4, 2, 8))
    assert family.walk() == [(0, 0), (1, 1), (2, 2), (3, 2)]
    assert family.oddities == [[Oddity.PARENT_CYCLE], [], [], []]


def test_its_own_parent() -> None:
    family = _family(_span(1, 1))
    assert (family.roots, family.oddities) == ([0], [[Oddity.PARENT_CYCLE]])


def test_the_clocks_differ() -> None:
    family = _family(_span(1, start=50), _span(2, 1, 40), _span(3, 1, 60, 55))
    assert family.oddities == [[], [Oddity.CLOCK_SKEW], [Oddity.CLOCK_SKEW]]


def test_both_halves_of_a_call_share_an_id() -> None:
    client, server = _span(2, 1, 10, kind=3), _span(2, 1, 11, kind=2)
    family = _family(_span(1), client, server, _span(5, 2, 12))
    assert family.parent == [NO_ROW, 0, 1, 2]
    assert family.oddities == [[], [], [], []]


def test_a_repeated_id_is_marked() -> None:
    family = _family(_span(1), _span(2, 1, 10), _span(2, 1, 20), _span(3, 2, 30))
    assert family.parent == [NO_ROW, 0, 0, 1]
    assert family.oddities == [[], [Oddity.REPEATED_ID], [Oddity.REPEATED_ID], []]


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 7), st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_every_span_stands_once_in_the_walk(spans: list[tuple[int, int, int, int]]) -> None:
    made = [_span(number, parent, start, kind=kind) for number, parent, start, kind in spans]
    distinct = {(span.span_id, span.start_ns) for span in made}
    family = _family(*made)
    walked = family.walk()
    assert sorted(row for row, _ in walked) == list(range(len(distinct)))
