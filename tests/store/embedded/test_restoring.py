import math

import pytest

from swarmscope.store.embedded.administration import MetricAdministration
from swarmscope.store.embedded.folder_lock import FolderInUseError, FolderLock
from swarmscope.store.embedded.logs.log_store import LogStoreSettings
from swarmscope.store.embedded.restoring import SnapshotError, restore_snapshot
from swarmscope.store.embedded.spans.span_store import SpanStoreSettings
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from tests.store.embedded.conftest import SystemClock, batch_of, read_all
from tests.store.embedded.logs.log_cases import T_NS, entry, in_order, log_batch, scanned
from tests.store.embedded.spans.span_cases import T_NS as SPAN_T_NS
from tests.store.embedded.spans.span_cases import in_order as in_order_spans
from tests.store.embedded.spans.span_cases import scanned as scanned_spans
from tests.store.embedded.spans.span_cases import span, span_batch

CPU = {"__name__": "cpu", "host": "a"}
LATER = {"__name__": "cpu", "host": "b"}


def key(labels):
    return tuple(sorted(labels.items()))


@pytest.fixture
def snapshot(store):
    store.sink.write_metrics(batch_of([(CPU, 1000, 1.0), (CPU, 2000, math.pi)]))
    name = MetricAdministration(store).snapshot(skip_head=False)
    store.sink.write_metrics(batch_of([(LATER, 3000, 3.0)]))
    return store.snapshot_folder / name


def test_a_restored_folder_serves_what_was_there_at_the_snapshot_and_takes_more(store, snapshot, tmp_path):
    store.close()
    assert restore_snapshot(snapshot, tmp_path / "again") == (2, 0, 0)
    restored = EmbeddedStore(StoreSettings(tmp_path / "again", metrics_retention_s=None), SystemClock())
    try:
        assert read_all(restored) == {key(CPU): [(1000, 1.0), (2000, math.pi)]}
        restored.sink.write_metrics(batch_of([(CPU, 4000, 4.0), (LATER, 4000, 5.0)]))
        expected = {key(CPU): [(1000, 1.0), (2000, math.pi), (4000, 4.0)], key(LATER): [(4000, 5.0)]}
        assert read_all(restored) == expected
    finally:
        restored.close()


def test_data_is_never_overwritten(store, snapshot, folder):
    store.close()
    with pytest.raises(SnapshotError, match="holds data already"):
        restore_snapshot(snapshot, folder)


def test_a_folder_that_is_no_snapshot_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(SnapshotError, match="is not a snapshot"):
        restore_snapshot(tmp_path / "photos", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_damaged_snapshot_leaves_nothing_behind(store, snapshot, tmp_path):
    store.close()
    (snapshot / ".backup").write_text("<config>")
    with pytest.raises(SnapshotError, match="cannot be restored"):
        restore_snapshot(snapshot, tmp_path / "again")
    assert not (tmp_path / "again" / "clickhouse").exists()


def test_a_folder_in_use_is_refused(store, snapshot, tmp_path):
    store.close()
    lock = FolderLock(tmp_path / "again")
    with pytest.raises(FolderInUseError):
        restore_snapshot(snapshot, tmp_path / "again")
    lock.release()


def test_a_snapshot_holds_acknowledged_lines(open_store, tmp_path):
    lines = [entry({"app": "a"}, T_NS + n, f"line {n}", {"request": str(n)}) for n in range(3)]
    store = open_store(logs=LogStoreSettings(retention_s=None))
    store.log_sink.write_logs(log_batch(lines))
    name = MetricAdministration(store).snapshot(skip_head=False)
    store.log_sink.write_logs(log_batch([entry({"app": "a"}, T_NS + 9, "after it")]))
    store.close()
    assert restore_snapshot(store.snapshot_folder / name, tmp_path / "again") == (0, 3, 0)
    settings = StoreSettings(tmp_path / "again", logs=LogStoreSettings(retention_s=None))
    restored = EmbeddedStore(settings, SystemClock())
    try:
        assert scanned(restored) == in_order(lines)
        more = [entry({"app": "a"}, T_NS + 5, "more", {"request": "7", "user": "x"}), entry({"app": "b"}, T_NS, "new")]
        restored.log_sink.write_logs(log_batch(more))
        assert restored.flush()
        assert scanned(restored) == in_order(lines + more)
    finally:
        restored.close()


def test_a_snapshot_holds_acknowledged_spans(open_store, tmp_path):
    spans = [span(n, SPAN_T_NS + n, {"http.method": "GET", "n": n}) for n in range(3)]
    settings = SpanStoreSettings(None)
    store = open_store(spans=settings)
    store.span_sink.write_spans(span_batch(spans))
    name = MetricAdministration(store).snapshot(skip_head=False)
    store.span_sink.write_spans(span_batch([span(9, SPAN_T_NS, {"after": "it"})]))
    store.close()
    assert restore_snapshot(store.snapshot_folder / name, tmp_path / "again") == (0, 0, 3)
    restored = EmbeddedStore(StoreSettings(tmp_path / "again", spans=settings), SystemClock())
    try:
        assert scanned_spans(restored) == in_order_spans(spans)
        more = [span(5, SPAN_T_NS + 5, {"n": 7, "user": "x"}), span(6, SPAN_T_NS, {"new": True})]
        restored.span_sink.write_spans(span_batch(more))
        assert restored.flush()
        assert scanned_spans(restored) == in_order_spans(spans + more)
    finally:
        restored.close()


def test_lines_that_are_not_in_parts_yet_are_data_too(store, snapshot, tmp_path):
    store.close()
    (tmp_path / "again" / "journal-logs").mkdir(parents=True)
    (tmp_path / "again" / "journal-logs" / "1").write_bytes(b"x")
    with pytest.raises(SnapshotError, match="holds data already"):
        restore_snapshot(snapshot, tmp_path / "again")
