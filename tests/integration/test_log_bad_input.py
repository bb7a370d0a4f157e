"""A hundred thousand bodies of logs from a fixed seed through every receiver: each has the right answer.

Here the decoders and endpoints run inside the test, over a sink that checks every batch it is given;
`test_log_bad_input_over_sockets` sends some thousands to a real process.
"""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pool, message_factory
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from starlette.applications import Starlette

from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError, MalformedInputError
from swarmscope.model.logs import LogBatch
from swarmscope.receivers.loki.routes import routes
from swarmscope.receivers.loki.settings import LokiSettings
from swarmscope.receivers.otlp.log_export import OtlpLogs
from swarmscope.receivers.otlp.routes import http_routes
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.wire.declared_messages import describe_messages
from swarmscope.testing.sinks import DictSeriesIndex
from tests.integration import damaged_bodies as damage
from tests.integration import damaged_log_bodies as damaged
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
from tests.receivers.wire.log_batches import check_log_batch

pytestmark = pytest.mark.slow

SEED = 200_000
SHARES = {"otlp": 30_000, "otlp_json": 14_000, "otlp_grpc": 6_000, "loki": 28_000, "loki_json": 22_000}
# Bodies that are broken only inside a value that a later one of the same `oneof` replaces: nobody reads it.
MAX_UNREAD = 5
KNOWN_STREAMS = 1000  # above that the sink learns no more
EXPORT, PUSH = "/v1/logs", "/loki/api/v1/push"
OTLP_STATUSES = {200, 400, 413, 415}
LOKI_STATUSES = {204, 400, 413, 415, 422}
MAKERS = {
    "otlp": damaged.otlp, "otlp_json": damaged.otlp_json, "otlp_grpc": damaged.otlp, "loki": damaged.loki,
    "loki_json": damaged.loki_json,
}  # fmt: skip
# A push without the fields that nobody reads: those may hold anything.
_POOL = descriptor_pool.DescriptorPool()
_READ_MESSAGES = {
    "Timestamp": "seconds int64 1; nanos int32 2",
    "Pair": "name string 1; value string 2",
    "Entry": "timestamp Timestamp 1; line string 2; structuredMetadata *Pair 3",
    "Stream": "labels string 1; entries *Entry 2",
    "Push": "streams *Stream 1",
}
describe_messages(_POOL, "what_is_read", _READ_MESSAGES)
READ_PUSH = message_factory.GetMessageClass(_POOL.FindMessageTypeByName("what_is_read.Push"))


class CheckingSink:
    """Takes everything, remembers some streams, and fails on what the contract does not allow."""

    def __init__(self) -> None:
        self.index = DictSeriesIndex()
        self.batches = self.lines = self.streams = 0

    def write_logs(self, batch: LogBatch) -> Receipt:
        check_log_batch(batch)
        if self.streams < KNOWN_STREAMS:
            self.streams += len(batch.new_labels)
            self.index.learn_streams(batch)
        self.batches += 1
        self.lines += len(batch)
        return Receipt(lines=len(batch))


def must_be_json(body: bytes, sound: bytes) -> None:
    """What was taken is JSON for Python's parser too; like Loki's, ours replaces what is not UTF-8.

    `sound` is the body before it was spoilt: under a name that nobody knows now, only brackets and strings are checked.
    """
    found, streams, values = (body.count(name) for name in (b'"streams":', b'"stream":', b'"values":'))
    if (found, streams, values) != (1, sound.count(b'"values":'), sound.count(b'"stream":')):
        return
    if any(unknown in sound for unknown in (b'"stringValue"', b'"a": {}')):  # which `retyped` puts into some
        return
    try:
        json.loads(body.decode(errors="replace"), strict=False)
    except ValueError:
        raise AssertionError(f"taken, though it is no JSON: {body[:300]!r}") from None


class Receivers:
    """Every receiver over one sink; each method sends one spoilt body and returns what kind of answer came."""

    def __init__(self) -> None:
        self.sink = CheckingSink()
        self.bodies = Bodies(MAKERS, SEED)
        self.unread = 0
        sink, index = self.sink, self.sink.index
        limits = {"max_body_bytes": MAX_UNPACKED // 4, "max_body_bytes_decompressed": MAX_UNPACKED}
        self.logs = OtlpLogs(OtlpSettings(**limits), sink, index)
        self.otlp_app = Starlette(routes=http_routes([self.logs], run_inline))
        self.loki_app = Starlette(routes=routes(LokiSettings(**limits), sink, index, run_inline))

    def export(self, body: bytes, chance: random.Random, *, as_json: bool) -> str:
        encoding = chance.choice(("", "", "", "", "gzip", "gzip", "zstd", "deflate", "snappy", "nonsense"))
        wire, spoilt = spoil_wire(damage.packed(body, encoding), chance)
        content_type = JSON if as_json else PROTOBUF
        if chance.random() < 0.03:
            content_type = chance.choice(("text/plain", JSON, PROTOBUF, "", "é;;="))
        headers = {"content-type": content_type, "content-encoding": encoding}
        status, text = post(self.otlp_app, EXPORT, headers, wire)
        assert status in OTLP_STATUSES, (status, text)
        if status == 200 and not text and not spoilt and content_type == PROTOBUF:
            self.check_export(body)
        if status == 200 and not spoilt and content_type == JSON:
            json.loads(body)
        assert status == 200 or len(text) > 10
        return str(status)

    def export_grpc(self, body: bytes) -> str:
        """What the gRPC handler does with a message."""
        try:
            result = self.logs.export(np.frombuffer(body, np.uint8), "default")
        except (MalformedInputError, LimitExceededError) as error:
            return type(error).__name__ if str(error) else "no words"
        if result.rejected or result.message:
            assert result.message
            return "partial"
        self.check_export(body)
        return "OK"

    def check_export(self, body: bytes) -> None:
        """What was taken is a request for protobuf's own parser too."""
        try:
            must_parse(ExportLogsServiceRequest, body)
        except AssertionError:
            self.unread += 1
            if self.unread > MAX_UNREAD:
                raise

    def push(self, body: bytes, sound: bytes, chance: random.Random, *, as_json: bool) -> str:
        usual = "" if as_json else "snappy"
        encoding = usual if chance.random() < 0.8 else chance.choice(("gzip", "zstd", "deflate", "", "br", "identity"))
        wire, spoilt = spoil_wire(damage.packed(body, encoding), chance)
        content_type = JSON if as_json else PROTOBUF
        if chance.random() < 0.03:
            content_type = chance.choice(("text/plain", JSON, PROTOBUF, "", "é;;="))
        # winston-loki sends snappy without saying so.
        told = "" if encoding == "snappy" and chance.random() < 0.3 else encoding
        status, text = post(self.loki_app, PUSH, {"content-type": content_type, "content-encoding": told}, wire)
        assert status in LOKI_STATUSES, (status, text)
        if status == 204 and not spoilt:
            if as_json and content_type == JSON:
                must_be_json(body, sound)
            elif not as_json and content_type == PROTOBUF and encoding == "snappy":
                must_parse(READ_PUSH, body)
        assert status == 204 or len(text) > 10
        return str(status)

    def send(self, kind: str, chance: random.Random) -> str:
        sound, body = self.bodies.next(kind, chance)
        if kind == "otlp_grpc":
            return self.export_grpc(body)
        if kind.startswith("otlp"):
            return self.export(body, chance, as_json=kind == "otlp_json")
        return self.push(body, sound, chance, as_json=kind == "loki_json")


def test_spoilt_bodies() -> None:
    receivers = Receivers()
    outcomes = run_bodies(SHARES, SEED, receivers.send)
    for kind, counts in outcomes.items():
        good = counts["204"] + counts["200"] + counts["OK"] + counts["partial"]
        assert counts.total() // 10 < good < counts.total(), (kind, counts)
        assert not counts["no words"], counts
    assert outcomes["loki_json"].keys() >= {"204", "400", "415", "422"}, outcomes
    assert receivers.sink.batches > N_BODIES // 10
    assert receivers.sink.lines > N_BODIES // 7
    assert receivers.logs.room.held_bytes == 0


@pytest.fixture(scope="module")
def receivers() -> Receivers:
    return Receivers()


def both(receivers: Receivers, headers: dict[str, str], body: bytes) -> list[tuple[int, bytes]]:
    return [post(receivers.otlp_app, EXPORT, headers, body), post(receivers.loki_app, PUSH, headers, body)]


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_bombs_are_refused_while_they_are_unpacked(receivers: Receivers, content_type: str) -> None:
    for encoding, body in damage.bombs(MAX_UNPACKED):
        before = rss()
        headers = {"content-type": content_type, "content-encoding": encoding}
        for status, text in both(receivers, headers, body):
            assert status in (400, 413, 415), (encoding, text)
        assert rss() - before < 4 * MAX_UNPACKED


@pytest.mark.parametrize("depth", [100, 10_000, 200_000])
def test_deep_nesting(receivers: Receivers, depth: int) -> None:
    for body, content_type in (
        (damaged.deep_body(min(depth, 20_000)), PROTOBUF),
        (damaged.deep_map(min(depth, 20_000)), PROTOBUF),
        (damaged.deep_json(depth), JSON),
        (damaged.deep_push(depth), JSON),
        (b'{"resourceLogs":' * depth, JSON),
        (b'{"streams":' * depth, JSON),
        (b"[" * depth, JSON),
    ):
        for status, text in both(receivers, {"content-type": content_type}, body):
            assert status in (200, 204, 400, 413, 422), text


def test_large_things_cost_nobody_else(receivers: Receivers) -> None:
    for body in damaged.large_pushes(damaged.T_NS):
        before = receivers.sink.lines
        headers = {"content-type": PROTOBUF, "content-encoding": "snappy"}
        status, text = post(receivers.loki_app, PUSH, headers, damage.packed(body, "snappy"))
        assert status in (204, 400), text[:300]
        assert len(text) < 5000
        assert receivers.sink.lines > before


def test_oversized_bodies(receivers: Receivers) -> None:
    for status, text in both(receivers, {"content-type": PROTOBUF}, bytes(MAX_UNPACKED // 4 + 1)):
        assert status == 413
        assert b"larger than" in text


def test_extreme_times(receivers: Receivers) -> None:
    """What no time can be is refused by name, the rest of the push is kept."""
    values: list[Any] = [[str(damaged.T_NS), "good"], [str(1 << 64), "bad"]]
    body = json.dumps({"streams": [{"stream": {"app": "a"}, "values": values}]}).encode()
    status, text = post(receivers.loki_app, PUSH, {"content-type": JSON}, body)
    assert status == 400, text
    assert b"time" in text
