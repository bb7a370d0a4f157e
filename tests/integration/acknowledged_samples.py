"""Samples in every write protocol, and all of them read back.

A sample is known by protocol, series number and time; its value follows from these, so that a sample that comes back
can be told from any other. New series appear all the time, and a third of each request is late by some minutes.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import cramjam
import httpx
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from swarmscope.api.remote_read.schema import MESSAGES
from swarmscope.receivers.remote_write.schema import V1, V2, message_class
from tests.integration import acknowledged_load
from tests.integration.acknowledged_load import GrpcRoute, HttpRoute, Ledger
from tests.integration.processes import SwarmscopeServer

PROTOCOLS = ("write_v1", "write_v2", "otlp_grpc", "otlp_http")
EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
_NS_PER_MS = 1_000_000
_CUMULATIVE = 2
_SERIES_PER_REQUEST = 6
_STEP_MS = 10
_LATE_MS = 600_000
_RANGE_MS = 7_200_000
_NEW_SERIES = 0.25  # of the requests bring one that nobody has seen


class Key(NamedTuple):
    """What names one sample. Even series hold floats, odd ones native histograms."""

    protocol: str
    series: int
    ts_ms: int

    @property
    def is_histogram(self) -> bool:
        return self.series % 2 == 1

    @property
    def value(self) -> float:
        """The float, or the histogram's sum: whole, decimal and full-width numbers by turns."""
        chance = random.Random(f"{self.protocol} {self.series} {self.ts_ms}")
        digits = (0, 2, 17)[self.ts_ms // _STEP_MS % 3]
        return round(chance.uniform(-1e6, 1e6), digits) + 0.0


@dataclass(kw_only=True)
class Plan(acknowledged_load.Plan):
    """`series` counts through all rounds, times ascend from `first_ms`."""

    first_ms: int
    series: int = 0
    n_requests: int = 0

    def next_keys(self) -> list[Key]:
        """Samples of a few series, a third of them some minutes late, in no order."""
        self.n_requests += 1
        if self.n_requests == 1 or self.chance.random() < _NEW_SERIES:
            self.series += 1
        ts_ms = self.first_ms + self.n_requests * 3 * _STEP_MS
        oldest = max(1, self.series - _SERIES_PER_REQUEST + 1)
        keys = []
        for series in range(oldest, self.series + 1):
            keys += [Key(self.protocol, series, ts_ms), Key(self.protocol, series, ts_ms + _STEP_MS)]
            keys.append(Key(self.protocol, series, ts_ms + 2 * _STEP_MS - _LATE_MS))
        self.chance.shuffle(keys)
        return keys

    def route(self, server: SwarmscopeServer) -> HttpRoute | GrpcRoute:
        """Where the server takes the plan's protocol."""
        if self.protocol == "otlp_grpc":
            return GrpcRoute(server.otlp_grpc_port, EXPORT, export)
        if self.protocol == "otlp_http":
            return HttpRoute(server.otlp_http_port, "/v1/metrics", {"content-type": "application/x-protobuf"}, export)
        is_v1 = self.protocol == "write_v1"
        headers = {
            "content-type": f"application/x-protobuf;proto={V1 if is_v1 else V2}",
            "content-encoding": "snappy",
            "x-prometheus-remote-write-version": "0.1.0" if is_v1 else "2.0.0",
        }
        encode = write_v1 if is_v1 else write_v2
        return HttpRoute(server.port, "/prometheus/api/v1/write", headers, lambda keys: snappy(encode(keys)))


def make_plans(seed: int) -> list[Plan]:
    """A sender for each protocol."""
    now_ms = int(time.time()) * 1000
    return [Plan(protocol, random.Random(f"{seed} {protocol}"), first_ms=now_ms) for protocol in PROTOCOLS]


def snappy(body: bytes) -> bytes:
    """The block format, which remote write uses."""
    return bytes(cramjam.snappy.compress_raw(body))


def _by_series(keys: list[Key]) -> Iterator[tuple[int, list[Key]]]:
    for series in sorted({key.series for key in keys}):
        yield series, [key for key in keys if key.series == series]


def _fill_histogram(made: object, key: Key) -> None:
    # Buckets 1 and 2 hold 2 and 3: deltas 2, +1. The zero bucket holds 1.
    made.count_int, made.zero_count_int, made.sum, made.timestamp = 6, 1, key.value, key.ts_ms
    made.positive_spans.add(offset=1, length=2)
    made.positive_deltas.extend((2, 1))


def write_v1(keys: list[Key]) -> bytes:
    request = message_class(V1)()
    for series, group in _by_series(keys):
        entry = request.timeseries.add()
        entry.labels.add(name="__name__", value="load")
        entry.labels.add(name="protocol", value="write_v1")
        entry.labels.add(name="series", value=str(series))
        for key in group:
            if key.is_histogram:
                _fill_histogram(entry.histograms.add(), key)
            else:
                entry.samples.add(timestamp=key.ts_ms, value=key.value)
    return request.SerializeToString()


def write_v2(keys: list[Key]) -> bytes:
    request = message_class(V2)(symbols=["", "__name__", "load", "protocol", "write_v2", "series"])
    for series, group in _by_series(keys):
        request.symbols.append(str(series))
        entry = request.timeseries.add(labels_refs=[1, 2, 3, 4, 5, len(request.symbols) - 1])
        for key in group:
            if key.is_histogram:
                _fill_histogram(entry.histograms.add(), key)
            else:
                entry.samples.add(timestamp=key.ts_ms, value=key.value)
    return request.SerializeToString()


def export(keys: list[Key]) -> bytes:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    gauge = metrics.add(name="load").gauge
    histogram = metrics.add(name="load").exponential_histogram
    histogram.aggregation_temporality = _CUMULATIVE
    for key in keys:
        if key.is_histogram:
            point = histogram.data_points.add(count=6, zero_count=1, sum=key.value)
            point.positive.offset = 0
            point.positive.bucket_counts.extend((2, 3))
        else:
            point = gauge.data_points.add(as_double=key.value)
        point.time_unix_nano = key.ts_ms * _NS_PER_MS
        for name, value in (("protocol", key.protocol), ("series", str(key.series))):
            point.attributes.add(key=name).value.string_value = value
    return request.SerializeToString()


def ask(server: SwarmscopeServer, query: str, at_ms: int) -> list[dict[str, Any]]:
    parameters = {"query": query, "time": str(at_ms / 1000)}
    answer = httpx.post(f"{server.prometheus_api}/api/v1/query", data=parameters, timeout=120)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["result"]


def _to_key(labels: dict[str, str], ts_ms: int) -> Key:
    return Key(labels["protocol"], int(labels["series"]), ts_ms)


def read_matrix(server: SwarmscopeServer, protocol: str, at_ms: int) -> Iterator[tuple[Key, float]]:
    """Every sample by the raw range selector."""
    for series in ask(server, f'load{{protocol="{protocol}"}}[2h]', at_ms):
        for ts, text in series.get("values", []):
            yield _to_key(series["metric"], round(ts * 1000)), float(text)
        for ts, histogram in series.get("histograms", []):
            assert histogram["count"] == "6", histogram
            yield _to_key(series["metric"], round(ts * 1000)), float(histogram["sum"])


def read_counts(server: SwarmscopeServer, protocol: str, at_ms: int) -> Counter[int]:
    """Samples by series, as the engine counts them."""
    counted = ask(server, f'count_over_time(load{{protocol="{protocol}"}}[2h])', at_ms)
    return Counter({int(entry["metric"]["series"]): int(entry["value"][1]) for entry in counted})


def read_remotely(server: SwarmscopeServer, protocol: str, at_ms: int) -> Iterator[tuple[Key, float]]:
    """Every sample by remote read."""
    request = MESSAGES["ReadRequest"]()
    query = request.queries.add(start_timestamp_ms=at_ms - _RANGE_MS, end_timestamp_ms=at_ms)
    query.matchers.add(type=0, name="__name__", value="load")
    query.matchers.add(type=0, name="protocol", value=protocol)
    answer = httpx.post(
        f"{server.prometheus_api}/api/v1/read",
        content=snappy(request.SerializeToString()),
        headers={"content-encoding": "snappy", "content-type": "application/x-protobuf"},
        timeout=120,
    )
    assert answer.status_code == 200, answer.text
    response = MESSAGES["ReadResponse"].FromString(bytes(cramjam.snappy.decompress_raw(answer.content)))
    for series in response.results[0].timeseries:
        labels = {label.name: label.value for label in series.labels}
        for sample in series.samples:
            yield _to_key(labels, sample.timestamp), sample.value
        for histogram in series.histograms:
            yield _to_key(labels, histogram.timestamp), histogram.sum


def check(server: SwarmscopeServer, ledger: Ledger, earlier: set[Key]) -> set[Key]:
    """Fail unless all that was acknowledged, and all that was seen before, is there once; returns what is seen."""
    assert not ledger.failures, ledger.failures
    at_ms = max(key.ts_ms for key in ledger.sent) + 1
    seen: set[Key] = set()
    for protocol in PROTOCOLS:
        for source in (read_matrix, read_remotely):
            found = list(source(server, protocol, at_ms))
            keys = ledger.compare(protocol, [key for key, _ in found], earlier)
            wrong = [(key, value) for key, value in found if value != key.value]
            assert not wrong, f"{source.__name__}: {wrong[:5]}"
        assert read_counts(server, protocol, at_ms) == Counter(key.series for key in keys)
        seen |= keys
    return seen
