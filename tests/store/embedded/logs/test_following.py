"""Following: what is committed arrives once, to those who asked for it, and the slow are told what they lost."""

import threading
import time

from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.store.embedded.logs import following as module
from tests.store.embedded.logs.log_cases import T_NS, entries_of, entry, in_order, log_batch

A, B = {"app": "a"}, {"app": "b"}
IS_A = Matcher("app", MatchOperator.EQUAL, "a")


def received(store, following, timeout_s=5.0):
    batches, dropped = following.next(timeout_s)
    entries = []
    for rows in batches:
        entries += entries_of(store.log_reader, following.selection(), rows)
    return entries, dropped


def test_new_lines_of_matching_streams_arrive(store):
    store.log_sink.write_logs(log_batch([entry(A, T_NS, "before")]))
    following = store.log_reader.follow("default", [IS_A])
    assert received(store, following, 0.01) == ([], 0)
    first = [entry(A, T_NS + 2, "second", {"k": "v"}, level=3), entry(A, T_NS + 1, "first"), entry(B, T_NS, "other")]
    store.log_sink.write_logs(log_batch(first))
    assert received(store, following) == (in_order(first[:2]), 0)
    # A stream that is new to everybody, and another tenant's.
    later = [entry({"app": "a", "pod": "2"}, T_NS, "new stream")]
    store.log_sink.write_logs(log_batch(later, tenant="other"))
    store.log_sink.write_logs(log_batch(later))
    assert received(store, following) == (in_order(later), 0)
    # Positions stay what they were.
    store.log_sink.write_logs(log_batch([entry(A, T_NS + 9, "again")]))
    assert received(store, following) == (in_order([entry(A, T_NS + 9, "again")]), 0)
    following.close()
    assert store.log_sink.followers == ()
    store.log_sink.write_logs(log_batch([entry(A, T_NS + 10, "unseen")]))
    assert received(store, following, 0.01) == ([], 0)


def test_lines_survive_the_flush_of_their_generation(store):
    following = store.log_reader.follow("default", [])
    store.log_sink.write_logs(log_batch([entry(A, T_NS, "kept")]))
    assert store.logs.flush()
    assert [each["line"] for each in received(store, following)[0]] == ["kept"]


def test_the_slow_lose_lines_and_are_told_how_many(store, monkeypatch):
    monkeypatch.setattr(module, "_MAX_LINES", 100)
    following = store.log_reader.follow("default", [])
    for k in range(5):
        store.log_sink.write_logs(log_batch([entry(A, T_NS + 60 * k + n, f"{k} {n}") for n in range(60)]))
    entries, dropped = received(store, following)
    assert (len(entries), dropped) == (100, 200)
    store.log_sink.write_logs(log_batch([entry(A, T_NS + 999, "then")]))
    assert [each["line"] for each in received(store, following)[0]] == ["then"]


def test_waiting_ends_with_a_line_or_with_closing(store):
    following = store.log_reader.follow("default", [])
    for act in (lambda: store.log_sink.write_logs(log_batch([entry(A, T_NS, "x")])), following.close):
        timer = threading.Timer(0.2, act)
        begun = time.monotonic()
        timer.start()
        following.next(30.0)
        assert time.monotonic() - begun < 10
        timer.join()
