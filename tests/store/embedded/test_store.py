import dataclasses
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from swarmscope.model.errors import LimitExceededError, UnavailableError
from swarmscope.model.labels import LabelSets
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.model.metrics import Buckets, ExemplarColumns, HistogramColumns, MetadataColumns
from swarmscope.model.series import LabelFrame, Selection
from swarmscope.model.staleness import STALE_BITS, STALE_NAN
from swarmscope.schema.migrations import LATEST_VERSION, NewerSchemaError
from swarmscope.store.embedded.administration import MetricAdministration
from swarmscope.store.embedded.commit import CommitSettings
from swarmscope.store.embedded.folder_lock import FolderInUseError
from tests.portion import portion

from .conftest import ALL_TIME, batch_of, budget, read_all

CPU = {"__name__": "cpu", "host": "a"}
CPU_B = {"__name__": "cpu", "host": "b"}
MEM = {"__name__": "mem", "host": "a"}


def key(labels):
    return tuple(sorted(labels.items()))


@pytest.fixture(params=["memory", "parts", "cached"][: portion(3, 2)])
def place(request):
    """Where the rows are when they are read: not flushed, flushed and kept in memory, or in parts only."""

    def bring(store):
        if request.param != "memory":
            assert store.flush()
        if request.param == "parts":
            store.forget_cache()

    return bring


def test_what_was_written_is_read(store, place):
    receipt = store.sink.write_metrics(
        batch_of([(CPU, 1000, 1.5), (CPU_B, 1000, 2.5), (MEM, 2000, 3.0), (CPU, 2000, 4.0)])
    )
    assert receipt.samples == 4
    place(store)
    assert read_all(store) == {
        key(CPU): [(1000, 1.5), (2000, 4.0)],
        key(CPU_B): [(1000, 2.5)],
        key(MEM): [(2000, 3.0)],
    }
    assert read_all(store, "cpu", (1500, 3000)) == {key(CPU): [(2000, 4.0)]}


def test_rows_from_every_place_make_one_answer(store):
    store.sink.write_metrics(batch_of([(CPU, 1000, 1.0)]))
    store.flush()
    store.forget_cache()
    store.sink.write_metrics(batch_of([(CPU, 2000, 2.0)]))
    store.flush()
    store.sink.write_metrics(batch_of([(CPU, 3000, 3.0)]))
    assert read_all(store) == {key(CPU): [(1000, 1.0), (2000, 2.0), (3000, 3.0)]}


def test_a_selection_may_stand_in_any_order(store, place):
    samples = [({"__name__": f"m{n % 3}", "n": str(n)}, 1000 + n, float(n)) for n in range(9)]
    store.sink.write_metrics(batch_of(samples))
    place(store)
    found = store.reader.select_series("default", [], *ALL_TIME)
    order = np.array([4, 0, 8, 2, 6, 1, 7, 3, 5])
    turned = Selection(found.refs[order], LabelFrame(found.labels.names, found.labels.codes[:, order]))
    straight = store.reader.read_samples(found, *ALL_TIME, budget())
    mixed = store.reader.read_samples(turned, *ALL_TIME, budget())
    assert np.diff(mixed.offsets).tolist() == [1] * 9
    assert mixed.value.tolist() == straight.value[order].tolist()


def test_out_of_order_samples_come_back_in_order(store, place):
    for ts in (5000, 1000, 3000, -86_400_000):
        store.sink.write_metrics(batch_of([(CPU, ts, float(ts))]))
    place(store)
    assert read_all(store) == {key(CPU): [(ts, float(ts)) for ts in (-86_400_000, 1000, 3000, 5000)]}


def test_a_repeated_sample_counts_once_and_a_changed_one_wins(store, place):
    store.sink.write_metrics(batch_of([(CPU, 1000, 1.0), (CPU, 2000, 2.0)]))
    store.sink.write_metrics(batch_of([(CPU, 1000, 1.0), (CPU, 2000, 7.0)]))
    place(store)
    assert read_all(store) == {key(CPU): [(1000, 1.0), (2000, 7.0)]}


def test_the_later_write_wins_across_flushes(store):
    for value in (1.0, 2.0, 3.0):
        store.sink.write_metrics(batch_of([(CPU, 1000, value)]))
        store.flush()
        store.forget_cache()
    assert read_all(store) == {key(CPU): [(1000, 3.0)]}
    store.sink.write_metrics(batch_of([(CPU, 1000, 4.0)]))
    assert read_all(store) == {key(CPU): [(1000, 4.0)]}


def test_staleness_markers_keep_their_bits(store, place):
    store.sink.write_metrics(batch_of([(CPU, 1000, 1.0), (CPU, 2000, STALE_NAN)]))
    place(store)
    selection = store.reader.select_series("default", [], *ALL_TIME)
    columns = store.reader.read_samples(selection, *ALL_TIME, budget())
    assert columns.value.view(np.uint64).tolist()[1] == STALE_BITS


def test_tenants_do_not_see_each_other(store, place):
    batch = batch_of([(CPU, 1000, 1.0)])
    batch.tenant = "other"
    store.sink.write_metrics(batch)
    store.sink.write_metrics(batch_of([(CPU, 1000, 2.0)]))
    place(store)
    assert read_all(store) == {key(CPU): [(1000, 2.0)]}
    assert read_all(store, tenant="other") == {key(CPU): [(1000, 1.0)]}


def test_a_query_that_loads_too_much_is_refused_by_name(store):
    store.sink.write_metrics(batch_of([(CPU, ts, 1.0) for ts in range(100)]))
    selection = store.reader.select_series("default", [], *ALL_TIME)
    with pytest.raises(LimitExceededError) as refused:
        store.reader.read_samples(selection, *ALL_TIME, budget(99))
    assert refused.value.limit == "limits.max_query_samples"


HISTOGRAMS = HistogramColumns(
    series=np.array([0, 0], np.int64),
    ts_ms=np.array([1000, 2000], np.int64),
    schema=np.array([0, -53], np.int8),
    reset_hint=np.array([0, 3], np.uint8),
    is_float=np.array([False, True]),
    zero_threshold=np.array([0.001, 0.0]),
    zero_count=np.array([2.0, 0.0]),
    count=np.array([7.0, 3.5]),
    sum=np.array([18.5, STALE_NAN]),
    positive=Buckets(np.array([0, 2, 3], np.int64), np.array([-1, 4, 0], np.int32), np.array([3.0, 1.0, 3.5])),
    negative=Buckets(np.array([0, 1, 1], np.int64), np.array([2], np.int32), np.array([1.0])),
    custom_offsets=np.array([0, 0, 2], np.int64),
    custom_bounds=np.array([0.5, 1.0]),
)


def test_native_histograms_survive(store, place):
    batch = batch_of([(CPU, 1000, 1.0)])
    batch.histograms = HISTOGRAMS
    assert store.sink.write_metrics(batch).histograms == 2
    place(store)
    selection = store.reader.select_series("default", [], *ALL_TIME)
    assert selection.has_histograms
    back = store.reader.read_histograms(selection, *ALL_TIME, budget())
    for field in dataclasses.fields(HistogramColumns):
        expected, found = getattr(HISTOGRAMS, field.name), getattr(back, field.name)
        if isinstance(expected, Buckets):
            assert found.offsets.tolist() == expected.offsets.tolist()
            assert found.index.tolist() == expected.index.tolist()
            assert found.count.tolist() == expected.count.tolist()
        else:
            assert found.tobytes() == expected.tobytes(), field.name


def test_exemplars_and_metadata_survive(store, place):
    batch = batch_of([(CPU, 1000, 1.0)])
    batch.exemplars = ExemplarColumns(
        np.array([0], np.int64),
        np.array([1500], np.int64),
        np.array([0.25]),
        LabelSets.from_dicts([{"trace_id": "abc"}]),
    )
    batch.metadata = MetadataColumns(["cpu"], ["counter"], ["seconds"], ["Time spent."])
    assert store.sink.write_metrics(batch).exemplars == 1
    place(store)
    selection = store.reader.select_series("default", [], *ALL_TIME)
    assert store.reader.read_exemplars(selection, *ALL_TIME).by_series == {0: [(1500, 0.25, {"trace_id": "abc"})]}
    (entry,) = store.reader.metadata("default")["cpu"]
    assert (entry.kind, entry.unit, entry.help) == ("counter", "seconds", "Time spent.")
    assert store.reader.metadata("other") == {}


def test_a_clean_restart_keeps_everything(open_store, folder):
    first = open_store()
    first.sink.write_metrics(batch_of([(CPU, 1000, 1.0), (MEM, 1000, 2.0)]))
    first.close()
    assert [path.name for path in (folder / "journal").glob("*.journal")] == []
    second = open_store()
    second.sink.write_metrics(batch_of([(CPU, 2000, 3.0), (CPU_B, 2000, 4.0)]))
    assert read_all(second) == {
        key(CPU): [(1000, 1.0), (2000, 3.0)],
        key(MEM): [(1000, 2.0)],
        key(CPU_B): [(2000, 4.0)],
    }


def test_many_writers_at_once_lose_nothing(store):
    def write(worker):
        for i in range(50):
            labels = {"__name__": "load", "worker": str(worker)}
            store.sink.write_metrics(batch_of([(labels, i, float(i))]))

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out = read_all(store, "load")
    assert len(out) == 8
    assert all(points == [(i, float(i)) for i in range(50)] for points in out.values())


def test_what_retention_does_not_keep_is_refused_by_name(open_store):
    store = open_store(metrics_retention_s=3600, commit=settings_with_retention(3600))
    now = int(time.time() * 1000)
    receipt = store.sink.write_metrics(
        batch_of([(CPU, now, 1.0), (CPU, now - 7_200_000, 2.0), (CPU, now + 7 * 86_400_000, 3.0)])
    )
    assert receipt.samples == 1
    assert receipt.refused == {
        "timestamp is older than the retention (retention.metrics)": 1,
        "timestamp is too far in the future (storage.max_future)": 1,
    }
    assert read_all(store) == {key(CPU): [(now, 1.0)]}


def settings_with_retention(seconds):
    return CommitSettings(retention_ms=seconds * 1000)


def test_retention_is_set_and_changed_as_ttl(open_store):
    def ttl(store):
        return str(
            store.engine.table("SELECT create_table_query AS q FROM system.tables WHERE name = 'samples'")["q"][0]
        )

    store = open_store(metrics_retention_s=86_400)
    assert "toIntervalSecond(86400)" in ttl(store)
    store.close()
    store = open_store(metrics_retention_s=172_800)
    assert "toIntervalSecond(172800)" in ttl(store)
    store.close()
    assert " TTL " not in ttl(open_store(metrics_retention_s=None))


def test_expired_series_are_forgotten_on_disk_too(open_store, monkeypatch):
    monkeypatch.setattr("swarmscope.store.embedded.upkeep._QUIET_MS", -1000)
    store = open_store()
    store.sink.write_metrics(batch_of([(CPU, 1000, 1.0), (MEM, 2_000_000, 1.0)]))
    store.flush()
    store._upkeep._oldest_ms = lambda: 1_000_000
    store._upkeep.forget_expired()
    assert store.reader.label_values("default", "__name__", [], *ALL_TIME) == ["mem"]
    store.close()
    assert open_store().reader.label_values("default", "__name__", [], *ALL_TIME) == ["mem"]


def test_a_second_process_is_told_who_holds_the_folder(store, folder):
    with pytest.raises(FolderInUseError, match=f"process {os.getpid()} "):
        type(store)(store._settings, store._clock)


def test_a_folder_from_a_newer_version_is_refused(open_store):
    store = open_store()
    store._record_version(LATEST_VERSION + 1)
    store.close()
    with pytest.raises(NewerSchemaError, match=f"schema version {LATEST_VERSION + 1}"):
        open_store()


def test_deleting_series(store, place):
    store.sink.write_metrics(batch_of([(CPU, ts, 1.0) for ts in (1000, 2000, 3000)] + [(MEM, 1000, 2.0)]))
    place(store)
    administration = MetricAdministration(store)
    by_name = [Matcher("__name__", MatchOperator.EQUAL, "cpu")]
    administration.delete_series("default", by_name, 1500, 2500)
    assert read_all(store) == {key(CPU): [(1000, 1.0), (3000, 1.0)], key(MEM): [(1000, 2.0)]}
    administration.delete_series("default", by_name, *ALL_TIME)
    administration.clean_tombstones()
    assert read_all(store) == {key(MEM): [(1000, 2.0)]}
    assert store.reader.label_values("default", "__name__", [], 0, 10_000) == ["mem"]
    store.sink.write_metrics(batch_of([(CPU, 4000, 5.0)]))
    assert read_all(store, "cpu") == {key(CPU): [(4000, 5.0)]}


def test_a_snapshot_is_written(store):
    store.sink.write_metrics(batch_of([(CPU, 1000, 1.0)]))
    name = MetricAdministration(store).snapshot(skip_head=False)
    assert (store.snapshot_folder / name / "data" / "default" / "samples").is_dir()


def test_a_damaged_part_is_detached_and_the_rest_serves(store, folder):
    store.sink.write_metrics(batch_of([(CPU, ts, float(ts)) for ts in range(1000, 60_000, 1000)]))
    store.flush()
    store.sink.write_metrics(batch_of([(CPU, 86_400_000 * 33 + ts, float(ts)) for ts in range(1000, 60_000, 1000)]))
    store.flush()
    store.forget_cache()
    (path,) = store.engine.table(
        "SELECT path FROM system.parts WHERE table = 'samples' AND active AND partition = '0'"
    )["path"]
    data = next(
        file for file in (folder / "clickhouse" / str(path)).glob("*") if file.name in ("data.bin", "mantissa.bin")
    )
    damaged = bytearray(data.read_bytes())
    for i in range(40, len(damaged)):
        damaged[i] ^= 0x55
    data.write_bytes(damaged)
    store.engine.execute("SYSTEM DROP UNCOMPRESSED CACHE")
    points = read_all(store)[key(CPU)]
    assert [ts for ts, _ in points] == [86_400_000 * 33 + ts for ts in range(1000, 60_000, 1000)]
    (part,) = store.repair.detached()
    assert part.table == "samples"


def test_writers_are_turned_away_while_parts_lag(open_store):
    store = open_store(commit=CommitSettings(max_unflushed_rows=10))
    store.sink.write_metrics(batch_of([(CPU, ts, 1.0) for ts in range(20)]))
    with pytest.raises(UnavailableError, match="behind"):
        store.sink.write_metrics(batch_of([(CPU, 21, 1.0)]))
    store.flush()
    assert store.sink.write_metrics(batch_of([(CPU, 21, 1.0)])).samples == 1


WRITER = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from store.embedded.conftest import SystemClock, batch_of
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from swarmscope.store.embedded.commit import CommitSettings
store = EmbeddedStore(StoreSettings(Path({folder!r}), metrics_retention_s=None,
    commit=CommitSettings(max_generation_rows=300)), SystemClock())
for i in range({start}, {start} + 1000):
    era = str(i // 100)
    store.sink.write_metrics(batch_of([(dict(__name__='m', n=str(n), era=era), i, float(i)) for n in range(5)]))
    print(i, flush=True)
    if i == {start} + {kill_at}:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_by_a_kill(open_store, folder):
    acknowledged = []
    for kill_at in (3, 61, 150, 399):
        start = len(acknowledged) * 10_000
        script = WRITER.format(
            tests=os.path.join(os.path.dirname(__file__), "..", ".."), folder=str(folder), start=start, kill_at=kill_at
        )
        done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=False)
        assert done.returncode == -9
        acknowledged.append([int(line) for line in done.stdout.split()])
        assert acknowledged[-1][-1] == start + kill_at
    written = {i for run in acknowledged for i in run}
    out = read_all(open_store(), "m")
    found = [(dict(labels)["n"], ts) for labels, points in out.items() for ts, _ in points]
    assert len(found) == len(set(found))
    assert set(found) == {(str(n), i) for i in written for n in range(5)}
