"""A store that cannot be opened says in one line why; a segment that cannot be taken whole costs what is at fault."""

import errno

import numpy as np
import pyarrow as pa
import pytest

from swarmscope.model.errors import UnavailableError
from swarmscope.schema import migrations
from swarmscope.schema.tables import HISTOGRAMS, SERIES
from swarmscope.store.embedded import journal as journal_module
from swarmscope.store.embedded.flush import PartWriter
from swarmscope.store.embedded.folder_check import check_folder
from swarmscope.store.embedded.folder_lock import FolderInUseError, FolderLock
from swarmscope.store.embedded.generation import Commit
from swarmscope.store.embedded.journal import Segment
from swarmscope.store.embedded.runs import Rows
from swarmscope.store.embedded.store import EmbeddedStore
from swarmscope.store.embedded.unusable import StoreUnusableError
from tests.store.embedded.conftest import batch_of, read_all

T_MS = 1_700_000_000_000
NO_ROWS = Rows(np.zeros(0, np.uint32), np.zeros(0, np.int64), np.zeros(0))
KEPT = {(("__name__", "kept"),): [(T_MS, 1.0)]}


@pytest.fixture
def leftover(open_store, folder):
    """A function that leaves a segment with one good commit, and then what `damage` appends to it."""

    def leave(damage):
        store = open_store()
        store.sink.write_metrics(batch_of([({"__name__": "kept"}, T_MS, 1.0)]))
        path = store.memory.active.segment.path
        content = path.read_bytes()
        store.close()
        segment = Segment(path, fsync=False)
        damage(segment)
        segment.close()
        path.write_bytes(content + path.read_bytes())
        return path

    return leave


def _is_aside(path):
    return not path.exists() and (path.parent / "damaged" / path.name).exists()


def _columns(ref, ts_ms, value):
    return {"ref": np.array(ref, np.uint32), "ts_ms": np.array(ts_ms, np.int64), "value": np.array(value, np.float64)}


@pytest.mark.parametrize(
    "frame",
    [
        _columns([0, 0], [T_MS + 1], [2.0]),
        {"ref": np.zeros(1, np.uint32)},
        {"no_table_of_ours": np.zeros(3, np.uint8)},
        {HISTOGRAMS.name: np.arange(50, dtype=np.uint8)},
        Commit(NO_ROWS, {SERIES.name: pa.record_batch({"ref": pa.array(["no number"])})}).to_frame(),
    ],
    ids=["columns of unequal length", "columns missing", "unknown table", "no Arrow stream", "no series number"],
)
def test_a_whole_frame_that_is_no_commit_is_set_aside(leftover, open_store, caplog, frame):
    path = leftover(lambda segment: segment.append(frame))
    assert read_all(open_store()) == KEPT
    assert _is_aside(path)
    assert str(path.name) in caplog.text


def test_rows_that_a_table_refuses_cost_only_themselves(leftover, open_store, caplog):
    wrong = pa.record_batch({"metric_id": pa.array([0], pa.uint32()), "ref": pa.array([0], pa.uint32()),
                             "ts": pa.array(["no time"])})  # fmt: skip
    rows = Rows(np.array([0], np.uint32), np.array([T_MS + 5], np.int64), np.array([2.5]))
    path = leftover(lambda segment: segment.append(Commit(rows, {HISTOGRAMS.name: wrong}).to_frame()))
    assert read_all(open_store()) == {(("__name__", "kept"),): [(T_MS, 1.0), (T_MS + 5, 2.5)]}
    assert _is_aside(path)
    assert "refused 1 commits" in caplog.text


def test_series_that_the_table_refuses_cost_only_themselves(leftover, open_store):
    wrong = pa.record_batch({"ref": pa.array([7], pa.uint32()), "created_ms": pa.array(["no time"])})
    path = leftover(lambda segment: segment.append(Commit(NO_ROWS, {SERIES.name: wrong}).to_frame()))
    assert read_all(open_store()) == KEPT
    assert _is_aside(path)


def test_a_full_disk_ends_the_start_and_loses_nothing(leftover, open_store, folder, monkeypatch):
    path = leftover(lambda segment: None)
    with monkeypatch.context() as full:

        def refuse(self, samples, batches):
            raise UnavailableError("table samples cannot be written: no space. (NOT_ENOUGH_SPACE)")

        full.setattr(PartWriter, "write", refuse)
        with pytest.raises(StoreUnusableError, match="Free some space") as told:
            open_store()
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)
    assert path.exists()
    assert read_all(open_store()) == KEPT


def test_a_full_disk_without_a_journal_is_told_too(open_store, folder, monkeypatch):
    with monkeypatch.context() as full:

        def refuse(path, text):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

        full.setattr(journal_module, "_write_atomically", refuse)
        with pytest.raises(StoreUnusableError, match=f"{folder} .*No space left on device.*Free some space"):
            open_store()
    open_store()


def test_a_file_in_the_place_of_the_folder(tmp_path, open_store, folder):
    folder.write_text("")
    with pytest.raises(StoreUnusableError, match=str(folder)):
        open_store()
    with pytest.raises(StoreUnusableError, match=str(folder)):
        check_folder(folder)


def test_the_check_finds_what_opening_would(open_store, folder, monkeypatch):
    check_folder(folder)
    store = open_store()
    with pytest.raises(FolderInUseError):
        check_folder(folder)
    store.close()
    check_folder(folder)
    monkeypatch.setattr(migrations, "LATEST_VERSION", 0)
    with pytest.raises(migrations.NewerSchemaError):
        check_folder(folder)
    FolderLock(folder).release()
    assert isinstance(store, EmbeddedStore)
