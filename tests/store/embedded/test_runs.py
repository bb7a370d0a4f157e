import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.store.embedded.runs import (
    Rows,
    Run,
    TimeRange,
    copy_from_run,
    copy_rows,
    gather_space,
    locate_in_run,
    locate_rows,
    merged_run,
    position_table,
    series_keys,
    settle,
    sorted_run,
)
from tests.portion import portion

N_REFS = 12
METRIC_OF_REF = (np.arange(N_REFS) % 3).astype(np.uint32)
ROW_LISTS = st.lists(st.tuples(st.integers(0, N_REFS - 1), st.integers(0, 20), st.integers(0, 3)), max_size=60)


def rows_of(tuples):
    ref, ts, value = zip(*tuples, strict=True) if tuples else ((), (), ())
    return Rows(np.array(ref, np.uint32), np.array(ts, np.int64), np.array(value, np.float64))


def run_of(tuples):
    rows = rows_of(tuples)
    if not tuples:
        return Run(np.zeros(0, np.uint64), np.zeros(1, np.int64), rows.ts_ms, rows.value)
    return sorted_run(rows, lambda refs: METRIC_OF_REF[refs])


def last_writes(*lists):
    return {(ref, ts): float(value) for rows in lists for ref, ts, value in rows}


def run_as_dict(run):
    out = {}
    for k, key in enumerate(run.key.tolist()):
        assert key >> 32 == METRIC_OF_REF[key & 0xFFFFFFFF]
        for i in range(run.offsets[k], run.offsets[k + 1]):
            out[(key & 0xFFFFFFFF, int(run.ts_ms[i]))] = float(run.value[i])
    assert len(out) == len(run.ts_ms)
    assert (np.diff(run.key.astype(np.int64)) > 0).all()
    return out


@given(ROW_LISTS)
def test_a_run_keeps_the_last_write_of_each_time(tuples):
    assert run_as_dict(run_of(tuples)) == last_writes(tuples)


@given(ROW_LISTS, ROW_LISTS)
def test_merging_runs_prefers_the_newer(older, newer):
    merged = merged_run(run_of(older), run_of(newer))
    assert run_as_dict(merged) == last_writes(older, newer)


@settings(max_examples=portion(200, 66))
@given(ROW_LISTS, ROW_LISTS, ROW_LISTS, st.sets(st.integers(0, N_REFS - 1)), st.integers(0, 20), st.integers(0, 20))
def test_gathering_from_all_sources_is_the_same_as_a_dictionary(stored, cached, live, chosen, start, end):
    refs = np.array(sorted(chosen, key=lambda ref: (METRIC_OF_REF[ref], ref)), np.int64)
    key = series_keys(METRIC_OF_REF[refs], refs)
    run = run_of(cached)
    time = TimeRange(start, end)
    counts = np.zeros(len(refs), np.int64)
    lowest, table = position_table(refs)
    first = locate_rows(rows_of(stored), lowest, table, time, counts)
    begins, ends = locate_in_run(run, key, time, counts)
    third = locate_rows(rows_of(live), lowest, table, time, counts)
    room, cursor = gather_space(counts)
    copy_rows(rows_of(stored), first, cursor, room)
    copy_from_run(run, begins, ends, cursor, room)
    copy_rows(rows_of(live), third, cursor, room)
    gathered, _ = settle(room)
    out = {
        (int(ref), int(gathered.ts_ms[i])): float(gathered.value[i])
        for p, ref in enumerate(refs)
        for i in range(gathered.offsets[p], gathered.offsets[p + 1])
    }
    expected = last_writes(stored, cached, live)
    assert out == {k: v for k, v in expected.items() if k[0] in chosen and start <= k[1] <= end}
    for p in range(len(refs)):
        assert (np.diff(gathered.ts_ms[gathered.offsets[p] : gathered.offsets[p + 1]]) > 0).all()


def test_conflicts_count_different_values_only():
    rows = rows_of([(1, 5, 1), (1, 5, 1), (1, 5, 2)])
    counts = np.zeros(1, np.int64)
    lowest, table = position_table(np.array([1], np.int64))
    positions = locate_rows(rows, lowest, table, TimeRange(0, 10), counts)
    room, cursor = gather_space(counts)
    copy_rows(rows, positions, cursor, room)
    gathered, conflicts = settle(room)
    assert conflicts == 1
    assert gathered.value.tolist() == [2.0]
