import math

import pytest

from swarmscope.store.embedded.administration import MetricAdministration
from swarmscope.store.embedded.folder_lock import FolderInUseError, FolderLock
from swarmscope.store.embedded.restoring import SnapshotError, restore_snapshot
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from tests.store.embedded.conftest import SystemClock, batch_of, read_all

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
    assert restore_snapshot(snapshot, tmp_path / "again") == 2
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
