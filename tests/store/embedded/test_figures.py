from tests.store.embedded.conftest import batch_of

T_MS = 1_700_000_000_000
UP = {"__name__": "up"}


def test_the_times_are_of_parts_and_of_what_waits(open_store):
    store = open_store()
    assert store.time_range_ms() is None
    store.sink.write_metrics(batch_of([(UP, T_MS, 1.0), (UP, T_MS + 5, 1.0)]))
    assert store.time_range_ms() == (T_MS, T_MS + 5)
    assert store.flush()
    assert store.time_range_ms() == (T_MS, T_MS + 5)
    store.sink.write_metrics(batch_of([(UP, T_MS - 7, 1.0), (UP, T_MS + 9, 1.0)]))
    assert store.time_range_ms() == (T_MS - 7, T_MS + 9)
    store.close()
    assert open_store().time_range_ms() == (T_MS - 7, T_MS + 9)


def test_what_retention_hides_is_in_no_time_range(open_store):
    store = open_store()
    store.sink.write_metrics(batch_of([(UP, T_MS, 1.0)]))
    store.close()
    assert open_store(metrics_retention_s=3600).time_range_ms() is None


def test_every_table_has_a_size(store):
    assert store.table_sizes()["samples"] == (0, 0, 0)
    store.sink.write_metrics(batch_of([(UP, T_MS, 1.0), (UP, T_MS + 5, 1.0)]))
    assert store.flush()
    size = store.table_sizes()["samples"]
    assert (size.n_rows, size.n_parts) == (2, 1)
    assert size.n_bytes > 0
