"""Every kind of data point against values worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from swarmscope.model.errors import MalformedInputError
from swarmscope.model.staleness import is_stale
from swarmscope.receivers.otlp.settings import TranslationStrategy

T_NS = 1_700_000_000_000_000_000
T_MS = T_NS // 10**6
S = 10**9
DELTA, CUMULATIVE = 1, 2
Make = Callable[..., Any]


def test_gauge_and_sums(exchange: Any, make_request: Make, attributed: Make) -> None:
    request = make_request({"service.name": "agent", "service.namespace": "fleet", "service.instance.id": "7"})
    attributed(request.metric("mem.usage").gauge.data_points.add(time_unix_nano=T_NS, as_int=3), {"host.name": "h"})
    total = request.metric("calls").sum
    total.is_monotonic, total.aggregation_temporality = True, CUMULATIVE
    total.data_points.add(time_unix_nano=T_NS + 1_999_999, as_double=2.5)
    decoded = exchange.send(request)
    assert exchange.samples() == {
        "mem.usage{host.name=h,instance=7,job=fleet/agent}": [(0, 3.0)],
        "calls{instance=7,job=fleet/agent}": [(1, 2.5)],
    }
    assert decoded.refusals.counts == {}


def test_metadata_is_told_once(exchange: Any, make_request: Make) -> None:
    request = make_request()
    request.metric("g", "By", "size").gauge.data_points.add(time_unix_nano=T_NS, as_int=3)
    total = request.metric("c").sum
    total.is_monotonic, total.aggregation_temporality = True, CUMULATIVE
    total.data_points.add(time_unix_nano=T_NS, as_int=1)
    updown = request.metric("u").sum
    updown.aggregation_temporality = CUMULATIVE
    updown.data_points.add(time_unix_nano=T_NS, as_int=1)
    first, second = exchange.send(request).batch.metadata, exchange.send(request).batch.metadata
    assert second is None
    rows = dict(zip(first.metric, zip(first.kind, first.unit, first.help, strict=True), strict=True))
    assert rows["g"] == ("gauge", "bytes", "size")
    assert rows["c"][0] == "counter"
    assert rows["u"][0] == "gauge"


def test_classic_histogram(exchange: Any, make_request: Make) -> None:
    request = make_request({"service.name": "a"})
    histogram = request.metric("d").histogram
    histogram.aggregation_temporality = CUMULATIVE
    histogram.data_points.add(
        time_unix_nano=T_NS, count=6, sum=12.5, bucket_counts=[1, 2, 3], explicit_bounds=[0.005, 2]
    )
    histogram.data_points.add(time_unix_nano=T_NS + S, count=9)  # neither buckets nor a sum
    exchange.send(request)
    assert exchange.samples() == {
        "d_bucket{job=a,le=0.005}": [(0, 1.0)],
        "d_bucket{job=a,le=2}": [(0, 3.0)],
        "d_bucket{job=a,le=+Inf}": [(0, 6.0), (1000, 9.0)],
        "d_count{job=a}": [(0, 6.0), (1000, 9.0)],
        "d_sum{job=a}": [(0, 12.5)],
    }


def test_histogram_as_custom_buckets(make_exchange: Make, make_request: Make) -> None:
    exchange, request = make_exchange(convert_histograms_to_nhcb=True), make_request()
    histogram = request.metric("d").histogram
    histogram.aggregation_temporality = CUMULATIVE
    histogram.data_points.add(time_unix_nano=T_NS, count=4, sum=12.5, bucket_counts=[1, 0, 3], explicit_bounds=[1, 2])
    rows = exchange.send(request).batch.histograms
    assert (rows.schema[0], rows.count[0], rows.sum[0]) == (-53, 4.0, 12.5)
    assert rows.custom_bounds.tolist() == [1.0, 2.0]
    assert (rows.positive.index.tolist(), rows.positive.count.tolist()) == ([0, 2], [1.0, 3.0])
    assert exchange.samples() == {}


def test_exponential_histogram_shifts_and_merges(exchange: Any, make_request: Make) -> None:
    request = make_request()
    exponential = request.metric("e").exponential_histogram
    exponential.aggregation_temporality = CUMULATIVE
    plain = exponential.data_points.add(time_unix_nano=T_NS, count=7, sum=9, scale=3, zero_count=1, zero_threshold=0.1)
    plain.positive.offset = 4
    plain.positive.bucket_counts.extend([2, 0, 3])  # 4 and 6 here, 5 and 7 in Prometheus
    plain.negative.offset = -2
    plain.negative.bucket_counts.append(1)
    fine = exponential.data_points.add(time_unix_nano=T_NS + S, count=10, scale=9)
    fine.positive.offset = -3
    fine.positive.bucket_counts.extend([1, 2, 3, 4])  # -3 | -2 -1 | 0 at scale 9: -2, -1, 0 at 8, one more here
    rows = exchange.send(request).batch.histograms
    assert rows.schema.tolist() == [3, 8]
    assert rows.zero_count.tolist() == [1.0, 0.0]
    assert rows.zero_threshold.tolist() == [0.1, 0.0]
    assert rows.positive.offsets.tolist() == [0, 2, 5]
    assert rows.positive.index.tolist() == [5, 7, -1, 0, 1]
    assert rows.positive.count.tolist() == [2.0, 3.0, 1.0, 5.0, 4.0]
    assert (rows.negative.index.tolist(), rows.negative.count.tolist()) == ([-1], [1.0])
    assert rows.sum.tolist() == [9.0, 0.0]


def test_scale_below_the_coarsest_is_refused(exchange: Any, make_request: Make) -> None:
    request = make_request()
    exponential = request.metric("coarse").exponential_histogram
    exponential.aggregation_temporality = CUMULATIVE
    exponential.data_points.add(time_unix_nano=T_NS, scale=-5)
    exponential.data_points.add(time_unix_nano=T_NS, scale=-4)
    decoded = exchange.send(request)
    assert decoded.refusals.n_points == 1
    assert "below -4" in decoded.refusals.to_message()
    assert "'coarse'" in decoded.refusals.to_message()
    assert len(decoded.batch.histograms) == 1


def test_summary(exchange: Any, make_request: Make) -> None:
    request = make_request()
    point = request.metric("q").summary.data_points.add(time_unix_nano=T_NS, count=3, sum=4.5)
    point.quantile_values.add(quantile=0.5, value=1)
    point.quantile_values.add(quantile=1, value=2)
    exchange.send(request)
    assert exchange.samples() == {
        "q{quantile=0.5}": [(0, 1.0)],
        "q{quantile=1}": [(0, 2.0)],
        "q_count{}": [(0, 3.0)],
        "q_sum{}": [(0, 4.5)],
    }


def test_no_recorded_value_is_a_marker(exchange: Any, make_request: Make) -> None:
    request = make_request()
    request.metric("g").gauge.data_points.add(time_unix_nano=T_NS, flags=1)
    histogram = request.metric("h").histogram
    histogram.aggregation_temporality = CUMULATIVE
    histogram.data_points.add(time_unix_nano=T_NS, flags=1)
    exponential = request.metric("e").exponential_histogram
    exponential.aggregation_temporality = DELTA
    exponential.data_points.add(time_unix_nano=T_NS, flags=1)
    decoded = exchange.send(request)
    assert len(decoded.batch.value) == 3  # g, h_count, h_bucket{le="+Inf"}; the sum is not set
    assert is_stale(decoded.batch.value).all()
    assert is_stale(decoded.batch.histograms.sum).all()


def test_delta_sum_becomes_a_counter(exchange: Any, make_request: Make) -> None:
    for step, value in enumerate([3, 4, 5]):
        request = make_request()
        total = request.metric("c").sum
        total.is_monotonic, total.aggregation_temporality = True, DELTA
        total.data_points.add(start_time_unix_nano=T_NS + step * S, time_unix_nano=T_NS + (step + 1) * S, as_int=value)
        exchange.send(request)
    assert exchange.samples() == {"c{}": [(1000, 3.0), (2000, 7.0), (3000, 12.0)]}


def test_delta_out_of_order_within_and_across_requests(exchange: Any, make_request: Make) -> None:
    request = make_request()
    total = request.metric("c").sum
    total.aggregation_temporality = DELTA
    total.data_points.add(time_unix_nano=T_NS + 2 * S, as_int=10)
    total.data_points.add(time_unix_nano=T_NS + 1 * S, as_int=1)
    exchange.send(request)
    assert exchange.send(request).refusals.n_points == 2  # a repetition adds nothing
    assert sorted(exchange.samples()["c{}"]) == [(1000, 1.0), (2000, 11.0)]


def test_delta_histogram_restarts_with_other_bounds(exchange: Any, make_request: Make) -> None:
    def send(second: int, bounds: list[float], counts: list[int]) -> None:
        request = make_request()
        histogram = request.metric("h").histogram
        histogram.aggregation_temporality = DELTA
        histogram.data_points.add(
            time_unix_nano=T_NS + second * S, count=sum(counts), sum=1, bucket_counts=counts, explicit_bounds=bounds
        )
        exchange.send(request)

    send(1, [1.0], [1, 2])
    send(2, [1.0], [3, 4])
    send(3, [5.0], [1, 0])
    assert exchange.samples() == {
        "h_bucket{le=1}": [(1000, 1.0), (2000, 4.0)],
        "h_bucket{le=5}": [(3000, 1.0)],
        "h_bucket{le=+Inf}": [(1000, 3.0), (2000, 10.0), (3000, 1.0)],
        "h_count{}": [(1000, 3.0), (2000, 10.0), (3000, 1.0)],
        "h_sum{}": [(1000, 1.0), (2000, 2.0), (3000, 1.0)],
    }


def test_what_was_not_stored_can_be_sent_again(exchange: Any, make_request: Make) -> None:
    def request_of(second: int) -> Any:
        request = make_request()
        total = request.metric("c").sum
        total.aggregation_temporality = DELTA
        total.data_points.add(time_unix_nano=T_NS + second * S, as_int=5)
        exponential = request.metric("e").exponential_histogram
        exponential.aggregation_temporality = DELTA
        exponential.data_points.add(time_unix_nano=T_NS + second * S, count=1, zero_count=1)
        return request

    exchange.send(request_of(1))
    body = np.frombuffer(request_of(2).SerializeToString(), np.uint8)
    exchange.decoder.take_back(exchange.decoder.decode(body, "default"))
    decoded = exchange.send(request_of(2))
    assert decoded.refusals.n_points == 0
    assert exchange.samples() == {"c{}": [(1000, 5.0), (2000, 10.0)]}
    assert decoded.batch.histograms.count.tolist() == [2.0]


def test_target_info(exchange: Any, make_request: Make) -> None:
    request = make_request({"service.name": "a", "host.name": "h", "os.version": 5})
    points = request.metric("g").gauge.data_points
    points.add(time_unix_nano=T_NS, as_int=1)
    points.add(time_unix_nano=T_NS + S, as_int=1)
    exchange.send(request)
    assert exchange.samples()["target_info{host.name=h,job=a,os.version=5}"] == [(1000, 1.0)]


@pytest.mark.parametrize("resource", [{"host.name": "h"}, {"service.name": "a", "service.instance.id": "1"}, {}])
def test_no_target_info_without_identity_or_news(exchange: Any, make_request: Make, resource: dict[str, str]) -> None:
    request = make_request(resource)
    request.metric("g").gauge.data_points.add(time_unix_nano=T_NS, as_int=1)
    exchange.send(request)
    assert len(exchange.samples()) == 1


def test_identifying_attributes_can_be_kept(make_exchange: Make, make_request: Make) -> None:
    exchange, request = make_exchange(keep_identifying_resource_attributes=True), make_request(
        {"service.name": "a", "x": "y"}
    )  # fmt: skip
    request.metric("g").gauge.data_points.add(time_unix_nano=T_NS, as_int=1)
    exchange.send(request)
    assert "target_info{job=a,service.name=a,x=y}" in exchange.samples()


def test_promotion_never_overwrites(make_exchange: Make, make_request: Make, attributed: Make) -> None:
    exchange = make_exchange(promote_resource_attributes=("region", "zone", "absent"), target_info=False)
    request = make_request({"region": "eu", "zone": "z1", "other": "o"})
    attributed(request.metric("g").gauge.data_points.add(time_unix_nano=T_NS, as_int=1), {"zone": "mine"})
    exchange.send(request)
    assert list(exchange.samples()) == ["g{region=eu,zone=mine}"]


def test_promotion_of_all_but(make_exchange: Make, make_request: Make) -> None:
    exchange = make_exchange(promote_all_resource_attributes=True, ignore_resource_attributes=("other",))
    request = make_request({"region": "eu", "other": "o"})
    request.metric("g").gauge.data_points.add(time_unix_nano=T_NS, as_int=1)
    exchange.send(request)
    assert list(exchange.samples()) == ["g{region=eu}"]


def test_scope_labels(make_exchange: Make, make_request: Make, attributed: Make) -> None:
    exchange, request = make_exchange(promote_scope_metadata=True), make_request(scope="lib")
    request.scope.scope.version = "1.2"
    request.scope.schema_url = "https://schema"
    attributed(request.scope.scope, {"team": "blue"})
    request.metric("g").gauge.data_points.add(time_unix_nano=T_NS, as_int=1)
    exchange.send(request)
    assert list(exchange.samples()) == [
        "g{otel_scope_name=lib,otel_scope_schema_url=https://schema,otel_scope_team=blue,otel_scope_version=1.2}"
    ]


def test_colliding_keys_are_joined_in_key_order(make_exchange: Make, make_request: Make, attributed: Make) -> None:
    exchange = make_exchange(translation_strategy=TranslationStrategy.UNDERSCORES_WITH_SUFFIXES)
    request = make_request()
    point = request.metric("g.x", "s").gauge.data_points.add(time_unix_nano=T_NS, as_int=1)
    attributed(point, {"a_b": "3", "a.b": "1", "a/b": "2", "empty": ""})
    exchange.send(request)
    assert list(exchange.samples()) == ["g_x_seconds{a_b=1;2;3}"]


def test_known_series_are_not_labelled_again(exchange: Any, make_request: Make, attributed: Make) -> None:
    request = make_request({"service.name": "a", "x": "y"})
    attributed(request.metric("g").gauge.data_points.add(time_unix_nano=T_NS, as_int=1), {"k": "v"})
    assert len(exchange.send(request).batch.new_labels) == 2
    assert len(exchange.send(request).batch.new_labels) == 0
    assert len(exchange.send(request, tenant="other").batch.new_labels) == 2


def test_keys_tell_series_apart(exchange: Any, make_request: Make, attributed: Make) -> None:
    request = make_request({"service.name": "a"})
    points = request.metric("g").gauge.data_points
    for attributes in ({"k": "v"}, {"k": "w"}, {"kv": ""}, {"k": "v", "l": "x"}, {}):
        attributed(points.add(time_unix_nano=T_NS, as_int=1), attributes)
    request.metric("g2").gauge.data_points.add(time_unix_nano=T_NS, as_int=1)
    assert exchange.send(request).batch.n_series == 6


def test_exemplars(exchange: Any, make_request: Make, attributed: Make) -> None:
    request = make_request()
    histogram = request.metric("h").histogram
    histogram.aggregation_temporality = CUMULATIVE
    point = histogram.data_points.add(
        time_unix_nano=T_NS, count=3, sum=1, bucket_counts=[1, 1, 1], explicit_bounds=[1, 2]
    )
    for value in (1.0, 1.5, 99.0):  # a bound belongs to the bucket below it
        exemplar = point.exemplars.add(time_unix_nano=T_NS + S, as_double=value, trace_id=b"\x01" * 16)
        exemplar.span_id = b"\xab" * 8
    attributed(point.exemplars[0], {"user": "u"}, "filtered_attributes")
    attributed(point.exemplars[1], {"user": "u" * 100}, "filtered_attributes")
    exchange.send(request)
    batch = exchange.sink.batches[0]
    labels = [exchange.sink.labels[int(n)]["le"] for n in batch.series_ref[batch.exemplars.series]]
    assert labels == ["1", "2", "+Inf"]
    assert batch.exemplars.value.tolist() == [1.0, 1.5, 99.0]
    assert set(batch.exemplars.ts_ms.tolist()) == {T_MS + 1000}
    ids = {"trace_id": "01" * 16, "span_id": "ab" * 8}
    assert batch.exemplars.labels.to_dicts() == [{**ids, "user": "u"}, ids, ids]


def test_an_exemplar_survives_a_key_that_is_no_label(exchange: Any, make_request: Make, attributed: Make) -> None:
    request = make_request()
    point = request.metric("g").gauge.data_points.add(time_unix_nano=T_NS, as_int=1)
    exemplar = point.exemplars.add(time_unix_nano=T_NS, as_int=1, span_id=b"12345678")
    attributed(exemplar, {"": "x"}, "filtered_attributes")
    exemplars = exchange.send(request).batch.exemplars
    assert exemplars.labels.to_dicts() == [{"span_id": b"12345678".hex()}]


def test_zero_sample_where_the_start_is_new(make_exchange: Make, make_request: Make) -> None:
    exchange = make_exchange(zero_sample_at_start=True)
    for start, second, value in ((0, 1, 5), (0, 2, 6), (3, 4, 1)):
        request = make_request()
        total = request.metric("c").sum
        total.is_monotonic, total.aggregation_temporality = True, CUMULATIVE
        total.data_points.add(start_time_unix_nano=T_NS + start * S, time_unix_nano=T_NS + second * S, as_int=value)
        exchange.send(request)
    assert sorted(exchange.samples()["c{}"]) == [(0, 0.0), (1000, 5.0), (2000, 6.0), (3000, 0.0), (4000, 1.0)]


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda m: m.sum.data_points.add(time_unix_nano=1, as_int=1), "temporality"),
        (lambda m: m.gauge.data_points.add(time_unix_nano=1), "no value"),
        (lambda m: m.gauge.data_points.add(as_int=1), "time_unix_nano"),
        (lambda m: _histogram(m, [1, 2], [1.0, 2.0]), "bucket_counts"),
        (lambda m: _histogram(m, [1, 2, 3], [2.0, 1.0]), "ascend"),
        (lambda m: _exponential(m, 3), "add up"),
    ],
)
def test_bad_points_are_refused_and_the_rest_is_kept(
    exchange: Any, make_request: Make, build: Callable[[Any], None], reason: str
) -> None:
    request = make_request()
    build(request.metric("bad"))
    request.metric("good").gauge.data_points.add(time_unix_nano=T_NS, as_int=1)
    decoded = exchange.send(request)
    assert decoded.refusals.n_points == 1
    assert reason in decoded.refusals.to_message()
    assert "'bad'" in decoded.refusals.to_message()
    assert list(exchange.samples()) == ["good{}"]


def _histogram(metric: Any, counts: list[int], bounds: list[float]) -> None:
    metric.histogram.aggregation_temporality = CUMULATIVE
    metric.histogram.data_points.add(
        time_unix_nano=1, count=sum(counts), bucket_counts=counts, explicit_bounds=bounds
    )  # fmt: skip


def _exponential(metric: Any, count: int) -> None:
    metric.exponential_histogram.aggregation_temporality = CUMULATIVE
    metric.exponential_histogram.data_points.add(time_unix_nano=1, count=count).positive.bucket_counts.append(1)


def test_names_that_cannot_be_are_refused(make_exchange: Make, make_request: Make, attributed: Make) -> None:
    exchange, request = make_exchange(), make_request()
    request.metric("").gauge.data_points.add(time_unix_nano=T_NS, as_int=1)
    points = request.metric("g").gauge.data_points
    attributed(points.add(time_unix_nano=T_NS, as_int=1), {"": "v"})
    attributed(points.add(time_unix_nano=T_NS, as_int=2), {"k": "v"})
    decoded = exchange.send(request)
    assert decoded.refusals.n_points == 2
    assert exchange.samples() == {"g{k=v}": [(0, 2.0)]}


def test_a_later_member_of_the_oneof_wins(exchange: Any, make_request: Make) -> None:
    request = make_request()
    first, second = make_request(), make_request()
    first.metric("m").gauge.data_points.add(time_unix_nano=T_NS, as_int=1)
    total = second.metric("m").sum
    total.aggregation_temporality = CUMULATIVE
    total.data_points.add(time_unix_nano=T_NS, as_int=2)
    body = first.scope.metrics[0].SerializeToString() + second.scope.metrics[0].SerializeToString()
    parsed = request.scope.metrics.add()
    parsed.ParseFromString(body)
    wire = _nest(_nest(_nest(body, 2), 2), 1)
    assert exchange.send(wire).n_points == 1
    assert exchange.samples() == {"m{}": [(0, 2.0)]}


def _nest(body: bytes, number: int) -> bytes:
    assert len(body) < 128
    return bytes([number << 3 | 2, len(body)]) + body


def test_empty_requests(exchange: Any, make_request: Make) -> None:
    assert exchange.send(b"").batch.n_samples == 0
    request = make_request({"service.name": "a", "x": "y"})
    request.metric("nothing")
    request.metric("empty").gauge.SetInParent()
    decoded = exchange.send(request)
    assert (decoded.batch.n_samples, decoded.refusals.n_points) == (0, 0)


def test_text_that_is_not_utf8_is_malformed(exchange: Any, make_request: Make, attributed: Make) -> None:
    request = make_request()
    attributed(request.metric("g").gauge.data_points.add(time_unix_nano=T_NS, as_int=1), {"kkkk": "vvvv"})
    with pytest.raises(MalformedInputError, match="NumberDataPoint"):
        exchange.send(request.SerializeToString().replace(b"vvvv", b"v\xff\xffv"))
