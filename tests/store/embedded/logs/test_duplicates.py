"""The same lines sent again: kept once, also over flushes and restarts; what differs in anything stays."""

import threading

import numpy as np
import pytest

from swarmscope.model.errors import UnavailableError
from swarmscope.store.embedded.journal import Segment
from swarmscope.store.embedded.logs.recent_lines import RecentLines
from tests.store.embedded.logs.log_cases import T_NS, entry, in_order, log_batch, scanned

A = {"app": "a"}
ENTRIES = [entry(A, T_NS + k, f"line {k}", {"n": str(k)}) for k in range(10)]


@pytest.mark.parametrize("flushed", [False, True])
def test_a_batch_that_is_sent_again_counts_once(store, flushed):
    store.log_sink.write_logs(log_batch(ENTRIES))
    if flushed:
        assert store.logs.flush()
    receipt = store.log_sink.write_logs(log_batch([*ENTRIES, entry(A, T_NS + 99, "new"), entry(A, T_NS + 99, "new")]))
    assert (receipt.lines, receipt.refused) == (12, {})  # the sender is told that all of them are safe
    assert scanned(store) == in_order([*ENTRIES, entry(A, T_NS + 99, "new")])


def test_lines_that_differ_in_anything_stay(store):
    base = entry(A, T_NS, "same", {"k": "v"})
    others = [
        entry({"app": "b"}, T_NS, "same", {"k": "v"}), entry(A, T_NS + 1, "same", {"k": "v"}),
        entry(A, T_NS, "same.", {"k": "v"}), entry(A, T_NS, "same", {"k": "w"}), entry(A, T_NS, "same", {"j": "v"}),
        entry(A, T_NS, "same", {"k": "v"}, trace_id=bytes(15) + b"1"),
        entry(A, T_NS, "same", {"k": "v"}, span_id=bytes(7) + b"1"), entry(A, T_NS, "same", {"k": "v"}, severity=9),
    ]  # fmt: skip
    store.log_sink.write_logs(log_batch([base, *others]))
    assert scanned(store) == in_order([base, *others])


def test_a_restart_remembers_what_is_in_the_journal(open_logs, folder, tmp_path):
    store = open_logs()
    store.log_sink.write_logs(log_batch(ENTRIES))
    segment = store.logs.memory.active.segment.path
    kept = segment.read_bytes()
    store.close()
    segment.write_bytes(kept)  # as after a crash between insert and removal
    store = open_logs()
    store.log_sink.write_logs(log_batch(ENTRIES))
    assert scanned(store) == in_order(ENTRIES)


def test_a_clean_end_remembers_what_went_into_parts(open_logs):
    store = open_logs()
    store.log_sink.write_logs(log_batch(ENTRIES))
    assert store.logs.flush()
    store.close()
    store = open_logs()
    store.log_sink.write_logs(log_batch([*ENTRIES, entry(A, T_NS + 99, "new")]))
    assert scanned(store) == in_order([*ENTRIES, entry(A, T_NS + 99, "new")])


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_memory_of_lines_stops_nothing(open_logs, folder, damage):
    store = open_logs()
    store.log_sink.write_logs(log_batch(ENTRIES))
    store.close()
    (path,) = folder.rglob("recent_lines")
    path.write_bytes(path.read_bytes()[:-40] if damage is None else damage)
    assert scanned(open_logs()) == in_order(ENTRIES)


def test_a_failed_commit_may_be_sent_again(store, monkeypatch):
    append = Segment.append

    def fail(self, columns):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Segment, "append", fail)
    with pytest.raises(UnavailableError, match="No space left"):
        store.log_sink.write_logs(log_batch(ENTRIES))
    monkeypatch.setattr(Segment, "append", append)
    assert scanned(store) == []
    assert store.log_sink.write_logs(log_batch(ENTRIES)).lines == 10
    assert scanned(store) == in_order(ENTRIES)


def test_many_at_once_keep_each_line_once(store):
    def send():
        for begin in range(0, 10, 2):
            store.log_sink.write_logs(log_batch(ENTRIES[begin : begin + 2]))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert scanned(store) == in_order(ENTRIES)


def test_the_set_is_bounded(store):
    lines = store.logs.memory.active.lines
    recent = RecentLines(max_entries=100)
    for round_ in range(50):
        batch = log_batch([entry(A, T_NS + 40 * round_ + k, "x") for k in range(40)])
        staged = lines.stage(batch, np.zeros(1, np.int64), np.zeros(40, np.int64), np.arange(40))
        recent.reserve(40)
        is_new, token = recent.admit(staged)
        assert is_new.all()
        assert len(token) == 40
        recent.withdraw(token)
        assert recent.admit(staged)[0].all()
        assert not recent.admit(staged)[0].any()
        lines.withdraw()
    assert recent._newer.nbytes + recent._older.nbytes <= 2 * 8 * 4096
