"""However samples lie in time, the parts that hold them are bounded in number; so is what parts cost."""

import numpy as np
import psutil
import pytest

from swarmscope.model.labels import LabelSets
from swarmscope.model.metrics import UNKNOWN_SERIES, MetricBatch
from swarmscope.schema.tables import FIRST_DAILY_MS, MS_PER_DAY
from tests.store.embedded.conftest import batch_of, read_all

# 30-day partitions from 1970-01-01 to 2025-12-31: 20,454 days and the part of a 30 days that 2026 begins in.
N_OLD_PARTITIONS = 682


def days_of_one_series(days: np.ndarray) -> MetricBatch:
    return MetricBatch(
        series_key=np.array([7], np.uint64),
        series_ref=np.array([UNKNOWN_SERIES], np.int64),
        new_labels=LabelSets.from_dicts([{"__name__": "bomb"}]),
        sample_series=np.zeros(len(days), np.int64),
        ts_ms=days * MS_PER_DAY,
        value=days.astype(np.float64),
    )


def partitions(store, table: str = "samples") -> list[tuple[str, int]]:
    rows = store.engine.table(
        "SELECT partition, toInt64(sum(rows)) AS n FROM system.parts "
        f"WHERE active AND table = '{table}' GROUP BY partition ORDER BY toInt64(partition)"
    )
    return [] if rows is None else [(str(r["partition"]).strip("b'"), r["n"]) for r in rows.to_pylist()]


@pytest.mark.slow
def test_samples_on_every_day_do_not_cost_a_part_each(store):
    """20,000 parts took 1 GB and a minute; these take a sixtieth of it."""
    days = np.arange(-20_000, 20_000, dtype=np.int64)
    before = psutil.Process().memory_info().rss
    for begin in range(0, len(days), 10_000):  # in several requests and generations, as a sender would
        store.sink.write_metrics(days_of_one_series(days[begin : begin + 10_000]))
        assert store.flush()
    assert len(partitions(store)) <= N_OLD_PARTITIONS
    assert psutil.Process().memory_info().rss - before < 250 << 20
    store.forget_cache()
    (points,) = read_all(store, "bomb").values()
    assert points == [(day * MS_PER_DAY, float(day)) for day in days.tolist()]


def test_recent_days_have_a_partition_each_and_old_ones_share(store):
    first_day = FIRST_DAILY_MS // MS_PER_DAY
    times = [
        -(1 << 53), -1, 0,  # before 1970 and its first 30 days: one
        30 * MS_PER_DAY,  # the second 30 days
        FIRST_DAILY_MS - 1,  # the last of the old
        FIRST_DAILY_MS, FIRST_DAILY_MS + MS_PER_DAY - 1,  # one day
        FIRST_DAILY_MS + MS_PER_DAY,
    ]  # fmt: skip
    store.sink.write_metrics(batch_of([({"__name__": "m"}, ts, 1.0) for ts in times]))
    assert store.flush()
    assert partitions(store) == [
        ("0", 3),
        ("1", 1),
        (str((FIRST_DAILY_MS - 1) // (30 * MS_PER_DAY)), 1),
        (str(first_day), 2),
        (str(first_day + 1), 1),
    ]


def test_a_query_of_one_day_reads_that_partition_alone(store):
    store.sink.write_metrics(
        batch_of([({"__name__": "m"}, FIRST_DAILY_MS + day * MS_PER_DAY, 1.0) for day in range(-300, 100)])
    )
    assert store.flush()
    begin = FIRST_DAILY_MS + 50 * MS_PER_DAY
    # The index on the time's lowest and highest works whatever the partitions' expression is.
    plan = store.engine.table(f"EXPLAIN ESTIMATE SELECT * FROM samples WHERE ts >= {begin} AND ts < {begin + 1000}")
    assert plan["parts"].to_pylist() == [1]
