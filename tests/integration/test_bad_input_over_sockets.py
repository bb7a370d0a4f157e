"""Bad bodies, bad requests and bad connections at a real process, beside a good sender who must not notice."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

import cramjam
import grpc
import httpx
import psutil
import pytest

from swarmscope.receivers.remote_write.schema import V1, V2
from tests.integration import damaged_bodies as damaged
from tests.integration.acknowledged_load import Ledger, Load
from tests.integration.acknowledged_samples import check, make_plans
from tests.integration.log_reading import wait_until
from tests.integration.processes import SwarmscopeServer, remote_write, write_request
from tests.portion import portion

pytestmark = pytest.mark.slow

SEED = 4_000
ROUNDS = 3
# In each round.
N_WRITES, N_EXPORTS, N_CALLS, N_QUERIES = (portion(whole, whole // 4) for whole in (700, 500, 200, 300))
MAX_RSS = 3 << 29
EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
SETTINGS = {
    "RETENTION__METRICS": "infinite",
    "STORAGE__FLUSH_AFTER": "300ms",
    "LIMITS__MAX_BODY_BYTES": "2MiB",
    "LIMITS__MAX_BODY_BYTES_DECOMPRESSED": "8MiB",
    "API__ENABLE_ADMIN_API": "true",
}
GOOD = {200, 204}
REFUSED = {400, 404, 413, 415, 422}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmscopeServer]:
    made = SwarmscopeServer(tmp_path_factory.mktemp("bad"), SETTINGS)
    made.start()
    yield made
    if made.process is not None:
        made.stop_cleanly()


def process_of(server: SwarmscopeServer) -> psutil.Process:
    assert server.process is not None
    return psutil.Process(server.process.pid)


class Sender:
    """One kept-alive connection; made anew when the server closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: http.client.HTTPConnection | None = None

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        for _ in range(2):
            connection = self._connection or http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                text = answer.read()
            except (ConnectionError, http.client.BadStatusLine):
                connection.close()
                self._connection = None
                continue
            self._connection = None if answer.will_close else connection
            return answer.status, text
        raise AssertionError("the connection breaks without an answer")


def run_threads(*targets: Any) -> None:
    """All at once; the first failure is raised."""
    failures: list[BaseException] = []

    def guarded(target: Any) -> None:
        try:
            target()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def write_bad_bodies(server: SwarmscopeServer, number: int, seen: Counter[int]) -> None:
    sender, chance = Sender(server.port), random.Random(f"{SEED} write {number}")
    for turn in range(N_WRITES):
        make, proto = ((damaged.write_v1, V1), (damaged.write_v2, V2))[turn % 2]
        body = chance.choice(damaged.DAMAGES)(make(chance), chance)
        headers = {"content-type": f"application/x-protobuf;proto={proto}", "content-encoding": "snappy"}
        wire = damaged.packed(body, "snappy")
        status, text = sender.send("POST", "/prometheus/api/v1/write", headers, wire)
        assert status in GOOD | REFUSED, (status, text, body)
        seen[status] += 1


def export_bad_bodies(server: SwarmscopeServer, number: int, seen: Counter[int]) -> None:
    sender, chance = Sender(server.otlp_http_port), random.Random(f"{SEED} export {number}")
    for turn in range(N_EXPORTS):
        make, content_type = (
            (damaged.otlp, "application/x-protobuf"), (damaged.otlp_json, "application/json"),
        )[turn % 2]  # fmt: skip
        body = chance.choice(damaged.DAMAGES)(make(chance), chance)
        status, text = sender.send("POST", "/v1/metrics", {"content-type": content_type}, body)
        assert status in GOOD | REFUSED, (status, text, body)
        seen[status] += 1


def call_with_bad_messages(server: SwarmscopeServer, number: int, seen: Counter[str]) -> None:
    chance = random.Random(f"{SEED} call {number}")
    with grpc.insecure_channel(f"127.0.0.1:{server.otlp_grpc_port}") as channel:
        export = channel.unary_unary(EXPORT)
        bodies = [chance.choice(damaged.DAMAGES)(damaged.otlp(chance), chance) for _ in range(N_CALLS)]
        bodies += [bytes(9 << 20), damaged.deep_attributes(5000), b""]
        for body in bodies:
            try:
                export(
                    body, timeout=60, compression=chance.choice((grpc.Compression.NoCompression, grpc.Compression.Gzip))
                )
                seen["OK"] += 1
            except grpc.RpcError as error:
                seen[error.code().name] += 1
    assert set(seen) <= {"OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}, seen


PARAMETERS: dict[str, tuple[str, ...]] = {
    "query": ("", "v1_0", "rate(v1_0[5m])", "sum(", "a" * 100_000, "(" * 5000 + "1" + ")" * 5000, "-" * 20_000 + "1",
              "v1_0[1h]", '{__name__=~"(a|b)*c"}', '{__name__=~"("}', "\ud83d\ude00".encode("utf-16", "surrogatepass")
              .decode("utf-16"), "a\x00b", "1e999", "v1_0 @ 1e300", "v1_0 offset 300y", "rate(v1_0[9999y])",
              '{__name__=~".+"}', 'sum_over_time({__name__=~".+"}[10000d])', "1/0", "absent(nothing)"),
    "time": ("", "0", "1e308", "-1e308", "NaN", "Inf", "9223372036854775807", "-9223372036854775808", "now",
             "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "1700000000.123456789"),
    "start": ("1700000000", "-1e300", "NaN", "1e300", "x"), "end": ("1700000600", "1e300", "-1", "NaN", ""),
    "step": ("15", "0", "-1", "1e-300", "NaN", "1e300", "5m", "9999y", "0.0001", ""),
    "timeout": ("1s", "0", "-5", "1e300", "x"), "lookback_delta": ("5m", "0s", "-1", "x", "290y"),
    "limit": ("1", "0", "-1", "1e9", "x", "99999999999999999999"), "stats": ("all", "x"),
    "match[]": ("v1_0", "{", '{a=~""}', "", "up{", '{__name__=~".*"}'),
}  # fmt: skip
PATHS = (
    "query", "query_range", "series", "labels", "label/__name__/values", "label/\xff\xfe/values", "query_exemplars",
    "metadata", "format_query", "parse_query", "status/tsdb", "admin/tsdb/delete_series", "read", "nothing",
)  # fmt: skip


def query_badly(server: SwarmscopeServer, number: int, seen: Counter[int]) -> None:
    sender, chance = Sender(server.port), random.Random(f"{SEED} query {number}")
    for _ in range(N_QUERIES):
        path = chance.choice(PATHS)
        chosen = {name: chance.choice(values) for name, values in PARAMETERS.items() if chance.random() < 0.7}
        if path == "admin/tsdb/delete_series":
            chosen["match[]"] = chance.choice(("{", "", "nothing_of_that_name"))
        asked = f"/prometheus/api/v1/{httpx.URL(path='/' + path).raw_path.decode()[1:]}"
        form = urlencode(chosen).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if chance.random() < 0.5 and len(form) < 50_000:
            status, text = sender.send("GET", f"{asked}?{form.decode()}", {}, b"")
        else:
            body = chance.choice(damaged.DAMAGES)(form or b"x", chance) if chance.random() < 0.3 else form
            status, text = sender.send("POST", asked, headers, body)
        assert status in GOOD | REFUSED | {405, 503}, (status, asked, chosen, text[:500])
        if status != 405 and status >= 400 and path != "nothing" and text[:1] == b"{":
            assert json.loads(text)["error"], (asked, chosen)
        if status == 503:
            assert b"timed out" in text or b"timeout" in text, text
        seen[status] += 1


def test_bad_bodies_beside_a_good_sender(server: SwarmscopeServer) -> None:
    process = process_of(server)
    ledger = Ledger()
    load = Load(server, [plan for plan in make_plans(SEED) if plan.protocol in ("write_v1", "otlp_grpc")], ledger)
    writes, exports, queries, calls = Counter[int](), Counter[int](), Counter[int](), Counter[str]()
    memory = []
    try:
        for number in range(ROUNDS):
            run_threads(
                partial(write_bad_bodies, server, number, writes), partial(export_bad_bodies, server, number, exports),
                partial(call_with_bad_messages, server, number, calls), partial(query_badly, server, number, queries),
            )  # fmt: skip
            memory.append(process.memory_info().rss)
    finally:
        load.stop()
    assert max(memory) < MAX_RSS
    assert memory[2] - memory[1] < 200 << 20, memory
    for counts in (writes, exports, queries):
        assert len(counts) > 1, counts
    check(server, ledger, set())


# Another host's name would be refused at once.
REQUEST_LINE = b"POST /prometheus/api/v1/write HTTP/1.1\r\nhost: localhost\r\n"
BROKEN_REQUESTS = (
    b"",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"GET\r\n\r\n",
    b"NONSENSE / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 200_000 + b"\r\n\r\n",
    b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
    REQUEST_LINE + b"content-length: 100\r\n\r\nshort",
    REQUEST_LINE + b"content-length: -5\r\n\r\n",
    REQUEST_LINE + b"content-length: 99999999999999999999\r\n\r\nx",
    REQUEST_LINE + b"content-length: 1000000000\r\n\r\nx",
    REQUEST_LINE + b"content-length: 2\r\ncontent-length: 3\r\n\r\nxx",
    REQUEST_LINE + b"content-length: 2\r\n\r\nxxGARBAGE BEHIND IT\r\n\r\n\x00\xff",
    REQUEST_LINE + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    REQUEST_LINE + b"transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
    REQUEST_LINE + b"transfer-encoding: chunked\r\n\r\n5\r\nab",
    REQUEST_LINE + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    REQUEST_LINE + b"expect: 100-continue\r\ncontent-length: 10\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(50),
)


def poke(port: int, request: bytes) -> bytes:
    """Send, wait a moment for an answer, and hang up."""
    with socket.create_connection(("127.0.0.1", port), timeout=0.2) as connection:
        try:
            connection.sendall(request)
            return connection.recv(1000)
        except (TimeoutError, ConnectionError):
            return b""


def test_broken_requests(server: SwarmscopeServer) -> None:
    for port in (server.port, server.otlp_http_port, server.otlp_grpc_port):
        for request in BROKEN_REQUESTS:
            answer = poke(port, request)
            assert b" 500 " not in answer[:20], (request[:100], answer)
    assert httpx.get(f"{server.address}/-/healthy").status_code == 200


def test_slow_senders_do_not_keep_others_out(server: SwarmscopeServer) -> None:
    head = REQUEST_LINE + b"content-type: application/x-protobuf\r\ncontent-length: 1000\r\n\r\n"
    heads = {server.port: head, server.otlp_http_port: head.replace(b"/prometheus/api/v1/write", b"/v1/metrics")}
    slow = []
    try:
        for port in list(heads) * 100:
            slow.append(socket.create_connection(("127.0.0.1", port), timeout=60))
            slow[-1].sendall(heads[port])
        for byte in range(3):
            for connection in slow:
                connection.sendall(bytes([byte]))
            remote_write(server, write_request([({"__name__": "beside_the_slow"}, [(damaged.T_MS + byte, 1.0)])]))
        # Others were served while the slow ones were still being waited for: none of them has been answered.
        assert select.select(slow, [], [], 0)[0] == []
        # They are read all the same: each gets its answer (zeros are no message) once its body is whole.
        for connection in slow:
            connection.sendall(bytes(997))
            assert connection.recv(15) == b"HTTP/1.1 400 Ba"
    finally:
        for connection in slow:
            connection.close()


def chunked(body: bytes) -> Iterator[bytes]:
    for begin in range(0, len(body), 1000):
        yield body[begin : begin + 1000]


def test_bodies_over_the_bounds(server: SwarmscopeServer) -> None:
    write = f"{server.prometheus_api}/api/v1/write"
    headers = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
    large = bytes(3 << 20)
    for content in (large, chunked(large)):
        # It may be answered and closed before all was sent.
        with contextlib.suppress(httpx.TransportError):
            assert httpx.post(write, content=content, headers=headers).status_code == 413
    for encoding, body in damaged.bombs(8 << 20):
        answer = httpx.post(write, content=body, headers=headers | {"content-encoding": encoding}, timeout=60)
        assert answer.status_code in (400, 413), (encoding, answer.text)
        assert len(answer.text) > 10
    for body in damaged.large_v1():
        wire = bytes(cramjam.snappy.compress_raw(body))
        answer = httpx.post(write, content=wire, headers=headers, timeout=60)
        assert answer.status_code == 400, answer.text
        assert "refused" in answer.text
        assert len(answer.text) < 5000
    found = httpx.get(
        f"{server.prometheus_api}/api/v1/query", params={"query": "good[1m]", "time": damaged.T_MS // 1000}
    )
    assert found.json()["data"]["result"][0]["metric"] == {"__name__": "good", "beside": "bad"}


@pytest.mark.parametrize("ts_ms", damaged.EXTREME_TIMES_MS)
def test_extreme_times_are_kept_or_refused_by_name(server: SwarmscopeServer, ts_ms: int) -> None:
    series = [({"__name__": "extreme", "of": str(ts_ms)}, [(ts_ms, 1.0), (damaged.T_MS, 2.0)])]
    wire = bytes(cramjam.snappy.compress_raw(write_request(series)))
    headers = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
    answer = httpx.post(f"{server.prometheus_api}/api/v1/write", content=wire, headers=headers, timeout=60)
    kept = answer.status_code == 204
    assert kept or (answer.status_code == 400 and "timestamp" in answer.text), answer.text
    # What an instant of a query can name is kept, what lies ahead of the clock is not.
    assert kept == (-(1 << 53) <= ts_ms <= damaged.T_MS), answer.text
    for at_ms in (damaged.T_MS, *([ts_ms] if kept else [])):
        parameters = {"query": f'extreme{{of="{ts_ms}"}}[1ms]', "time": f"{at_ms / 1000:.3f}"}
        found = httpx.get(f"{server.prometheus_api}/api/v1/query", params=parameters).json()
        assert len(found["data"]["result"]) == 1, found
    time.sleep(0.5)  # flushed to parts by now


def test_nothing_is_left_behind(server: SwarmscopeServer) -> None:
    """Runs last: threads, memory and log after all of the above, and the data after a restart."""
    process = process_of(server)
    n_threads = process.num_threads()
    for _ in range(50):
        poke(server.port, BROKEN_REQUESTS[6])
        poke(server.otlp_http_port, BROKEN_REQUESTS[14])
    # The store's own threads come and go; one left by each connection would be a hundred.
    wait_until(lambda: process.num_threads() <= n_threads + 50, "threads that end")
    assert process.memory_info().rss < MAX_RSS
    assert process.num_fds() < 600
    remote_write(server, write_request([({"__name__": "after_all"}, [(damaged.T_MS, 7.0)])]))
    server.restart()
    parameters = {"query": "after_all", "time": str(damaged.T_MS // 1000)}
    found = httpx.get(f"{server.prometheus_api}/api/v1/query", params=parameters).json()
    assert found["data"]["result"][0]["value"][1] == "7"
    lines = (server.folder / "log").read_text(errors="replace").splitlines()
    bad = [line for line in lines if "Traceback" in line or " ERROR " in line]
    assert not bad, bad[:20]
