"""Lines in and out of the embedded store: from memory, from one part, and from many small parts."""

import numpy as np
import pytest

from swarmscope.model.logs import Level, LineColumns, LineRequest
from swarmscope.model.matchers import Matcher, MatchOperator
from tests.portion import portion
from tests.store.embedded.conftest import budget
from tests.store.embedded.logs.log_cases import EVER, T_NS, S, entry, in_order, log_batch, scanned, walked

WEB, DB = {"service_name": "web", "env": "prod"}, {"service_name": "db"}
TRACE, SPAN = bytes(range(16)), bytes(range(8))
ENTRIES = [
    entry(WEB, T_NS + 3 * S, "third", {"attempt": "1", "http.status": "200"}, level=Level.INFO, severity=9,
          observed_ns=T_NS + 4 * S, trace_id=TRACE, span_id=SPAN),
    entry(DB, T_NS, "slow query: ünïcödé 🐢", {"thread.id": "7"}, level=Level.WARN),
    entry(WEB, T_NS, "first", {"attempt": "2", "http.status": "500"}, level=Level.ERROR, observed_ns=T_NS - 5),
    entry(WEB, T_NS + S, "", {}, observed_ns=T_NS + S),
    entry(WEB, T_NS + S, "second\nwith\ttabs\x00and nul", {"http.status": "200", "attempt": "1"}),
    # Two days later, and a long one: its length needs three bytes in ClickHouse's format.
    entry(DB, T_NS + 2 * 86_400 * S, "x" * 70_000, {"big": "y" * 300}),
]  # fmt: skip
SPREADS = ["half flushed", "flush per line", "memory", "one flush"][: portion(4, 2)]


def fill(store, entries, spread):
    parts = [[each] for each in entries] if spread == "flush per line" else [entries[::2], entries[1::2]]
    for i, part in enumerate(parts):
        receipt = store.log_sink.write_logs(log_batch(part))
        assert (receipt.lines, receipt.refused) == (len(part), {})
        if spread == "flush per line" or (spread == "half flushed" and i == 0):
            assert store.logs.flush()
    if spread == "one flush":
        assert store.logs.flush()


@pytest.fixture(params=SPREADS)
def filled(request, store):
    fill(store, ENTRIES, request.param)
    return store


def test_every_field_comes_back(filled):
    assert scanned(filled) == in_order(ENTRIES)


def test_matchers_time_and_levels_choose(filled):
    web = Matcher("service_name", MatchOperator.EQUAL, "web")
    assert scanned(filled, [web]) == in_order([each for each in ENTRIES if each["labels"] is WEB])
    chosen = scanned(filled, request=LineRequest(T_NS, T_NS + S))  # the end is not in
    assert [each["line"] for each in chosen] == ["first", "slow query: ünïcödé 🐢"] or [
        each["line"] for each in chosen
    ] == ["slow query: ünïcödé 🐢", "first"]
    some = LineRequest(*EVER, levels=frozenset({Level.WARN, Level.ERROR}))
    assert {each["line"] for each in scanned(filled, request=some)} == {"first", "slow query: ünïcödé 🐢"}


def test_another_tenant_sees_nothing(filled):
    assert scanned(filled, tenant="other") == []
    filled.log_sink.write_logs(log_batch([entry(WEB, T_NS, "theirs")], tenant="other"))
    assert [each["line"] for each in scanned(filled, tenant="other")] == ["theirs"]
    assert scanned(filled) == in_order(ENTRIES)


def test_columns_not_asked_for_are_empty(filled):
    reader = filled.log_reader
    selection = reader.select_streams("default", [], *EVER)
    request = LineRequest(*EVER, columns=LineColumns(line=False, metadata=False, level=False))
    n = 0
    for rows in reader.scan_lines(selection, request, budget()):
        n += len(rows)
        assert len(rows.line) == len(rows.metadata) == len(rows.level) == len(rows.trace_id) == 0
    assert n == len(ENTRIES)


def test_rows_are_sorted_by_stream_and_time(filled):
    reader = filled.log_reader
    selection = reader.select_streams("default", [], *EVER)
    for rows in reader.scan_lines(selection, LineRequest(*EVER), budget()):
        assert np.array_equal(np.lexsort((rows.ts_ns, rows.stream)), np.arange(len(rows)))


@pytest.mark.parametrize("backward", [True, False])
@pytest.mark.parametrize("batch_lines", [1, 2, 1000])
def test_walk_goes_in_order_of_time(filled, backward, batch_lines):
    batches = walked(filled, backward=backward, batch_lines=batch_lines)
    sign = -1 if backward else 1
    flat = [each for batch in batches for each in batch]
    assert sorted(flat) == sorted((each["ts_ns"], each["line"]) for each in ENTRIES)
    for one, other in zip(batches, batches[1:], strict=False):
        assert all(sign * a[0] < sign * b[0] for a in one for b in other)


def test_labels_are_listed(filled):
    reader = filled.log_reader
    assert reader.label_names("default", [], *EVER) == ["env", "service_name"]
    assert reader.label_values("default", "service_name", [], *EVER) == ["db", "web"]
