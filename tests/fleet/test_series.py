"""Series by hand: their zeros, values, ends, and what the next publication says when one was not taken."""

from __future__ import annotations

import time

import numpy as np

from swarmscope.fleet.series import Family, Moment, Publication, SeriesTable, labels
from swarmscope.model.byte_hash import mix
from swarmscope.model.staleness import is_stale
from swarmscope.testing.sinks import DictSeriesIndex, RecordingSink

CALLS = Family("calls_total", "counter", "Calls.")
STATE = Family("state", "gauge", "State.")
SEED = 7


def hashes(*numbers: int) -> np.ndarray:
    return np.array([mix(np.uint64(5), np.uint64(number)) for number in numbers], np.uint64)


def publish(sink: RecordingSink, tables: list[SeriesTable], now_ms: int, zero_ms: int = 0, taken: bool = True) -> list:
    before = len(sink.samples())
    publication = Publication(tables, sink.index, "t", Moment(now_ms, zero_ms or now_ms - 5))
    sink.write_metrics(publication.batch)
    if taken:
        publication.written()
    return [(own["__name__"], own.get("a", ""), ts, "stale" if is_stale(np.array([value]))[0] else value)
            for own, ts, value in sink.samples()[before:]]  # fmt: skip


def test_counters_begin_at_zero_once_and_add_up() -> None:
    sink, table = RecordingSink(), SeriesTable((CALLS,), 10, SEED)
    rows = table.rows_of(hashes(1, 2, 1), lambda at: labels(a="xyx"[at]), 100)
    table.add(0, rows, np.array([1.0, 2.0, 3.0]))
    assert sorted(publish(sink, [table], 100, taken=False)) == [
        ("calls_total", "x", 95, 0.0), ("calls_total", "x", 100, 4.0), ("calls_total", "y", 95, 0.0),
        ("calls_total", "y", 100, 2.0),
    ]  # fmt: skip
    # Not taken: it begins again.
    assert ("calls_total", "x", 195, 0.0) in publish(sink, [table], 200)
    table.add(0, rows[:1], np.array([1.0]))
    assert sorted(publish(sink, [table], 300)) == [("calls_total", "x", 300, 5.0), ("calls_total", "y", 300, 2.0)]


def test_a_counter_that_is_corrected_does_not_go_back() -> None:
    sink, table = RecordingSink(), SeriesTable((CALLS,), 10, SEED)
    row = np.array([table.row_of(labels(a="x"), 0)])
    shown = []
    for now_ms, amount in enumerate((5.0, -2.0, 1.0, 3.0), 1):
        table.add(0, row, np.array([amount]))
        shown.append(publish(sink, [table], 10 * now_ms)[-1][3])
    assert shown == [5, 5, 5, 7]


def test_what_is_replaced_ends_and_may_come_again() -> None:
    sink, table = RecordingSink(), SeriesTable((STATE,), 10, SEED)
    table.replace({labels(a="x"): (1.0,), labels(a="y"): (2.0,)}, 0)
    assert sorted(publish(sink, [table], 10)) == [("state", "x", 10, 1.0), ("state", "y", 10, 2.0)]
    table.replace({labels(a="y"): (3.0,), labels(a="z"): (None,)}, 11)
    assert sorted(publish(sink, [table], 20)) == [("state", "x", 20, "stale"), ("state", "y", 20, 3.0)]
    table.replace({labels(a="y"): (3.0,)}, 21)
    assert publish(sink, [table], 30) == [("state", "y", 30, 3.0)]
    table.replace({labels(a="x"): (7.0,), labels(a="y"): (3.0,)}, 31)
    assert sorted(publish(sink, [table], 40)) == [("state", "x", 40, 7.0), ("state", "y", 40, 3.0)]
    assert len(table) == 2


def test_an_end_that_was_not_written_comes_again() -> None:
    sink, table = RecordingSink(), SeriesTable((STATE,), 10, SEED)
    table.replace({labels(a="x"): (1.0,)}, 0)
    publish(sink, [table], 10)
    table.replace({}, 11)
    assert publish(sink, [table], 20, taken=False) == [("state", "x", 20, "stale")]
    assert publish(sink, [table], 30) == [("state", "x", 30, "stale")]
    assert publish(sink, [table], 40) == []


def test_idle_counters_end() -> None:
    sink, table = RecordingSink(), SeriesTable((CALLS,), 10, SEED)
    for number, now_ms in ((1, 100), (2, 200)):
        rows = table.rows_of(hashes(number), lambda at, number=number: labels(a=str(number)), now_ms)
        table.add(0, rows, np.array([1.0]))
    publish(sink, [table], 210)
    table.retire_idle(150)
    assert sorted(publish(sink, [table], 300)) == [("calls_total", "1", 300, "stale"), ("calls_total", "2", 300, 1.0)]


def test_what_finds_no_room_shares_a_series() -> None:
    sink, table = RecordingSink(), SeriesTable((CALLS,), 2, SEED)
    rows = table.rows_of(hashes(*range(5)), lambda at: labels(a=str(at)), 0)
    table.add(0, rows, np.ones(5))
    told = {own.get("a", own.get("metric_overflow")): value for own, _, value in _samples(sink, table)}
    assert told == {"0": 1, "1": 1, "true": 3}


def _samples(sink: RecordingSink, table: SeriesTable) -> list:
    publish(sink, [table], 10)
    return [each for each in sink.samples() if each[1] == 10]


def test_a_thousand_agents_and_ten_thousand_edges_are_published_in_time() -> None:
    """Bound: 50 ms of CPU for everything that is known already."""
    agents, edges = SeriesTable((CALLS, STATE), 20_000, SEED), SeriesTable((CALLS,), 20_000, SEED)
    index = _KnownIndex()
    for table, n in ((agents, 1000), (edges, 10_000)):
        rows = table.rows_of(hashes(*range(n)), lambda at: labels(a=f"a{at}", b=f"b{at}"), 0)
        for family in range(len(table.families)):
            table.add(family, rows, np.ones(n))
    first = Publication([agents, edges], DictSeriesIndex(SEED), "t", Moment(10, 5))
    first.written()
    began = time.process_time()
    for now_ms in range(20, 25):
        publication = Publication([agents, edges], index, "t", Moment(now_ms, 5))
        publication.written()
    assert len(publication.batch.value) == 12_000
    assert (time.process_time() - began) / 5 < 0.05


class _KnownIndex(DictSeriesIndex):
    def resolve(self, tenant: str, keys: np.ndarray) -> np.ndarray:
        return np.arange(len(keys))
