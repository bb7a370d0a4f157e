"""What is refused, by name and count, and what bounds reads: budget, cancellation, retention."""

import threading
import time

import numpy as np
import pyarrow as pa
import pytest

from swarmscope.model.errors import LimitExceededError, QueryCancelledError, UnavailableError
from swarmscope.model.labels import DEFAULT_TENANT, LabelSets
from swarmscope.model.logs import LineRequest
from swarmscope.model.series import LabelFrame, Selection
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.logs.shapes import NO_SHAPE, ShapeTable
from tests.store.embedded.conftest import ALL_TIME, budget
from tests.store.embedded.logs.log_cases import EVER, T_NS, S, entry, log_batch, scanned

A = {"app": "a"}
DAY_S = 86_400
ALL_NS = (0, 1 << 62)


def test_times_out_of_bounds_are_refused_by_name(open_logs):
    store = open_logs(retention_s=10 * DAY_S, max_future_ns=3600 * S)
    now = time.time_ns()
    entries = [entry(A, now + k * S, f"at {k}") for k in (0, -9 * DAY_S, 3500, -11 * DAY_S, -12 * DAY_S, 3700)]
    receipt = store.log_sink.write_logs(log_batch(entries))
    assert receipt.lines == 3
    assert receipt.refused == {
        "timestamp is older than the retention (retention.logs)": 2,
        "timestamp is too far in the future (storage.max_future)": 1,
    }
    assert not receipt.retryable
    assert {each["line"] for each in scanned(store)} == {"at 0", f"at {-9 * DAY_S}", "at 3500"}


def test_without_retention_1970_is_the_bound(store):
    receipt = store.log_sink.write_logs(log_batch([entry(A, -1, "too old"), entry(A, 0, "just so")]))
    assert (receipt.lines, receipt.refused) == (1, {"timestamp is before 1970": 1})
    assert store.logs.flush()
    assert [each["line"] for each in scanned(store)] == ["just so"]


def test_a_stream_of_which_every_line_is_refused_is_not_listed(store):
    b, c = {"app": "b"}, {"app": "c"}
    entries = [entry(b, -1, "old"), entry(A, T_NS, "in"), entry(b, -2, "older"), entry(c, -1, "old"), entry(c, 5, "in")]
    assert store.log_sink.write_logs(log_batch(entries)).lines == 2
    assert store.log_reader.label_values(DEFAULT_TENANT, "app", (), *ALL_NS) == ["a", "c"]
    assert sorted(each["line"] for each in scanned(store)) == ["in", "in"]


def test_retention_hides_and_drops(open_logs):
    store = open_logs()
    now = time.time_ns()
    store.log_sink.write_logs(log_batch([entry(A, now - 20 * DAY_S * S, "old"), entry(A, now, "new")]))
    store.close()
    store = open_logs(retention_s=10 * DAY_S)
    assert [each["line"] for each in scanned(store)] == ["new"]
    assert store.logs.flush()
    ttl = store.engine.table("SELECT name, create_table_query AS query FROM system.tables WHERE name LIKE 'log%'")
    queries = dict(zip(ttl.column("name").to_pylist(), ttl.column("query").to_pylist(), strict=True))
    for name in ("logs", "log_counts"):
        assert f"toIntervalSecond({10 * DAY_S})" in str(queries[name])
    store.engine.execute("OPTIMIZE TABLE logs FINAL")
    left = store.engine.columns("SELECT count() AS n FROM logs")["n"]
    assert int(left[0]) == 1


def test_writers_are_turned_away_while_parts_lag(open_logs, monkeypatch):
    store = open_logs(max_unflushed_bytes=10_000, max_generation_age_s=0.05)
    insert, open_gate = Engine.insert, threading.Event()

    def slow(self, table, columns):
        open_gate.wait(20)
        insert(self, table, columns)

    monkeypatch.setattr(Engine, "insert", slow)
    accepted = 0

    def write_many():
        nonlocal accepted
        for k in range(100):
            accepted += store.log_sink.write_logs(log_batch([entry(A, T_NS + k, "x" * 1000)])).lines

    with pytest.raises(UnavailableError, match="behind") as refusal:
        write_many()
    assert refusal.value.retry_after_s > 0
    assert 10 <= accepted <= 12
    open_gate.set()
    assert store.logs.flush()
    store.log_sink.write_logs(log_batch([entry(A, T_NS + 1000, "again")]))
    assert len(scanned(store)) == accepted + 1


def test_a_flush_that_fails_is_tried_again(store, monkeypatch):
    insert, failures = Engine.insert, []

    def failing(self, table, columns):
        if table == "log_counts" and not failures:
            failures.append(table)
            raise UnavailableError("no")
        insert(self, table, columns)

    monkeypatch.setattr(Engine, "insert", failing)
    entries = [entry(A, T_NS + k * DAY_S * S, str(k)) for k in range(3)]
    store.log_sink.write_logs(log_batch(entries))
    assert store.logs.flush()
    assert failures
    assert [each["line"] for each in scanned(store)] == ["0", "1", "2"]
    selection = store.log_reader.select_streams("default", [], *EVER)
    assert store.log_reader.count_lines(selection, (0, T_NS + 10 * DAY_S * S), budget()).lines.sum() == 3


def test_shapes_are_bounded_and_the_rest_of_the_batch_is_taken(store):
    store.logs.shapes._max_name_bytes = 100
    entries = [entry(A, T_NS + k, str(k), {f"name number {k}": "v"}) for k in range(10)]
    receipt = store.log_sink.write_logs(log_batch([*entries, entry(A, T_NS + 50, "plain")]))
    assert receipt.refused == {"too many different sets of structured metadata names": 10 - 5}
    assert receipt.lines == 6
    assert len(scanned(store)) == 6


def test_shapes_by_hand():
    shapes = ShapeTable()
    sets = [{"a": "1", "b": "2"}, {}, {"b": "1", "a": "2"}, {"a": "x", "b": "y"}, {"ab": "1"}, {"a": ""}]
    found = shapes.intern(LabelSets.from_dicts(sets)).tolist()
    assert found == [1, 0, 2, 1, 3, 4]
    assert [shapes.names(k) for k in range(5)] == [(), ("a", "b"), ("b", "a"), ("ab",), ("a",)]
    many = [{f"n{k}": ""} for k in range(5000)]
    numbers = shapes.intern(LabelSets.from_dicts(many))
    assert numbers.tolist() == list(range(5, 5005))
    assert shapes.intern(LabelSets.from_dicts(many[::-1])).tolist() == list(range(5004, 4, -1))
    rows, end = shapes.pending()
    again = ShapeTable()
    again.load(pa.Table.from_batches([rows]))
    assert again.next_shape == end == 5005
    assert again.intern(LabelSets.from_dicts(sets)).tolist() == found
    assert again.pending()[0] is None
    with pytest.raises(IndexError):
        shapes.names(5005)
    assert ShapeTable(max_name_bytes=0).intern(LabelSets.from_dicts([{}, {"a": "b"}])).tolist() == [0, NO_SHAPE]


@pytest.mark.parametrize("flushed", [False, True])
def test_reads_keep_to_the_budget(store, flushed):
    entries = [entry(A, T_NS + k, "x" * 100) for k in range(500)]
    store.log_sink.write_logs(log_batch(entries))
    if flushed:
        assert store.logs.flush()
    reader = store.log_reader
    selection = reader.select_streams("default", [], *EVER)
    few = budget(max_samples=100)
    with pytest.raises(LimitExceededError, match="100 lines"):
        list(reader.scan_lines(selection, LineRequest(*EVER), few))
    assert few.used_samples == 0
    small = budget()
    small.max_bytes = 1000
    with pytest.raises(LimitExceededError, match=r"1000 bytes|more memory"):
        list(reader.scan_lines(selection, LineRequest(*EVER), small))
    enough = budget(max_samples=500)
    for rows in reader.scan_lines(selection, LineRequest(*EVER), enough):
        assert enough.used_samples == len(rows) == 500
    assert enough.used_samples == 0


class _Cancelled:
    remaining_s = 100.0

    def __init__(self, after):
        self.left = after

    def check(self):
        self.left -= 1
        if self.left < 0:
            raise QueryCancelledError("gone")


@pytest.mark.parametrize("after", [0, 1, 2])
def test_reads_end_with_their_query_and_give_connections_back(store, after):
    for k in range(3):
        store.log_sink.write_logs(log_batch([entry({"app": str(n)}, T_NS + k, "x") for n in range(200)]))
        assert store.logs.flush()
    reader = store.log_reader
    selection = reader.select_streams("default", [], *EVER)
    for _ in range(10):  # more often than there are connections
        its = budget()
        its.cancellation = _Cancelled(after)
        with pytest.raises(QueryCancelledError):
            [list(reader.scan_lines(selection, LineRequest(*EVER), its)) for _ in range(3)]
        scan = reader.scan_lines(selection, LineRequest(*EVER), budget())
        next(scan)
        scan.close()
    assert len(scanned(store)) == 600


def test_many_streams_and_any_order_of_a_selection(store):
    entries = [entry({"app": str(n)}, T_NS + (7 * n) % 100, f"line {n}") for n in range(300)]
    for begin in range(0, 300, 100):
        store.log_sink.write_logs(log_batch(entries[begin : begin + 100]))
        assert store.logs.flush()
    reader = store.log_reader
    everything = reader.select_streams("default", [], *EVER)
    order = np.random.default_rng(1).permutation(300)[:50]
    some = Selection(everything.refs[order], LabelFrame(everything.labels.names, everything.labels.codes[:, order]))
    found = {}
    for rows in reader.scan_lines(some, LineRequest(*EVER), budget()):
        assert np.array_equal(np.lexsort((rows.ts_ns, rows.stream)), np.arange(len(rows)))
        for position, begin, length in zip(
            rows.stream.tolist(), rows.line.start.tolist(), rows.line.length.tolist(), strict=True
        ):
            found[position] = rows.line.buffer[begin : begin + length].tobytes().decode()
    assert found == {position: f"line {n}" for position, n in enumerate(order.tolist())}


def test_streams_without_lines_are_forgotten(open_logs):
    store = open_logs()
    now = time.time_ns()
    for app, age_s in (("old", 20 * DAY_S), ("young", 0), ("last", 20 * DAY_S)):
        store.log_sink.write_logs(log_batch([entry({"app": app}, now - age_s * S, "x")]))
    store.close()
    store = open_logs(retention_s=10 * DAY_S)
    deadline = time.monotonic() + 10
    while store.log_reader.select_streams("default", [], *ALL_TIME).refs.tolist() != [1]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    store.logs.upkeep.forget_expired()
    # The newest stays in the tables, so that its number is not given out again.
    assert store.log_index.n_series == 2
    store.close()
    assert open_logs(retention_s=10 * DAY_S).log_index.n_series == 2
