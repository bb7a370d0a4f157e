"""What is wrong with one batch, or with a listener, costs nobody else anything."""

import threading

import pytest

from swarmscope.model.errors import UnavailableError
from swarmscope.store.embedded import commit as commit_module
from tests.store.embedded.conftest import batch_of, read_all

GOOD = {"__name__": "good", "host": "a"}
BAD = {"__name__": "bad", "host": "a"}
POISON = 666.0


@pytest.fixture
def poisoned(store, monkeypatch):
    original = commit_module.Commit.to_frame

    def to_frame(self):
        if POISON in self.rows.value:
            raise OverflowError("too much for a frame")
        return original(self)

    monkeypatch.setattr(commit_module.Commit, "to_frame", to_frame)
    return store


def write_together(store, batches):
    """Write batches from as many threads so that they meet in one commit; their errors by position."""
    errors = [None] * len(batches)

    def write(position):
        try:
            store.sink.write_metrics(batches[position])
        except UnavailableError as error:
            errors[position] = str(error)

    threads = [threading.Thread(target=write, args=(position,)) for position in range(len(batches))]
    with store.sink.series_lock:
        # The commit thread cannot go on: all of them queue up behind it.
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_a_batch_that_cannot_be_written_fails_alone(poisoned):
    batches = [batch_of([(GOOD, 1000 + i, 1.0)]) for i in range(6)]
    batches[2] = batch_of([(BAD, 1000, POISON)])
    errors = write_together(poisoned, batches)
    assert [error is None for error in errors] == [True, True, False, True, True, True]
    assert "too much for a frame" in errors[2]
    (points,) = read_all(poisoned, "good").values()
    assert [ts for ts, _ in points] == [1000, 1001, 1003, 1004, 1005]
    assert poisoned.sink.write_metrics(batch_of([(BAD, 2000, 1.0)])).samples == 1


def test_a_listener_that_fails_does_not_end_commits(store):
    def fail(_rows, _seconds):
        raise ZeroDivisionError

    store.sink.listeners.append(fail)
    assert store.sink.write_metrics(batch_of([(GOOD, 1000, 1.0)])).samples == 1
    assert store.sink.write_metrics(batch_of([(GOOD, 2000, 1.0)])).samples == 1
    store.sink.listeners.remove(fail)
    assert len(read_all(store, "good")) == 1
