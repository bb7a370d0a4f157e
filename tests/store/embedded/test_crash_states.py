"""Folders as a crash leaves them: every state between the append to the journal and the segment's removal."""

import shutil

import numpy as np
import pytest

from swarmscope.model.metrics import Buckets, HistogramColumns
from tests.store.embedded.conftest import ALL_TIME, batch_of, budget, read_all

T_MS = 1_700_000_000_000
FLOATS = {(("__name__", "floats"), ("n", str(n))): [(T_MS + n, n + 0.25)] for n in range(5)}


def _batch():
    one = np.array([0, 1], np.int64)
    histogram = HistogramColumns(
        series=np.array([5]), ts_ms=np.array([T_MS]), schema=np.array([0], np.int8),
        reset_hint=np.array([0], np.uint8), is_float=np.array([False]), zero_threshold=np.array([0.001]),
        zero_count=np.array([0.0]), count=np.array([1.0]), sum=np.array([1.5]),
        positive=Buckets(one, np.array([1], np.int32), np.array([1.0])), negative=Buckets.empty(1),
        custom_offsets=np.zeros(2, np.int64), custom_bounds=np.zeros(0),
    )  # fmt: skip
    samples = [(dict(labels), *point) for labels, points in FLOATS.items() for point in points]
    batch = batch_of([*samples, ({"__name__": "histograms"}, T_MS, 0.0)], histograms=histogram)
    batch.sample_series, batch.ts_ms, batch.value = batch.sample_series[:5], batch.ts_ms[:5], batch.value[:5]
    return batch


def _check(store):
    assert read_all(store, "floats") == FLOATS
    selection = store.reader.select_series("default", [], *ALL_TIME)
    assert selection.has_histograms
    found = store.reader.read_histograms(selection, *ALL_TIME, budget())
    assert list(zip(found.ts_ms.tolist(), found.sum.tolist(), strict=True)) == [(T_MS, 1.5)]


def _remove_parts(folder):
    """Take away every part but those of the schema's version."""
    for part in (folder / "clickhouse" / "store").glob("*/*/*_*_*_*"):
        if part.is_dir() and "applied_ms" not in (part / "columns.txt").read_text():
            shutil.rmtree(part)


@pytest.mark.parametrize("have_parts", [False, True], ids=["inserts noted, parts not yet there", "parts there"])
def test_segment_left_by_a_crash_during_its_flush(open_store, folder, tmp_path, have_parts):
    store = open_store()
    store.sink.write_metrics(_batch())
    segment = store.memory.active.segment.path
    shutil.copy(segment, tmp_path / segment.name)
    assert store.flush()
    store.close()
    shutil.copy(tmp_path / segment.name, segment)
    if not have_parts:
        _remove_parts(folder)
    _check(open_store())
    assert not segment.exists()


def test_segment_of_which_no_part_is_written(open_store, folder, tmp_path):
    store = open_store()
    store.sink.write_metrics(_batch())
    shutil.copytree(folder / "journal", tmp_path / "journal")
    store.close()
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "journal", folder / "journal")
    _check(open_store())


def _flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


def _leave_two_commits(open_store, folder, tmp_path):
    """A journal with two commits of one series each, and nothing in parts. Returns its segment and the first's size."""
    store = open_store()
    store.sink.write_metrics(batch_of([({"__name__": "first"}, T_MS, 1.0)]))
    size = store.memory.active.segment.path.stat().st_size
    store.sink.write_metrics(batch_of([({"__name__": "second"}, T_MS, 2.0)]))
    name = store.memory.active.segment.path.name
    shutil.copytree(folder / "journal", tmp_path / "journal")
    store.close()
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "journal", folder / "journal")
    return folder / "journal" / name, size


def test_bit_rot_costs_what_it_hit_and_the_segment_is_kept(open_store, folder, tmp_path, caplog):
    segment, size = _leave_two_commits(open_store, folder, tmp_path)
    _flip(segment, size - 1)
    store = open_store()
    assert read_all(store, "first") == {}
    assert read_all(store, "second") == {(("__name__", "second"),): [(T_MS, 2.0)]}
    assert "is damaged" in caplog.text
    assert (folder / "journal" / "damaged" / segment.name).exists()
    assert not segment.exists()
    # The number of the series that is lost goes to nobody else.
    store.sink.write_metrics(batch_of([({"__name__": "third"}, T_MS, 3.0)]))
    assert read_all(store) == {(("__name__", name),): [(T_MS, v)] for name, v in (("second", 2.0), ("third", 3.0))}
    store.close()
    assert read_all(open_store(), "second")


def test_samples_of_a_series_that_is_lost_are_no_other_series(open_store, folder, tmp_path, caplog):
    store = open_store()
    store.sink.write_metrics(batch_of([({"__name__": "first"}, T_MS, 1.0)]))
    size = store.memory.active.segment.path.stat().st_size
    store.sink.write_metrics(batch_of([({"__name__": "first"}, T_MS + 1, 2.0)]))
    name = store.memory.active.segment.path.name
    shutil.copytree(folder / "journal", tmp_path / "journal")
    store.close()
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "journal", folder / "journal")
    _flip(folder / "journal" / name, size - 1)
    store = open_store()
    assert "1 rows belong to series" in caplog.text
    store.sink.write_metrics(batch_of([({"__name__": "other"}, T_MS, 3.0)]))
    assert read_all(store) == {(("__name__", "other"),): [(T_MS, 3.0)]}
