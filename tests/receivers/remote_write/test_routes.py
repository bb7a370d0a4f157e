"""Remote write over HTTP: what senders send, oddities included, and what they are told."""

import gzip
import tracemalloc

import cramjam
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError, UnavailableError
from swarmscope.receivers.remote_write.routes import RemoteWriteReceiver, routes
from swarmscope.receivers.remote_write.schema import V1
from swarmscope.receivers.remote_write.settings import RemoteWriteSettings
from swarmscope.testing.sinks import RecordingSink

from .test_decode import UP, Symbols, WriteRequest, add_v1

V2_TYPE = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
WRITTEN = [f"x-prometheus-remote-write-{kind}-written" for kind in ("samples", "histograms", "exemplars")]


def snappy(message):
    return bytes(cramjam.snappy.compress_raw(message.SerializeToString()))


async def run(function, *args):
    return function(*args)


async def full(function, *args):
    raise LimitExceededError("too many requests in flight", limit="limits.max_in_flight", retry_after_s=2.5)


@pytest.fixture
def sink():
    return RecordingSink()


def client_of(sink, runner=run, **settings):
    return TestClient(Starlette(routes=routes(RemoteWriteSettings(**settings), sink, sink.index, runner)))


def post(client, body, path="/prometheus/api/v1/write", **headers):
    return client.post(path, content=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def simple():
    request = WriteRequest()
    add_v1(request, UP, (1000, 1.0))
    return request


def simple_v2():
    symbols = Symbols()
    series = symbols.add(UP, (1000, 1.0), (2000, 2.0))
    series.histograms.add(timestamp=1000, count_int=0)
    series.exemplars.add(value=1, timestamp=1)
    return symbols.request


PROMETHEUS = {
    "content_encoding": "snappy",
    "content_type": "application/x-protobuf",
    "x_prometheus_remote_write_version": "0.1.0",
}


def test_what_prometheus_sends_is_answered_204(sink):
    answer = post(client_of(sink), snappy(simple()), **PROMETHEUS)
    assert (answer.status_code, answer.content) == (204, b"")
    assert not any(name in answer.headers for name in WRITTEN)
    assert sink.samples() == [(dict(UP), 1000, 1.0)]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content_type": "application/vnd.google.protobuf"},  # the npm client: no encoding, no version
        {"content_type": "application/x-protobuf;proto=prometheus.WriteRequest"},
        {"content_encoding": "gzip"},  # wrong
        {"content_encoding": "zstd"},  # wrong
    ],
)
def test_snappy_with_odd_headers(sink, headers):
    assert post(client_of(sink), snappy(simple()), **headers).status_code == 204
    assert len(sink.samples()) == 1


@pytest.mark.parametrize("name", ["gzip", "zstd", "identity", "snappy-frames"])
def test_other_encodings(sink, name):
    body = simple().SerializeToString()
    packed = {
        "gzip": gzip.compress,
        "zstd": lambda data: bytes(cramjam.zstd.compress(data)),
        "identity": bytes,
        "snappy-frames": lambda data: bytes(cramjam.snappy.compress(data)),
    }[name](body)
    encoding = {"identity": "identity", "snappy-frames": "snappy"}.get(name, name)
    assert post(client_of(sink), packed, content_encoding=encoding).status_code == 204
    assert len(sink.samples()) == 1


def test_version_2_says_what_was_written(sink):
    answer = post(client_of(sink), snappy(simple_v2()), content_type=V2_TYPE, content_encoding="snappy")
    assert answer.status_code == 204
    assert [answer.headers[name] for name in WRITTEN] == ["2", "1", "1"]


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"content_type": "application/json"}, "application/json"),
        ({"content_type": "application/x-protobuf;proto=io.prometheus.write.v3.Request"}, "v3"),
        ({"content_encoding": "br"}, "br"),
        ({"content_encoding": "gzip, snappy"}, "chained"),
    ],
)
def test_what_is_not_spoken_is_415(sink, headers, text):
    answer = post(client_of(sink), snappy(simple()), **headers)
    assert answer.status_code == 415
    assert text in answer.text


@pytest.mark.parametrize("content_type", ["application/x-protobuf", V2_TYPE])
def test_malformed_bodies_are_400_with_the_headers_of_version_2(sink, content_type):
    for body in (b"\x0a\xff\xff", b"junk", bytes(cramjam.snappy.compress_raw(b"\x0a\x05ab\x2a\x05"))):
        answer = post(client_of(sink), body, content_type=content_type, content_encoding="snappy")
        assert answer.status_code == 400
        if content_type == V2_TYPE:
            assert [answer.headers[name] for name in WRITTEN] == ["0", "0", "0"]
    assert not sink.batches


def test_some_bad_series_are_400_and_the_rest_is_kept(sink):
    request = simple()
    add_v1(request, [("__name__", "x"), ("a", "1"), ("a", "2")], (1, 1.0))
    answer = post(client_of(sink), snappy(request), **PROMETHEUS)
    assert answer.status_code == 400
    assert answer.text == '1 series refused: a label name stands twice, first {__name__="x", a="1", a="2"}\n'
    assert sink.samples() == [(dict(UP), 1000, 1.0)]


def test_bodies_over_the_limits_are_413(sink):
    body = snappy(simple())
    for limits in ({"max_body_bytes": len(body) - 1}, {"max_body_bytes_decompressed": 10}):
        answer = post(client_of(sink, **limits), body, **PROMETHEUS)
        assert answer.status_code == 413
    chunked = client_of(sink, max_body_bytes=5).post("/api/v1/write", content=iter([b"abc", b"def"]))
    assert chunked.status_code == 413


def test_the_sinks_answers(sink):
    client = client_of(sink)
    cases = [
        (LimitExceededError("behind", limit="l", retry_after_s=0.2), 429, "1"),
        (LimitExceededError("behind", limit="l", retry_after_s=2.2), 429, "3"),
        (LimitExceededError("never", limit="l"), 400, None),
        (UnavailableError("starting", retry_after_s=5), 503, "5"),
    ]
    for error, status, retry_after in cases:
        sink.error = error
        answer = post(client, snappy(simple_v2()), content_type=V2_TYPE)
        assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
        assert str(error) in answer.text
        assert [answer.headers[name] for name in WRITTEN] == ["0", "0", "0"]


def test_partial_refusals_by_the_sink(sink):
    client = client_of(sink)
    sink.receipt = Receipt(samples=1, refused={"label too long": 1})
    answer = post(client, snappy(simple_v2()), content_type=V2_TYPE)
    assert (answer.status_code, answer.text) == (400, "1 samples refused: label too long\n")
    assert answer.headers[WRITTEN[0]] == "1"
    sink.receipt = Receipt(samples=1, refused={"limits.max_active_series": 1}, retryable=True)
    answer = post(client, snappy(simple_v2()), content_type=V2_TYPE)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


def test_a_full_pool_is_429(sink):
    answer = post(client_of(sink, full), snappy(simple()), **PROMETHEUS)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")


def test_tenants(sink):
    client = client_of(sink)
    post(client, snappy(simple()), x_scope_orgid="team-a")
    post(client, snappy(simple()))
    assert [batch.tenant for batch in sink.batches] == ["team-a", "default"]
    assert post(client, snappy(simple()), x_scope_orgid="x" * 151).status_code == 400


def test_metadata_is_written_again_after_a_failure(sink):
    client = client_of(sink)
    symbols = Symbols()
    symbols.add(UP, (1, 1.0)).metadata.type = 2
    sink.error = UnavailableError("starting")
    post(client, snappy(symbols.request), content_type=V2_TYPE)
    sink.error = None
    post(client, snappy(symbols.request), content_type=V2_TYPE)
    post(client, snappy(symbols.request), content_type=V2_TYPE)
    assert [batch.metadata.metric if batch.metadata else None for batch in sink.batches] == [["up"], None]


def test_only_post(sink):
    assert client_of(sink).get("/prometheus/api/v1/write").status_code == 405


@pytest.mark.parametrize(
    ("content_type", "unit", "limit"),
    [
        ("application/x-protobuf", b"\x0a\x00", "series"),
        ("application/x-protobuf", b"\x0a\x82\x7d" + b"\x12\x00" * 8001, "samples"),
        (V2_TYPE, b"\x2a\x00", "series"),
        (V2_TYPE, b"\x22\x00", "symbols"),
        (V2_TYPE, b"\x2a\x82\x7d" + b"\x12\x00" * 8001, "samples"),
    ],
)
def test_bodies_that_would_blow_up_when_decoded_are_413(sink, content_type, unit, limit):
    body = bytes(cramjam.snappy.compress_raw(unit * ((60 << 20) // len(unit))))
    tracemalloc.start()
    answer = post(client_of(sink), body, content_type=content_type, content_encoding="snappy")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (answer.status_code, f"{limit}, more than" in answer.text) == (413, True)
    assert peak < 300 << 20  # 60 MiB unpacked, and what it was first taken for


def test_forged_tenants_are_not_remembered(sink):
    receiver = RemoteWriteReceiver(RemoteWriteSettings(), sink, sink.index, run)
    for number in range(50):
        receiver.process(snappy(simple()), V1, "snappy", f"tenant-{number}")
    assert receiver._known_metadata == {}
