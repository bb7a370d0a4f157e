"""Buckets answer as samples do: the same queries on one embedded store, with rollups and without."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from swarmscope.model.staleness import STALE_NAN
from swarmscope.query.promql import EngineSettings, PromqlEngine, QueryRequest
from swarmscope.query.promql.engine import labels_as_text
from swarmscope.query.settings import RollupUse
from swarmscope.schema.rollups import ROLLUP_1H, ROLLUP_5M
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from tests.portion import portion
from tests.store.embedded.conftest import SystemClock, batch_of

MINUTE = 60_000
HOUR = 60 * MINUTE
T0 = 1_700_000_000_000 // HOUR * HOUR
END = T0 + 10 * HOUR

FUNCTIONS = (
    "rate", "increase", "delta", "count_over_time", "sum_over_time", "avg_over_time", "min_over_time", "max_over_time",
    "last_over_time", "first_over_time", "present_over_time", "absent_over_time", "ts_of_first_over_time",
    "ts_of_last_over_time",
)  # fmt: skip


def roll(store):
    store.flush()
    for table in (ROLLUP_5M, ROLLUP_1H):
        store.engine.execute(f"SYSTEM REFRESH VIEW {table.name}_view")
        store.engine.execute(f"SYSTEM WAIT VIEW {table.name}_view")


def settle(store):
    """As if the inserts had happened long before the refresh."""
    store.engine.execute("DROP TABLE IF EXISTS earlier")
    store.engine.execute(
        "CREATE TABLE earlier ENGINE = Memory AS SELECT * REPLACE (seen - 300 AS seen) FROM touched_buckets"
    )
    store.engine.execute("TRUNCATE TABLE touched_buckets")
    store.engine.execute("INSERT INTO touched_buckets SELECT * FROM earlier")


def samples_of(name, draw):
    """A series over ten hours: growth, resets (on bucket borders too), gaps, markers, sometimes odd values."""
    seed, interval_ms, kind = draw
    random = np.random.default_rng(seed)
    value, rows = float(random.integers(0, 1000)), []
    ts = T0 - 2 * HOUR + int(random.integers(0, interval_ms))
    while ts <= END:
        value += float(random.integers(0, 50)) / (10 if kind == "fractions" else 1)
        if random.random() < 0.01 or (ts % (5 * MINUTE) == 0 and random.random() < 0.3):
            value = float(random.integers(0, 5))
        shown = value
        if kind == "gauge":
            shown = float(random.normal()) * 10
        elif kind == "odd" and random.random() < 0.02:
            shown = float(random.choice([math.nan, math.inf, -math.inf, 1e308, -0.0]))
        rows.append(({"__name__": name, "i": str(seed)}, ts, shown))
        ts += interval_ms
        if random.random() < 0.01:
            rows.append(({"__name__": name, "i": str(seed)}, ts - interval_ms // 2, STALE_NAN))
            ts += int(random.integers(1, 40)) * MINUTE // interval_ms * interval_ms
    return rows


INTERVALS = (15_000, 20_000, 5 * MINUTE, 7 * MINUTE)
SERIES = {
    "whole": [(k, INTERVALS[k % 4], "counter") for k in range(6)],
    "part": [(k, INTERVALS[k % 4], "fractions") for k in range(10, 16)],
    "level": [(k, INTERVALS[k % 4], "gauge") for k in range(20, 26)],
    "weird": [(k, INTERVALS[k % 4], "odd") for k in range(30, 38)],
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory):
    """Most samples are in settled buckets, some came late, the newest are in memory alone."""
    opened = EmbeddedStore(StoreSettings(tmp_path_factory.mktemp("data"), metrics_retention_s=None), SystemClock())
    rows = [row for name, draws in SERIES.items() for draw in draws for row in samples_of(name, draw)]
    for name, odd in (("infinite", math.inf), ("missing", math.nan)):
        times = range(T0 + 15_000, END, 15_000)
        at = T0 + 3 * HOUR + MINUTE
        rows += [({"__name__": name}, ts, odd if ts == at else float(ts - T0)) for ts in times]
    random = np.random.default_rng(5)
    late = random.random(len(rows)) < 0.02
    late &= np.array([row[1] for row in rows]) > T0 + 5 * HOUR
    newest = np.array([row[1] for row in rows]) > T0 + 8 * HOUR
    opened.sink.write_metrics(batch_of([row for row, out in zip(rows, late | newest, strict=True) if not out]))
    roll(opened)
    settle(opened)
    opened.sink.write_metrics(batch_of([row for row, out in zip(rows, late, strict=True) if out]))
    opened.sink.write_metrics(batch_of([row for row, out in zip(rows, newest & ~late, strict=True) if out]))
    yield opened
    opened.close()


class CountingReader:
    """The store's reader; counts what buckets were asked for."""

    def __init__(self, reader):
        self._reader = reader
        self.rollups = []

    def __getattr__(self, name):
        return getattr(self._reader, name)

    def read_rollups(self, selection, resolution_ms, range_ms, budget):
        self.rollups.append(resolution_ms)
        return self._reader.read_rollups(selection, resolution_ms, range_ms, budget)


def answers(store, request):
    """(from samples, from buckets, which buckets were read)"""
    reader = CountingReader(store.reader)
    results = []
    for use in (RollupUse.NEVER, RollupUse.ALWAYS):
        result = PromqlEngine(reader, EngineSettings(rollups=use)).query_range(request)
        results.append(dict(zip(labels_as_text(result), zip(result.values, result.present, strict=True), strict=True)))
    return *results, reader.rollups


def assert_same(raw, rolled, scale):
    assert raw.keys() == rolled.keys()
    for labels, (values, present) in raw.items():
        others, here = rolled[labels]
        assert np.array_equal(present, here), labels
        np.testing.assert_allclose(others[here], values[present], rtol=1e-11, atol=scale, err_msg=labels)


@settings(max_examples=portion(120, 40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    function=st.sampled_from(FUNCTIONS),
    metric=st.sampled_from(tuple(SERIES)),
    width=st.sampled_from((5, 10, 30, 60, 120)),
    step=st.sampled_from((5, 15, 60)),
    shift=st.sampled_from(("", " offset 10m", " offset -5m", " offset 1h", f" @ {T0 // 1000 + 7200}")),
    start=st.integers(0, 24),
)
@example(function="increase", metric="part", width=60, step=60, shift="", start=0)
def test_range_functions(store, function, metric, width, step, shift, start) -> None:
    request = QueryRequest(f"{function}({metric}[{width}m]{shift})", T0 + start * 5 * MINUTE, END - HOUR, step * MINUTE)
    raw, rolled, read = answers(store, request)
    assert read, "buckets were to be read"
    cancelling = metric in ("level", "weird") and function in ("sum_over_time", "avg_over_time")
    assert_same(raw, rolled, 1e-11 if cancelling else 0.0)


@pytest.mark.parametrize("metric", ["infinite", "missing"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_one_value_that_is_no_number_inside_a_bucket(store, metric, function) -> None:
    request = QueryRequest(f"{function}({metric}[1h])", T0 + HOUR, END - HOUR, HOUR)
    raw, rolled, _ = answers(store, request)
    assert_same(raw, rolled, 0.0)


@settings(max_examples=portion(40, 13), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.sampled_from(
        ("whole", "level", "weird", "absent(whole{i='0'})", "sum(part)", "whole offset 5m", "count(level) by (i)",
         "max_over_time(rate(whole[10m])[2h:10m])", "rate(whole[1h]) / rate(whole[30m])", "whole + whole offset 1h",
         "rate(part[10m]) * changes(part[10m])")
    ),
    start=st.integers(0, 24),
    step=st.sampled_from((5, 10, 60)),
)  # fmt: skip
def test_selectors_and_expressions(store, query, start, step) -> None:
    request = QueryRequest(query, T0 + start * 5 * MINUTE, END - HOUR, step * MINUTE)
    raw, rolled, _ = answers(store, request)
    assert_same(raw, rolled, 1e-11)


@pytest.mark.parametrize(
    ("query", "step", "resolutions"),
    [
        ("rate(whole[1h])", HOUR, [HOUR]),
        ("rate(whole[10m])", HOUR, [5 * MINUTE]),
        ("rate(whole[1h] offset 5m)", HOUR, [5 * MINUTE]),
        ("whole", HOUR, [5 * MINUTE]),
        ("irate(whole[1h])", HOUR, []),
        ("rate(whole[1h])", MINUTE, []),
        ("rate(whole[7m])", HOUR, []),
        ("timestamp(whole)", HOUR, []),
        ("rate(whole[1h]) + changes(whole[1h])", HOUR, []),
        ("rate(whole[1h]) + rate(whole[1h])", HOUR, [HOUR]),
        ("max_over_time(rate(whole[1h])[3h:1h])", HOUR, [HOUR]),
    ],
)
def test_the_coarsest_buckets_that_fit_are_read(store, query, step, resolutions) -> None:
    assert answers(store, QueryRequest(query, T0, END - HOUR, step))[2] == resolutions


def test_explain_says_what_is_read_and_why(store) -> None:
    engine = PromqlEngine(store.reader, EngineSettings(rollups=RollupUse.ALWAYS))
    plan = engine.explain(QueryRequest("rate(whole[1h]) / irate(level[1h])", T0, END, HOUR))
    assert [(fetch["source"], fetch["reasons"]) for fetch in plan["fetches"]] == [
        ("samples", ["irate needs every sample"]),
        ("buckets of 3600000 ms", []),
    ]


def test_few_samples_are_read_as_they_are(store) -> None:
    plan = PromqlEngine(store.reader).explain(QueryRequest("rate(whole[1h])", T0, END, HOUR))
    assert plan["fetches"][0]["reasons"] == ["samples are few"]
    plan = PromqlEngine(store.reader).explain(QueryRequest("rate(whole[1h])", T0, T0 + HOUR, HOUR))
    assert plan["fetches"][0]["reasons"] == ["the time range is short"]
