"""Self-time, waiting and chains of trees that were computed by hand, and of many against a plain account."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.analysis.intelligence.coordination.made_fleets import SECOND_NS, make_fleet

from swarmscope.analysis.intelligence.coordination.span_times import span_times
from swarmscope.analysis.intelligence.errors import ModelError

A, B, C = 0, 1, 2
NESTED = {
    "one span": ([(-1, A, 0, 10)], (), [10], [0], [10]),
    "a call": ([(-1, A, 0, 10), (0, B, 2, 8)], (), [4, 6], [6, 0], [10, 8]),
    "a child of one's own is work": ([(-1, A, 0, 10), (0, A, 2, 8)], (), [4, 6], [0, 0], [10, 8]),
    "two side by side": (
        [(-1, A, 0, 12), (0, B, 1, 11), (0, C, 1, 11)], (), [2, 10, 10], [10, 0, 0], [12, 11, 11],
    ),
    "one after the other": (
        [(-1, A, 0, 10), (0, B, 1, 4), (0, C, 5, 9)], (), [3, 3, 4], [7, 0, 0], [10, 4, 9],
    ),
    # The second begins before the first has ended, so it does not need it.
    "overlapping": ([(-1, A, 0, 10), (0, B, 1, 6), (0, C, 4, 9)], (), [2, 5, 5], [8, 0, 0], [7, 6, 6]),
    "one directly after the other": ([(-1, A, 0, 8), (0, B, 0, 4), (0, C, 4, 8)], (), [0, 4, 4], [8, 0, 0], [8, 4, 8]),
    "a tool of one's own beside a call": (
        [(-1, A, 0, 10), (0, A, 1, 4), (0, B, 1, 9)], (), [2, 3, 8], [5, 0, 0], [10, 4, 9],
    ),
    "not waited for": ([(-1, A, 0, 2), (0, B, 1, 10)], (), [1, 9], [1, 0], [1, 10]),
    "linked": ([(-1, A, 0, 3), (-1, B, 5, 9)], [(1, 0)], [3, 4], [0, 0], [3, 7]),
    "linked while it runs": ([(-1, A, 0, 6), (-1, B, 5, 9)], [(1, 0)], [6, 4], [0, 0], [6, 9]),
    "a queue": ([(-1, A, 0, 10), (0, A, 3, 7, {"is_queue_wait": True})], (), [6, 0], [4, 4], [6, 3]),
    "no length": ([(-1, A, 0, 5), (0, B, 2, 2), (1, C, 2, 2)], (), [5, 0, 0], [0, 0, 0], [5, 2, 2]),
    "rows in any order": ([(1, B, 2, 8), (-1, A, 0, 10)], (), [6, 4], [0, 6], [8, 10]),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "links", "own", "wait", "chain"), NESTED.values(), ids=NESTED)
def test_by_hand(rows: list, links: list, own: list[int], wait: list[int], chain: list[int]) -> None:
    times = span_times(make_fleet(rows, links))
    assert (times.self_ns / SECOND_NS).tolist() == own
    assert (times.wait_ns / SECOND_NS).tolist() == wait
    assert (times.chain_ns / SECOND_NS).tolist() == chain


@st.composite
def _trees(draw: st.DrawFn) -> list[tuple[int, int, int, int]]:
    rows = []
    for at in range(draw(st.integers(1, 8))):
        start = draw(st.integers(0, 15))
        rows.append((draw(st.integers(-1, at - 1)), draw(st.integers(0, 2)), start, start + draw(st.integers(0, 10))))
    return rows


@given(_trees())
def test_equal_to_an_account_second_by_second(rows: list[tuple[int, int, int, int]]) -> None:
    own, wait = np.zeros(len(rows), int), np.zeros(len(rows), int)
    for second in range(26):
        for at, (_, agent, start, end) in enumerate(rows):
            inside = [row[1] for row in rows if row[0] == at and row[2] <= second < row[3]]
            if start <= second < end:
                own[at] += not inside
                wait[at] += bool(inside) and agent not in inside
    times = span_times(make_fleet(rows))
    assert (times.self_ns // SECOND_NS).tolist() == own.tolist()
    assert (times.wait_ns // SECOND_NS).tolist() == wait.tolist()
    chain = times.chain_ns.max() // SECOND_NS
    assert own.max() <= chain <= own.sum()
    assert chain <= max(row[3] for row in rows) - min(row[2] for row in rows)


def test_no_spans() -> None:
    assert len(span_times(make_fleet([])).self_ns) == 0


def test_circles_are_refused() -> None:
    with pytest.raises(ModelError, match=r"parents of span \d go in a circle"):
        span_times(make_fleet([(-1, A, 0, 1), (2, A, 0, 1), (1, A, 0, 1)]))
