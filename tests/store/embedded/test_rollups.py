import math

import numpy as np
import pytest

from swarmscope.model.series import NOT_STALE
from swarmscope.model.staleness import STALE_NAN
from swarmscope.schema.rollups import FIVE_MINUTES_MS, ONE_HOUR_MS, ROLLUP_1H, ROLLUP_5M
from swarmscope.store.embedded.administration import MetricAdministration

from .conftest import ALL_TIME, batch_of, budget

HITS = {"__name__": "hits", "host": "a"}
HITS_B = {"__name__": "hits", "host": "b"}
DAY = (0, 24 * ONE_HOUR_MS)


def roll(store):
    store.flush()
    for table in (ROLLUP_5M, ROLLUP_1H):
        store.engine.execute(f"SYSTEM REFRESH VIEW {table.name}_view")
        store.engine.execute(f"SYSTEM WAIT VIEW {table.name}_view")


def settle(store):
    """As if two minutes had passed between the inserts and the refresh."""
    store.engine.execute("DROP TABLE IF EXISTS earlier")
    store.engine.execute(
        "CREATE TABLE earlier ENGINE = Memory AS SELECT * REPLACE (seen - 120 AS seen) FROM touched_buckets"
    )
    store.engine.execute("TRUNCATE TABLE touched_buckets")
    store.engine.execute("INSERT INTO touched_buckets SELECT * FROM earlier")


def counter(labels, start_ms=15_000, end_ms=3 * ONE_HOUR_MS):
    """A counter that grows by 3 every 15 s and is reset every 40 minutes."""
    return [(labels, ts, float((ts % 2_400_000) // 15_000 * 3)) for ts in range(start_ms, end_ms + 1, 15_000)]


def expected(samples, resolution):
    out = {}
    for _, ts, value in samples:
        out.setdefault(math.ceil(ts / resolution) * resolution, []).append((ts, value))
    return {
        bucket: (
            len(rows),
            sum(value for _, value in rows),
            min(value for _, value in rows),
            max(value for _, value in rows),
            rows[0],
            rows[-1],
            sum(b - a if b >= a else b for (_, a), (_, b) in zip(rows, rows[1:], strict=False)),
        )
        for bucket, rows in out.items()
    }


def read(store, resolution, range_ms=DAY):
    selection = store.reader.select_series("default", [], *ALL_TIME)
    columns = store.reader.read_rollups(selection, resolution, range_ms, budget())
    series = []
    for p in range(len(selection.refs)):
        rows = range(columns.offsets[p], columns.offsets[p + 1])
        series.append(
            {
                int(columns.bucket_ms[i]): (
                    int(columns.count[i]),
                    float(columns.total[i]),
                    float(columns.minimum[i]),
                    float(columns.maximum[i]),
                    (int(columns.first_ts_ms[i]), float(columns.first[i])),
                    (int(columns.last_ts_ms[i]), float(columns.last[i])),
                    float(columns.increase[i]),
                )
                for i in rows
            }
        )
    return series


@pytest.mark.parametrize("resolution", [FIVE_MINUTES_MS, ONE_HOUR_MS])
@pytest.mark.parametrize("state", ["fresh", "rolled", "settled"])
def test_buckets_are_exact_wherever_they_come_from(store, resolution, state):
    samples = counter(HITS)
    store.sink.write_metrics(batch_of(samples))
    store.sink.write_metrics(batch_of(counter(HITS_B, 600_000)))
    if state != "fresh":
        roll(store)
    if state == "settled":
        settle(store)
    assert read(store, resolution) == [expected(samples, resolution), expected(counter(HITS_B, 600_000), resolution)]


@pytest.mark.parametrize("resolution", [FIVE_MINUTES_MS, ONE_HOUR_MS])
def test_stored_buckets_are_what_is_read_when_they_are_good(store, resolution):
    store.sink.write_metrics(batch_of(counter(HITS)))
    roll(store)
    settle(store)
    store.engine.execute("TRUNCATE TABLE samples")
    store.forget_cache()
    assert read(store, resolution) == [expected(counter(HITS), resolution)]


def test_a_late_write_is_counted_before_and_after_the_next_refresh(store):
    samples = counter(HITS)
    late = (HITS, 1_000_007, 5000.0)
    store.sink.write_metrics(batch_of(samples))
    roll(store)
    settle(store)
    store.sink.write_metrics(batch_of([late]))
    truth = expected(sorted([*samples, late], key=lambda row: row[1]), FIVE_MINUTES_MS)
    assert read(store, FIVE_MINUTES_MS) == [truth]
    roll(store)
    assert read(store, FIVE_MINUTES_MS) == [truth]


def test_a_repeated_write_is_not_counted_twice(store):
    samples = counter(HITS)
    for _ in range(2):
        store.sink.write_metrics(batch_of(samples))
        roll(store)
    settle(store)
    assert read(store, FIVE_MINUTES_MS) == [expected(samples, FIVE_MINUTES_MS)]


@pytest.mark.parametrize("stored", [False, True])
def test_staleness_markers_are_told_apart(store, stored):
    store.sink.write_metrics(
        batch_of([(HITS, 1000, 1.0), (HITS, 2000, STALE_NAN), (HITS, 400_000, STALE_NAN), (HITS, 700_000, 2.0)])
    )
    if stored:
        roll(store)
        settle(store)
    selection = store.reader.select_series("default", [], *ALL_TIME)
    columns = store.reader.read_rollups(selection, FIVE_MINUTES_MS, DAY, budget())
    assert columns.bucket_ms.tolist() == [300_000, 600_000, 900_000]
    assert columns.count.tolist() == [1, 0, 1]
    assert columns.stale_ts_ms.tolist() == [2000, 400_000, NOT_STALE]


def test_deleted_samples_leave_the_buckets(store):
    samples = counter(HITS)
    store.sink.write_metrics(batch_of(samples))
    roll(store)
    settle(store)
    MetricAdministration(store).delete_series("default", [], 1_000_000, 5_000_000)
    truth = expected([row for row in samples if not 1_000_000 <= row[1] <= 5_000_000], FIVE_MINUTES_MS)
    assert read(store, FIVE_MINUTES_MS) == [truth]
    roll(store)
    settle(store)
    assert read(store, FIVE_MINUTES_MS) == [truth]


def test_a_range_of_parts_of_buckets_is_refused(store):
    selection = store.reader.select_series("default", [], *ALL_TIME)
    with pytest.raises(ValueError, match="whole buckets"):
        store.reader.read_rollups(selection, FIVE_MINUTES_MS, (1, 600_000), budget())


def test_nan_is_a_value(store):
    store.sink.write_metrics(batch_of([(HITS, 1000, math.nan), (HITS, 2000, 3.0)]))
    roll(store)
    settle(store)
    ((count, total, low, high, first, last, _),) = [read(store, FIVE_MINUTES_MS)[0][300_000]]
    assert (count, low, high, last) == (2, 3.0, 3.0, (2000, 3.0))
    assert np.isnan(total)
    assert np.isnan(first[1])


def test_a_refresh_that_the_end_cut_off_is_not_taken_for_whole(open_store):
    store = open_store()
    samples = counter(HITS)
    store.sink.write_metrics(batch_of(samples))
    roll(store)
    settle(store)
    # As if only the first block of the last refresh had been written.
    store.engine.execute("DELETE FROM rollup_5m WHERE bucket > 3600000")
    store.engine.execute("DELETE FROM rollup_1h WHERE bucket > 3600000")
    store.close()
    again = open_store()
    for resolution in (FIVE_MINUTES_MS, ONE_HOUR_MS):
        assert read(again, resolution) == [expected(samples, resolution)]
    roll(again)
    settle(again)
    assert read(again, FIVE_MINUTES_MS) == [expected(samples, FIVE_MINUTES_MS)]
