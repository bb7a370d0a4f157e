"""Rows on their way to the store: given again until they are stored, and seen exactly once by readers."""

from __future__ import annotations

import threading

import numpy as np
from tests.fleet.test_sums import edges, usage

from swarmscope.fleet.unwritten import Outcome, Unwritten
from swarmscope.model.agents import AgentSpans
from swarmscope.model.fleet import Edges, FleetRows


def spans(*starts_ns: int) -> AgentSpans:
    made = AgentSpans.blank(len(starts_ns))
    made.start_ns[:] = starts_ns
    return made


def add(unwritten: Unwritten, count: int, *starts_ns: int) -> None:
    caller = np.ones(len(starts_ns), np.uint32)
    unwritten.add(spans(*starts_ns), caller, edges((0, 5, 6, count)), usage((0, 5, 7, count)))


def test_what_was_not_stored_is_given_again_as_it_was() -> None:
    unwritten = Unwritten("t", 100)
    assert unwritten.begin((), ()) is None
    add(unwritten, 1, 30)
    add(unwritten, 2, 10, 20)
    first = unwritten.begin((), ())
    assert first is not None
    assert (len(first.spans), first.edges.measures[:, 0].tolist(), len(first.usage)) == (3, [3], 1)
    unwritten.end(Outcome.UNAVAILABLE)
    add(unwritten, 4, 5)
    assert unwritten.begin((), ()) is first
    assert unwritten.earliest_ns() == 5
    unwritten.end(Outcome.STORED)
    second = unwritten.begin((), ())
    assert second is not None
    assert (second.spans.start_ns.tolist(), second.edges.measures[:, 0].tolist()) == ([5], [4])
    unwritten.end(Outcome.STORED)
    assert (unwritten.begin((), ()), unwritten.earliest_ns()) == (None, None)


def test_spans_go_where_there_is_no_room_and_counts_stay() -> None:
    unwritten = Unwritten("t", 3)
    for number in range(100):
        add(unwritten, 1, number, number)
    rows = unwritten.begin((), ())
    assert rows is not None
    assert rows.spans.start_ns.tolist() == [99, 99]
    assert rows.edges.measures[:, 0].tolist() == [100]
    unwritten.end(Outcome.STORED)


def test_what_cannot_be_stored_at_all_is_given_up() -> None:
    unwritten = Unwritten("t", 100)
    add(unwritten, 1, 30)
    tries = 0
    while unwritten.begin((), ()) is not None:
        tries += 1
        unwritten.end(Outcome.IMPOSSIBLE)
    assert tries == 5


def test_readers_see_everything_once_while_rows_move() -> None:
    """A store that shows rows long before the writer knows that they are in."""
    unwritten, stored, moved = Unwritten("t", 1000), _Stored(), threading.Event()
    sums: list[tuple[float, float, float]] = []

    def read_on() -> None:
        while not moved.is_set():
            before = added[0]
            there, seen = unwritten.beside(stored.count)
            found = there + sum(float(part.measures[:, 0].sum()) for part in seen.edges)
            sums.append((before, found, added[0] + 1))

    added = [0]
    readers = [threading.Thread(target=read_on) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(300):
        add(unwritten, 1, 1)
        added[0] += 1
        rows = unwritten.begin((), ())
        assert rows is not None
        taken = number % 3 > 0
        if taken:
            stored.write(rows)
        threading.Event().wait(0.0005)
        unwritten.end(Outcome.STORED if taken else Outcome.UNAVAILABLE)
    moved.set()
    for reader in readers:
        reader.join()
    assert len(sums) > 50
    assert [each for each in sums if not each[0] <= each[1] <= each[2]] == []
    there, seen = unwritten.beside(stored.count)
    assert there + sum(float(part.measures[:, 0].sum()) for part in seen.edges) == 300


class _Stored:
    def __init__(self) -> None:
        self._edges: list[Edges] = []

    def write(self, rows: FleetRows) -> None:
        self._edges.append(rows.edges)

    def count(self) -> float:
        return sum(float(part.measures[:, 0].sum()) for part in list(self._edges))
