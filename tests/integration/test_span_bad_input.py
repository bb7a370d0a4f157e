"""Spoilt bodies of spans from a fixed seed through every receiver: each has the right answer.

Here the decoders and endpoints run inside the test, over a sink that checks every batch it is given.
"""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.applications import Starlette

from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError, MalformedInputError
from swarmscope.model.spans import SpanBatch
from swarmscope.receivers.jaeger.routes import routes as jaeger_routes
from swarmscope.receivers.jaeger.settings import JaegerSettings
from swarmscope.receivers.otlp.routes import http_routes
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.otlp.span_export import OtlpTraces
from swarmscope.receivers.wire.decode_room import DecodeRoom
from swarmscope.receivers.wire.span_push import PushLimits
from swarmscope.receivers.zipkin.routes import routes as zipkin_routes
from swarmscope.receivers.zipkin.settings import ZipkinSettings
from tests.integration import damaged_bodies as damage
from tests.integration import damaged_span_bodies as damaged
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
from tests.receivers.otlp.test_span_fuzz import check_batch
from tests.receivers.zipkin.test_decode import ListOfSpans

pytestmark = pytest.mark.slow

SEED = 300_000
SHARES = {"otlp": 28_000, "otlp_json": 16_000, "otlp_grpc": 6_000, "zipkin_v1": 8_000, "zipkin_v2": 14_000,
          "zipkin_protobuf": 10_000, "jaeger_binary": 10_000, "jaeger_compact": 8_000}  # fmt: skip
MAKERS = {
    "otlp": damaged.otlp, "otlp_json": damaged.otlp_json, "otlp_grpc": damaged.otlp, "zipkin_v1": damaged.zipkin_v1,
    "zipkin_v2": damaged.zipkin_v2, "zipkin_protobuf": damaged.zipkin_protobuf,
    "jaeger_binary": damaged.jaeger_binary, "jaeger_compact": damaged.jaeger_compact,
}  # fmt: skip
THRIFT, COMPACT = "application/x-thrift", "application/vnd.apache.thrift.compact"
# Where the others are posted, and as what.
PUSHES = {
    "zipkin_v1": ("/zipkin/api/v1/spans", JSON),
    "zipkin_v2": ("/zipkin/api/v2/spans", JSON),
    "zipkin_protobuf": ("/zipkin/api/v2/spans", PROTOBUF),
    "jaeger_binary": ("/jaeger/api/traces", THRIFT),
    "jaeger_compact": ("/jaeger/api/traces", COMPACT),
}
EXPORT = "/v1/traces"
CONTENT_TYPES = ("text/plain", JSON, PROTOBUF, THRIFT, "", "é;;=")
# Bodies that are broken only inside a value that a later one of the same `oneof` replaces: nobody reads it.
MAX_UNREAD = 5
EARLIEST_NS = -(1 << 63)  # Jaeger's times have a sign


class CheckingSink:
    """Takes everything and fails on what the contract does not allow."""

    def __init__(self) -> None:
        self.batches = self.spans = 0

    def write_spans(self, batch: SpanBatch) -> Receipt:
        check_batch(batch, EARLIEST_NS)
        self.batches += 1
        self.spans += len(batch)
        return Receipt(spans=len(batch))


class Receivers:
    """Every receiver over one sink; each method sends one spoilt body and returns what kind of answer came."""

    def __init__(self) -> None:
        self.sink, self.room = CheckingSink(), DecodeRoom()
        self.bodies = Bodies(MAKERS, SEED)
        self.unread = 0
        limits = {"max_body_bytes": MAX_UNPACKED // 4, "max_body_bytes_decompressed": MAX_UNPACKED}
        self.traces = OtlpTraces(OtlpSettings(**limits), self.sink, self.room)
        self.otlp_app = Starlette(routes=http_routes([self.traces], run_inline))
        pushed = PushLimits(**limits)
        self.push_app = Starlette(
            routes=[
                *zipkin_routes("/zipkin", ZipkinSettings(pushed), self.sink, run_inline, self.room),
                *jaeger_routes("/jaeger", JaegerSettings(pushed), self.sink, run_inline, self.room),
            ]
        )

    def export(self, body: bytes, chance: random.Random, *, as_json: bool) -> str:
        encoding = chance.choice(("", "", "", "", "gzip", "gzip", "zstd", "deflate", "snappy", "nonsense"))
        wire, spoilt = spoil_wire(damage.packed(body, encoding), chance)
        content_type = chance.choice(CONTENT_TYPES) if chance.random() < 0.03 else (JSON if as_json else PROTOBUF)
        headers = {"content-type": content_type, "content-encoding": encoding}
        status, text = post(self.otlp_app, EXPORT, headers, wire)
        assert status in {200, 400, 413, 415}, (status, text)
        assert status == 200 or len(text) > 10
        if status == 200 and not spoilt:
            if content_type == JSON:
                json.loads(body)
            elif not text:
                self.check_export(body)
        return str(status)

    def export_grpc(self, body: bytes) -> str:
        """What the gRPC handler does with a message."""
        try:
            result = self.traces.export(np.frombuffer(body, np.uint8), "default")
        except (MalformedInputError, LimitExceededError) as error:
            return type(error).__name__ if str(error) else "no words"
        if result.rejected or result.message:
            return "partial" if result.message else "no words"
        self.check_export(body)
        return "OK"

    def check_export(self, body: bytes) -> None:
        """What was taken is a request for protobuf's own parser too."""
        try:
            must_parse(ExportTraceServiceRequest, body)
        except AssertionError:
            self.unread += 1
            if self.unread > MAX_UNREAD:
                raise

    def push(self, kind: str, body: bytes, chance: random.Random) -> str:
        path, content_type = PUSHES[kind]
        encoding = "" if chance.random() < 0.7 else chance.choice(("gzip", "zstd", "deflate", "br", "identity"))
        wire, spoilt = spoil_wire(damage.packed(body, encoding), chance)
        if chance.random() < 0.03:
            content_type = chance.choice(CONTENT_TYPES)
        headers = {"content-type": content_type, "content-encoding": encoding}
        status, text = post(self.push_app, path, headers, wire)
        assert status in {202, 400, 413, 415}, (status, text)
        assert status == 202 or len(text) > 10
        if status == 202 and not spoilt and path.startswith("/zipkin"):
            if content_type == PROTOBUF:
                must_parse(ListOfSpans, body)
            elif content_type == JSON:  # where what is not UTF-8 is replaced
                json.loads(body.decode(errors="replace"), strict=False)
        return str(status)

    def send(self, kind: str, chance: random.Random) -> str:
        body = self.bodies.next(kind, chance).body
        if kind == "otlp_grpc":
            return self.export_grpc(body)
        if kind in PUSHES:
            return self.push(kind, body, chance)
        return self.export(body, chance, as_json=kind == "otlp_json")


def test_spoilt_bodies() -> None:
    receivers = Receivers()
    outcomes = run_bodies(SHARES, SEED, receivers.send)
    for kind, counts in outcomes.items():
        good = counts["202"] + counts["200"] + counts["OK"] + counts["partial"]
        assert counts.total() // 20 < good < counts.total(), (kind, counts)
        assert not counts["no words"], counts
    assert receivers.sink.batches > N_BODIES // 10
    assert receivers.sink.spans > N_BODIES // 7
    assert receivers.room.held_bytes == 0


@pytest.fixture(scope="module")
def receivers() -> Receivers:
    return Receivers()


def everywhere(receivers: Receivers, content_type: str, encoding: str, body: bytes) -> list[tuple[int, bytes]]:
    """The same body at every endpoint that takes such bodies."""
    headers = {"content-type": content_type, "content-encoding": encoding}
    paths = sorted({path for path, known in PUSHES.values() if known == content_type})
    answers = [post(receivers.push_app, path, headers, body) for path in paths]
    return answers if "thrift" in content_type else [*answers, post(receivers.otlp_app, EXPORT, headers, body)]


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON, THRIFT])
def test_bombs_are_refused_while_they_are_unpacked(receivers: Receivers, content_type: str) -> None:
    for encoding, body in damage.bombs(MAX_UNPACKED):
        before = rss()
        for status, text in everywhere(receivers, content_type, encoding, body):
            assert status in (400, 413, 415), (encoding, text)
        assert rss() - before < 4 * MAX_UNPACKED


@pytest.mark.parametrize("depth", [100, 10_000, 200_000])
def test_deep_nesting(receivers: Receivers, depth: int) -> None:
    for body, content_type in (
        (damaged.deep_attribute(min(depth, 20_000)), PROTOBUF),
        (damaged.deep_json(depth), JSON),
        (b'{"resourceSpans":' * depth, JSON),
        (b"[" * depth, JSON),
        (b"[" * depth + b"]" * depth, JSON),
        (b"\x1c" * depth, COMPACT),  # a struct in a struct in a struct …
        (b"\x0c\0\1" * depth, THRIFT),
    ):
        for status, text in everywhere(receivers, content_type, "", body):
            assert status in (200, 202, 400, 413, 415), text


def test_large_things_cost_nobody_else(receivers: Receivers) -> None:
    for body in damaged.large_exports():
        before = receivers.sink.spans
        status, text = post(receivers.otlp_app, EXPORT, {"content-type": PROTOBUF}, body)
        assert status == 200, text[:300]
        assert receivers.sink.spans > before


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON, THRIFT, COMPACT])
def test_oversized_bodies(receivers: Receivers, content_type: str) -> None:
    answers = everywhere(receivers, content_type, "", bytes(MAX_UNPACKED // 4 + 1))
    assert answers
    assert {status for status, _ in answers} == {413}
