from __future__ import annotations

import json
import math
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from swarmscope.model.errors import MalformedInputError
from swarmscope.receivers.otlp.json_request import encode_json_request


def decode(document: Any) -> Any:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return ExportMetricsServiceRequest.FromString(encode_json_request(ExportMetricsServiceRequest.DESCRIPTOR, text))


def wrap(metric: Any) -> dict[str, Any]:
    return {"resourceMetrics": [{"scopeMetrics": [{}, {"metrics": [{}, {}, {}, metric]}]}]}


def metric_of(metric: Any) -> Any:
    return decode(wrap(metric)).resource_metrics[0].scope_metrics[1].metrics[3]


def test_numbers_strings_enums_and_unknown_keys() -> None:
    metric = metric_of(
        {
            "newKey": {"deep": [1]},
            "sum": {
                "isMonotonic": True,
                "aggregationTemporality": 2,
                "dataPoints": [
                    {"asInt": "-9007199254740993", "timeUnixNano": "1700000000000000000", "flags": 1},
                    {"asDouble": 1, "timeUnixNano": 1700000000000000000, "attributes": None},
                    {"asDouble": "NaN"},
                    {"asDouble": "-Infinity"},
                ],
            },
            "name": "c",
        }
    )
    points = metric.sum.data_points
    assert metric.name == "c"
    assert metric.sum.aggregation_temporality == 2
    assert points[0].as_int == -9007199254740993
    assert (points[0].time_unix_nano, points[0].flags) == (1700000000000000000, 1)
    assert (points[1].as_double, points[1].time_unix_nano) == (1.0, 1700000000000000000)
    assert math.isnan(points[2].as_double)
    assert points[3].as_double == -math.inf


def test_ids_are_hex_and_bytes_base64() -> None:
    metric = metric_of(
        {
            "gauge": {
                "dataPoints": [
                    {
                        "attributes": [{"key": "b", "value": {"bytesValue": "AP8="}}],
                        "exemplars": [{"traceId": "0AF7651916CD43DD8448EB211C80319C", "spanId": "b7ad6b7169203331"}],
                    }
                ]
            }
        }
    )
    point = metric.gauge.data_points[0]
    assert point.attributes[0].value.bytes_value == b"\x00\xff"
    assert point.exemplars[0].trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert point.exemplars[0].span_id.hex() == "b7ad6b7169203331"


def test_signed_and_repeated_numbers() -> None:
    point = metric_of(
        {
            "exponentialHistogram": {
                "dataPoints": [
                    {"scale": -3, "positive": {"offset": -7, "bucketCounts": ["1", 2, "300"]}, "count": "303"}
                ]
            }
        }
    ).exponential_histogram.data_points[0]
    assert (point.scale, point.positive.offset, list(point.positive.bucket_counts)) == (-3, -7, [1, 2, 300])
    histogram = metric_of({"histogram": {"dataPoints": [{"explicitBounds": [0.5, "2"], "bucketCounts": ["1", 2, 3]}]}})
    assert list(histogram.histogram.data_points[0].explicit_bounds) == [0.5, 2.0]


@pytest.mark.parametrize(
    ("metric", "path"),
    [
        ({"gauge": {"dataPoints": [{"asInt": "x"}]}}, "metrics[3].gauge.dataPoints[0].asInt: "),
        ({"gauge": {"dataPoints": [{"asInt": 1.5}]}}, "dataPoints[0].asInt: "),
        ({"gauge": {"dataPoints": [{"asInt": True}]}}, "dataPoints[0].asInt: "),
        ({"gauge": {"dataPoints": [{"asInt": "9223372036854775808"}]}}, "dataPoints[0].asInt: "),
        ({"gauge": {"dataPoints": [{"timeUnixNano": -1}]}}, "dataPoints[0].timeUnixNano: "),
        ({"gauge": {"dataPoints": [{"asDouble": {}}]}}, "dataPoints[0].asDouble: "),
        ({"gauge": {"dataPoints": {}}}, "gauge.dataPoints: "),
        ({"gauge": []}, "metrics[3].gauge: "),
        ({"gauge": {"dataPoints": [{"exemplars": [{"traceId": "zz"}]}]}}, "exemplars[0].traceId: "),
        ({"name": 5}, "metrics[3].name: "),
        ({"sum": {"isMonotonic": "yes"}}, "sum.isMonotonic: "),
        ({"sum": {"aggregationTemporality": "sometimes"}}, "sum.aggregationTemporality: "),
    ],
)
def test_wrong_types_name_their_path(metric: Any, path: str) -> None:
    with pytest.raises(MalformedInputError) as caught:
        decode(wrap(metric))
    assert path in str(caught.value)
    assert str(caught.value).startswith("resourceMetrics[0].scopeMetrics[1].metrics[3]")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'{"resourceMetrics":5}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_request_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedInputError):
        decode(body)


def test_depth_is_bounded() -> None:
    value: Any = {"stringValue": "x"}
    for _ in range(200):
        value = {"arrayValue": {"values": [value]}}
    with pytest.raises(MalformedInputError, match="nested"):
        decode({"resourceMetrics": [{"resource": {"attributes": [{"key": "k", "value": value}]}}]})
