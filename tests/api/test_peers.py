"""Side by side with a real Prometheus: the same requests, its own chunks, its remote_read, its promtool."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cramjam
import httpx
import numpy as np
import pytest

from swarmscope.api.remote_read.histogram_chunks import encode_histogram_chunks
from swarmscope.api.remote_read.histogram_spans import HistogramRow
from swarmscope.api.remote_read.schema import MESSAGES, STREAMED_XOR_CHUNKS
from swarmscope.api.remote_read.xor_chunks import encode_xor_chunks
from swarmscope.model.metrics import Buckets, HistogramColumns
from swarmscope.model.series import SampleColumns
from tests.api.chunk_reader import read_histograms, read_xor
from tests.api.peers import needs_prometheus, prometheus, remote_write, time_series
from tests.api.served import NOW_MS, MemoryReader, Status, listening, refusals, serve

pytestmark = [pytest.mark.peer, needs_prometheus, pytest.mark.slow]

ITSELF = """
global: {scrape_interval: 1s}
scrape_configs:
- job_name: itself
  static_configs: [{targets: ['127.0.0.1:PORT']}]
"""


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus(tmp_path_factory.mktemp("peer"), ITSELF) as address:
        yield address


@pytest.fixture(scope="module")
def ours() -> Iterator[str]:
    reader = MemoryReader()
    reader.add({"__name__": "up", "job": "itself"}, (NOW_MS, 1.0))
    with listening(serve(reader).app) as address:
        yield f"{address}/prometheus"


@pytest.mark.parametrize("target", [target for since, target, _ in refusals() if not since])
def test_refusals_are_the_same(peer: str, ours: str, target: str) -> None:
    theirs, own = httpx.get(f"{peer}/api/v1{target}"), httpx.get(f"{ours}/api/v1{target}")
    assert (own.status_code, own.headers["content-type"]) == (theirs.status_code, theirs.headers["content-type"])
    assert own.content == theirs.content


@pytest.mark.parametrize(
    "target",
    [
        "/query?query=1%2B1&time=4",
        "/query?query=1.5&time=1435781430.781",
        "/query?query=7&time=1435781430.780",
        "/query?query=1e-7&time=1",
        "/query?query=-0&time=1",
        '/query?query="text"&time=4',
        "/query?query=nothing&time=4",
        "/query_range?query=1&start=1&end=1.5&step=0.25",
        "/query_range?query=1e21&start=1&end=2&step=1",
        "/query_range?query=1e-7&start=1&end=2&step=1",
        "/query_range?query=123456789.125&start=1&end=2&step=1",
        "/query_range?query=NaN&start=1&end=2&step=1",
        "/query_range?query=-Inf&start=-1.5&end=2&step=1",
        "/query_range?query=nothing&start=1&end=2&step=1",
        "/labels?start=1&end=2",
        "/label/nope/values",
        "/metadata?metric=nope",
        "/rules",
        "/alerts",
        "/alertmanagers",
        "/format_query?query=sum(rate(foo%7Ba=%22b%22%7D%5B5m%5D))by(x)",
        "/query_exemplars?query=up&start=1&end=4",
        "/status/walreplay",
    ],
)
def test_answers_are_the_same(peer: str, ours: str, target: str) -> None:
    theirs, own = httpx.get(f"{peer}/api/v1{target}"), httpx.get(f"{ours}/api/v1{target}")
    assert own.status_code == theirs.status_code == 200
    assert own.headers["content-type"] == theirs.headers["content-type"]
    assert own.json() == theirs.json()
    # Time stamps of scalars are the one place where Prometheus drops a fraction's trailing zero.
    if "1435781430.780" not in target:
        assert own.text == theirs.text


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/query", "/labels", "/label/job/values", "/rules", "/admin/tsdb/snapshot", "/nope"])
def test_methods_are_the_same(peer: str, ours: str, method: str, path: str) -> None:
    theirs, own = httpx.request(method, f"{peer}/api/v1{path}"), httpx.request(method, f"{ours}/api/v1{path}")
    assert own.status_code == theirs.status_code
    if theirs.status_code in (404, 405):
        assert own.text == theirs.text


@pytest.mark.parametrize("path", ["runtimeinfo", "buildinfo", "tsdb", "flags", "config"])
def test_status_fields(peer: str, ours: str, path: str) -> None:
    theirs, own = (httpx.get(f"{base}/api/v1/status/{path}").json()["data"] for base in (peer, ours))
    if path == "config":
        assert set(own) == set(theirs)
    elif path == "tsdb":
        assert set(Status().storage_stats("default", 9)) == set(own)
    elif path != "flags":
        assert set(theirs) <= set(own)


def test_health_and_cors_headers(peer: str, ours: str) -> None:
    root = ours.removesuffix("/prometheus")
    for path in ("/-/healthy", "/-/ready"):
        theirs, own = httpx.head(peer + path), httpx.head(root + path)
        assert (own.status_code, own.content) == (theirs.status_code, theirs.content)
    origin = {"Origin": "http://a.b"}
    theirs, own = (httpx.get(f"{base}/api/v1/rules", headers=origin) for base in (peer, ours))
    for name, value in theirs.headers.items():
        if name.startswith("access-control"):
            assert own.headers[name] == value


def streamed(address: str, metric: str, start_ms: int, end_ms: int) -> list[Any]:
    """The `ChunkedSeries` of a streamed remote read."""
    request = MESSAGES["ReadRequest"](accepted_response_types=[STREAMED_XOR_CHUNKS])
    query = request.queries.add(start_timestamp_ms=start_ms, end_timestamp_ms=end_ms)
    query.matchers.add(type=0, name="__name__", value=metric)
    answer = httpx.post(
        f"{address}/api/v1/read", content=bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"
    series = []
    data = answer.content
    while data:
        size = shift = at = 0
        while True:
            size |= (data[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 0x80:
                break
        message = MESSAGES["ChunkedReadResponse"].FromString(data[at + 4 : at + 4 + size])
        series += message.chunked_series
        data = data[at + 4 + size :]
    return series


def doubles(bits: list[int]) -> np.ndarray:
    return np.array(bits, np.uint64).view(np.float64)


def test_float_chunks_are_prometheus_own_bytes(peer: str) -> None:
    now_ms = int(time.time() * 1000) - 600_000
    series = time_series({"__name__": "chunked"})
    generator = np.random.default_rng(7)
    ts_ms = now_ms + np.cumsum(generator.choice([1, 1500, 1501, 1490, 4000, 9000], 300))
    ts_ms -= max(0, int(ts_ms[-1] - now_ms))
    odd = [1e300, -0.0, math.inf, math.nan]
    values = np.concatenate([np.arange(100), generator.normal(size=100), odd, np.ones(96)])
    for ts, value in zip(ts_ms.tolist(), values.tolist(), strict=True):
        series.samples.add(timestamp=ts, value=value)
    remote_write(peer, MESSAGES["QueryResult"](timeseries=[series]).SerializeToString())
    (found,) = streamed(peer, "chunked", 0, now_ms + 10**9)
    seen: list[tuple[int, int]] = []
    for chunk in found.chunks:
        samples = read_xor(chunk.data)
        seen += samples
        columns = SampleColumns(
            np.array([0, len(samples)]), np.array([t for t, _ in samples]), doubles([bits for _, bits in samples])
        )
        own = encode_xor_chunks(columns)
        if len(samples) <= 120:
            # A chunk whose bits fill its last byte has an empty one behind it in Prometheus' head.
            assert chunk.data in (own.data.tobytes(), own.data.tobytes() + b"\0")
            assert (own.min_ms[0], own.max_ms[0], own.encoding[0]) == (chunk.min_time_ms, chunk.max_time_ms, chunk.type)
    assert [t for t, _ in seen] == ts_ms.tolist()


def histogram(ts_ms: int, row: int, *, floats: bool) -> Any:
    """A growing histogram with positive and negative buckets."""
    message = MESSAGES["Histogram"](sum=1.5 * row - 3, schema=1, zero_threshold=0.001, timestamp=ts_ms, reset_hint=0)
    message.positive_spans.add(offset=-2, length=2)
    message.positive_spans.add(offset=3, length=1)
    message.negative_spans.add(offset=0, length=1)
    positive, negative, zero = [1 + row, 2 + row * row, 5], [3 * row + 1], row
    count = sum(positive) + sum(negative) + zero
    if floats:
        message.count_float, message.zero_count_float = count / 2, zero / 2
        message.positive_counts.extend(value / 2 for value in positive)
        message.negative_counts.extend(value / 2 for value in negative)
    else:
        message.count_int, message.zero_count_int = count, zero
        message.positive_deltas.extend(b - a for a, b in zip([0, *positive], positive, strict=False))
        message.negative_deltas.extend(negative)
    return message


@pytest.mark.parametrize("floats", [False, True])
def test_histogram_chunks_are_prometheus_own_bytes(peer: str, floats: bool) -> None:
    start_ms = int(time.time() * 1000) - 600_000
    name = f"native_{floats}"
    series = time_series({"__name__": name})
    for row in range(50):
        series.histograms.append(histogram(start_ms + row * 1000 + row % 3, row, floats=floats))
    remote_write(peer, MESSAGES["QueryResult"](timeseries=[series]).SerializeToString())
    (found,) = streamed(peer, name, 0, start_ms + 10**9)
    (chunk,) = found.chunks
    _, rows = read_histograms(chunk.data, floats=floats)
    assert len(rows) == 50
    own_rows = []
    for sent in series.histograms:
        if floats:
            positive, negative = tuple(sent.positive_counts), tuple(sent.negative_counts)
            zero, count = sent.zero_count_float, sent.count_float
        else:
            positive = tuple(np.cumsum(sent.positive_deltas).astype(float).tolist())
            negative = tuple(np.cumsum(sent.negative_deltas).astype(float).tolist())
            zero, count = float(sent.zero_count_int), float(sent.count_int)
        own_rows.append(
            HistogramRow(
                sent.timestamp, sent.schema, 0, floats, sent.zero_threshold, zero, count, sent.sum,
                tuple((s.offset, s.length) for s in sent.positive_spans), positive,
                tuple((s.offset, s.length) for s in sent.negative_spans), negative, (),
            )
        )  # fmt: skip
    (own,) = encode_histogram_chunks(own_rows)
    assert (own.min_ms, own.max_ms, own.encoding) == (chunk.min_time_ms, chunk.max_time_ms, chunk.type)
    assert chunk.data in (own.data, own.data + b"\0")


def reading_reader() -> MemoryReader:
    reader = MemoryReader()
    reader.add({"__name__": "read_me", "job": "a"}, *[(NOW_MS + n * 15_000, float(n * n)) for n in range(200)])
    reader.add({"__name__": "read_me", "job": "b"}, *[(NOW_MS + n * 15_000, n / 8) for n in range(200)])
    place = reader.add({"__name__": "native"})
    reader.histograms = HistogramColumns(
        np.array([place]), np.array([NOW_MS]), np.array([0], np.int8), np.array([0], np.uint8), np.array([False]),
        np.array([0.001]), np.array([2.0]), np.array([9.0]), np.array([12.5]),
        Buckets(np.array([0, 3]), np.array([-1, 0, 4], np.int32), np.array([1.0, 2.0, 4.0])), Buckets.empty(1),
        np.array([0, 0]), np.zeros(0),
    )  # fmt: skip
    return reader


def test_prometheus_reads_from_us(tmp_path: Path) -> None:
    served = serve(reading_reader())
    with listening(served.app) as address:
        config = f"remote_read: [{{url: '{address}/prometheus/api/v1/read', read_recent: true}}]\n"
        with prometheus(tmp_path, config) as reader:
            answer = httpx.get(
                f"{reader}/api/v1/query_range",
                params={"query": "read_me", "start": NOW_MS / 1000, "end": NOW_MS / 1000 + 2985, "step": "15"},
            ).json()
            assert [one["metric"]["job"] for one in answer["data"]["result"]] == ["a", "b"]
            for number, of in enumerate((lambda n: n * n, lambda n: n / 8)):
                values = [float(value) for _, value in answer["data"]["result"][number]["values"]]
                assert values == [of(n) for n in range(200)]
            regex = httpx.get(
                f"{reader}/api/v1/query", params={"query": 'sum(read_me{job=~"a|c"})', "time": NOW_MS / 1000 + 60}
            )
            assert regex.json()["data"]["result"][0]["value"][1] == "16"
    assert {record.endpoint for record in served.records} == {"/read"}


def test_streamed_read_of_ours() -> None:
    """Frames, chunk cuts and histograms as a client of the streamed form sees them."""
    with listening(serve(reading_reader(), remote_read_frame_bytes=300).app) as address:
        found = streamed(f"{address}/prometheus", "read_me", NOW_MS, NOW_MS + 10**8)
        (native,) = streamed(f"{address}/prometheus", "native", NOW_MS, NOW_MS + 10**8)
        nothing = streamed(f"{address}/prometheus", "nothing", NOW_MS, NOW_MS + 10**8)
    assert nothing == []
    samples: dict[str, list[tuple[int, float]]] = {}
    for one in found:
        job = {label.name: label.value for label in one.labels}["job"]
        for chunk in one.chunks:
            for ts, bits in read_xor(chunk.data):
                samples.setdefault(job, []).append((ts, struct.unpack("<d", struct.pack("<Q", bits))[0]))
    assert len(found) > 2  # frames were cut at 300 bytes
    assert samples["a"] == [(NOW_MS + n * 15_000, float(n * n)) for n in range(200)]
    assert samples["b"] == [(NOW_MS + n * 15_000, n / 8) for n in range(200)]
    layout, rows = read_histograms(native.chunks[0].data, floats=False)
    assert (layout["positive"], rows[0]["count"], rows[0]["positive"]) == ([(-1, 2), (3, 1)], 9, [1, 1, 2])


def test_bad_reads(ours: str, peer: str) -> None:
    for content in (b"x", b"", bytes(cramjam.snappy.compress_raw(b"\xff\xff\xff"))):
        theirs, own = (httpx.post(f"{base}/api/v1/read", content=content) for base in (peer, ours))
        assert own.status_code == theirs.status_code == 400
    # A block that claims to unpack to 4 GiB is refused unopened.
    bomb = httpx.post(f"{ours}/api/v1/read", content=b"\xff\xff\xff\xff\x0f" + b"\0" * 100)
    assert (bomb.status_code, "too large" in bomb.text) == (400, True)


def promtool(*arguments: str) -> str:
    done = subprocess.run(["promtool", "query", *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_promtool() -> None:
    with listening(serve(reading_reader()).app) as address:
        server = f"{address}/prometheus"
        at = str(NOW_MS // 1000 + 30)
        assert promtool("instant", f"--time={at}", server, 'read_me{job="a"}') == f'read_me{{job="a"}} => 4 @[{at}]\n'
        ranged = promtool("range", f"--start={NOW_MS // 1000}", f"--end={at}", "--step=15s", server, "read_me")
        assert ranged.splitlines()[:4] == [
            'read_me{job="a"} =>', f"0 @[{NOW_MS // 1000}]", f"1 @[{NOW_MS // 1000 + 15}]", f"4 @[{at}]"
        ]  # fmt: skip
        window = (f"--start={NOW_MS // 1000}", f"--end={at}")
        assert promtool("series", "--match=read_me", *window, server).splitlines() == [
            '{__name__="read_me", job="a"}',
            '{__name__="read_me", job="b"}',
        ]
        assert promtool("labels", *window, server, "job").split() == ["a", "b"]
        asked = json.loads(httpx.get(f"{server}/api/v1/labels").text)
        assert asked["data"] == ["__name__", "job"]
