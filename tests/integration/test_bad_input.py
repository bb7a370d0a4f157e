"""A hundred thousand bodies from a fixed seed through every receiver: each has the right answer, none breaks anything.

Here the decoders and endpoints run inside the test, over a sink that checks every batch it is given;
`test_bad_input_over_sockets` sends some thousands to a real process.
"""

from __future__ import annotations

import random

import cramjam
import numpy as np
import orjson
import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from starlette.applications import Starlette

from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError, MalformedInputError
from swarmscope.model.metrics import UNKNOWN_SERIES, MetricBatch
from swarmscope.receivers.otlp.export import OtlpMetrics
from swarmscope.receivers.otlp.routes import http_routes
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.remote_write.routes import routes
from swarmscope.receivers.remote_write.schema import V1, V2, message_class
from swarmscope.receivers.remote_write.settings import RemoteWriteSettings
from swarmscope.receivers.scrape import load_scrape_config
from swarmscope.receivers.scrape.http_client import Answer
from swarmscope.receivers.scrape.scrape_work import Fetched, ScrapeWork
from swarmscope.receivers.scrape.target import Target
from swarmscope.testing.sinks import DictSeriesIndex
from tests.integration import damaged_bodies as damaged
from tests.integration.bad_body_run import (
    JSON,
    MAX_UNPACKED,
    N_BODIES,
    PROTOBUF,
    Bodies,
    must_parse,
    post,
    rss,
    run_bodies,
    run_inline,
    spoil_wire,
)  # fmt: skip

pytestmark = pytest.mark.slow

SEED = 100_000
SHARES = {"v1": 25_000, "v2": 25_000, "otlp": 18_000, "otlp_json": 8_000, "otlp_grpc": 6_000, "text": 8_000,
          "openmetrics": 6_000, "protobuf": 4_000}  # fmt: skip
MAKERS = {
    "v1": damaged.write_v1, "v2": damaged.write_v2, "otlp": damaged.otlp, "otlp_json": damaged.otlp_json,
    "otlp_grpc": damaged.otlp, "text": damaged.text, "openmetrics": damaged.openmetrics,
    "protobuf": damaged.exposed_protobuf,
}  # fmt: skip
SCRAPED = {
    "text": "text/plain; version=0.0.4",
    "openmetrics": "application/openmetrics-text; version=1.0.0",
    "protobuf": "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
}
ENCODINGS = ("snappy", "gzip", "zstd", "lz4", "deflate", "", "br", "gzip, zstd", "identity")
STATUSES = {200, 204, 400, 413, 415}


class CheckingSink:
    """Takes everything, remembers nothing, and fails on what the contract does not allow."""

    def __init__(self) -> None:
        self.index = DictSeriesIndex()
        self.batches = 0

    def write_metrics(self, batch: MetricBatch) -> Receipt:
        self.batches += 1
        n = batch.n_series
        unknown = int(np.count_nonzero(batch.series_ref == UNKNOWN_SERIES))
        assert len(batch.series_ref) == n
        assert len(batch.new_labels) == unknown
        assert len(batch.sample_series) == len(batch.ts_ms) == len(batch.value)
        histograms = batch.histograms
        for series in (batch.sample_series, histograms.series):
            assert not len(series) or (series.min() >= 0 and series.max() < n)
        for buckets in (histograms.positive, histograms.negative):
            assert len(buckets.offsets) == len(histograms) + 1
            assert buckets.offsets[-1] == len(buckets.index) == len(buckets.count)
        assert np.isin(histograms.schema, [*range(-4, 9), -53]).all()
        for start, end in zip(batch.new_labels.offsets, batch.new_labels.offsets[1:], strict=False):
            names = {batch.new_labels.names.text(pair) for pair in range(start, end)}
            assert len(names) == end - start, "a label name stands twice"
            assert "__name__" in names
        assert all(batch.new_labels.values.to_strings())
        if batch.exemplars is not None:
            batch.exemplars.labels.to_dicts()
            assert not len(batch.exemplars) or batch.exemplars.series.max() < n
        return Receipt(len(batch.ts_ms), len(histograms))


class Receivers:
    """Every receiver over one sink; each method sends one spoilt body and returns what kind of answer came."""

    def __init__(self) -> None:
        self.sink = CheckingSink()
        self.bodies = Bodies(MAKERS, SEED)
        sink, index = self.sink, self.sink.index
        limits = {"max_body_bytes": MAX_UNPACKED // 4, "max_body_bytes_decompressed": MAX_UNPACKED}
        self.write_app = Starlette(routes=routes(RemoteWriteSettings(**limits), sink, index, run_inline))
        self.metrics = OtlpMetrics(OtlpSettings(**limits, max_delta_series=1000), sink, index)
        self.otlp_app = Starlette(routes=http_routes([self.metrics], run_inline))
        job = load_scrape_config({"scrape_configs": [{"job_name": "j", "scrape_native_histograms": True}]}).jobs[0]
        target = Target("j", {}, {"job": "j", "instance": "i"}, "http://localhost/metrics", 1000, 1000, 1)
        self.work = ScrapeWork(job, target, sink, index)

    def write(self, proto: str, body: bytes, chance: random.Random) -> str:
        encoding = "snappy" if chance.random() < 0.8 else chance.choice(ENCODINGS)
        wire, spoilt = spoil_wire(damaged.packed(body, encoding), chance)
        content_type = f"application/x-protobuf;proto={proto}"
        if chance.random() < 0.05:
            content_type = chance.choice(
                ("application/json", "text/plain", "application/x-protobuf;proto=x", "é;;=", "")
            )
        headers = {"content-type": content_type, "content-encoding": encoding}
        status, text = post(self.write_app, "/prometheus/api/v1/write", headers, wire)
        if status == 204 and not spoilt and proto in content_type:
            must_parse(message_class(proto), body)
        assert status in STATUSES, (status, text)
        assert status == 204 or len(text) > 10
        return str(status)

    def export(self, body: bytes, chance: random.Random, *, as_json: bool) -> str:
        encoding = chance.choice(("", "", "gzip", "zstd", "snappy", "deflate", "nonsense"))
        wire, _ = spoil_wire(damaged.packed(body, encoding), chance)
        content_type = JSON if as_json else PROTOBUF
        if chance.random() < 0.03:
            content_type = chance.choice(("text/plain", JSON, PROTOBUF, ""))
        headers = {"content-type": content_type, "content-encoding": encoding}
        status, text = post(self.otlp_app, "/v1/metrics", headers, wire)
        assert status in STATUSES, (status, text)
        if status == 200 and not text and not encoding and "protobuf" in content_type:
            must_parse(metrics_service_pb2.ExportMetricsServiceRequest, wire)
        if status == 200 and not encoding and "json" in content_type:
            orjson.loads(wire)
        assert status == 200 or len(text) > 10
        return str(status)

    def export_grpc(self, body: bytes) -> str:
        """What the gRPC handler does with a message."""
        try:
            result = self.metrics.export(np.frombuffer(body, np.uint8), "default")
        except (MalformedInputError, LimitExceededError) as error:
            return type(error).__name__ if str(error) else "no words"
        if result.rejected or result.message:
            return "partial"
        must_parse(metrics_service_pb2.ExportMetricsServiceRequest, body)
        return "OK"

    def scrape(self, body: bytes, content_type: str, chance: random.Random) -> str:
        encoding = chance.choice(("", "", "", "gzip", "zstd"))
        wire, _ = spoil_wire(damaged.packed(body, encoding), chance)
        if chance.random() < 0.03:
            content_type = chance.choice(("", "text/html", "application/json", "é"))
        outcome = self.work.run(Fetched(Answer(content_type, encoding, wire), "", 0.0), damaged.T_MS)
        return "down" if outcome.error else "up"

    def send(self, kind: str, chance: random.Random) -> str:
        body = self.bodies.next(kind, chance).body
        if kind in ("v1", "v2"):
            return self.write(V1 if kind == "v1" else V2, body, chance)
        if kind == "otlp_grpc":
            return self.export_grpc(body)
        if kind in SCRAPED:
            return self.scrape(body, SCRAPED[kind], chance)
        return self.export(body, chance, as_json=kind == "otlp_json")


def test_spoilt_bodies() -> None:
    receivers = Receivers()
    outcomes = run_bodies(SHARES, SEED, receivers.send)
    for kind, counts in outcomes.items():
        good = counts["204"] + counts["200"] + counts["OK"] + counts["up"]
        assert 0 < good < counts.total(), (kind, counts)
    assert receivers.sink.batches > N_BODIES // 10


@pytest.fixture(scope="module")
def receivers() -> Receivers:
    return Receivers()


@pytest.mark.parametrize("number", range(10))
def test_bombs_are_refused_while_they_are_unpacked(receivers: Receivers, number: int) -> None:
    encoding, body = damaged.bombs(MAX_UNPACKED)[number]
    before = rss()
    headers = {"content-type": "application/x-protobuf", "content-encoding": encoding}
    status, text = post(receivers.write_app, "/prometheus/api/v1/write", headers, body)
    assert status in (400, 413), text
    if encoding != "snappy":
        status, text = post(receivers.otlp_app, "/v1/metrics", headers, body)
        assert status in (400, 413), text
    outcome = receivers.work.run(Fetched(Answer("text/plain", encoding, body), "", 0.0), damaged.T_MS)
    assert outcome.error
    assert rss() - before < 4 * MAX_UNPACKED


@pytest.mark.parametrize("depth", [100, 10_000, 200_000])
def test_deep_nesting(receivers: Receivers, depth: int) -> None:
    for body, content_type in (
        (damaged.deep_attributes(min(depth, 20_000)), "application/x-protobuf"),
        (damaged.deep_json(depth), "application/json"),
        (b'{"resourceMetrics":' * depth, "application/json"),
        (b"[" * depth, "application/json"),
    ):
        status, text = post(receivers.otlp_app, "/v1/metrics", {"content-type": content_type}, body)
        assert status in (200, 400, 413), text


def test_large_labels_cost_nobody_else(receivers: Receivers) -> None:
    headers = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
    for body in damaged.large_v1():
        wire = bytes(cramjam.snappy.compress_raw(body))
        status, text = post(receivers.write_app, "/prometheus/api/v1/write", headers, wire)
        assert status in (204, 400), text


def test_oversized_bodies(receivers: Receivers) -> None:
    body = bytes(MAX_UNPACKED // 4 + 1)
    for app, path in ((receivers.write_app, "/prometheus/api/v1/write"), (receivers.otlp_app, "/v1/metrics")):
        status, text = post(app, path, {"content-type": "application/x-protobuf"}, body)
        assert status == 413
        assert b"limits.max_body_bytes" in text or b"larger than" in text
