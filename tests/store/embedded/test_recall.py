import numpy as np
import pytest

from swarmscope.store.embedded.administration import MetricAdministration
from swarmscope.store.embedded.recall import recall_newest
from tests.store.embedded.conftest import batch_of, read_all

HOUR_MS = 3_600_000
ROWS = [({"__name__": "load", "host": host}, ts, float(ts)) for host in "ab" for ts in range(0, 2 * HOUR_MS, 60_000)]


@pytest.fixture
def reopened(open_store):
    first = open_store()
    first.sink.write_metrics(batch_of(ROWS))
    first.close()
    store = open_store(max_cached_rows=0)
    store._upkeep.close()
    assert store.memory.snapshot().runs == ()
    store.memory._max_cached_rows = 10_000
    return store


def recall(store, max_rows):
    return recall_newest(store.engine, store.catalogue, store.memory, max_rows)


def test_the_newest_samples_come_back_and_need_no_parts(reopened):
    before = read_all(reopened)
    assert recall(reopened, 100) == 100
    covered_after_ms = reopened.memory.snapshot().covered_after_ms
    assert covered_after_ms == ROWS[-1][1] - 50 * 60_000 + 60_000 - 1
    assert read_all(reopened) == before
    reopened.engine.execute("TRUNCATE TABLE samples")
    newest = read_all(reopened, time_range=(covered_after_ms + 1, 3 * HOUR_MS))
    assert {len(points) for points in newest.values()} == {50}


def test_all_of_a_small_store_comes_back(reopened):
    before = read_all(reopened)
    assert recall(reopened, 10_000) == len(ROWS)
    reopened.engine.execute("TRUNCATE TABLE samples")
    assert read_all(reopened, time_range=(0, 3 * HOUR_MS)) == before


def test_later_writes_stand_before_what_was_recalled(reopened):
    labels = ROWS[0][0]
    reopened.sink.write_metrics(batch_of([(labels, ROWS[0][1], -1.0)]))
    recall(reopened, 10_000)
    assert read_all(reopened)[tuple(sorted(labels.items()))][0] == (ROWS[0][1], -1.0)


def test_a_deletion_in_between_wins(reopened, monkeypatch):
    original = reopened.memory.adopt

    def adopt_after_a_deletion(*arguments):
        MetricAdministration(reopened).delete_series("default", [], 0, 3 * HOUR_MS)
        original(*arguments)

    monkeypatch.setattr(reopened.memory, "adopt", adopt_after_a_deletion)
    recall(reopened, 10_000)
    assert read_all(reopened) == {}


def test_an_empty_store_recalls_nothing(open_store):
    assert recall(open_store(), 100) == 0


def test_rows_of_dropped_series_stay_away(reopened):
    (ref,) = reopened.catalogue.select_series("default", [], 0, HOUR_MS).refs[:1]
    reopened.catalogue.drop(np.array([ref], np.int64))
    assert recall(reopened, 10_000) == len(ROWS) // 2
