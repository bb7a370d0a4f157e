"""What Prometheus 3 answers, computed by hand: windows, staleness, names, matching, limits, annotations."""

from __future__ import annotations

import math

import pytest

from swarmscope.lang.promql.functions import FUNCTIONS
from swarmscope.model.errors import LimitExceededError, QueryCancelledError, QueryFailedError
from swarmscope.model.staleness import STALE_NAN
from swarmscope.query.promql import EngineSettings, PromqlEngine, QueryRequest, QueryResult
from swarmscope.query.promql.engine import labels_as_text
from swarmscope.query.promql.evaluate import COMPUTED_FUNCTIONS
from swarmscope.query.promql.label_calls import natural_less
from swarmscope.query.promql.label_hash import xxhash64
from swarmscope.query.promql.memory_reader import MemoryReader


@pytest.fixture
def reader() -> MemoryReader:
    made = MemoryReader()
    for i, job in enumerate(("a", "a", "b")):
        labels = {"__name__": "reqs_total", "job": job, "i": str(i)}
        made.add(labels, [(t * 10_000, float(t * (i + 1))) for t in range(61)])  # 0 s … 600 s
    made.add({"__name__": "info_metric", "job": "a", "version": "1"}, [(t * 10_000, 1.0) for t in range(61)])
    made.add({"__name__": "gone"}, [(0, 1.0), (10_000, 2.0), (20_000, float(STALE_NAN)), (50_000, 5.0)])
    return made


def ask(reader: MemoryReader, query: str, at_s: float = 600, **settings) -> QueryResult:
    at_ms = int(at_s * 1000)
    return PromqlEngine(reader, EngineSettings(**settings)).query_instant(QueryRequest(query, at_ms, at_ms))


def rows(result: QueryResult) -> dict[str, float]:
    shown = zip(labels_as_text(result), result.values[:, 0], result.present[:, 0], strict=True)
    return {labels: float(value) for labels, value, here in shown if here}


def only(reader: MemoryReader, query: str, at_s: float = 600) -> float | None:
    values = list(rows(ask(reader, query, at_s)).values())
    assert len(values) <= 1
    return values[0] if values else None


def test_windows_are_open_on_the_left(reader) -> None:
    # (580 s, 600 s] holds 590 and 600; 2.x would count 580 too.
    assert only(reader, 'count_over_time(reqs_total{i="0"}[20s])') == 2
    assert only(reader, 'reqs_total{i="0"} offset 1h') is None


def test_lookback_is_open_on_the_left(reader) -> None:
    assert only(reader, "gone", at_s=349.999) == 5.0
    assert only(reader, "gone", at_s=350) is None


def test_staleness_markers_end_a_series_and_leave_windows(reader) -> None:
    assert only(reader, "gone", at_s=19) == 2.0
    assert only(reader, "gone", at_s=20) is None
    assert only(reader, "gone", at_s=49) is None
    assert only(reader, "gone", at_s=50) == 5.0
    assert only(reader, "count_over_time(gone[1m])", at_s=50) == 3
    assert only(reader, "last_over_time(gone[25s])", at_s=30) == 2.0


def test_rate_is_extrapolated_to_what_the_window_covers(reader) -> None:
    # (540, 600]: 6 samples 550 … 600, growth 5 over 50 s; 10 s to the start (< 1.1 intervals), 0 to the end.
    assert only(reader, 'increase(reqs_total{i="0"}[1m])') == pytest.approx(6.0)
    assert only(reader, 'rate(reqs_total{i="0"}[1m])') == pytest.approx(0.1)
    # At 15 s: samples 0 and 10; growth 1; the zero point is the first sample itself, so only 5 s are added at the end.
    assert only(reader, 'increase(reqs_total{i="0"}[1m])', at_s=15) == pytest.approx(1.5)
    assert only(reader, 'rate(reqs_total{i="0"}[5s])') is None


def test_counter_resets_are_added_back() -> None:
    reader = MemoryReader()
    reader.add({"__name__": "c_total"}, [(0, 5.0), (10_000, 8.0), (20_000, 2.0), (30_000, 3.0)])
    # 3 - 5 + 8 = 6 over 30 s; the first sample lies outside (-30 s, 30 s] by nothing: start is 30 s away, > 11 s.
    assert only(reader, "increase(c_total[1m])", at_s=30) == pytest.approx(6 * (30 + 5) / 30)
    assert only(reader, "resets(c_total[1m])", at_s=30) == 1
    assert only(reader, "irate(c_total[15s])", at_s=20) == pytest.approx(2 / 10)


def test_offsets_and_at(reader) -> None:
    assert only(reader, 'reqs_total{i="0"} offset -1m', at_s=60) == 12
    assert only(reader, 'reqs_total{i="0"} @ 100') == 10
    assert only(reader, 'reqs_total{i="0"} @ 100 offset 50s') == 5
    assert only(reader, 'sum_over_time(reqs_total{i="0"}[20s] @ 100)') == 19


def test_at_end_is_the_query_end_even_between_steps(reader) -> None:
    engine = PromqlEngine(reader)
    result = engine.query_range(QueryRequest('reqs_total{i="0"} @ end()', 0, 55_000, 20_000))
    assert result.values.tolist() == [[5.0, 5.0, 5.0]]


def test_subqueries_run_at_multiples_of_their_step(reader) -> None:
    # (540, 600] at 25 s: 550, 575, 600.
    assert only(reader, 'count_over_time(reqs_total{i="0"}[1m:25s])') == 3
    assert only(reader, 'sum_over_time(reqs_total{i="0"}[1m:25s])') == 55 + 57 + 60
    assert only(reader, 'count_over_time(reqs_total{i="0"}[1m:30s])') == 2  # 570 and 600: left-open


def test_predictions_begin_at_the_evaluation_not_at_the_offset(reader) -> None:
    assert only(reader, 'predict_linear(reqs_total{i="0"}[1m] offset 2m, 0)') == pytest.approx(60)


def test_names_are_dropped_and_duplicates_refused(reader) -> None:
    assert list(rows(ask(reader, 'abs(reqs_total{i="0"})'))) == ['{i="0", job="a"}']
    assert list(rows(ask(reader, 'last_over_time(reqs_total{i="0"}[1m])'))) == [
        '{__name__="reqs_total", i="0", job="a"}'
    ]
    reader.add({"__name__": "other", "job": "a", "i": "0"}, [(600_000, 1.0)])
    with pytest.raises(QueryFailedError, match="vector cannot contain metrics with the same labelset"):
        ask(reader, 'abs({__name__=~"reqs_total|other", i="0"})')


def test_many_to_many_is_told_as_prometheus_tells_it(reader) -> None:
    with pytest.raises(QueryFailedError) as caught:
        ask(reader, "info_metric * on (job) reqs_total")
    assert str(caught.value) == (
        'found duplicate series for the match group {job="a"} on the right hand-side of the operation: '
        '[{__name__="reqs_total", i="1", job="a"}, {__name__="reqs_total", i="0", job="a"}];'
        "many-to-many matching not allowed: matching labels must be unique on one side"
    )
    with pytest.raises(QueryFailedError, match="many-to-one matching must be explicit"):
        ask(reader, "reqs_total * on (job) info_metric")
    with pytest.raises(QueryFailedError, match="grouping labels must ensure unique matches"):
        ask(reader, 'reqs_total * on (job) group_left (i) label_replace(info_metric, "i", "z", "", "")')


def test_group_left_takes_labels_from_the_one_side(reader) -> None:
    assert rows(ask(reader, "reqs_total * on (job) group_left (version) info_metric")) == {
        '{i="0", job="a", version="1"}': 60.0,
        '{i="1", job="a", version="1"}': 120.0,
    }


def test_fill_stands_in_for_a_missing_partner(reader) -> None:
    assert rows(ask(reader, "sum by (job) (reqs_total) + on (job) fill (0.5) info_metric")) == {
        '{job="a"}': 181.0,
        '{job="b"}': 180.5,
    }
    assert rows(ask(reader, 'info_metric + on (job) fill_left (1) sum by (job) (reqs_total{job="b"})')) == {
        '{job="b"}': 181.0
    }


def test_set_operators(reader) -> None:
    assert set(rows(ask(reader, "reqs_total and on (job) info_metric"))) == {
        '{__name__="reqs_total", i="0", job="a"}',
        '{__name__="reqs_total", i="1", job="a"}',
    }
    assert set(rows(ask(reader, "reqs_total unless on (job) info_metric"))) == {
        '{__name__="reqs_total", i="2", job="b"}'
    }
    assert len(rows(ask(reader, "info_metric or reqs_total"))) == 4


def test_comparisons_keep_the_vector_value(reader) -> None:
    assert rows(ask(reader, "100 < reqs_total")) == {
        '{__name__="reqs_total", i="1", job="a"}': 120.0,
        '{__name__="reqs_total", i="2", job="b"}': 180.0,
    }
    assert sorted(rows(ask(reader, "reqs_total > bool 100")).values()) == [0, 1, 1]


def test_selections_and_orders(reader) -> None:
    assert list(rows(ask(reader, "topk(2, reqs_total)")).values()) == [180, 120]
    assert list(rows(ask(reader, "bottomk(2, reqs_total)")).values()) == [60, 120]
    assert list(rows(ask(reader, "sort_desc(reqs_total)")).values()) == [180, 120, 60]
    assert list(rows(ask(reader, 'sort_by_label_desc(reqs_total, "i")')).values()) == [180, 120, 60]
    assert len(rows(ask(reader, "limitk(1, reqs_total) by (job)"))) == 2
    kept, rest = rows(ask(reader, "limit_ratio(0.4, reqs_total)")), rows(ask(reader, "limit_ratio(-0.6, reqs_total)"))
    assert {**kept, **rest} == rows(ask(reader, "reqs_total"))
    assert not set(kept) & set(rest)
    with pytest.raises(QueryFailedError, match="Parameter value is NaN"):
        ask(reader, "topk(NaN, reqs_total)")


def test_count_values_and_label_functions(reader) -> None:
    assert rows(ask(reader, 'count_values by (job) ("v", reqs_total * 0)')) == {
        '{job="a", v="0"}': 2.0,
        '{job="b", v="0"}': 1.0,
    }
    replaced = 'label_replace(reqs_total{i="0"}, "x", "${n}-$2$$", "job", "(?P<n>.)(.*)")'
    assert list(rows(ask(reader, replaced))) == ['{__name__="reqs_total", i="0", job="a", x="a-$"}']
    assert list(rows(ask(reader, 'label_join(reqs_total{i="0"}, "y", "/", "job", "no", "i")'))) == [
        '{__name__="reqs_total", i="0", job="a", y="a//0"}'
    ]
    with pytest.raises(QueryFailedError, match="invalid regular expression in label_replace"):
        ask(reader, 'label_replace(reqs_total, "x", "", "job", "(")')


def test_absent_makes_labels_of_equality_matchers(reader) -> None:
    assert rows(ask(reader, 'absent(no{a="b", c=~"d", e="f", e="g"})')) == {'{a="b"}': 1.0}
    assert rows(ask(reader, "absent(reqs_total)")) == {}
    assert rows(ask(reader, 'absent_over_time(no{a="b"}[5m])')) == {'{a="b"}': 1.0}


def test_info_joins_by_job_and_instance() -> None:
    reader = MemoryReader()
    reader.add({"__name__": "m", "job": "j", "instance": "i"}, [(0, 7.0)])
    reader.add({"__name__": "m", "job": "other", "instance": "i"}, [(0, 8.0)])
    target = {"__name__": "target_info", "job": "j", "instance": "i", "version": "3", "os": "linux"}
    reader.add(target, [(0, 1.0)])
    assert rows(ask(reader, "info(m)", at_s=0)) == {
        '{__name__="m", instance="i", job="j", os="linux", version="3"}': 7.0,
        '{__name__="m", instance="i", job="other"}': 8.0,
    }
    assert rows(ask(reader, 'info(m, {version=~".+"})', at_s=0)) == {
        '{__name__="m", instance="i", job="j", version="3"}': 7.0
    }


def test_sums_are_compensated() -> None:
    reader = MemoryReader()
    values = [1e100, 1.0, -1e100]
    for i, value in enumerate(values):
        reader.add({"__name__": "x", "i": str(i)}, [(i * 1000, value)])
    reader.add({"__name__": "y"}, [(i * 1000, value) for i, value in enumerate(values)])
    assert only(reader, "sum(x)", at_s=2) == 1.0
    assert only(reader, "sum_over_time(y[10s])", at_s=2) == 1.0
    reader.add({"__name__": "z"}, [(0, 1.5e308), (1000, 1.5e308)])
    assert only(reader, "avg_over_time(z[10s])", at_s=2) == 1.5e308  # the sum overflows, the mean does not


def test_integers_and_fractions_sum_alike() -> None:
    reader = MemoryReader()
    reader.add({"__name__": "n"}, [(t * 1000, float(t % 7)) for t in range(50)])
    reader.add({"__name__": "f"}, [(t * 1000, t % 7 + (0.5 if t == 0 else 0.0)) for t in range(50)])
    expected = math.fsum(float(t % 7) for t in range(40, 50))
    assert only(reader, "sum_over_time(n[10s])", at_s=49) == expected
    assert only(reader, "sum_over_time(f[10s])", at_s=49) == expected
    assert only(reader, "avg_over_time(n[10s])", at_s=49) == expected / 10


def test_nan_is_a_value_and_not_an_absence() -> None:
    reader = MemoryReader()
    reader.add({"__name__": "x", "i": "0"}, [(0, math.nan)])
    reader.add({"__name__": "x", "i": "1"}, [(0, 1.0)])
    assert only(reader, "count(x)", at_s=0) == 2
    assert only(reader, "max(x)", at_s=0) == 1.0
    assert only(reader, "quantile(1, x)", at_s=0) == 1.0
    assert math.isnan(only(reader, "quantile(0, x)", at_s=0))
    assert math.isnan(only(reader, "sum(x)", at_s=0))
    assert list(rows(ask(reader, "topk(1, x)", at_s=0)).values()) == [1.0]


def test_classic_quantiles(reader) -> None:
    for le, count in (("0.1", 10.0), ("1", 40.0), ("+Inf", 50.0)):
        reader.add({"__name__": "h_bucket", "le": le}, [(0, count)])
    # rank 25 lies 15/30 into (0.1, 1].
    assert only(reader, "histogram_quantile(0.5, h_bucket)", at_s=0) == pytest.approx(0.1 + 0.9 * 0.5)
    assert only(reader, "histogram_quantile(0.99, h_bucket)", at_s=0) == 1.0
    assert only(reader, "histogram_fraction(0, 0.1, h_bucket)", at_s=0) == pytest.approx(0.2)
    both = rows(ask(reader, 'histogram_quantiles(h_bucket, "q", 0.5, 1)', at_s=0))
    assert set(both) == {'{q="0.5"}', '{q="1.0"}'}


def test_annotations_say_where(reader) -> None:
    result = ask(reader, "1 +\nrate(info_metric[5m])")
    assert result.infos == (
        "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
        '"info_metric" (2:6)',
    )
    assert ask(reader, "quantile(1.5, reqs_total)").warnings == (
        "PromQL warning: quantile value should be between 0 and 1, got 1.5 (1:10)",
    )
    reader.add({"__name__": "h_bucket", "le": "x"}, [(600_000, 1.0)])
    assert ask(reader, "histogram_quantile(0.5, h_bucket)").warnings == (
        'PromQL warning: bucket label "le" is missing or has a malformed value of "x" '
        'for metric name "h_bucket" (1:25)',
    )
    for le, count in (("1", 5.0), ("2", 3.0), ("+Inf", 6.0)):
        reader.add({"__name__": "g_bucket", "le": le}, [(600_000, count)])
    assert "needed to be fixed for monotonicity" in ask(reader, "histogram_quantile(0.5, g_bucket)").infos[0]


def test_equal_selectors_are_fetched_once(reader) -> None:
    ask(reader, "reqs_total + reqs_total offset 1m + rate(reqs_total[5m])")
    assert reader.fetches == 1


def test_limits(reader) -> None:
    engine = PromqlEngine(reader, EngineSettings(max_samples=100))
    with pytest.raises(LimitExceededError) as caught:
        engine.query_instant(QueryRequest("reqs_total[10m]", 600_000, 600_000))
    assert caught.value.limit == "limits.max_query_samples"
    with pytest.raises(LimitExceededError, match=r"exceeded maximum resolution of 11,000 points per timeseries"):
        engine.query_range(QueryRequest("1", 0, 11_001_000, 1000))
    with pytest.raises(QueryFailedError, match='invalid expression type "range vector" for range query'):
        engine.query_range(QueryRequest("reqs_total[5m]", 0, 1000, 1000))


def test_memory_is_limited_for_all_matrices_together(reader) -> None:
    # 9 bytes a cell, 601 steps, one series each: 5,409 bytes a matrix.
    reader.add({"__name__": "one"}, [(n * 15_000, float(n)) for n in range(41)])

    def run(text: str, max_bytes: int) -> None:
        engine = PromqlEngine(reader, EngineSettings(max_bytes=max_bytes))
        engine.query_range(QueryRequest(text, 0, 600_000, 1000))

    run("one", 5_409)
    with pytest.raises(LimitExceededError, match="more than 5408 bytes") as caught:
        run("one", 5_408)
    assert caught.value.limit == "limits.max_query_memory"
    # Both sides live until they are added up, and so does their sum.
    with pytest.raises(LimitExceededError):
        run("one + (one offset 1s)", 2 * 5_409)
    run("one + (one offset 1s)", 3 * 5_409)
    # What is not needed any more does not count.
    run(" + ".join(["sum(one)"] * 9), 4 * 5_409)


def test_a_cancelled_query_ends(reader) -> None:
    class Cancelled:
        remaining_s = 0.0

        def check(self) -> None:
            raise QueryCancelledError("query was canceled in query execution")

    request = QueryRequest("sum(reqs_total)", 0, 0, cancellation=Cancelled())
    with pytest.raises(QueryCancelledError):
        PromqlEngine(reader).query_instant(request)


def test_range_answers_are_sorted_by_labels(reader) -> None:
    reader.add({"__name__": "reqs_total", "job": "a"}, [(0, 1.0)])
    result = PromqlEngine(reader).query_range(QueryRequest("reqs_total", 0, 20_000, 10_000))
    assert list(labels_as_text(result)) == [
        '{__name__="reqs_total", i="0", job="a"}',
        '{__name__="reqs_total", i="1", job="a"}',
        '{__name__="reqs_total", i="2", job="b"}',
        '{__name__="reqs_total", job="a"}',
    ]


def test_explain_names_what_is_fetched(reader) -> None:
    plan = PromqlEngine(reader).explain(QueryRequest("rate(reqs_total[5m] offset 1m)", 600_000, 600_000))
    assert plan["fetches"] == [
        {
            "matchers": ['__name__="reqs_total"'],
            "start_ms": 600_000 - 360_000 + 1,
            "end_ms": 540_000,
            "source": "samples",
            "reasons": ["there are no rollups"],
        }
    ]


def test_every_function_of_the_language_is_computed() -> None:
    assert frozenset(FUNCTIONS) == COMPUTED_FUNCTIONS


def test_hash_against_published_values() -> None:
    # https://github.com/Cyan4973/xxHash: XXH64 of "", "a" and "abc" with seed 0
    assert xxhash64(b"") == 0xEF46DB3751D8E999
    assert xxhash64(b"a") == 0xD24EC4F1A98C6E5B
    assert xxhash64(b"abc") == 0x44BC2CF5AD770999


def test_natural_order() -> None:
    assert natural_less("node2", "node10")
    assert not natural_less("node10", "node2")
    assert natural_less("a", "b")
