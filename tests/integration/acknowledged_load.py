"""Senders of every write protocol that note each sample before it leaves, and whether it was acknowledged.

A sample is known by protocol, series number and time; its value follows from these, so that a sample that comes back
can be told from any other. New series appear all the time, and a third of each request is late by some minutes.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import cramjam
import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from swarmscope.receivers.remote_write.schema import V1, V2, message_class
from tests.integration.processes import SwarmscopeServer

PROTOCOLS = ("write_v1", "write_v2", "otlp_grpc", "otlp_http")
_EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
_NS_PER_MS = 1_000_000
_CUMULATIVE = 2
_SERIES_PER_REQUEST = 6
_TIMEOUT_S = 30
_PAUSE_S = 0.1
_STEP_MS = 10
_LATE_MS = 600_000


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


@dataclass
class Ledger:
    """What left, and what of it was acknowledged; thread-safe, as sets are changed whole."""

    sent: set[Key] = field(default_factory=set)
    acknowledged: set[Key] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)


@dataclass
class Plan:
    """The next requests of one sender: `series` counts through all rounds, times ascend from `now_ms`."""

    protocol: str
    first_ms: int
    chance: random.Random
    series: int = 0
    n_requests: int = 0

    def next_keys(self) -> list[Key]:
        self.n_requests += 1
        if self.n_requests % 2:
            self.series += 1  # half of the requests bring a series that nobody has seen
        ts_ms = self.first_ms + self.n_requests * 3 * _STEP_MS
        oldest = max(1, self.series - _SERIES_PER_REQUEST + 1)
        keys = []
        for series in range(oldest, self.series + 1):
            keys += [Key(self.protocol, series, ts_ms), Key(self.protocol, series, ts_ms + _STEP_MS)]
            keys.append(Key(self.protocol, series, ts_ms + 2 * _STEP_MS - _LATE_MS))
        self.chance.shuffle(keys)
        return keys


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


class _HttpSender:
    def __init__(self, port: int, path: str, headers: dict[str, str], encode: Callable[[list[Key]], bytes]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        self._path, self._headers, self._encode = path, headers, encode

    def send(self, keys: list[Key]) -> bool:
        body = self._encode(keys)
        if self._headers.get("content-encoding") == "snappy":
            body = bytes(cramjam.snappy.compress_raw(body))
        self._connection.request("POST", self._path, body, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status in (429, 503):
            time.sleep(_PAUSE_S)
            return False
        # An OTLP answer that is not empty tells of a partial success.
        assert answer.status in (200, 204), f"{answer.status} {text!r}"
        assert not text, text
        return True

    def close(self) -> None:
        self._connection.close()


class _GrpcSender:
    def __init__(self, port: int) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._export = self._channel.unary_unary(_EXPORT)

    def send(self, keys: list[Key]) -> bool:
        try:
            answer = self._export(export(keys), timeout=_TIMEOUT_S, wait_for_ready=False)
        except grpc.RpcError as error:
            retryable = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED)
            if error.code() not in retryable:
                raise
            time.sleep(_PAUSE_S)
            return False
        assert not answer, answer
        return True

    def close(self) -> None:
        self._channel.close()


def open_sender(protocol: str, server: SwarmscopeServer) -> _HttpSender | _GrpcSender:
    if protocol == "otlp_grpc":
        return _GrpcSender(server.otlp_grpc_port)
    if protocol == "otlp_http":
        return _HttpSender(server.otlp_http_port, "/v1/metrics", {"content-type": "application/x-protobuf"}, export)
    proto, version, encode = (V1, "0.1.0", write_v1) if protocol == "write_v1" else (V2, "2.0.0", write_v2)
    headers = {
        "content-type": f"application/x-protobuf;proto={proto}",
        "content-encoding": "snappy",
        "x-prometheus-remote-write-version": version,
    }
    return _HttpSender(server.port, "/prometheus/api/v1/write", headers, encode)


class Load:
    """One thread for each plan, until the server is gone or `stop` is called."""

    def __init__(self, server: SwarmscopeServer, plans: list[Plan], ledger: Ledger) -> None:
        self._server = server
        self._ledger = ledger
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(plan,)) for plan in plans]
        for thread in self._threads:
            thread.start()

    def _run(self, plan: Plan) -> None:
        sender = open_sender(plan.protocol, self._server)
        try:
            while not self._stopping.is_set():
                keys = plan.next_keys()
                self._ledger.sent.update(keys)
                if sender.send(keys):
                    self._ledger.acknowledged.update(keys)
        except (OSError, http.client.HTTPException):
            return  # the server is gone; what was in flight is not acknowledged
        except Exception as error:
            self._ledger.failures.append(f"{plan.protocol}: {error!r}")
        finally:
            sender.close()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(_TIMEOUT_S)
            assert not thread.is_alive()

    def stop(self) -> None:
        self._stopping.set()
        self.join()
