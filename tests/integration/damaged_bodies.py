"""Bodies that no good sender would send, from a seed: well-formed ones to begin with, and ways to spoil them."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable
from typing import Any

import cramjam
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import NumberDataPoint

from swarmscope.receivers.remote_write.schema import V1, V2, message_class
from swarmscope.receivers.scrape.protobuf_messages import MetricFamily

T_MS = 1_700_000_000_000
INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1
EXTREME_TIMES_MS = (INT64_MIN, INT64_MIN + 1, -(1 << 62), -(1 << 53), -1, 0, 1, T_MS, 1 << 53, 1 << 62, INT64_MAX)
EXTREME_VALUES = (float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1.7976931348623157e308, 1e15 + 0.3)
LONG, MANY = 1 << 20, 10_000


def write_v1(chance: random.Random) -> bytes:
    request = message_class(V1)()
    for number in range(chance.randrange(1, 4)):
        series = request.timeseries.add()
        series.labels.add(name="__name__", value=f"v1_{number}")
        series.labels.add(name="job", value=chance.choice("abcdé"))
        series.samples.add(timestamp=chance.choice(EXTREME_TIMES_MS), value=chance.choice(EXTREME_VALUES))
        series.samples.add(timestamp=T_MS + chance.randrange(1000), value=chance.random())
        fill_histogram(series.histograms.add(), chance)
        exemplar = series.exemplars.add(value=1.5, timestamp=T_MS)
        exemplar.labels.add(name="trace_id", value="abc")
    request.metadata.add(type=1, metric_family_name="v1_0", help="Help.", unit="s")
    return request.SerializeToString()


def fill_histogram(made: Any, chance: random.Random) -> None:
    made.count_int, made.zero_count_int, made.sum, made.timestamp = 6, 1, 2.5, T_MS + chance.randrange(1000)
    made.schema = chance.choice((0, 3, 8, -4, -53, 9, 127, -128))
    made.positive_spans.add(offset=chance.choice((0, 1, -5, 1 << 30)), length=2)
    made.positive_deltas.extend((2, 1))


def write_v2(chance: random.Random) -> bytes:
    symbols = ["", "__name__", "v2", "job", chance.choice("abcdé"), "trace_id", "abc", "Help."]
    request = message_class(V2)(symbols=symbols)
    for _ in range(chance.randrange(1, 4)):
        series = request.timeseries.add(labels_refs=[1, 2, 3, 4], created_timestamp=T_MS - 1000)
        series.samples.add(timestamp=chance.choice(EXTREME_TIMES_MS), value=chance.choice(EXTREME_VALUES))
        series.samples.add(timestamp=T_MS + chance.randrange(1000), value=chance.random())
        fill_histogram(series.histograms.add(), chance)
        series.exemplars.add(value=1.5, timestamp=T_MS, labels_refs=[5, 6])
        series.metadata.type, series.metadata.help_ref = 1, 7
    return request.SerializeToString()


def otlp_message(chance: random.Random) -> Any:
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    group.resource.attributes.add(key="service.name").value.string_value = "svc"
    scope = group.scope_metrics.add()
    at = {"time_unix_nano": chance.choice((0, 1, T_MS * 10**6, (1 << 63) - 1, (1 << 64) - 1))}
    temporality = chance.choice((0, 1, 2, 2, 2))
    point = scope.metrics.add(name="gauge", unit="s").gauge.data_points.add(
        as_double=chance.choice(EXTREME_VALUES), **at
    )
    point.attributes.add(key="a").value.int_value = chance.choice((INT64_MIN, 0, INT64_MAX))
    total = scope.metrics.add(name="sum").sum
    total.aggregation_temporality, total.is_monotonic = temporality, True
    point = total.data_points.add(as_int=chance.choice((INT64_MIN, 0, INT64_MAX)), start_time_unix_nano=1, **at)
    point.exemplars.add(as_double=1.0, time_unix_nano=at["time_unix_nano"], trace_id=b"\1" * 16)
    histogram = scope.metrics.add(name="histogram").histogram
    histogram.aggregation_temporality = temporality
    bounds = chance.choice(([1.0, 2.0], [2.0, 1.0], [float("nan")], []))
    histogram.data_points.add(count=3, sum=1.0, bucket_counts=[1, 1, 1], explicit_bounds=bounds, **at)
    native = scope.metrics.add(name="native").exponential_histogram
    native.aggregation_temporality = temporality
    scale, offset = chance.choice((-5, -4, 0, 8, 20, 2**31 - 1)), chance.choice((-(2**31), 0, 5, 2**31 - 1))
    point = native.data_points.add(count=(1 << 64) - 1, scale=scale, zero_count=1, **at)
    point.positive.offset = offset
    point.positive.bucket_counts.extend(chance.choice(([1, 2], [0] * 300 + [1], [(1 << 64) - 1])))
    summary = scope.metrics.add(name="summary").summary.data_points.add(count=1, sum=1.0, **at)
    summary.quantile_values.add(quantile=chance.choice((0.5, float("nan"), -1.0)), value=1.0)
    return request


def otlp(chance: random.Random) -> bytes:
    return otlp_message(chance).SerializeToString()


def otlp_json(chance: random.Random) -> bytes:
    return json_format.MessageToJson(otlp_message(chance), indent=None).encode()


def text(chance: random.Random) -> bytes:
    value = chance.choice(("1", "NaN", "+Inf", "-Inf", "1e308", "1e400", "0x1p3", "-0", "1_0"))
    ts = chance.choice(("", " 1700000000000", f" {INT64_MIN}", f" {INT64_MAX}", " 1e30", " -5"))
    return (
        f'# HELP a Some help \\n of it\n# TYPE a counter\na{{b="c\\"d",é="f"}} {value}{ts}\n{{"dotted.name",x="y"}} 2\n'
        f'# TYPE h histogram\nh_bucket{{le="1"}} 1\nh_bucket{{le="+Inf"}} 2\nh_sum 3\nh_count 2\n'
    ).encode()


def openmetrics(chance: random.Random) -> bytes:
    ts = chance.choice(("", " 1700000000.5", " -1e9", " 1e300", " NaN"))
    return (
        f"# TYPE a counter\n# UNIT b_seconds seconds\n# TYPE b_seconds gauge\nb_seconds 1{ts}\n"
        f'a_total{{b="c"}} 5{ts} # {{trace_id="abc"}} 1.5 1700000000\na_created{{b="c"}} 1600000000\n# EOF\n'
    ).encode()


def exposed_protobuf(chance: random.Random) -> bytes:
    family = MetricFamily(name=b"n", help=b"Help.", type=4)
    metric = family.metric.add()
    metric.label.add(name=b"job", value="é".encode())
    histogram = metric.histogram
    histogram.sample_count, histogram.sample_sum, histogram.schema = 3, 2.5, chance.choice((0, 3, 8, -4, 9, -53))
    histogram.zero_threshold = 0.001
    histogram.positive_span.add(offset=chance.choice((0, -3, 2**31 - 1)), length=chance.choice((2, 2, 3, 1 << 31)))
    histogram.positive_delta.extend((2, -1))
    counter = MetricFamily(name=b"c", type=0)
    made = counter.metric.add(timestamp_ms=chance.choice(EXTREME_TIMES_MS))
    made.counter.value = chance.choice(EXTREME_VALUES)
    return b"".join(len(part).to_bytes(1, "little") + part for part in map(_serialised, (counter, family)))


def _serialised(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    assert len(data) < 128
    return data


# ── ways to spoil ──


def leave(body: bytes, chance: random.Random) -> bytes:
    return body


def cut(body: bytes, chance: random.Random) -> bytes:
    return body[: chance.randrange(len(body) + 1)]


def flip(body: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(body)
    for _ in range(chance.randint(1, 5)):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def overwrite(body: bytes, chance: random.Random) -> bytes:
    """Huge varints, invalid UTF-8, deep groups, zeros: a run of like bytes in the middle."""
    at = chance.randrange(len(body) + 1)
    run = bytes([chance.choice((0x00, 0xFF, 0x80, 0x0A, 0x7F, 0x0B, 0x22, 0x5B))]) * chance.choice(
        (1, 2, 9, 10, 11, 200)
    )
    return body[:at] + run + body[at + chance.choice((0, len(run))) :]


def repeat(body: bytes, chance: random.Random) -> bytes:
    """A slice twice: repeated labels, fields and members."""
    begin = chance.randrange(len(body))
    end = chance.randrange(begin, min(len(body), begin + 80)) + 1
    return body[:end] + body[begin:end] * chance.choice((1, 2, 50)) + body[end:]


def noise(body: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice((0, 1, 7, 100, 3000)))


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (leave, cut, flip, flip, overwrite, repeat, noise)


def packed(body: bytes, encoding: str) -> bytes:
    if encoding == "snappy":
        return bytes(cramjam.snappy.compress_raw(body))
    if encoding == "gzip":
        return gzip.compress(body, 1)
    if encoding == "zstd":
        return bytes(cramjam.zstd.compress(body, 1))
    if encoding == "deflate":
        return zlib.compress(body, 1)
    if encoding == "lz4":
        return bytes(cramjam.lz4.compress(body))
    return body


def bombs(max_bytes: int) -> list[tuple[str, bytes]]:
    """(encoding, body) that unpack to more than `max_bytes`, or lie about how long they are."""
    zeros = bytes(max_bytes + 1)
    nested = gzip.compress(gzip.compress(zeros, 9), 9)
    lying_snappy = b"\xff\xff\xff\xff\x0f" + packed(b"x" * 100, "snappy")[1:]
    short_snappy = b"\x05" + packed(b"x" * 100, "snappy")[1:]
    members = gzip.compress(bytes(max_bytes // 4), 9) * 8
    return [
        ("gzip", gzip.compress(zeros, 9)), ("gzip", members), ("gzip", nested), ("zstd", packed(zeros, "zstd")),
        ("deflate", zlib.compress(zeros, 9)), ("lz4", packed(zeros, "lz4")), ("snappy", packed(zeros, "snappy")),
        ("snappy", lying_snappy), ("snappy", short_snappy), ("zstd", packed(zeros, "zstd")[:50]),
    ]  # fmt: skip


def deep_attributes(depth: int) -> bytes:
    """An attribute whose value is a list in a list in a list …"""
    point = NumberDataPoint(as_int=1, time_unix_nano=T_MS * 10**6)
    value = b"\x0a\x01x"
    for _ in range(depth):
        value = _field(5, _field(1, value))  # AnyValue.array_value, ArrayValue.values
    attribute = _field(7, _field(1, b"k") + _field(2, value))  # NumberDataPoint.attributes, KeyValue
    metric = _field(1, b"deep") + _field(5, _field(1, point.SerializeToString() + attribute))
    return _field(1, _field(2, _field(2, metric)))


def _field(number: int, data: bytes) -> bytes:
    length, size = len(data), bytearray()
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    return bytes([number << 3 | 2]) + bytes(size) + data


def deep_json(depth: int) -> bytes:
    """The same in JSON."""
    value = '{"arrayValue":{"values":[' * depth + '{"stringValue":"x"}' + "]}}" * depth
    point = f'{{"asInt":"1","timeUnixNano":"{T_MS}000000","attributes":[{{"key":"k","value":{value}}}]}}'
    metrics = f'[{{"name":"deep","gauge":{{"dataPoints":[{point}]}}}}]'
    return f'{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":{metrics}}}]}}]}}'.encode()


def large_v1() -> list[bytes]:
    """One series with very many labels, one with a very long value, one name that stands twice, empty ones."""
    bodies = []
    shapes: tuple[list[tuple[str, str]], ...] = (
        [("__name__", "many"), *((f"l{number}", "v") for number in range(MANY))],
        [("__name__", "long"), ("l", "v" * LONG)],
        [("__name__", "long"), ("l" * LONG, "v")],
        [("__name__", "n" * LONG)],
        [("__name__", "twice"), ("l", "1"), ("l", "2")],
        [("__name__", "empty"), ("", "1")],
        [("l", "no name")],
        [],
    )
    for labels in shapes:
        request = message_class(V1)()
        for each in ([("__name__", "good"), ("beside", "bad")], labels):
            series = request.timeseries.add()
            for name, value in each:
                series.labels.add(name=name, value=value)
            series.samples.add(timestamp=T_MS, value=1.0)
        bodies.append(request.SerializeToString())
    return bodies
